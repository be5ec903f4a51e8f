"""What a workflow needs of the runtime, derived from its definitions.

The rule is the product's own, so that both call the same things needed: JavaScript's ``Number()`` for the
versions of actions, and its ``trim()``, included.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, Final

from gitsync.workflow.canonical import MAX_SAFE_INTEGER
from gitsync.workflow.steps import iter_steps
from gitsync.workflow.types import Json

_BLANK: Final = "\t\n\v\f\r \u00a0\u1680\u2028\u2029\u202f\u205f\u3000\ufeff" + "".join(
    map(chr, range(0x2000, 0x200B))
)
_DECIMAL: Final = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_PREFIXED: Final = re.compile(r"0(?:[xX][0-9a-fA-F]+|[oO][0-7]+|[bB][01]+)")


def derive_dependencies(pinned_ref: Json, definitions: Iterable[Json]) -> dict[str, list[Any]]:
    """The actions, node types and schema refs that `definitions` name, each sorted by code point.

    pinned_ref: the workflow's ``pinnedPayloadSchemaRef``, taken as it is. Names of ``control.`` are none.
    """
    actions: set[tuple[str, int | float]] = set()
    node_types: set[str] = set()
    schema_refs: set[str] = set()
    if isinstance(pinned_ref, str) and pinned_ref:
        schema_refs.add(pinned_ref)
    for definition in definitions:
        if not isinstance(definition, dict):
            continue
        _add_ref(schema_refs, definition.get("payloadSchemaRef"))
        trigger = definition.get("trigger")
        if isinstance(trigger, dict) and trigger.get("type") == "event":
            _add_ref(schema_refs, trigger.get("sourcePayloadSchemaRef"))
        for step in iter_steps(definition):
            kind = step["type"]
            node_types.add(kind)
            if kind == "action.call" and (action := action_of(step)):
                actions.add(action)
    return {
        "actions": [{"actionId": name, "version": version} for name, version in sorted(actions)],
        "nodeTypes": sorted(kind for kind in node_types if not kind.startswith("control.")),
        "schemaRefs": sorted(schema_refs),
    }


def action_of(step: Mapping[str, Any]) -> tuple[str, int | float] | None:
    """The action that an ``action.call`` step names, ``None`` where it names none."""
    config = step.get("config")
    if not isinstance(config, dict):
        return None
    name, version = config.get("actionId"), config.get("version")
    if not isinstance(name, str):
        return None
    if type(version) is not int or not 0 < version <= MAX_SAFE_INTEGER:
        version = _to_number(version)
        if version is None:
            return None
    name = name.strip(_BLANK)
    return (name, version) if name else None


def _add_ref(refs: set[str], ref: Json) -> None:
    if isinstance(ref, str) and (trimmed := ref.strip(_BLANK)):
        refs.add(trimmed)


def _to_number(value: Json) -> int | float | None:
    """`value` as ``Number(value)`` gives it, ``None`` unless finite and above zero.

    Source: ECMA-262, StringToNumber.
    """
    number: float
    if isinstance(value, str):
        text = value.strip(_BLANK)
        if _PREFIXED.fullmatch(text):
            value = int(text, 0)
        elif _DECIMAL.fullmatch(text):
            value = float(text)
        else:
            return None
    if isinstance(value, bool) or not isinstance(value, (int, float, Decimal)):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    if not math.isfinite(number) or number <= 0:
        return None
    return int(number) if number.is_integer() and number <= MAX_SAFE_INTEGER else number
