"""YAML that a person wrote, as nodes that know their place; what would exhaust the process is refused first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import yaml

from gitsync.errors import ConfigError, Problem

MAX_NESTING: Final = 200
"""The composer, in C, calls itself for each level, and ends the process where the stack ends."""


def compose_yaml(data: bytes, *, file: str) -> Any:
    """The root node of `data`, ``None`` for nothing; aliases are shared nodes, so they cost nothing.

    Raises ConfigError with the place of the first fault.
    """
    try:
        _check_nesting(data, file)
        return yaml.compose(data, Loader=yaml.CSafeLoader)
    except yaml.YAMLError as error:
        reason = str(getattr(error, "problem", None) or error)
        raise _fault(file, getattr(error, "problem_mark", None), reason) from error


def config_error(problems: Sequence[Problem], *, cure: str) -> ConfigError:
    """The error of a YAML file that carries all its problems, one a line."""
    ordered = sorted(problems)
    return ConfigError("\n".join(map(str, ordered)), problems=ordered, cure=cure)


def _check_nesting(data: bytes, file: str) -> None:
    depth = 0
    for event in yaml.parse(data, Loader=yaml.CSafeLoader):  # needs no stack
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > MAX_NESTING:
                raise _fault(file, event.start_mark, f"nested deeper than {MAX_NESTING} levels")
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def _fault(file: str, mark: Any, reason: str) -> ConfigError:
    line, column = (mark.line + 1, mark.column + 1) if mark else (0, 0)
    return config_error([Problem(file, line, column, "", "INVALID_CONFIG", reason)], cure=f"mend {file}")
