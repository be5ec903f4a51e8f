"""``gitsync registry``: from a server into a file, and what the file then says."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from gitsync.workflow.registry import ActionOffer, read_registry
from gitsync.workflow.registry_file import HEADER
from tests.support.documents import make_file
from tests.support.editor import Editor
from tests.support.git import TestRepository, make_repository
from tests.support.loop import Ran, check_schema, gitsync
from tests.support.product import Generation, make_product_tables
from tests.support.product_api import API_KEY, NODES, SCHEMAS, SESSION, ProductApi, product_api

CONFIG = """\
version: 1
registry: registry.yaml
default: hosted
environments:
  hosted: {{ url: "{url}", api_key: "{key}" }}
  direct: {{ database: "sqlite:///x.db" }}
"""


@dataclass(frozen=True, slots=True)
class Hosted:
    """A repository, and the server that it asks."""

    repository: TestRepository
    server: ProductApi
    editor: Editor

    @property
    def file(self) -> Path:
        """The registry's file."""
        return self.repository.path / "registry.yaml"

    def gitsync(self, *arguments: str) -> Ran:
        """Run one command line."""
        return gitsync("-C", str(self.repository.path), "registry", *arguments)

    def pull(self, *arguments: str) -> Ran:
        """A pull that succeeds."""
        ran = self.gitsync("pull", *arguments)
        assert ran.code == 0, ran.out + ran.err
        return ran


@pytest.fixture
def hosted(tmp_path: Path) -> Iterator[Hosted]:
    database = f"sqlite:///{tmp_path / 'product.db'}"
    make_product_tables(database, Generation.SEED)
    repository = make_repository(tmp_path / "repository")
    with product_api(database) as server:
        repository.commit_file("gitsync.yaml", CONFIG.format(url=server.address, key=API_KEY))
        yield Hosted(repository, server, Editor(database, tenant=Generation.SEED.tenant))


def test_everything_that_the_server_offers_is_written(hosted: Hosted) -> None:
    hosted.editor.insert("on-the-server", payload_schema_ref="payload.A.v1")
    hosted.repository.commit_file("workflows/a.json", make_file("a", "A"))
    hosted.repository.commit_file("workflows/broken.json", "{")

    ran = hosted.pull()

    registry = read_registry(hosted.file.read_bytes(), file="registry.yaml")
    assert registry.actions[("tickets.create", 1)] == ActionOffer(
        {"type": "object", "properties": {"title": {"type": "string"}}, "required": ["title"]},
        {"type": "object", "properties": {"id": {"type": "string"}}},
    )
    assert {name for name, _ in registry.actions} == {"tickets.create", "email.send"}
    assert registry.node_types == {node["id"] for node in NODES}
    assert registry.schemas == {
        "payload.A.v1": SCHEMAS["payload.A.v1"],  # a workflow's settings
        "payload.Empty.v1": SCHEMAS["payload.Empty.v1"],  # a workflow's draft
        "payload.Ticket.v1": SCHEMAS["payload.Ticket.v1"],  # a file
        "payload.TicketClosed.v1": SCHEMAS["payload.TicketClosed.v1"],  # an event
    }
    assert "+ action tickets.create@1" in ran.out
    assert "payload.Gone.v1 is named by an event or a workflow" in ran.err


def test_the_same_answers_make_the_same_bytes(hosted: Hosted, monkeypatch: pytest.MonkeyPatch) -> None:
    hosted.pull()
    first = hosted.file.read_bytes()
    monkeypatch.setattr("tests.support.product_api.NODES", list(reversed(NODES)))

    ran = hosted.pull()

    assert "is up to date" in ran.out
    assert hosted.file.read_bytes() == first


def test_what_changed_is_told(hosted: Hosted) -> None:
    hosted.pull()
    hosted.repository.commit("Registry")
    schema = {"id": "email.send", "version": 1, "inputSchema": {"type": "object", "title": "new"}}
    body = json.dumps([schema, {"id": "email.read", "version": 1}])
    hosted.server.fail("actions", status=200, body=body)

    value = check_schema(hosted.pull("-o", "json"), "registry")

    assert value["changes"] == {
        "added": ["action email.read@1"],
        "changed": ["action email.send@1"],
        "removed": ["action email.send@2", "action tickets.create@1"],
    }
    assert value["written"] is True


def test_a_file_with_edits_of_its_own_is_replaced_by_force_alone(hosted: Hosted) -> None:
    hosted.repository.commit_file("registry.yaml", "# ours\nactions: [old@1]\n")
    hosted.repository.write("registry.yaml", "# ours\nactions: [newer@1]\n")

    refused = hosted.gitsync("pull")
    assert (refused.code, hosted.file.read_text()) == (3, "# ours\nactions: [newer@1]\n")

    ran = hosted.pull("--force")
    assert "comments that registry.yaml had were not kept" in ran.err
    assert "- action newer@1" in ran.out
    assert hosted.file.read_text().startswith(HEADER)


def test_a_broken_file_is_replaced(hosted: Hosted) -> None:
    hosted.repository.commit_file("registry.yaml", "actions: {")

    hosted.pull()

    assert read_registry(hosted.file.read_bytes(), file="registry.yaml").actions


@pytest.mark.parametrize(
    "pattern, status, body, code",
    [
        pytest.param("actions", 500, '{"error": "boom"}', 1, id="actions-fail"),
        pytest.param("nodes", 200, "{}", 1, id="no-list"),
        pytest.param("actions", 200, '[{"id": "a"}]', 1, id="no-version"),
        pytest.param("nodes", 200, '[{"id": ""}]', 1, id="no-id"),
        pytest.param("events", 403, '{"error": "Forbidden"}', 9, id="events-forbidden"),
        pytest.param("schemas", 200, '{"ref": "other", "schema": {}}', 1, id="another-schema"),
        pytest.param("schemas", 500, '{"error": "boom"}', 1, id="schema-fails"),
    ],
)
def test_a_part_of_a_registry_is_never_written(
    hosted: Hosted, pattern: str, status: int, body: str, code: int
) -> None:
    hosted.pull()
    before = hosted.file.read_bytes()
    hosted.server.fail(pattern, status=status, body=body)

    ran = hosted.gitsync("pull")

    assert (ran.code, hosted.file.read_bytes()) == (code, before)


def test_a_server_that_offers_nothing_is_refused(hosted: Hosted) -> None:
    hosted.server.fail("actions|nodes", status=200, body="[]", times=2)

    ran = hosted.gitsync("pull")

    assert ran.code == 6
    assert not hosted.file.exists()


def test_a_server_without_events_is_noted(hosted: Hosted) -> None:
    hosted.server.fail("events", status=404)

    assert "lists no events" in hosted.pull().err


def test_more_events_than_a_server_tells_are_noted(hosted: Hosted) -> None:
    hosted.server.events = [{"payload_schema_ref": "payload.A.v1"}] * 2001

    assert "2000 events at most" in hosted.pull().err


def test_a_database_offers_no_registry(hosted: Hosted) -> None:
    ran = hosted.gitsync("pull", "-e", "direct")

    assert ran.code == 4
    assert "only a server tells" in ran.err


def test_a_registry_that_is_not_configured_is_written_beside_the_configuration(hosted: Hosted) -> None:
    hosted.repository.remove_file("gitsync.yaml")
    hosted.repository.write("flows/gitsync.yaml", "version: 1\n")
    folder = hosted.repository.path / "flows"

    ran = gitsync(
        "-C", str(folder), "registry", "pull", "--base-url", hosted.server.address, "--cookie", SESSION
    )

    assert ran.code == 0, ran.err
    assert (folder / "registry.yaml").exists()
    assert "add `registry: registry.yaml`" in ran.err


def test_the_registry_is_shown_with_what_actions_take(hosted: Hosted) -> None:
    hosted.repository.write(
        "registry.yaml",
        "actions:\n- email.send@1\n- actionId: tickets.create\n  version: 2\n"
        "  input: { properties: { body: {}, title: {} }, required: [title] }\n"
        "nodeTypes: [state.set]\nschemaRefs: [payload.A.v1]\n",
    )

    everything = hosted.gitsync("show")
    some = hosted.gitsync("show", "tickets.*", "state.set")
    one = check_schema(hosted.gitsync("show", "email.send@1", "-o", "json"), "registry")
    none = hosted.gitsync("show", "nothing")

    assert "tickets.create@2  title, body?" in everything.out
    assert "payload.A.v1  (its schema is not known)" in everything.out
    assert "email" not in some.out
    assert "state.set" in some.out
    assert [action["actionId"] for action in one["actions"]] == ["email.send"]
    assert one["nodeTypes"] == []
    assert none.code == 1


def test_no_registry_to_show_is_told(hosted: Hosted) -> None:
    ran = hosted.gitsync("show")

    assert ran.code == 4
    assert "gitsync registry pull" in ran.err
