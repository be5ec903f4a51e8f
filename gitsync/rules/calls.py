"""Whether what workflows name exists: the workflows they call, and what the runtime offers."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from gitsync.errors import Problem
from gitsync.rules.definition import iter_placed
from gitsync.workflow.dependencies import action_of
from gitsync.workflow.document import REFERENCE
from gitsync.workflow.faults import Fault
from gitsync.workflow.references import called_keys, iter_calls, raw_calls
from gitsync.workflow.registry import Registry
from gitsync.workflow.scan import Path, json_path
from gitsync.workflow.steps import iter_located_steps
from gitsync.workflow.types import Document, Key


def check_references(
    documents: Mapping[Key, Document],
    *,
    known_keys: Collection[Key],
    held_raw_ids: Mapping[Key, Collection[str]],
    files: Mapping[Key, str] | None = None,
) -> list[Problem]:
    """Return an UNRESOLVED_REFERENCE for each call that leads nowhere, ordered by key and place.

    known_keys: of all workflows that will exist. held_raw_ids: per key the called ids that the target
    holds already and that belong to no keyed workflow; those may stay. files: names for the messages.
    """
    known = frozenset(known_keys)
    problems: list[Problem] = []
    for key in sorted(documents):
        document = documents[key]
        stored_ids = frozenset(held_raw_ids.get(key, ()))
        wrong = {REFERENCE + called for called in called_keys(document) - known} | raw_calls(document)
        wrong -= stored_ids
        if not wrong:
            continue
        for base, definition in _iter_placed_definitions(document):
            for path, step in iter_calls(definition):
                called = step.get("workflowId")
                if called in wrong:
                    place = json_path((*base, *path, "workflowId"))
                    problems.append(
                        Problem(
                            (files or {}).get(key, f"{key}.json"),
                            path=place,
                            rule="UNRESOLVED_REFERENCE",
                            message=_explain(str(called), known),
                            cure=f"write {REFERENCE}<key of the workflow>, or add that workflow",
                            key=key,
                        )
                    )
    return problems


def check_dependencies(
    documents: Mapping[Key, Document], registry: Registry, *, files: Mapping[Key, str] | None = None
) -> list[Problem]:
    """Return a MISSING_DEPENDENCIES for each thing that `registry` doesn't offer, ordered by key and kind.

    documents: in normal form, so that their dependencies are what their definitions need.
    """
    return [
        Problem(
            (files or {}).get(key, f"{key}.json"),
            path=json_path(fault.path),
            rule=fault.rule,
            message=fault.message,
            cure=fault.cure,
            key=key,
        )
        for key in sorted(documents)
        for fault in dependency_faults(documents[key], registry)
    ]


def dependency_faults(document: Document, registry: Registry) -> Iterator[Fault]:
    """Yield a MISSING_DEPENDENCIES for each thing that `registry` lacks, at the first place that needs it."""
    missing = missing_dependencies(document["dependencies"], registry)
    if not any(missing.values()):
        return
    for what, name, near in _iter_missing(missing, registry):
        suggestion = f"; did you mean {near}?" if near else ""
        yield Fault(
            _place_of(document, what, name),
            "MISSING_DEPENDENCIES",
            f"the runtime does not offer the {what} {name}{suggestion}",
            "" if near else "add it to the registry if the runtime has it",
        )


def missing_dependencies(dependencies: Mapping[str, Any], registry: Registry) -> dict[str, list[Any]]:
    """Return what of `dependencies` the registry lacks, under the names that an import's error has for it."""
    return {
        "missingActions": [
            action
            for action in dependencies["actions"]
            if (action["actionId"], action["version"]) not in registry.actions
        ],
        "missingNodeTypes": [
            name
            for name in dependencies["nodeTypes"]
            if name not in registry.node_types and not name.startswith("control.")
        ],
        "missingSchemaRefs": [ref for ref in dependencies["schemaRefs"] if ref not in registry.schemas],
    }


def _iter_missing(missing: Mapping[str, list[Any]], registry: Registry) -> Iterator[tuple[str, str, str]]:
    """Yield (kind, name, most similar name or nothing) of each missing thing."""
    actions = [f"{name}@{version}" for name, version in sorted(registry.actions)]
    for action in missing["missingActions"]:
        name = f"{action['actionId']}@{action['version']}"
        yield "action", name, _nearest(name, actions)
    for name in missing["missingNodeTypes"]:
        yield "node type", name, _nearest(name, sorted(registry.node_types))
    for name in missing["missingSchemaRefs"]:
        yield "schema", name, _nearest(name, sorted(registry.schemas))


def _nearest(name: str, offered: Collection[str]) -> str:
    return next(iter(difflib.get_close_matches(name, list(offered), n=1, cutoff=0.75)), "")


def _explain(called: str, known: Collection[Key]) -> str:
    if not called.startswith(REFERENCE):
        return f"the called workflow {called} has no key"
    near = _nearest(called.removeprefix(REFERENCE), sorted(known))
    suggestion = f"; did you mean {REFERENCE}{near}?" if near else ""
    return f"there is no workflow for {called}{suggestion}"


def _place_of(document: Document, what: str, name: str) -> Path:
    """Return the path of the first place that needs it."""
    for base, definition in _iter_placed_definitions(document):
        if what == "schema":
            trigger = definition.get("trigger")
            if str(definition.get("payloadSchemaRef")).strip() == name:
                return (*base, "payloadSchemaRef")
            if isinstance(trigger, dict) and str(trigger.get("sourcePayloadSchemaRef")).strip() == name:
                return (*base, "trigger", "sourcePayloadSchemaRef")
            continue
        for path, step in iter_located_steps(definition):
            if what == "node type" and step["type"] == name:
                return (*base, *path, "type")
            if what == "action" and _action_name(step) == name:
                return (*base, *path, "config", "actionId")
    is_pinned = what == "schema" and document["metadata"].get("pinnedPayloadSchemaRef") == name
    return ("metadata", "pinnedPayloadSchemaRef") if is_pinned else ("dependencies",)


def _action_name(step: Mapping[str, Any]) -> str:
    action = action_of(step) if step["type"] == "action.call" else None
    return f"{action[0]}@{action[1]}" if action else ""


def _iter_placed_definitions(document: Document) -> Iterator[tuple[Path, Any]]:
    for path, definition in iter_placed(document):
        if isinstance(definition, dict):
            yield path, definition
