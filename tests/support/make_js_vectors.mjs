// Writes tests/fixtures/javascript_*.json: how a JavaScript engine prints numbers, strings and sorted keys.
//
//     node tests/support/make_js_vectors.mjs
//
// Numbers are named by their 64 bits, so that no reader has to parse what is under test. The serializer
// sorts keys itself and never builds an object of them, since objects move keys like "10" to the front.
import { writeFileSync } from "node:fs";

const folder = new URL("../fixtures/", import.meta.url);
const view = new DataView(new ArrayBuffer(8));
const bitsOf = (number) => (view.setFloat64(0, number), view.getBigUint64(0).toString(16).padStart(16, "0"));
const numberOf = (bits) => (view.setBigUint64(0, bits), view.getFloat64(0));

let state = 0x9e3779b97f4a7c15n;
const random = () => {
  state ^= (state << 13n) & 0xffffffffffffffffn;
  state ^= state >> 7n;
  state ^= (state << 17n) & 0xffffffffffffffffn;
  return state;
};
const below = (limit) => Number(random() % BigInt(limit));

function numbers() {
  const chosen = [0, -0, 1, -1, 1.5, 0.1, 0.3, 0.1 + 0.2, 1 / 3, 100, 1e15, 1e16, 123456789012345680000, 5e-324,
    -5e-324, 2.2250738585072014e-308, 1.7976931348623157e308, 2 ** 53 - 1, 2 ** 53, 2 ** 53 + 2, -(2 ** 53), 2 ** 63,
    2 ** 64, 999999999999999900000, 1e21, 1.5e21, 1e-5, 1e-6, 1.5e-6, 1e-7, 1.5e-7, 0.0001, 0.00012345, 4.35, 0.5];
  for (let power = -324; power <= 308; power += 1) chosen.push(Number(`1e${power}`), Number(`-1.25e${power}`));
  while (chosen.length < 5000) {
    const any = numberOf(random());
    if (Number.isFinite(any)) chosen.push(any);
    chosen.push(below(2 ** 31) / 100, below(2 ** 48) * 2 ** (below(60) - 30));
  }
  return chosen.map((number) => [bitsOf(number), JSON.stringify(number)]);
}

function strings() {
  const chosen = ["", "\"", "\\", "/", "\u007f", "\u0080", "\u2028", "\u2029", "\ufeff", "\ufffe", "é", "日本語", "😀", "\u{10ffff}", "\ud7ff", "\ue000"];
  for (let code = 0; code < 0x20; code += 1) chosen.push(String.fromCharCode(code), `a${String.fromCharCode(code)}1`);
  const units = ["a", "\"", "\\", "\n", "\u0001", "\u001f", "é", "€", "😀", "𝕏", "\u2028", "\u007f", "<", "&", "'"];
  while (chosen.length < 500) chosen.push(Array.from({ length: below(12) }, () => units[below(units.length)]).join(""));
  // Code points, not text, so that the fixture is ASCII and means the same to every reader.
  return chosen.map((text) => [Array.from(text, (part) => part.codePointAt(0)), JSON.stringify(text)]);
}

function keyOrders() {
  const units = ["a", "b", "B", "_", "-", ".", "0", "1", "2", "9", "10", "é", "ß", "日", "\ud7ff", "\ue000", "\uffff", "\u{10000}", "😀", "\u{10ffff}", "\u0001", "\u007f", "__proto__"];
  const orders = [["10", "9", "1", "01", "-1", "4294967295", "4294967294", "a"], ["\u{10000}", "\uffff", "\ue000", "\ud7ff"], ["", "a", "aa", "A"]];
  while (orders.length < 300) {
    const keys = new Set(Array.from({ length: 1 + below(12) }, () =>
      Array.from({ length: below(4) }, () => units[below(units.length)]).join("")));
    orders.push([...keys]);
  }
  return orders.map((keys) => [...keys].sort().map((key) => Array.from(key, (part) => part.codePointAt(0))));
}

function write(value, indent = "\n") {
  if (Array.isArray(value)) {
    return value.length ? `[${value.map((item) => `${indent}  ${write(item, `${indent}  `)}`).join(",")}${indent}]` : "[]";
  }
  if (value instanceof Map) {
    const keys = [...value.keys()].sort();
    const members = keys.map((key) => `${indent}  ${JSON.stringify(key)}: ${write(value.get(key), `${indent}  `)}`);
    return keys.length ? `{${members.join(",")}${indent}}` : "{}";
  }
  return JSON.stringify(value);
}

function invented(depth) {
  const kind = below(depth ? 8 : 6);
  if (kind === 0) return [null, true, false][below(3)];
  if (kind === 1) return below(2) ? below(1000) - 500 : (below(2 ** 30) - 2 ** 29) / 2 ** below(40);
  if (kind <= 3) return strings.pool[below(strings.pool.length)];
  if (kind === 4) return numberPool[below(numberPool.length)];
  if (kind === 5) return below(2) ? [] : new Map();
  const size = below(5);
  if (kind === 6) return Array.from({ length: size }, () => invented(depth - 1));
  return new Map(Array.from({ length: size }, () => [strings.pool[below(strings.pool.length)], invented(depth - 1)]));
}
const numberPool = [0, -0, 1e16, 1e20, 1e21, 1e-7, 0.1, 2 ** 53 - 1, 5e-324, 123456789.125];
strings.pool = ["", "a", "10", "9", "z\n", "é", "😀", "\uffff", "\u0001", "__proto__", "key", "type", "日本", "\"q\"", "\\"];

const save = (name, value) =>
  writeFileSync(new URL(name, folder), `[\n${value.map((item) => JSON.stringify(item)).join(",\n")}\n]\n`);
save("javascript_numbers.json", numbers());
save("javascript_strings.json", strings());
save("javascript_key_orders.json", keyOrders());
const documents = Array.from({ length: 300 }, () =>
  new Map(Array.from({ length: 6 }, () => [strings.pool[below(strings.pool.length)], invented(5)])));
save("javascript_documents.json", documents.map((document) => write(document) + "\n"));
