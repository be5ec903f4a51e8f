"""Workflows for tests: a small valid one to change, and ones that are told by one text."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from gitsync.workflow.canonical import canonical_bytes
from gitsync.workflow.document import make_document
from gitsync.workflow.types import Document, Key

SCHEMA_REF = "payload.Ticket.v1"


def definition(*steps: Any, **fields: Any) -> dict[str, Any]:
    """A definition with these steps."""
    return {"version": 1, "name": "A", "payloadSchemaRef": "payload.A.v1", "steps": list(steps), **fields}


def action(action_id: Any = "email.send", version: Any = 1, **fields: Any) -> dict[str, Any]:
    """A step that calls an action."""
    config = {"actionId": action_id, "version": version}
    return {"id": "act", "type": "action.call", "config": config, **fields}


def call(workflow_id: Any, *, step_id: str = "call", version: int = 1) -> dict[str, Any]:
    """A step that calls a workflow."""
    return {
        "id": step_id,
        "type": "control.callWorkflow",
        "workflowId": workflow_id,
        "workflowVersion": version,
    }


def steps(*items: Mapping[str, Any]) -> dict[str, Sequence[Mapping[str, Any]]]:
    """The part of a definition that holds steps."""
    return {"steps": list(items)}


def metadata(**fields: Any) -> dict[str, Any]:
    """The 14 fields."""
    return {
        "autoPauseOnFailure": False,
        "concurrencyLimit": None,
        "description": None,
        "failureRateMinRuns": 10,
        "failureRateThreshold": 0.5,
        "isPaused": False,
        "isSystem": False,
        "isVisible": True,
        "name": "A",
        "payloadSchemaMode": "pinned",
        "payloadSchemaRef": "payload.A.v1",
        "pinnedPayloadSchemaRef": None,
        "retentionPolicyOverride": None,
        "trigger": None,
        **fields,
    }


def document(
    key: str = "a", *steps: Any, versions: tuple[tuple[int, Any, Any], ...] = (), **fields: Any
) -> Document:
    """A valid document whose draft has `steps`; `fields` change its metadata."""
    return make_document(
        key=Key(key),
        metadata=metadata(**fields),
        draft_definition=definition(*steps),
        draft_version=1,
        versions=versions,
    )


def make_workflow(
    key: str,
    *,
    draft: Mapping[str, Any] | None = None,
    versions: Mapping[int, Mapping[str, Any]] | None = None,
    **fields: Any,
) -> Document:
    """A document in normal form; `draft` and `versions` add to a minimal definition."""

    def filled(number: int, more: Mapping[str, Any] | None) -> dict[str, Any]:
        value = definition(version=number, name=key, payloadSchemaRef="payload.Empty.v1") | dict(more or {})
        return json.loads(json.dumps(value))  # type: ignore[no-any-return]

    empty = {"name": key.title(), "payloadSchemaRef": "payload.Empty.v1"}
    return make_document(
        key=Key(key),
        metadata=metadata(**(empty | fields)),
        draft_definition=filled(1, draft),
        draft_version=1,
        versions=[(number, filled(number, more), None) for number, more in (versions or {}).items()],
    )


# ---------------------------------------------------------------- told by one text


def make_definition(key: str, text: str, *, own_id: str, calls: str | None = None) -> dict[str, Any]:
    """A valid definition whose description is `text`; `calls` is what a ``control.callWorkflow`` names."""
    items: list[dict[str, Any]] = [{"id": "s1", "type": "state.set", "config": {"state": "DONE"}}]
    if calls is not None:
        items.append(call(calls, step_id="s2"))
    return {
        "id": own_id,
        "version": 1,
        "name": f"Workflow {key}",
        "description": text,
        "payloadSchemaRef": SCHEMA_REF,
        "steps": items,
    }


def saying(
    key: str, text: str, *, calls: str | None = None, versions: Iterable[int] | Mapping[int, str] = ()
) -> Document:
    """The workflow `key` whose draft says `text`; versions: published ones, and what they say."""
    says = versions if isinstance(versions, Mapping) else {number: f"version {number}" for number in versions}
    return make_document(
        key=Key(key),
        metadata=told_metadata(key),
        draft_definition=make_definition(key, text, own_id=f"key:{key}", calls=calls),
        draft_version=1,
        versions=[
            (number, make_definition(key, words, own_id=f"key:{key}"), None) for number, words in says.items()
        ],
    )


def told_metadata(key: str) -> dict[str, Any]:
    """The 14 fields of a workflow that is told by one text."""
    return metadata(name=f"Workflow {key}", payloadSchemaRef=SCHEMA_REF, pinnedPayloadSchemaRef=SCHEMA_REF)


def make_file(key: str, text: str, *, calls: str | None = None, versions: Sequence[int] = ()) -> bytes:
    """The canonical file of the workflow `key` whose draft says `text`."""
    return canonical_bytes(saying(key, text, calls=calls, versions=versions))


def text_of(data: bytes) -> str:
    """The text that a workflow's file holds."""
    text: str = json.loads(data)["draft"]["definition"]["description"]
    return text
