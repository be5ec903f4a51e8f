"""Python functions that stand for actions: from modules named on the command line, and from entry points."""

from __future__ import annotations

import importlib
import importlib.metadata
import sys
from collections.abc import Mapping, Sequence
from typing import Any, Final

from gitsync.errors import ConfigError
from gitsync.runtime.stubs import ActionFunction

GROUP: Final = "gitsync.actions"
"""The group of entry points: the name is an action's id, or id@version, the value a function."""
ATTRIBUTE: Final = "ACTIONS"
"""What a module has: a mapping of action ids to functions."""


def load_functions(modules: Sequence[str], *, folder: str) -> dict[str, ActionFunction]:
    """Action id → function; a module named later wins, and any module over the entry points.

    folder: where modules are looked for first. Raises ConfigError (INVALID_ACTIONS).
    """
    functions: dict[str, ActionFunction] = {}
    for point in importlib.metadata.entry_points(group=GROUP):
        functions[point.name] = _checked(point.name, _load(point.value, point.load), point.value)
    if modules and folder not in sys.path:
        sys.path.insert(0, folder)
    for name in modules:
        module = _load(name, lambda name=name: importlib.import_module(name))
        actions = getattr(module, ATTRIBUTE, None)
        if not isinstance(actions, Mapping):
            raise ConfigError(
                f"the module {name} has no mapping {ATTRIBUTE}",
                code="INVALID_ACTIONS",
                cure=f'write {ATTRIBUTE} = {{"email.send": send}} in it; a function takes the input and returns the output',
            )
        functions |= {str(action): _checked(str(action), value, name) for action, value in actions.items()}
    return functions


def _load(name: str, load: Any) -> Any:
    try:
        return load()
    except Exception as error:
        raise ConfigError(
            f"cannot load the actions of {name}: {type(error).__name__}: {error}",
            code="INVALID_ACTIONS",
            cure="is it on the path? it is looked for beside gitsync.yaml first",
        ) from error


def _checked(action: str, value: Any, where: str) -> ActionFunction:
    if not callable(value):
        raise ConfigError(f"{where}: the action {action} is no function", code="INVALID_ACTIONS")
    function: ActionFunction = value
    return function
