"""YAML that a person wrote, as nodes or as JSON values that know their place.

What would exhaust the process is refused first.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import yaml

from gitsync.errors import ConfigError, Problem
from gitsync.workflow.scan import Path, json_path

_TAG: Final = "tag:yaml.org,2002:"
_MOST_NODES: Final = 100_000
_DEEPEST: Final = 100
MAX_NESTING: Final = 200
"""The composer, in C, calls itself for each level, and ends the process where the stack ends."""


class _NoYaml(Exception):
    """Why a text is no YAML, with line and column from 1 where they are known."""

    def __init__(self, reason: str, place: tuple[int, int] | None) -> None:
        super().__init__(reason)
        self.place = place


def compose_yaml(data: bytes, *, file: str) -> Any:
    """Return the root node of `data`, ``None`` for nothing; aliases are shared nodes, so they cost nothing.

    Raises ConfigError with the place of the first fault.
    """
    try:
        return _compose(data)
    except _NoYaml as error:
        problem = Problem(file, *(error.place or (0, 0)), rule="INVALID_CONFIG", message=str(error))
        raise config_error([problem], cure=f"mend {file}") from error


def config_error(problems: Sequence[Problem], *, cure: str) -> ConfigError:
    """Return the error of a YAML file that carries all its problems, one a line."""
    ordered = sorted(problems)
    return ConfigError("\n".join(map(str, ordered)), problems=ordered, cure=cure)


@dataclass(slots=True)
class Located:
    """A file's value. places: path → line and column, from 1, of each value and each member's name."""

    file: str
    rule: str
    value: Any = None
    places: dict[Path, tuple[int, int]] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def fault(self, path: Sequence[str | int], message: str, cure: str = "") -> None:
        """Note a fault at the path, or at what there is of it."""
        known_path = tuple(path)
        while known_path and known_path not in self.places:
            known_path = known_path[:-1]
        line, column = self.places.get(known_path, (1, 1))
        self.problems.append(
            Problem(self.file, line, column, json_path(tuple(path)), self.rule, message, cure)
        )


def read_located(data: bytes, *, file: str, rule: str) -> Located:
    """Return what `data` holds; every fault is in ``problems``, and where YAML itself is wrong nothing else.

    A date is text here, and only true and false are booleans. rule: of the problems.
    """
    located = Located(file, rule)
    try:
        root = _compose(data)
    except _NoYaml as error:
        place = error.place or (1, 1)
        located.problems.append(Problem(file, *place, rule=rule, message=f"is no YAML: {error}"))
        return located
    _ValueReader(located).read(root, ())
    return located


class _ValueReader:
    """Turns nodes into values, noting the place of each."""

    def __init__(self, located: Located) -> None:
        self._located = located
        self._constructor = yaml.constructor.SafeConstructor()
        self._nodes = 0

    def read(self, node: Any, path: Path) -> None:
        self._located.value = None if node is None else self._value(node, path)

    def _value(self, node: Any, path: Path) -> Any:
        self._nodes += 1
        self._located.places.setdefault(path, (node.start_mark.line + 1, node.start_mark.column + 1))
        if self._nodes > _MOST_NODES or len(path) > _DEEPEST:
            if self._nodes != math.inf:
                self._located.fault(path, "the file is too large, or refers to itself")
                self._nodes = math.inf  # type: ignore[assignment]
            return None
        match node.id:
            case "sequence":
                return [self._value(item, (*path, index)) for index, item in enumerate(node.value)]
            case "mapping":
                return self._mapping(node, path)
            case _:
                return self._scalar(node, path)

    def _mapping(self, node: Any, path: Path) -> dict[str, Any]:
        names = [key.value for key, _ in node.value if key.id == "scalar"]
        if "<<" in names:
            self._constructor.flatten_mapping(node)  # YAML's own way to share members
        members: dict[str, Any] = {}
        for key, value in node.value:
            if key.id != "scalar":
                self._located.fault(path, "a name must be text")
                continue
            name = str(key.value)
            if name in members and "<<" not in names:
                self._located.fault((*path, name), f'"{name}" is there twice')
            self._located.places[*path, name] = (key.start_mark.line + 1, key.start_mark.column + 1)
            members[name] = self._value(value, (*path, name))
        return members

    def _scalar(self, node: Any, path: Path) -> Any:
        match node.tag.removeprefix(_TAG):
            case "null":
                return None
            case "bool":  # YAML 1.1 takes yes, no, on and off for booleans, which surprises everybody
                return {"true": True, "false": False}.get(node.value.lower(), str(node.value))
            case "int":
                return self._number(node, path, self._constructor.construct_yaml_int)
            case "float":
                return self._number(node, path, self._constructor.construct_yaml_float)
            case "str" | "timestamp" | "value" | "merge":
                return str(node.value)
            case other:
                self._located.fault(path, f"a value of the kind {other} is no JSON")
                return None

    def _number(self, node: Any, path: Path, construct: Any) -> Any:
        try:
            number = construct(node)
        except ValueError:
            return str(node.value)
        if isinstance(number, float) and not math.isfinite(number):
            self._located.fault(path, f"{node.value} is no JSON number")
            return None
        return number


def _compose(data: bytes) -> Any:
    try:
        _check_nesting(data)
        return yaml.compose(data, Loader=yaml.CSafeLoader)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        reason = str(getattr(error, "problem", None) or error)
        raise _NoYaml(reason, _place(getattr(error, "problem_mark", None))) from error


def _check_nesting(data: bytes) -> None:
    depth = 0
    for event in yaml.parse(data, Loader=yaml.CSafeLoader):  # needs no stack
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > MAX_NESTING:
                raise _NoYaml(f"nested deeper than {MAX_NESTING} levels", _place(event.start_mark))
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def _place(mark: Any) -> tuple[int, int] | None:
    return (mark.line + 1, mark.column + 1) if mark else None
