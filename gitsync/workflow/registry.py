"""What the target runtime offers: ``registry.yaml``."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from gitsync.errors import Problem, shortened
from gitsync.workflow.types import Json

_FIELDS: Final = ("actions", "nodeTypes", "schemaRefs")
_ACTION_FIELDS: Final = ("actionId", "version", "input", "output")
_SCHEMA_FIELDS: Final = ("ref", "schema")
_ACTION: Final = re.compile(r"(.*\S)@([1-9][0-9]{0,8})")


@dataclass(frozen=True, slots=True)
class ActionOffer:
    """One action of a runtime: the JSON Schemas of its input and its output, ``None`` where not known."""

    input: Json | None = None
    output: Json | None = None


@dataclass(frozen=True, slots=True)
class Registry:
    """What a runtime offers.

    actions: by id and version. schemas: schema ref → its JSON Schema, ``None`` where it is not known.
    """

    actions: Mapping[tuple[str, int], ActionOffer] = field(default_factory=dict)
    node_types: frozenset[str] = frozenset()
    schemas: Mapping[str, Json | None] = field(default_factory=dict)


def read_registry(data: bytes, *, file: str, check_schemas: bool = False) -> Registry:
    """The registry in `data`, YAML.

    An action is ``id@version``, or a mapping of actionId, version and perhaps input and output, which are
    JSON Schemas. A schema ref is a name, or a mapping of ref and perhaps schema.
    check_schemas: whether these must be right as schemas too, which takes a while to find out.
    Raises ConfigError with every fault and its line.
    """
    from gitsync.workflow.yaml_reader import compose_yaml, config_error

    root = compose_yaml(data, file=file)
    reader = _Reader(file, check_schemas=check_schemas)
    registry = reader.registry(root)
    if reader.problems:
        raise config_error(reader.problems, cure=f"mend {file}")
    return registry


class _Reader:
    """Turns YAML nodes into a Registry, noting each fault with its place."""

    def __init__(self, file: str, *, check_schemas: bool) -> None:
        self.file = file
        self.check_schemas = check_schemas
        self.problems: list[Problem] = []

    def registry(self, root: Any) -> Registry:
        lists = dict.fromkeys(_FIELDS, None) | dict(self._members(root, "", _FIELDS))
        return Registry(
            actions=dict(self._actions(lists["actions"])),
            node_types=frozenset(name for name, _ in self._named(lists["nodeTypes"], "nodeTypes")),
            schemas=dict(self._named(lists["schemaRefs"], "schemaRefs", _SCHEMA_FIELDS)),
        )

    def _actions(self, node: Any) -> Iterator[tuple[tuple[str, int], ActionOffer]]:
        for path, item in self._items(node, "actions"):
            facts = {} if item.id == "scalar" else dict(self._members(item, path, _ACTION_FIELDS))
            named = "@".join(self._scalar(facts.get(name)) for name in _ACTION_FIELDS[:2])
            match = _ACTION.fullmatch(self._scalar(item) if item.id == "scalar" else named)
            if match:
                schemas = (self._schema(facts.get(name), f"{path}.{name}") for name in _ACTION_FIELDS[2:])
                yield (match[1], int(match[2])), ActionOffer(*schemas)
            else:
                self.fault(item, path, "expected an action and its version, such as email.send@1")

    def _named(self, node: Any, path: str, fields: tuple[str, ...] = ()) -> Iterator[tuple[str, Json | None]]:
        """Name → schema; where `fields` are given, an item may be a mapping of a name and a schema."""
        for place, item in self._items(node, path):
            is_mapped = bool(fields) and item.id == "mapping"
            facts = dict(self._members(item, place, fields)) if is_mapped else {}
            if name := self._scalar(facts.get(fields[0]) if is_mapped else item):
                yield name, self._schema(facts.get("schema"), f"{place}.schema")
            else:
                self.fault(item, place, "expected a name")

    def _schema(self, node: Any, path: str) -> Json | None:
        """A JSON Schema as it stands in the YAML."""
        if _is_null(node):
            return None
        if node.id != "mapping":
            self.fault(node, path, "expected a JSON Schema, which is a mapping")
            return None
        before = len(self.problems)
        schema = _Values(self).value(node, path)
        if self.check_schemas and isinstance(schema, dict) and len(self.problems) == before:
            import jsonschema_rs

            try:
                jsonschema_rs.meta.validate(schema)
            except ValueError as error:
                reason = str(getattr(error, "message", error)).partition("\n")[0]
                self.fault(node, path, f"is no JSON Schema: {reason}")
        return schema

    def _items(self, node: Any, path: str) -> Iterator[tuple[str, Any]]:
        if _is_null(node):
            return
        if node.id != "sequence":
            self.fault(node, path, "expected a list")
            return
        for index, item in enumerate(node.value):
            yield f"{path}[{index}]", item

    def _members(self, node: Any, path: str, known: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
        if _is_null(node):
            return
        if node.id != "mapping":
            self.fault(node, path, "expected a mapping of " + ", ".join(known))
            return
        seen: set[str] = set()
        for key, value in node.value:
            name = self._scalar(key)
            where = f"{path}.{name}".lstrip(".")
            if name in seen:
                self.fault(key, where, f'"{name}" is there twice')
            elif name not in known:
                near = difflib.get_close_matches(name, known, n=1)
                suggestion = f'; did you mean "{near[0]}"?' if near else ""
                self.fault(key, where, f'unknown key "{name}"{suggestion}')
            else:
                seen.add(name)
                yield name, value

    def _scalar(self, node: Any) -> str:
        return "" if _is_null(node) or node.id != "scalar" else str(node.value).strip()

    def fault(self, node: Any, path: str, message: str) -> None:
        """Note a problem at a node."""
        mark = node.start_mark
        line, column = mark.line + 1, mark.column + 1
        self.problems.append(
            Problem(self.file, line, column, shortened(path), "INVALID_CONFIG", shortened(message))
        )


class _Values:
    """Turns YAML nodes into JSON values; what an alias repeats is one value."""

    def __init__(self, reader: _Reader) -> None:
        self.reader = reader
        self.known: dict[int, Json] = {}
        self.open: set[int] = set()

    def value(self, node: Any, path: str) -> Json:
        """The JSON value of a node; ``None``, with a fault noted, where it has none."""
        number = id(node)
        if number in self.open:
            self.reader.fault(node, path, "an alias that contains itself")
            return None
        if number not in self.known:
            self.open.add(number)
            self.known[number] = self._make(node, path)
            self.open.discard(number)
        return self.known[number]

    def _make(self, node: Any, path: str) -> Json:
        if node.id == "sequence":
            return [self.value(item, f"{path}[{index}]") for index, item in enumerate(node.value)]
        if node.id == "mapping":
            mapping: dict[str, Json] = {}
            for key, item in node.value:
                name = str(key.value)
                if name in mapping:
                    self.reader.fault(key, f"{path}.{name}", f'"{name}" is there twice')
                mapping[name] = self.value(item, f"{path}.{name}")
            return mapping
        return self._scalar(node, path)

    def _scalar(self, node: Any, path: str) -> Json:
        import yaml

        kind = node.tag.removeprefix("tag:yaml.org,2002:")
        if kind not in ("null", "bool", "int", "float"):
            return str(node.value)  # dates too, which JSON has not
        value: Json = yaml.constructor.SafeConstructor().construct_object(node)
        if isinstance(value, float) and not math.isfinite(value):
            self.reader.fault(node, path, f"{node.value} is no number in JSON")
            return None
        return value


def _is_null(node: Any) -> bool:
    return node is None or node.tag == "tag:yaml.org,2002:null"
