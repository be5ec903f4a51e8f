"""A bundle is imported into an empty database, and what was published is read back and run to its end."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.documents import told_metadata
from tests.support.git import make_repository
from tests.support.loop import gitsync
from tests.support.product import TENANT

STEPS: list[dict[str, Any]] = [
    {"id": "begin", "type": "state.set", "config": {"state": "ECHOING"}},
    {
        "id": "echo",
        "type": "action.call",
        "config": {
            "actionId": "test.echo",
            "version": 1,
            "inputMapping": {"text": {"$expr": '"hello " & payload.name'}, "tags": ["a", {"$expr": "payload.n + 1"}]},
            "saveAs": "echoed",
        },
    },
    {"id": "end", "type": "control.return"},
    {"id": "never", "type": "state.set", "config": {"state": "NEVER"}},
]  # fmt: skip
OWN_ID = "5d1f4b0e-1c7a-4f57-9b0a-3f2e6d8c9a10"


def bundle() -> dict[str, Any]:
    """A bundle as the product exports it, of one workflow with one published version."""
    definition = {
        "id": OWN_ID,
        "version": 1,
        "name": "Echo",
        "payloadSchemaRef": "payload.Ticket.v1",
        "steps": STEPS,
    }
    return {
        "format": "alga-psa.workflow-bundle",
        "formatVersion": 1,
        "exportedAt": "2026-01-25T12:00:00.000Z",
        "workflows": [
            {
                "key": "demo.echo",
                "metadata": told_metadata("echo") | {"name": "Echo"},
                "dependencies": {
                    "actions": [{"actionId": "test.echo", "version": 1}],
                    "nodeTypes": ["action.call", "state.set"],
                    "schemaRefs": ["payload.Ticket.v1"],
                },
                "draft": {"draftVersion": 2, "definition": {**definition, "version": 2, "steps": []}},
                "publishedVersions": [{"version": 1, "definition": definition, "payloadSchemaJson": None}],
            }
        ],
    }


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_what_was_imported_runs_to_its_end(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    url = f"sqlite:///{tmp_path}/p.db"
    tenant = ""
    if kind == "postgresql":
        url, tenant = request.getfixturevalue("postgres_database"), f", tenant: {TENANT}"
    repository = make_repository(tmp_path / "repository")
    repository.write("gitsync.yaml", f'version: 1\nenvironments:\n  dev: {{ database: "{url}"{tenant} }}\n')
    repository.write("bundle.json", json.dumps(bundle()))
    repository.write("payload.json", json.dumps({"name": "Kim", "n": 1}))
    repository.write("stubs.yaml", "test.echo: { returns: { said: hello Kim } }\n")
    words = ("-C", str(repository.path), "-e", "dev")

    made = gitsync(*words, "db", "init")
    imported = gitsync(*words, "import", "bundle.json", *(["--new-tenant"] if tenant else []))
    ran = gitsync(
        *words, "run", "demo.echo", "--payload", "payload.json", "--stubs", "stubs.yaml", "-o", "json"
    )

    assert (made.code, imported.code) == (0, 0), imported.err
    assert (ran.code, ran.json["status"], ran.json["version"], ran.json["state"]) == (
        0,
        "SUCCEEDED",
        "1",
        "ECHOING",
    )
    assert ran.json["vars"] == {"echoed": {"said": "hello Kim"}}
    assert ran.json["calls"][0]["input"] == {"text": "hello Kim", "tags": ["a", 2]}
    assert [step["stepId"] for step in ran.json["trace"]] == ["begin", "echo", "end"]
