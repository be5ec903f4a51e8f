"""Values against the registry's JSON Schemas, as the product parses them: defaults added, extra keys let through."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterator
from typing import Any, Final

from gitsync.runtime.model import Category, RunFault

_SHOWN: Final = 5
_ELSEWHERE: Final = re.compile(r'"\$ref": "(?!#)')


def accept(schema: Any, value: Any, *, what: str, is_strict: bool = False) -> Any:
    """`value` with the schema's defaults in it; raises RunFault (ValidationError) that lists what is wrong.

    is_strict: keys that the schema doesn't name are faults too; the product is so only for two payloads.
    """
    filled = with_defaults(schema, value)
    faults = faults_of(schema, filled, is_strict=is_strict)
    if faults:
        more = f" (and {len(faults) - _SHOWN} more)" if len(faults) > _SHOWN else ""
        raise RunFault(
            Category.VALIDATION,
            f"{what} is not what its schema says: " + "; ".join(faults[:_SHOWN]) + more,
            code="SCHEMA_VALIDATION_FAILED",
        )
    return filled


def faults_of(schema: Any, value: Any, *, is_strict: bool = False) -> list[str]:
    """What is wrong with `value`, each with its place; a schema that is none finds nothing."""
    text = json.dumps(schema, sort_keys=True, default=str)
    validator = _validator(text)
    if validator is None or validator.is_valid(value):
        return []
    return sorted(_iter_faults(text, value, is_strict=is_strict))


def with_defaults(schema: Any, value: Any) -> Any:
    """`value` with the defaults of the properties that it lacks, at every level."""
    if not isinstance(schema, dict):
        return value
    if isinstance(value, dict) and isinstance(schema.get("properties"), dict):
        filled = dict(value)
        for name, inner in schema["properties"].items():
            if name in filled:
                filled[name] = with_defaults(inner, filled[name])
            elif isinstance(inner, dict) and "default" in inner:
                filled[name] = inner["default"]
        return filled
    if isinstance(value, list) and isinstance(schema.get("items"), dict):
        return [with_defaults(schema["items"], item) for item in value]
    return value


def _iter_faults(text: str, value: Any, *, is_strict: bool) -> Iterator[str]:
    import jsonschema

    schema = json.loads(text)
    for error in jsonschema.validators.validator_for(schema)(schema).iter_errors(value):
        if error.validator == "additionalProperties" and not is_strict:
            continue
        place = error.json_path.removeprefix("$").lstrip(".")
        yield f"{place}: {error.message}" if place else error.message


@functools.lru_cache(maxsize=1024)
def _validator(text: str) -> Any:
    import jsonschema_rs

    if _ELSEWHERE.search(text):
        return None  # it would have to be fetched, and a run opens no connection
    try:
        return jsonschema_rs.validator_for(text)
    except (ValueError, jsonschema_rs.ValidationError):
        return None
