"""The registry's file as gitsync writes it, and what differs between two: equal registries are equal bytes, in any order they came."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from gitsync.workflow.registry import ActionOffer, Registry

if TYPE_CHECKING:
    import yaml

HEADER = "# Written by `gitsync registry pull`, which replaces the whole file: put nothing of your own here."


def render_registry(registry: Registry) -> str:
    """Return the file that `read_registry` reads back as `registry`; a comment above says where it is from."""
    import yaml

    content = {name: items for name, items in registry_json(registry).items() if items}
    content["actions"] = [_brief_action(action) for action in content.get("actions", [])]
    content["schemaRefs"] = [_brief_schema(item) for item in content.get("schemaRefs", [])]
    text = yaml.dump(
        {name: items for name, items in content.items() if items},
        Dumper=_dumper(),
        sort_keys=False,
        allow_unicode=True,
        default_flow_style=False,
        width=110,
    )
    return f"{HEADER}\n{text}"


def registry_json(registry: Registry) -> dict[str, Any]:
    """Return the registry's lists, each sorted, keys in schemas too."""
    return {
        "actions": [
            {
                "actionId": name,
                "version": version,
                "input": _sorted(offer.input),
                "output": _sorted(offer.output),
            }
            for (name, version), offer in sorted(registry.actions.items())
        ],
        "nodeTypes": sorted(registry.node_types),
        "schemaRefs": [
            {"ref": ref, "schema": _sorted(schema)} for ref, schema in sorted(registry.schemas.items())
        ],
    }


def registry_changes(before: Registry, after: Registry) -> dict[str, list[str]]:
    """Return what `after` has more, less, and otherwise than `before`: names such as ``action email.send@1``."""
    old, new = _named(before), _named(after)
    return {
        "added": sorted(new.keys() - old.keys()),
        "removed": sorted(old.keys() - new.keys()),
        "changed": sorted(name for name in old.keys() & new.keys() if old[name] != new[name]),
    }


def _named(registry: Registry) -> dict[str, Any]:
    actions: dict[str, ActionOffer | Any | None] = {
        f"action {name}@{version}": offer for (name, version), offer in registry.actions.items()
    }
    nodes = {f"node type {name}": None for name in registry.node_types}
    return actions | nodes | {f"schema {ref}": schema for ref, schema in registry.schemas.items()}


def _brief_action(action: Mapping[str, Any]) -> Any:
    if action["input"] is None and action["output"] is None:
        return f"{action['actionId']}@{action['version']}"
    return {name: value for name, value in action.items() if value is not None}


def _brief_schema(item: Mapping[str, Any]) -> Any:
    return item["ref"] if item["schema"] is None else dict(item)


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _sorted(value[name]) for name in sorted(value)}
    return [_sorted(item) for item in value] if isinstance(value, list) else value


def _dumper() -> type[yaml.CSafeDumper]:
    """Make a dumper without aliases, which writes a number that no double holds digit for digit."""
    import yaml

    class Dumper(yaml.CSafeDumper):
        def ignore_aliases(self, data: Any) -> bool:
            return True

    Dumper.add_representer(Decimal, _represent_decimal)
    return Dumper


def _represent_decimal(dumper: Any, value: Decimal) -> yaml.ScalarNode:
    node: yaml.ScalarNode = dumper.represent_scalar("tag:yaml.org,2002:float", str(value))
    return node
