"""The JSON Schemas of a registry, compiled once each, by an engine whose patterns take linear time.

Whoever writes a registry writes its patterns, and a backtracking engine needs hours for some. The engine here has neither
look-around nor back-references; a pattern that needs them, or is too large, is left out and named by `iter_unchecked`.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any, Final

import orjson

from gitsync.workflow.registry import Registry

_VALUES: Final = frozenset({"const", "default", "enum", "examples"})
"""Keywords that hold values, no schemas."""
_MOST: Final = 1024


@dataclass(frozen=True, slots=True)
class ValueFault:
    """What a schema refuses. place: such as ``items[0].name``, empty for the value itself.

    is_extra: it is only a property that the schema doesn't name.
    """

    place: str
    message: str
    is_extra: bool

    def __str__(self) -> str:
        return f"{self.place}: {self.message}" if self.place else self.message


def iter_faults(schema: Any, value: Any) -> Iterator[ValueFault]:
    """Everything that is wrong with `value`; a schema that is none, or that stands elsewhere, finds nothing."""
    validator = _compile(_text(schema))
    if validator is None or validator.is_valid(value):
        return
    from jsonschema_rs import ValidationErrorKind

    for error in validator.iter_errors(value):
        steps = (f"[{step}]" if isinstance(step, int) else f".{step}" for step in error.instance_path)
        is_extra = isinstance(error.kind, ValidationErrorKind.AdditionalProperties)
        yield ValueFault("".join(steps).lstrip("."), str(error.message), is_extra)


def iter_unchecked(registry: Registry) -> Iterator[str]:
    """The patterns in the registry's schemas that are not checked, each once."""
    offers = registry.actions.values()
    schemas = [
        *(offer.input for offer in offers),
        *(offer.output for offer in offers),
        *registry.schemas.values(),
    ]
    found = dict.fromkeys(pattern for schema in schemas for pattern in _iter_patterns(schema, set()))
    return (pattern for pattern in found if not _is_linear(pattern))


def _text(schema: Any) -> bytes:
    try:
        return orjson.dumps(schema)
    except TypeError:  # an integer of more than 64 bits
        return json.dumps(schema, default=str).encode()


@functools.lru_cache(maxsize=_MOST)
def _compile(text: bytes) -> Any:
    """The validator of a schema; ``None`` for what is none. It fetches nothing."""
    import jsonschema_rs

    schema = json.loads(text)
    refused = {pattern for pattern in _iter_patterns(schema, set()) if not _is_linear(pattern)}
    try:
        return jsonschema_rs.validator_for(
            _without(schema, refused) if refused else schema,
            pattern_options=jsonschema_rs.RegexOptions(),
            offline=True,
        )
    except ValueError:
        return None


@functools.lru_cache(maxsize=_MOST)
def _is_linear(pattern: str) -> bool:
    """Whether the engine takes the pattern."""
    import jsonschema_rs

    try:
        jsonschema_rs.validator_for({"pattern": pattern}, pattern_options=jsonschema_rs.RegexOptions())
    except ValueError:
        return False
    return True


def _iter_patterns(schema: Any, seen: set[int]) -> Iterator[str]:
    """All patterns in a schema; what an alias repeats is looked at once."""
    if id(schema) in seen or not isinstance(schema, (dict, list)):
        return
    seen.add(id(schema))
    if isinstance(schema, list):
        for item in schema:
            yield from _iter_patterns(item, seen)
        return
    if isinstance(pattern := schema.get("pattern"), str):
        yield pattern
    if isinstance(properties := schema.get("patternProperties"), dict):
        yield from properties
    for name, inner in schema.items():
        if name not in _VALUES:
            yield from _iter_patterns(inner, seen)


def _without(schema: Any, refused: Collection[str]) -> Any:
    """The schema without the refused patterns, and without what would refuse the properties that they name."""
    if isinstance(schema, list):
        return [_without(item, refused) for item in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {
        name: inner if name in _VALUES else _without(inner, refused)
        for name, inner in schema.items()
        if not (name == "pattern" and isinstance(inner, str) and inner in refused)
    }
    properties = kept.get("patternProperties")
    if isinstance(properties, dict) and not properties.keys().isdisjoint(refused):
        kept["patternProperties"] = {name: inner for name, inner in properties.items() if name not in refused}
        kept.pop("additionalProperties", None)
        kept.pop("unevaluatedProperties", None)
    return kept
