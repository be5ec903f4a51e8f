"""The commands against gitsync's own server, which can do more than the product's API."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from gitsync.stores.database.tokens import Role
from gitsync.stores.http.store import Api
from gitsync.workflow.registry import ActionOffer, Registry
from gitsync.workflow.types import Key
from tests.support.editor import Editor
from tests.support.git import make_repository
from tests.support.instance import make_instance
from tests.support.loop import Loop, Ran, make_loop
from tests.support.product import TENANT, Generation
from tests.support.server import Running, add_token, running_server, served

TLS = Path(__file__).parents[1] / "fixtures" / "tls"

REGISTRY = Registry(
    {("email.send", 1): ActionOffer({"type": "object"}, None)},
    frozenset({"state.set"}),
    {"payload.Ticket.v1": {"type": "object"}},
)
CONFIG = """\
version: 1
default: hosted
environments:
  hosted: {{ url: "{url}", token: "${{GITSYNC_TOKEN}}" }}
  direct: {{ database: "{database}", tenant: "{tenant}" }}
"""


@dataclass(frozen=True, slots=True)
class Hosted:
    """A repository whose environment is gitsync's own server."""

    loop: Loop
    running: Running
    tokens: dict[Role, str]

    def gitsync(self, *arguments: str, role: Role = Role.ADMIN) -> Ran:
        """Run one command line with a token of that role."""
        return self.loop.gitsync(*arguments, variables={"GITSYNC_TOKEN": self.tokens[role]})

    def states(self, *arguments: str) -> dict[str, str]:
        """Key → state word."""
        ran = succeeded(self.gitsync("status", "-o", "json", *arguments))
        return {row["key"]: row["state"] for row in ran.json["workflows"]}


@contextlib.contextmanager
def hosting(folder: Path, url: str) -> Iterator[Hosted]:
    """A server over the database of `url`, and a repository in `folder` that works on it."""
    loop = make_loop(folder, url=url, tenant=TENANT)
    with running_server(url, tenant=TENANT, registry=REGISTRY) as running:
        config = CONFIG.format(url=running.url, database=url, tenant=TENANT)
        loop.repository.commit_file("gitsync.yaml", config)
        tokens = {role: add_token(url, role, tenant=TENANT, name=f"own {role}") for role in Role}
        yield Hosted(loop, running, tokens)


@pytest.fixture
def hosted(tmp_path: Path) -> Iterator[Hosted]:
    with hosting(tmp_path, f"sqlite:///{tmp_path / 'product.db'}") as found:
        yield found


@pytest.fixture(params=["sqlite", "postgresql"])
def either(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Hosted]:
    """Hosted on each database."""
    is_sqlite = request.param == "sqlite"
    url = (
        f"sqlite:///{tmp_path / 'product.db'}" if is_sqlite else request.getfixturevalue("postgres_database")
    )
    with hosting(tmp_path, url) as found:
        yield found


def succeeded(ran: Ran) -> Ran:
    assert ran.code == 0, f"exit {ran.code}\n{ran.out}{ran.err}"
    return ran


def test_the_loop_goes_round_over_gitsyncs_own_server(either: Hosted) -> None:
    hosted, loop, editor = either, either.loop, either.loop.editor
    editor.save("a", "A1")
    succeeded(hosted.gitsync("pull", "--commit", "-m", "From the product"))
    assert (loop.text("a"), hosted.states()) == ("A1", {"a": "in-sync"})

    loop.write_file("caller", "C", calls="key:called")
    loop.write_file("called", "D", calls="key:caller")
    path = loop.write_file("itself", "I", calls="key:itself")
    path.write_text(path.read_text().replace('"isSystem": false', '"isSystem": true'))
    loop.commit(a="A2")
    ran = succeeded(hosted.gitsync("push", "--update", "--in-place", "-o", "json"))

    assert ran.json["deployment"] is not None
    assert hosted.states() == dict.fromkeys(["a", "called", "caller", "itself"], "in-sync")
    assert "isSystem" not in hosted.gitsync("status").err
    assert succeeded(loop.gitsync("-e", "direct", "status", "-o", "json")).json["workflows"]


def test_ids_are_kept_where_that_is_asked_for(hosted: Hosted) -> None:
    loop = hosted.loop
    loop.commit(a="A1")
    succeeded(hosted.gitsync("push"))
    first = loop.editor.id_of("a")
    loop.commit(a="A2")
    succeeded(hosted.gitsync("push", "--update", "--in-place"))
    kept = loop.editor.id_of("a")
    loop.commit(a="A3")
    succeeded(hosted.gitsync("push", "--update"))

    assert kept == first
    assert loop.editor.id_of("a") != first


def test_an_edit_in_the_last_moment_is_never_overwritten(
    either: Hosted, monkeypatch: pytest.MonkeyPatch
) -> None:
    hosted, loop = either, either.loop
    loop.commit(a="A1")
    succeeded(hosted.gitsync("push"))
    loop.commit(a="A2", b="B1")

    def edit(*_: object) -> dict[Key, str]:
        loop.editor.save("a", "in the last moment")
        return {}

    monkeypatch.setattr(Api, "_check_fresh", edit)

    ran = hosted.gitsync("push", "--update")

    assert ran.code == 5, ran.err
    assert loop.editor.texts() == {"a": "in the last moment"}


def test_a_reader_sees_what_may_be_shown_and_writes_nothing(hosted: Hosted) -> None:
    loop = hosted.loop
    loop.commit(a="A1", b="B1")
    succeeded(hosted.gitsync("push"))
    with loop.editor.connection() as connection:
        connection.exec_driver_sql("UPDATE workflow_definitions SET is_visible = false WHERE key = 'b'")

    status = succeeded(hosted.gitsync("status", role=Role.READ))
    prune = hosted.gitsync("pull", "--prune", "--force", role=Role.READ)
    loop.commit(a="A2")
    push = hosted.gitsync("push", "--force", role=Role.READ)

    assert "perhaps only hidden" in status.out
    assert prune.code == 6
    assert push.code == 9
    assert loop.editor.text("a") == "A1"


def test_the_servers_protection_is_told_as_it_is(tmp_path: Path) -> None:
    instance = make_instance(f"sqlite:///{tmp_path / 'product.db'}", Generation.CURRENT)
    tenant = instance.editor.tenant
    loop = Loop(make_repository(tmp_path / "repository"), Editor(instance.url, tenant=tenant))
    with running_server(instance.url, tenant=tenant) as running:
        config = CONFIG.format(url=running.url, database=instance.url, tenant=tenant)
        loop.repository.commit_file("gitsync.yaml", config)
        token = add_token(instance.url, Role.ADMIN, tenant=tenant, name="own")
        hosted = Hosted(loop, running, {Role.ADMIN: token})
        loop.commit(a="A1")
        succeeded(hosted.gitsync("push"))
        instance.editor.start_run(loop.editor.id_of("a"))
        loop.commit(a="A2")

        refused = hosted.gitsync("push", "--update")
        kept = hosted.gitsync("push", "--update", "--in-place")

    assert (refused.code, kept.code) == (6, 0)
    assert "[RUNS_WOULD_BE_LOST]" in refused.err
    assert loop.editor.text("a") == "A2"


def test_a_deletion_stays_what_no_server_does(hosted: Hosted) -> None:
    hosted.loop.commit(a="A1", b="B1")
    succeeded(hosted.gitsync("push"))
    hosted.loop.commit(a=None)

    ran = hosted.gitsync("push", "--prune")

    assert ran.code == 4
    assert "a cannot be deleted over the API" in ran.err


def test_bundles_go_over_the_server(hosted: Hosted, tmp_path: Path) -> None:
    loop, out = hosted.loop, tmp_path / "all.json"
    loop.write_file("caller", "C", calls="key:called")
    loop.commit(called="D")
    succeeded(hosted.gitsync("push"))
    succeeded(hosted.gitsync("export", "--all", "--out", str(out)))
    loop.editor.delete("caller")
    loop.editor.delete("called")

    assert hosted.gitsync("import", str(out)).code == 0
    assert hosted.states() == {"called": "in-sync", "caller": "in-sync"}
    conflict = hosted.gitsync("import", str(out))
    assert (conflict.code, "called, caller" in conflict.err) == (3, True)
    succeeded(hosted.gitsync("import", "--force", str(out)))


def test_the_registry_is_pulled_from_the_server(hosted: Hosted) -> None:
    hosted.loop.commit(a="A1")

    ran = succeeded(hosted.gitsync("registry", "pull", "-o", "json"))

    assert [action["actionId"] for action in ran.json["actions"]] == ["email.send"]
    assert ran.json["schemaRefs"] == [{"ref": "payload.Ticket.v1", "schema": {"type": "object"}}]
    assert json.dumps(ran.json["warnings"]).count("events") == 1


def test_a_certificate_that_nobody_vouches_for_is_not_trusted(tmp_path: Path) -> None:
    loop = make_loop(tmp_path)
    token = add_token(f"sqlite:///{tmp_path / 'product.db'}", Role.ADMIN, name="own")
    pair = ["--tls-cert", str(TLS / "cert.pem"), "--tls-key", str(TLS / "key.pem")]
    with served(loop, *pair) as process:
        status = ["status", "--base-url", process.url]
        refused = loop.gitsync(*status, variables={"GITSYNC_TOKEN": token})
        vouched = loop.gitsync(
            *status, variables={"GITSYNC_TOKEN": token, "SSL_CERT_FILE": str(TLS / "cert.pem")}
        )

    assert (refused.code, vouched.code) == (1, 0), vouched.err
    assert "[UNTRUSTED_CERTIFICATE]" in refused.err
    assert "SSL_CERT_FILE" in refused.err


def test_doctor_looks_at_a_server_as_it_looks_at_a_database(hosted: Hosted) -> None:
    hosted.loop.commit(a="A1")
    succeeded(hosted.gitsync("push"))
    hosted.loop.editor.create(None, "unnamed")

    ran = succeeded(hosted.gitsync("doctor", "-o", "json"))

    found = {
        f"{row['section']}/{row['name']}": (row["level"], row["message"]) for row in ran.json["findings"]
    }
    assert found["configuration/environment"][1] == f"hosted (the default): {hosted.running.url}"
    assert found["server/connection"] == ("ok", f"{hosted.running.url}, gitsync's own server")
    assert found["server/keys"][1] == "1 workflow with a key of its own"
    assert found["server/unkeyed"][0] == "warning"
    assert found["server/rights"][0] == "ok"
    assert found["both sides/states"][1] == "1 in-sync"
    assert not [name for name in found if name.startswith("database/")]

    reading = hosted.gitsync("doctor", role=Role.READ)
    assert "takes an import from" in reading.out

    hosted.tokens[Role.ADMIN] = "not a token"
    refused = hosted.gitsync("doctor")
    assert (refused.code, "does not accept the token" in refused.out) == (1, True)


def test_many_workflows_are_read_by_few_exports(hosted: Hosted, caplog: pytest.LogCaptureFixture) -> None:
    keys = [f"k{number:03}" for number in range(100)]
    for key in keys:
        hosted.loop.write_file(key, key)
    hosted.loop.repository.commit("Write a hundred")
    succeeded(hosted.gitsync("push", "-e", "direct"))
    hosted.loop.editor.save("k050", "by hand")
    caplog.set_level("INFO", logger="gitsync.server.access")

    states = hosted.states()
    pulled = succeeded(hosted.gitsync("pull", "-o", "json", "--force"))

    assert set(states) == set(keys)
    assert {key for key in keys if states[key] != "in-sync"} == {"k050"}
    assert pulled.changes == {"k050": "update"}
    asked = [record.getMessage() for record in caplog.records if record.name == "gitsync.server.access"]
    exports = [line for line in asked if '/export"' in line]
    assert len(exports) == 4  # two for each command
    assert all('"path": "/api/workflow-definitions/export"' in line for line in exports)
