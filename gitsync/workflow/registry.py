"""What the target runtime offers: ``registry.yaml``."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from gitsync.errors import ConfigError, Problem

_FIELDS: Final = ("actions", "nodeTypes", "schemaRefs")
_ACTION: Final = re.compile(r"(.*\S)@([1-9][0-9]{0,8})")


@dataclass(frozen=True, slots=True)
class Registry:
    """The actions (id and version), node types and schema refs of a runtime."""

    actions: frozenset[tuple[str, int]]
    node_types: frozenset[str]
    schema_refs: frozenset[str]


def read_registry(data: bytes, *, file: str) -> Registry:
    """The registry in `data`, YAML; an action is ``id@version``, or a mapping of actionId and version.

    Raises ConfigError with every fault and its line.
    """
    import yaml

    try:
        root = yaml.compose(data, Loader=yaml.CSafeLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{file}:{mark.line + 1}:{mark.column + 1}" if mark else file
        reason = getattr(error, "problem", None) or error
        raise ConfigError(f"{place}: {reason}", cure=f"mend {file}") from error
    reader = _Reader(file)
    registry = reader.registry(root)
    if reader.problems:
        problems = sorted(reader.problems)
        raise ConfigError(
            "\n".join(map(str, problems)),
            details={"problems": [problem.as_json() for problem in problems]},
            cure=f"mend {file}",
        )
    return registry


class _Reader:
    """Turns YAML nodes into a Registry, noting each fault with its place."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.problems: list[Problem] = []

    def registry(self, root: Any) -> Registry:
        lists = dict.fromkeys(_FIELDS, None) | dict(self._members(root, "", _FIELDS))
        return Registry(
            actions=frozenset(self._actions(lists["actions"])),
            node_types=frozenset(self._names(lists["nodeTypes"], "nodeTypes")),
            schema_refs=frozenset(self._names(lists["schemaRefs"], "schemaRefs")),
        )

    def _actions(self, node: Any) -> Iterator[tuple[str, int]]:
        for path, item in self._items(node, "actions"):
            text = self._scalar(item) if item.id == "scalar" else self._mapped_action(item, path)
            match = _ACTION.fullmatch(text)
            if match:
                yield match[1], int(match[2])
            else:
                self._fault(item, path, "expected an action and its version, such as email.send@1")

    def _mapped_action(self, node: Any, path: str) -> str:
        facts = dict(self._members(node, path, ("actionId", "version")))
        return "@".join(self._scalar(facts.get(name)) for name in ("actionId", "version"))

    def _names(self, node: Any, path: str) -> Iterator[str]:
        for place, item in self._items(node, path):
            if name := self._scalar(item):
                yield name
            else:
                self._fault(item, place, "expected a name")

    def _items(self, node: Any, path: str) -> Iterator[tuple[str, Any]]:
        if _is_null(node):
            return
        if node.id != "sequence":
            self._fault(node, path, "expected a list")
            return
        for index, item in enumerate(node.value):
            yield f"{path}[{index}]", item

    def _members(self, node: Any, path: str, known: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
        if _is_null(node):
            return
        if node.id != "mapping":
            self._fault(node, path, "expected a mapping of " + ", ".join(known))
            return
        seen: set[str] = set()
        for key, value in node.value:
            name = self._scalar(key)
            where = f"{path}.{name}".lstrip(".")
            if name in seen:
                self._fault(key, where, f'"{name}" is there twice')
            elif name not in known:
                near = difflib.get_close_matches(name, known, n=1)
                suggestion = f'; did you mean "{near[0]}"?' if near else ""
                self._fault(key, where, f'unknown key "{name}"{suggestion}')
            else:
                seen.add(name)
                yield name, value

    def _scalar(self, node: Any) -> str:
        return "" if _is_null(node) or node.id != "scalar" else str(node.value).strip()

    def _fault(self, node: Any, path: str, message: str) -> None:
        mark = node.start_mark
        line, column = mark.line + 1, mark.column + 1
        self.problems.append(Problem(self.file, line, column, path, "INVALID_CONFIG", message))


def _is_null(node: Any) -> bool:
    return node is None or node.tag == "tag:yaml.org,2002:null"
