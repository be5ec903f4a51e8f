"""The test plan of the product's own import and export, by its ids, over the command line and over HTTP.

T031 runs a workflow, which is another matter.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import httpx
import pytest

from gitsync.workflow.canonical import canonical_bytes
from gitsync.workflow.registry import ActionOffer, Registry
from tests.support.documents import metadata
from tests.support.loop import Loop, Ran, make_loop
from tests.support.product import TENANT
from tests.support.server import DEFINITIONS, Running, running_server

AT = "2026-01-31T12:00:00Z"
AUDIT = {"workflow_id", "created_at", "updated_at", "created_by", "updated_by"}
AUDIT_OF_VERSIONS = {"version_id", "published_at", "published_by"}
REGISTRY = Registry(
    {("email.send", 1): ActionOffer()}, frozenset({"action.call"}), {"payload.Ticket.v1": None}
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an import: the code of its error, or its summary."""

    code: str | None
    message: str = ""
    details: dict[str, Any] = field(default_factory=dict)
    summary: dict[str, Any] = field(default_factory=dict)


class Way(Protocol):
    """How bundles get into an instance and out of it."""

    def export(self, key: str) -> bytes:
        """The bundle of one workflow."""

    def import_(self, data: bytes, *, force: bool = False, in_place: bool = False) -> Outcome:
        """Import a bundle."""


@dataclass(frozen=True, slots=True)
class CommandLine:
    """`gitsync export` and `gitsync import`."""

    loop: Loop
    folder: Path

    def export(self, key: str) -> bytes:
        ran = self.loop.gitsync("export", key)
        assert ran.code == 0, ran.err
        return ran.out.encode()

    def import_(self, data: bytes, *, force: bool = False, in_place: bool = False) -> Outcome:
        path = self.folder / "bundle.json"
        path.write_bytes(data)
        options = [*(["--force"] if force else []), *(["--in-place"] if in_place else [])]
        ran = self.loop.gitsync("import", str(path), "-o", "json", "--new-tenant", *options)
        value = ran.json
        if ran.code == 0:
            return Outcome(None, summary=value)
        assert ran.code == {"WORKFLOW_KEY_CONFLICT": 3}.get(value["code"], 4)
        return Outcome(value["code"], value["message"], value["details"])


@dataclass(frozen=True, slots=True)
class Http:
    """The server's routes."""

    loop: Loop
    server: Running

    def export(self, key: str) -> bytes:
        answer = self.server.admin.get(f"{DEFINITIONS}/{self.loop.editor.id_of(key)}/export")
        assert answer.status_code == 200, answer.text
        return answer.content

    def import_(self, data: bytes, *, force: bool = False, in_place: bool = False) -> Outcome:
        query = {"force": str(force).lower()} | ({"inPlace": "true"} if in_place else {})
        answer = self.server.post(data, params=query)
        value = answer.json()
        if answer.status_code == 200:
            return Outcome(None, summary=value)
        assert answer.status_code == {"WORKFLOW_KEY_CONFLICT": 409}.get(value["code"], 400)
        return Outcome(value["code"], value["error"], value.get("details", {}))


@pytest.fixture(params=["sqlite", "postgresql"])
def loop(request: pytest.FixtureRequest, tmp_path: Path) -> Loop:
    if request.param == "sqlite":
        made = make_loop(tmp_path)
    else:
        made = make_loop(tmp_path, url=request.getfixturevalue("postgres_database"), tenant=TENANT)
    config = (made.folder / "gitsync.yaml").read_text()
    (made.folder / "gitsync.yaml").write_text(config + "registry: registry.yaml\n")
    registry = {
        "actions": ["email.send@1"],
        "nodeTypes": ["action.call"],
        "schemaRefs": ["payload.Ticket.v1"],
    }
    (made.folder / "registry.yaml").write_text(json.dumps(registry))
    return made


@pytest.fixture
def server(loop: Loop) -> Iterator[Running]:
    url = loop.editor._engine.url.render_as_string(hide_password=False)
    with running_server(url, tenant=loop.editor.tenant, registry=REGISTRY) as running:
        yield running


@pytest.fixture(params=["command-line", "http"])
def way(request: pytest.FixtureRequest, loop: Loop, tmp_path: Path) -> Way:
    if request.param == "command-line":
        return CommandLine(loop, tmp_path)
    return Http(loop, request.getfixturevalue("server"))


def make_entry(key: str = "tickets.triage", *, versions: tuple[int, ...] = (1,)) -> dict[str, Any]:
    own_id = "0c9f2f8a-51c6-4b5e-8b37-5d2f3f3a7d10"
    definition = {
        "id": own_id,
        "version": 1,
        "name": "Triage",
        "payloadSchemaRef": "payload.Ticket.v1",
        "steps": [{"id": "send", "type": "action.call", "config": {"actionId": "email.send", "version": 1}}],
    }
    return {
        "key": key,
        "metadata": metadata(name="Triage", payloadSchemaRef="payload.Ticket.v1"),
        "dependencies": {
            "actions": [{"actionId": "email.send", "version": 1}],
            "nodeTypes": ["action.call"],
            "schemaRefs": ["payload.Ticket.v1"],
        },
        "draft": {"draftVersion": 1, "definition": definition},
        "publishedVersions": [
            {"version": version, "definition": definition, "payloadSchemaJson": None} for version in versions
        ],
    }


def make_bundle(*entries: dict[str, Any], **fields: Any) -> bytes:
    header: dict[str, Any] = {"format": "alga-psa.workflow-bundle", "formatVersion": 1, "exportedAt": AT}
    return canonical_bytes(header | {"workflows": list(entries)} | fields)


def count(loop: Loop, table: str) -> int:
    return sum(row[0] == table for row in loop.editor.dump())


def test_t001_an_unsupported_version_is_rejected_before_anything_else(way: Way, loop: Loop) -> None:
    outcome = way.import_(make_bundle(formatVersion=999))

    assert outcome.code == "UNSUPPORTED_FORMAT_VERSION"
    assert outcome.details == {"expectedFormatVersion": 1, "receivedFormatVersion": 999}
    assert count(loop, "workflow_definitions") == 0


def test_t002_a_schema_failure_says_where_and_why(way: Way, loop: Loop) -> None:
    empty = way.import_(make_bundle())
    entry = make_entry()
    del entry["metadata"]["name"]
    nameless = way.import_(make_bundle(entry))

    assert (empty.code, nameless.code) == ("SCHEMA_VALIDATION_FAILED",) * 2
    assert empty.details["errors"][0]["instancePath"] == "/workflows"
    assert nameless.details["errors"][0]["params"] == {"missingProperty": "name"}
    assert "metadata" in nameless.message
    assert '"name" is missing' in nameless.message
    assert count(loop, "workflow_definitions") == 0


def test_t003_missing_dependencies_are_told_apart(way: Way, loop: Loop) -> None:
    entry = make_entry()
    entry["draft"]["definition"] = entry["draft"]["definition"] | {"steps": []}
    entry["publishedVersions"] = []
    entry["dependencies"] = {
        "actions": [{"actionId": "nobody.offers", "version": 7}],
        "nodeTypes": ["nobody.node"],
        "schemaRefs": ["payload.Nobody.v1", "payload.Ticket.v1"],
    }

    outcome = way.import_(make_bundle(entry))

    missing = {
        "missingActions": [{"actionId": "nobody.offers", "version": 7}],
        "missingNodeTypes": ["nobody.node"],
        "missingSchemaRefs": ["payload.Nobody.v1"],
    }
    assert outcome.code == "MISSING_DEPENDENCIES"
    assert outcome.details["missingByWorkflow"] == [{"workflowKey": "tickets.triage"} | missing]
    assert {name: outcome.details[name] for name in missing} == missing
    assert count(loop, "workflow_definitions") == 0


def test_t010_an_export_is_canonical(way: Way) -> None:
    assert way.import_(make_bundle(make_entry())).code is None

    exported = way.export("tickets.triage")

    assert exported.endswith(b"}\n")
    assert exported == canonical_bytes(json.loads(exported))


def test_t011_an_export_holds_no_audit_fields(way: Way) -> None:
    assert way.import_(make_bundle(make_entry())).code is None

    (entry,) = json.loads(way.export("tickets.triage"))["workflows"]

    assert not AUDIT & (entry.keys() | entry["metadata"].keys() | entry["draft"].keys())
    assert not AUDIT_OF_VERSIONS & entry["publishedVersions"][0].keys()


def test_t020_an_import_into_an_empty_database(way: Way, loop: Loop) -> None:
    outcome = way.import_(make_bundle(make_entry()))

    new_id = loop.editor.id_of("tickets.triage")
    assert outcome.summary["createdWorkflows"] == [{"key": "tickets.triage", "workflowId": new_id}]
    assert outcome.summary["deletedWorkflows"] == []
    assert outcome.summary["createdPublishedVersions"] == [
        {"key": "tickets.triage", "workflowId": new_id, "versions": [1]}
    ]
    (entry,) = json.loads(way.export("tickets.triage"))["workflows"]
    assert entry["draft"]["definition"]["id"] == new_id
    assert entry["publishedVersions"][0]["definition"]["id"] == new_id
    (row,) = [row for row in loop.editor.dump() if row[0] == "workflow_definitions"]
    assert "published" in row


def test_t021_a_key_that_exists_is_a_conflict(way: Way, loop: Loop) -> None:
    assert way.import_(make_bundle(make_entry())).code is None
    before = loop.editor.dump()

    outcome = way.import_(make_bundle(make_entry("another"), make_entry()))

    assert outcome.code == "WORKFLOW_KEY_CONFLICT"
    assert outcome.details["workflowKey"] == "tickets.triage"
    assert outcome.details["existingWorkflowId"] == loop.editor.id_of("tickets.triage")
    assert "tickets.triage" in outcome.message
    assert loop.editor.dump() == before


@pytest.mark.parametrize("in_place", [False, True], ids=["recreate", "in-place"])
def test_t022_force_replaces_the_workflow(way: Way, loop: Loop, in_place: bool) -> None:
    assert way.import_(make_bundle(make_entry())).code is None
    before = loop.editor.id_of("tickets.triage")
    changed = make_entry(versions=(1, 2))
    changed["metadata"]["description"] = "changed"

    outcome = way.import_(make_bundle(changed), force=True, in_place=in_place)

    after = loop.editor.id_of("tickets.triage")
    deleted = [] if in_place else [{"key": "tickets.triage", "workflowId": before}]
    assert (after == before) is in_place
    assert outcome.summary["createdWorkflows"] == [{"key": "tickets.triage", "workflowId": after}]
    assert outcome.summary["deletedWorkflows"] == deleted
    assert count(loop, "workflow_definitions") == 1
    assert count(loop, "workflow_definition_versions") == 2


def test_t023_an_import_that_fails_leaves_no_rows(way: Way, loop: Loop) -> None:
    before = loop.editor.dump()

    outcome = way.import_(make_bundle(make_entry("first"), make_entry("second", versions=(1, 1))))

    assert outcome.code == "DUPLICATE_VERSION"
    assert loop.editor.dump() == before


def test_t023_an_import_that_the_database_refuses_leaves_no_rows(way: Way, loop: Loop) -> None:
    with loop.editor.connection() as connection:
        if connection.dialect.name == "sqlite":
            connection.exec_driver_sql(
                "CREATE TRIGGER no BEFORE INSERT ON workflow_definition_versions WHEN NEW.version = 13 "
                "BEGIN SELECT RAISE(ABORT, 'refused'); END"
            )
        else:
            connection.exec_driver_sql(
                "ALTER TABLE workflow_definition_versions ADD CONSTRAINT no CHECK (version <> 13)"
            )
    before = loop.editor.dump()

    if isinstance(way, Http):
        answer = way.server.post(make_bundle(make_entry("a"), make_entry("b", versions=(13,))))
        assert (answer.status_code, answer.json()["code"]) == (500, "DATABASE_ERROR")
    else:
        path = loop.folder / "x.json"
        path.write_bytes(make_bundle(make_entry("a"), make_entry("b", versions=(13,))))
        assert loop.gitsync("import", str(path), "--new-tenant").code == 1

    assert loop.editor.dump() == before


def test_t030_export_import_export_is_the_same(way: Way, loop: Loop) -> None:
    assert way.import_(make_bundle(make_entry(versions=(1, 3)))).code is None
    first = way.export("tickets.triage")
    loop.editor.delete("tickets.triage")
    assert way.import_(first).code is None

    second = way.export("tickets.triage")

    assert first != second
    assert comparable(first) == comparable(second)


def comparable(data: bytes) -> Any:
    """A bundle without the time and the ids of its definitions."""
    bundle = json.loads(data)
    bundle["exportedAt"] = AT
    for entry in bundle["workflows"]:
        for holder in (entry["draft"], *entry["publishedVersions"]):
            holder["definition"]["id"] = "ID"
    return bundle


def test_t040_an_export_over_http(loop: Loop, server: Running) -> None:
    loop.editor.save("tickets.triage", "T")
    path = f"{DEFINITIONS}/{loop.editor.id_of('tickets.triage')}/export"

    answer = server.admin.get(path)

    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json; charset=utf-8"
    assert "workflow-bundle.json" in answer.headers["content-disposition"]
    bundle = answer.json()
    assert (bundle["format"], bundle["formatVersion"]) == ("alga-psa.workflow-bundle", 1)
    assert [entry["key"] for entry in bundle["workflows"]] == ["tickets.triage"]
    assert server.reader.get(path).status_code == 403
    assert server.nobody.get(path).status_code == 401


def test_t041_an_import_over_http(loop: Loop, server: Running) -> None:
    data = make_bundle(make_entry())

    refused = [
        client.post(f"{DEFINITIONS}/import", content=data) for client in (server.reader, server.nobody)
    ]
    answer = server.post(data)

    assert [answer.status_code for answer in refused] == [403, 401]
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json; charset=utf-8"
    assert [row["key"] for row in answer.json()["createdWorkflows"]] == ["tickets.triage"]
    assert loop.editor.id_of("tickets.triage") == answer.json()["createdWorkflows"][0]["workflowId"]


def remote(loop: Loop, server: Running, *arguments: str) -> Ran:
    """A command line that reaches the instance over its server alone."""
    token = server.admin.headers["authorization"].removeprefix("Bearer ")
    return loop.gitsync(*arguments, "--base-url", server.url, "--token", token)


def asked(log: list[httpx.Request], path: str) -> list[httpx.Request]:
    return [request for request in log if request.url.path.endswith(path)]


@pytest.fixture
def requests(monkeypatch: pytest.MonkeyPatch) -> list[httpx.Request]:
    """What is sent from here on, as it was sent; each request then goes its way."""
    sent: list[httpx.Request] = []
    send = httpx.AsyncClient.send

    async def noted(client: httpx.AsyncClient, request: httpx.Request, **options: Any) -> httpx.Response:
        sent.append(request)
        return await send(client, request, **options)

    monkeypatch.setattr(httpx.AsyncClient, "send", noted)
    return sent


def test_t050_the_command_line_exports_over_http_what_the_server_has(
    loop: Loop, server: Running, tmp_path: Path, requests: list[httpx.Request]
) -> None:
    assert server.post(make_bundle(make_entry(), make_entry("another"))).status_code == 200
    out = tmp_path / "out.json"

    ran = remote(loop, server, "export", "tickets.triage", "--exported-at", AT, "--out", str(out))

    assert ran.code == 0, ran.err
    own_id = loop.editor.id_of("tickets.triage")
    assert [request.method for request in asked(requests, f"{DEFINITIONS}/{own_id}/export")] == ["GET"]
    direct = loop.gitsync("export", "tickets.triage", "--exported-at", AT)
    assert out.read_text() == direct.out


def test_t051_the_command_line_imports_over_http_with_force_in_the_query(
    loop: Loop, server: Running, tmp_path: Path, requests: list[httpx.Request]
) -> None:
    path = tmp_path / "bundle.json"
    path.write_bytes(make_bundle(make_entry(), make_entry("another")))
    changed = make_entry()
    changed["metadata"]["description"] = "changed"

    created = remote(loop, server, "import", str(path), "-o", "json")
    conflict = remote(loop, server, "import", str(path), "-o", "json")
    path.write_bytes(make_bundle(changed))
    forced = remote(loop, server, "import", str(path), "--force", "-o", "json")

    assert created.code == 0, created.err
    assert [row["key"] for row in created.json["createdWorkflows"]] == ["another", "tickets.triage"]
    assert conflict.code == 3
    assert [row["key"] for row in conflict.json["details"]["conflicts"]] == ["another", "tickets.triage"]
    assert forced.code == 0, forced.err
    first, second = asked(requests, f"{DEFINITIONS}/import")
    assert (first.method, second.method) == ("POST", "POST")
    assert second.url.params["force"] == "true"
    sent = json.loads(second.content)["bundle"]["workflows"]
    assert [(entry["key"], entry["metadata"]["description"]) for entry in sent] == [
        ("tickets.triage", "changed")
    ]
    (entry,) = json.loads(loop.gitsync("export", "tickets.triage").out)["workflows"]
    assert entry["metadata"]["description"] == "changed"
