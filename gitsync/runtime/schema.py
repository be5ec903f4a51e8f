"""Values against the registry's JSON Schemas, as the product parses them: defaults added, extra keys let through."""

from __future__ import annotations

from typing import Any, Final

from gitsync.errors import first_of
from gitsync.runtime.model import Category, RunFault
from gitsync.workflow.json_schema import iter_faults

_SHOWN: Final = 5


def accept(schema: Any, value: Any, *, what: str, is_strict: bool = False) -> Any:
    """`value` with the schema's defaults in it; raises RunFault (ValidationError) that lists what is wrong.

    is_strict: keys that the schema doesn't name are faults too; the product is so only for two payloads.
    """
    filled = with_defaults(schema, value)
    faults = faults_of(schema, filled, is_strict=is_strict)
    if faults:
        raise RunFault(
            Category.VALIDATION,
            f"{what} is not what its schema says: {first_of(faults, _SHOWN)}",
            code="SCHEMA_VALIDATION_FAILED",
        )
    return filled


def faults_of(schema: Any, value: Any, *, is_strict: bool = False) -> list[str]:
    """What is wrong with `value`, each with its place; a schema that is none finds nothing."""
    return sorted(str(fault) for fault in iter_faults(schema, value) if is_strict or not fault.is_extra)


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
