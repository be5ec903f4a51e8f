"""Input made to break a reader: random bytes, and valid text with a few wounds."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import strategies as st

TOKENS: Sequence[bytes] = (
    b'"', b"'", b"{", b"}", b"[", b"]", b",", b":", b": ", b"\n", b"\r\n", b"\t", b"- ", b"? ", b"#", b"|", b">",
    b"\x00", b"\xff", b"\xc3", b"\xef\xbb\xbf", b"\xed\xa0\x80", "ä\u2028\U0001f600".encode(),
    b"null", b"true", b"NaN", b"-Infinity", b"-0", b"1.0", b"1e400", b"1e-400", b"1e999999999", b"9" * 400,
    b"9007199254740993", b"0.1000000000000000055511151231257827", b"\\u0000", b"\\ud800", b"\\", b'""', b"{}", b"[]",
    b"&a ", b"*a", b"<<: *a", b"!!python/object/apply:os.system ['false']", b"!!binary x", b"%YAML 9.9\n", b"---\n",
    b"../", b"/etc/passwd", b".git/", b"${HOME}", b"${", b"$(false)", b"key:", b"key:a", b"%s%n", b"'; DROP TABLE x; --",
    b"control.callWorkflow", b"workflowId", b"version", b"database", b"sqlite:///", b"<<<<<<< ours\n",
    b"[" * 300, b"{" * 300, b"[" * 100_000, b'{"a":' * 2_000,
)  # fmt: skip


@st.composite
def wounded(draw: st.DrawFn, texts: Sequence[bytes]) -> bytes:
    """One of `texts` with a few bytes cut out, doubled, or put in."""
    data = draw(st.sampled_from(texts))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(data)))
        end = min(len(data), start + draw(st.integers(0, 40)))
        part = draw(st.sampled_from(TOKENS) | st.binary(max_size=8))
        match draw(st.sampled_from(("put in", "replace", "cut out", "double", "end"))):
            case "put in":
                data = data[:start] + part + data[start:]
            case "replace":
                data = data[:start] + part + data[end:]
            case "cut out":
                data = data[:start] + data[end:]
            case "double":
                data = data[:end] + data[start:]
            case _:
                data = data[:start]
    return data


def hostile(texts: Sequence[bytes]) -> st.SearchStrategy[bytes]:
    """Mostly wounded `texts`, sometimes any bytes at all."""
    tokens = st.lists(st.sampled_from(TOKENS), max_size=12).map(b"".join)
    return st.one_of(wounded(texts), wounded(texts), wounded(texts), st.binary(max_size=64), tokens)
