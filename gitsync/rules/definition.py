"""A definition as a whole: its structure by schema, its steps by one walk, its trigger's times."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

from gitsync.rules.rule import Spot
from gitsync.rules.secrets import redact, values_of
from gitsync.rules.triggers import check_trigger
from gitsync.rules.walk import walk_definition, walk_trigger
from gitsync.workflow.faults import Fault
from gitsync.workflow.registry import Registry
from gitsync.workflow.scan import Path
from gitsync.workflow.schema import accepts, iter_faults
from gitsync.workflow.types import Document, Json

_LEAST: Final[dict[str, Json]] = {"id": "a", "version": 1, "name": "a", "payloadSchemaRef": "a", "steps": []}
"""A definition with nothing in it."""


def iter_placed(document: Document) -> Iterator[tuple[Path, Any]]:
    """Yield each definition with its path in `document`: the draft's, then the published versions'."""
    yield ("draft", "definition"), document["draft"]["definition"]
    for index, version in enumerate(document["publishedVersions"]):
        yield ("publishedVersions", index, "definition"), version["definition"]


def definition_faults(document: Document, registry: Registry | None) -> list[Fault]:
    """Return what is wrong with the definitions of `document` and what belongs to them, in no order."""
    faults: list[Fault] = []
    spots: list[Spot] = []
    for path, definition in iter_placed(document):
        if not accepts("definition", definition):
            faults += [
                Fault((*path, *fault.at), "INVALID_DEFINITION", fault.message)
                for fault in iter_faults("definition", definition)
            ]
        spots += walk_definition(definition, registry)
        if isinstance(definition, dict) and isinstance(trigger := definition.get("trigger"), dict):
            spots += check_trigger(trigger)
    metadata = document["metadata"]
    if isinstance(trigger := metadata.get("trigger"), dict):
        spots += check_trigger(trigger)
        spots += walk_trigger(trigger)
        faults += _trigger_faults(trigger)
    spots += _settings_spots(document, metadata)
    if spots:
        faults += _placed(spots, document)
    hidden = values_of(spots)
    return [replace(fault, message=redact(fault.message, hidden=hidden)) for fault in faults]


def _trigger_faults(trigger: dict[str, Any]) -> Iterator[Fault]:
    """Yield what the schema of definitions has against the metadata's trigger."""
    around: Json = {**_LEAST, "trigger": trigger}
    if not accepts("definition", around):
        for fault in iter_faults("definition", around):
            yield Fault(("metadata", *fault.at), "INVALID_DEFINITION", fault.message)


def _settings_spots(document: Document, metadata: Mapping[str, Any]) -> Iterator[Spot]:
    """Yield what in the metadata contradicts the definitions, or itself."""
    mode = metadata.get("payloadSchemaMode")
    versions = document["publishedVersions"]
    newest = versions[-1]["definition"] if versions else None
    definitions = [document["draft"]["definition"], newest]
    events = [_event(item.get("trigger")) for item in definitions if isinstance(item, dict)]
    if isinstance(mode, str) and mode not in ("pinned", "inferred"):
        message = f'the product knows no mode "{mode}"'
        yield Spot(
            metadata, "payloadSchemaMode", "PAYLOAD_SCHEMA_MODE", message, 'write "pinned" or "inferred"'
        )
    elif mode == "inferred" and not any(events):
        message = "the schema cannot be inferred: the trigger is no event"
        yield Spot(metadata, "payloadSchemaMode", "PAYLOAD_SCHEMA_MODE", message, 'write "pinned"')
    event = _event(metadata.get("trigger"))
    if events and event not in events:
        expected = next((item for item in events if item), "")
        message = (
            f'the definition waits for the event "{expected}", here stands '
            + (f'"{event}"' if event else "none")
            + "; the product starts runs by what stands here"
            if expected
            else f'here stands the event "{event}", the definition waits for none'
        )
        yield Spot(
            metadata, "trigger", "TRIGGER_MISMATCH", message, "write the definition's trigger here too"
        )


def _event(trigger: Any) -> str:
    """Return the event that a trigger waits for, empty where it is no event trigger."""
    if not isinstance(trigger, dict) or trigger.get("type") != "event":
        return ""
    name = trigger.get("eventName")
    return name if isinstance(name, str) else ""


def _placed(spots: list[Spot], document: Document) -> Iterator[Fault]:
    """Yield the spots as faults: one walk over the document finds the paths of their objects."""
    containers = {id(spot.container) for spot in spots}
    paths: dict[int, Path] = {}
    queue: list[tuple[Path, Any]] = [((), document)]
    for path, item in queue:  # grows while it is walked
        if id(item) in containers:
            paths.setdefault(id(item), path)
        if isinstance(item, dict):
            queue.extend(
                ((*path, name), child) for name, child in item.items() if isinstance(child, (dict, list))
            )
        elif isinstance(item, list):
            queue.extend(
                ((*path, index), child) for index, child in enumerate(item) if isinstance(child, (dict, list))
            )
    for spot in spots:
        path = paths[id(spot.container)]
        at = path if spot.member is None else (*path, spot.member)
        yield Fault(at, spot.rule, spot.message, spot.cure, spot.offset)
