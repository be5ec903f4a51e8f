"""Cached digests outlive a change of gitsync's code: the version that they are bound to has to change with it."""

from __future__ import annotations

import json

from gitsync.stores.database.fingerprints import DIGEST_VERSION
from gitsync.stores.database.product import METADATA_COLUMNS
from gitsync.stores.database.rows import make_held
from gitsync.workflow.types import Key

OWN, OTHER, GONE = (f"{digit * 8}-0000-4000-8000-000000000000" for digit in "abc")
DIGESTS = {1: "9a582522fb94272650928b2a4783ec3b92f7dcc5"}
"""Version → digest of the row below."""

DEFINITION = {
    "id": OWN,
    "version": 1,
    "name": "Größe 🎈 \u2028",
    "payloadSchemaRef": "payload.Ticket.v1",
    "numbers": [1.0, 1e21, -0.0, 1e-7, 0.1, 2**53, 12345678901234567890123],
    "trigger": {"type": "event", "sourcePayloadSchemaRef": "payload.Source.v1"},
    "steps": [
        {
            "id": "1",
            "type": "action.call",
            "config": {"actionId": "tickets.close", "version": 2, "inputMapping": {}},
        },
        {"id": "2", "type": "control.callWorkflow", "workflowId": OTHER.upper()},
        {
            "id": "3",
            "type": "control.if",
            "then": [{"id": "4", "type": "control.callWorkflow", "workflowId": GONE}],
        },
        {"id": "5", "type": "custom.node"},
    ],
}
VALUES = {
    "name": "Größe",
    "description": None,
    "payload_schema_ref": "payload.Ticket.v1",
    "payload_schema_mode": "pinned",
    "pinned_payload_schema_ref": "payload.Pinned.v1",
    "trigger": '{"type": "event"}',
    "is_system": None,
    "is_visible": None,
    "is_paused": True,
    "concurrency_limit": 3,
    "auto_pause_on_failure": False,
    "failure_rate_threshold": "0.50",
    "failure_rate_min_runs": None,
    "retention_policy_override": None,
}


def test_who_changes_how_rows_become_a_digest_raises_its_version() -> None:
    text = json.dumps(DEFINITION)
    row = [OWN, Key("own"), 2, text, *(VALUES[column] for column in METADATA_COLUMNS.values())]
    versions = [(OWN, 1, text, None), (OWN, 2, '{"steps": []}', '{"type": "object"}')]

    held = make_held(row, versions, {OWN: Key("own"), OTHER: Key("other")})

    assert held.calls == {OTHER.upper(): "other", GONE: None}
    assert held.digest == DIGESTS[DIGEST_VERSION], (
        "the same row gives another digest than before: raise DIGEST_VERSION and note the new digest here"
    )
