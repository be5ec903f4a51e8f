"""What a run starts with: which definition, and which payload."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from gitsync.errors import InvalidInput
from gitsync.runtime.model import Category, RunFault
from gitsync.runtime.paths import put
from gitsync.runtime.sample import sample_of
from gitsync.runtime.schema import accept
from gitsync.runtime.state import Evaluator, doubles, size_of
from gitsync.workflow.assign_paths import FORBIDDEN
from gitsync.workflow.registry import Registry
from gitsync.workflow.types import Document, Json
from gitsync.workflow.values import MISSING

DRAFT: Final = "draft"
STRICT: Final = frozenset({"payload.Empty.v1", "payload.WorkflowClockTrigger.v1"})
"""The payload schemas that the product takes at their word; it lets unknown keys through for all others."""


@dataclass(frozen=True, slots=True)
class Start:
    """What a run is asked to start with.

    version: a published one's number, ``draft``, or ``None`` for the newest published one, the draft where there
    is none. payload: given as it is. event: instead of a payload, mapping of payload and perhaps correlationKey;
    the trigger's mapping makes the payload of it. With neither, a sample is made from the schema.
    """

    version: int | str | None = None
    payload: Any = MISSING
    event: Mapping[str, Any] | None = None

    @property
    def has_payload(self) -> bool:
        """Whether a payload is given; JSON's null is one."""
        return self.payload is not MISSING


@dataclass(frozen=True, slots=True)
class Chosen:
    """One definition of a workflow; label: its version's number, or ``draft``."""

    label: str
    definition: Json
    payload_schema: Json = None


@dataclass(frozen=True, slots=True)
class Given:
    """The payload that a run starts with, and its meta."""

    payload: Any
    meta: Mapping[str, Any] = field(default_factory=dict)


def choose_definition(document: Document, version: int | str | None) -> Chosen:
    """The definition to run; raises InvalidInput (UNKNOWN_VERSION) where there is no such version."""
    published = document["publishedVersions"]
    draft = Chosen(DRAFT, document["draft"]["definition"])
    if version == DRAFT or (version is None and not published):
        return draft
    if version is None:
        newest = max(published, key=lambda item: item["version"])
        return _published(newest)
    for item in published:
        if item["version"] == version:
            return _published(item)
    numbers = ", ".join(str(item["version"]) for item in published)
    raise InvalidInput(
        f"{document['key']} has no published version {version}",
        code="UNKNOWN_VERSION",
        cure=f"it has {numbers or 'none'}; `--draft` runs the draft",
    )


def _published(item: Mapping[str, Any]) -> Chosen:
    return Chosen(str(item["version"]), item["definition"], item["payloadSchemaJson"])


def starting_payload(
    chosen: Chosen, start: Start, registry: Registry | None, evaluator: Evaluator, largest: int
) -> Given:
    """The payload and meta of a run; raises RunFault where the payload is not what the schema says."""
    definition = chosen.definition if isinstance(chosen.definition, dict) else {}
    ref = definition.get("payloadSchemaRef")
    if registry is not None and isinstance(ref, str) and ref not in registry.schemas:
        raise RunFault(
            Category.VALIDATION,
            f"the registry offers no schema {ref}",
            code="UNKNOWN_PAYLOAD_SCHEMA_REF",
        )
    schema = registry.schemas.get(ref) if registry is not None and isinstance(ref, str) else None
    if schema is None:
        schema = chosen.payload_schema
    meta: dict[str, Any] = {}
    if start.event is not None:
        payload, meta = _from_event(definition.get("trigger"), start.event, evaluator)
    elif start.has_payload:
        payload = doubles(start.payload)
    else:
        payload = sample_of(doubles(schema)) if schema is not None else {}
    if (size := size_of(payload)) > largest:
        raise RunFault(
            Category.VALIDATION,
            f"the payload has {size} bytes of JSON, more than {largest}",
            code="PAYLOAD_TOO_LARGE",
        )
    if schema is not None:
        accept(doubles(schema), payload, what=f"the payload ({ref})", is_strict=ref in STRICT)
    return Given(payload, meta)


def _from_event(trigger: Any, event: Mapping[str, Any], evaluator: Evaluator) -> tuple[Any, dict[str, Any]]:
    """The payload that a trigger makes of an event, and what meta says of it."""
    facts = trigger if isinstance(trigger, dict) and trigger.get("type") == "event" else {}
    source = event.get("payloadSchemaRef") or facts.get("sourcePayloadSchemaRef")
    payload = doubles(event.get("payload"))
    mapping = facts.get("payloadMapping")
    meta = {"sourcePayloadSchemaRef": source} if isinstance(source, str) else {}
    if not isinstance(mapping, dict) or not mapping:
        return payload, meta | {"triggerMappingApplied": False}
    seen = {
        "event": {
            "name": event.get("name") or facts.get("eventName"),
            "correlationKey": event.get("correlationKey"),
            "payload": payload,
            "payloadSchemaRef": source,
        }
    }
    made: Any = {}
    for name, value in evaluator.mapping(mapping, seen, where="trigger.payloadMapping").items():
        segments = name.split(".")
        if not all(segments) or FORBIDDEN & set(segments):
            raise RunFault(
                Category.VALIDATION, f"trigger.payloadMapping: {name!r} is no path", code="INVALID_CONFIG"
            )
        made = put(made, segments, value)
    return made, meta | {"triggerMappingApplied": True}
