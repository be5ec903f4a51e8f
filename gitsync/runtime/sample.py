"""A value made from a JSON Schema, where nobody has given one."""

from __future__ import annotations

from typing import Any, Final

DEEPEST: Final = 12
_BY_FORMAT: Final = {
    "uuid": "00000000-0000-0000-0000-000000000000",
    "date-time": "2026-01-01T00:00:00.000Z",
    "date": "2026-01-01",
    "email": "sample@example.com",
    "uri": "https://example.com",
}


def sample_of(schema: Any) -> Any:
    """The simplest value that `schema` describes, the same each time; null where it goes too deep."""
    return _sample(schema, schema, 0, frozenset())


def _sample(schema: Any, root: Any, depth: int, seen: frozenset[str]) -> Any:
    if not isinstance(schema, dict) or depth > DEEPEST:
        return None
    reference = schema.get("$ref")
    if isinstance(reference, str):
        target = None if reference in seen else _resolve(root, reference)
        return _sample(target, root, depth + 1, seen | {reference})
    for name in ("const", "default"):
        if name == "default" and isinstance(schema.get("enum"), list) and schema["enum"]:
            return schema["enum"][0]
        if name in schema:
            return schema[name]
    examples = schema.get("examples")
    if isinstance(examples, list) and examples:
        return examples[0]
    for name in ("anyOf", "oneOf"):
        variants = schema.get(name)
        if isinstance(variants, list) and variants:
            real = [v for v in variants if not (isinstance(v, dict) and v.get("type") == "null")]
            return _sample((real or variants)[0], root, depth + 1, seen)
    parts = schema.get("allOf")
    if isinstance(parts, list) and parts:
        merged = [_sample(part, root, depth + 1, seen) for part in parts]
        rest = {name: value for name, value in schema.items() if name != "allOf"}
        if "properties" in rest:
            merged.append(_sample(rest, root, depth + 1, seen))
        objects = [value for value in merged if isinstance(value, dict)]
        return {key: value for item in objects for key, value in item.items()} if objects else merged[0]
    return _by_type(schema, root, depth, seen)


def _by_type(schema: dict[str, Any], root: Any, depth: int, seen: frozenset[str]) -> Any:
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = next((name for name in kind if name != "null"), "null")
    match kind:
        case "object" | None:
            members = schema.get("properties")
            names = members.items() if isinstance(members, dict) else ()
            return {name: _sample(value, root, depth + 1, seen) for name, value in names}
        case "array":
            items = schema.get("items")
            return [_sample(items, root, depth + 1, seen)] if isinstance(items, dict) else []
        case "string":
            form = schema.get("format")
            return _BY_FORMAT.get(form, "sample-string") if isinstance(form, str) else "sample-string"
        case "number" | "integer":
            least = schema.get("minimum", 0)
            return least if isinstance(least, (int, float)) and not isinstance(least, bool) else 0
        case "boolean":
            return False
        case _:
            return None


def _resolve(root: Any, reference: str) -> Any:
    """What a local reference names, ``None`` for any other."""
    if not reference.startswith("#"):
        return None
    schema = root
    for part in reference.removeprefix("#").strip("/").split("/"):
        if not part:
            continue
        name = part.replace("~1", "/").replace("~0", "~")
        if not isinstance(schema, dict) or name not in schema:
            return None
        schema = schema[name]
    return schema
