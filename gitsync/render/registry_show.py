"""The report of ``registry show``, drawn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from gitsync.commands.registry import ShownRegistry
from gitsync.errors import plural
from gitsync.render.json import registry_text
from gitsync.render.text import say
from gitsync.workflow.registry_file import registry_json

if TYPE_CHECKING:
    from rich.console import Console


def print_text(report: ShownRegistry, console: Console, **_: object) -> None:
    """Print actions with the members of their input, node types, and schemas."""
    registry = report.registry
    actions = {f"{name}@{version}": offer for (name, version), offer in sorted(registry.actions.items())}
    width = max((len(name) for name in actions), default=0)
    _say_list(
        console, "action", [f"{name:<{width}}  {_fields_of(o.input)}".rstrip() for name, o in actions.items()]
    )
    _say_list(console, "node type", sorted(registry.node_types))
    _say_list(
        console,
        "schema",
        [
            ref if schema is not None else f"{ref}  (its schema is not known)"
            for ref, schema in sorted(registry.schemas.items())
        ],
    )
    if not (actions or registry.node_types or registry.schemas):
        say(console, "nothing")


def as_json(report: ShownRegistry, **_: object) -> str:
    """Return the result as ``-o json`` prints it."""
    return registry_text(
        {
            "environment": None,
            "file": str(report.path),
            **registry_json(report.registry),
        }
    )


def _say_list(console: Console, noun: str, lines: Sequence[str]) -> None:
    if lines:
        say(console, plural(len(lines), noun), style="bold")
    for line in lines:
        say(console, f"  {line}")


def _fields_of(schema: Any) -> str:
    """Return the members that an object's schema names, such as ``title, body?``; ``?`` marks those that may be missing."""
    members = schema.get("properties") if isinstance(schema, dict) else None
    if not isinstance(members, dict):
        return ""
    needed = schema.get("required")
    required = set(map(str, needed)) if isinstance(needed, list) else set()
    ordered = sorted(members, key=lambda name: (name not in required, name))
    return ", ".join(name if name in required else f"{name}?" for name in ordered)
