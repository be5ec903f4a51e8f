"""Whether an action is given what its input's JSON Schema asks for."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from typing import Any, Final

from gitsync.rules.rule import Spot
from gitsync.workflow.json_schema import iter_faults
from gitsync.workflow.types import Json

_DEFINITIONS: Final = ("$schema", "$defs", "definitions")


def check_inputs(
    action: str, schema: Mapping[str, Any], given: Mapping[str, Any], container: Any
) -> Iterator[Spot]:
    """Yield what is missing, unknown, or a literal of the wrong type in `given`, an action's input mapping.

    container: where a missing input is reported: `given`, or the config where there is no mapping.
    What an expression or a secret will be is not known, so these pass.
    """
    properties = schema.get("properties")
    known: Mapping[str, Any] = properties if isinstance(properties, dict) else {}
    for name in _required(schema):
        if name not in given:
            message = f'{action} needs the input "{name}"'
            yield Spot(
                container, "inputMapping" if container is not given else None, "MISSING_INPUT", message
            )
    is_closed = (
        schema.get("additionalProperties") is False and not {"anyOf", "oneOf", "allOf"} & schema.keys()
    )
    for name, value in given.items():
        if name in known:
            yield from _value(action, name, value, known[name], schema, (given, name))
        elif is_closed:
            near = difflib.get_close_matches(name, list(known), n=1)
            cure = f'did you mean "{near[0]}"?' if near else ""
            yield Spot(given, name, "UNKNOWN_INPUT", f'{action} has no input "{name}"', cure)


def _value(
    action: str, name: str, value: Any, schema: Any, root: Mapping[str, Any], place: tuple[Any, Any]
) -> Iterator[Spot]:
    inner = list(_members(action, name, value, schema, root)) if isinstance(schema, dict) else []
    yield from inner
    if not inner and _is_literal(value) and (message := _refusal(value, schema, root)):
        yield Spot(*place, "INPUT_TYPE", f'the input "{name}" of {action}: {message}')


def _members(
    action: str, name: str, value: Any, schema: dict[str, Any], root: Mapping[str, Any]
) -> Iterator[Spot]:
    """Yield what is wrong inside a literal object or list."""
    if isinstance(value, dict) and "$expr" not in value and "$secret" not in value:
        for member in _required(schema):
            if member not in value:
                message = f'the input "{name}" of {action} needs the field "{member}"'
                yield Spot(value, None, "MISSING_INPUT", message)
        properties = schema.get("properties")
        for member, item in value.items():
            if isinstance(properties, dict) and member in properties:
                yield from _value(action, f"{name}.{member}", item, properties[member], root, (value, member))
    elif isinstance(value, list) and isinstance(items := schema.get("items"), dict):
        for index, item in enumerate(value):
            yield from _value(action, f"{name}[]", item, items, root, (value, index))


def _required(schema: Mapping[str, Any]) -> list[str]:
    """Return the names that must be given: a default stands in for what is not."""
    required, properties = schema.get("required"), schema.get("properties")
    known = properties if isinstance(properties, dict) else {}
    names = [name for name in required if isinstance(name, str)] if isinstance(required, list) else []
    return [name for name in names if not (isinstance(p := known.get(name), dict) and "default" in p)]


def _is_literal(value: Any) -> bool:
    """Return whether no expression and no secret stands anywhere in `value`."""
    queue: list[Any] = [value]
    for item in queue:  # grows while it is walked
        if isinstance(item, dict):
            if "$expr" in item or "$secret" in item:
                return False
            queue.extend(item.values())
        elif isinstance(item, list):
            queue.extend(item)
    return True


def _refusal(value: Json, schema: Any, root: Mapping[str, Any]) -> str:
    """Return why `schema`, a part of `root`, refuses `value`; empty where it takes it, or is no JSON Schema.

    Of what is none the registry's rule tells.
    """
    if not isinstance(schema, dict):
        return ""
    definitions = {name: root[name] for name in _DEFINITIONS if name in root}
    return str(next(iter_faults({**definitions, **schema}, value), ""))
