"""The server, as its clients and as its administrator see it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import jsonschema
import pytest
import sqlalchemy as sa

from gitsync.server.openapi import make_openapi
from gitsync.server.service import BODIES, WHOLE
from gitsync.server.shared import READY_SECONDS, VERDICT_SECONDS, Bounds
from gitsync.stores.database.tokens import Role
from gitsync.workflow.canonical import canonical_bytes
from gitsync.workflow.registry import ActionOffer, Registry
from gitsync.workflow.schema import load_schema
from tests.support.loop import Loop, make_loop
from tests.support.product import TENANT
from tests.support.program import PATIENCE
from tests.support.server import (
    DEFINITIONS,
    TLS,
    Running,
    add_token,
    connected,
    get,
    in_threads,
    metric,
    queries,
    running_server,
    served,
    url_of,
    wait_for,
)

EVERYWHERE = "0.0.0.0"  # noqa: S104 - that this is refused, or goes with TLS, is what is tested
NOBODY = "00000000-0000-4000-8000-000000000000"


@pytest.fixture
def server(loop: Loop) -> Iterator[Running]:
    with running_server(url_of(loop)) as running:
        yield running


@pytest.fixture(params=["sqlite", "postgresql"])
def both(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Loop, Running]]:
    """A loop and a server on each database."""
    if request.param == "sqlite":
        loop = make_loop(tmp_path)
    else:
        loop = make_loop(tmp_path, url=request.getfixturevalue("postgres_database"), tenant=TENANT)
    with running_server(url_of(loop), tenant=loop.editor.tenant) as running:
        yield loop, running


def export(loop: Loop, *keys: str) -> dict[str, Any]:
    """A bundle made by the command line."""
    ran = loop.gitsync("export", *(keys or ("--all",)))
    assert ran.code == 0, ran.err
    value: dict[str, Any] = json.loads(ran.out)
    return value


def edit(bundle: dict[str, Any], text: str) -> bytes:
    """The bundle with another description in each draft."""
    for entry in bundle["workflows"]:
        entry["draft"]["definition"]["description"] = text
    return canonical_bytes(bundle)


def check_answer(answer: httpx.Response, shape: str) -> Any:
    """The value of an answer that has the shape which the OpenAPI description promises."""
    definitions = load_schema("server")["definitions"]
    definitions["Bundle"] = load_schema("bundle.v1")
    schema = {"definitions": definitions, "$ref": f"#/definitions/{shape}"}
    jsonschema.Draft7Validator(schema).validate(answer.json())
    return answer.json()


def refusal(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, str(check_answer(answer, "Error")["code"])


def test_the_list_has_every_row_whole_and_hides_hidden_ones_from_readers(both: tuple[Loop, Running]) -> None:
    loop, server = both
    loop.editor.save("a", "A")
    loop.editor.publish("a", 1)
    loop.editor.publish("a", 3)
    loop.editor.create(None, "without a key")
    loop.editor.save("hidden", "H")
    loop.editor.execute("UPDATE workflow_definitions SET is_visible = :no WHERE key = 'hidden'", no=False)

    admin = check_answer(server.admin.get(DEFINITIONS), "DefinitionList")
    reader = check_answer(server.reader.get(DEFINITIONS), "DefinitionList")

    assert sorted(str(row["key"]) for row in admin) == ["None", "a", "hidden"]
    assert sorted(str(row["key"]) for row in reader) == ["None", "a"]
    (row,) = [row for row in admin if row["key"] == "a"]
    assert row["workflow_id"] == loop.editor.id_of("a")
    assert row["draft_definition"]["description"] == "A"
    assert (row["published_version"], row["failure_rate_threshold"]) == (3, "0.50")
    assert (row["is_visible"], row["trigger"], row["schedule_state"]) == (True, None, None)
    assert row["created_at"].endswith("Z")
    with loop.editor.connection() as connection:
        columns = {column["name"] for column in sa.inspect(connection).get_columns("workflow_definitions")}
    assert columns | {"published_version", "schedule_state"} == row.keys()


def test_versions_are_told_newest_first_and_the_draft_under_its_number(both: tuple[Loop, Running]) -> None:
    loop, server = both
    loop.editor.save("a", "A")
    for number in (2, 10):
        loop.editor.publish("a", number)
    own_id = loop.editor.id_of("a")

    versions = check_answer(server.reader.get(f"{DEFINITIONS}/{own_id}/versions"), "VersionList")
    published = check_answer(server.reader.get(f"{DEFINITIONS}/{own_id}/10"), "Version")
    draft = check_answer(server.reader.get(f"{DEFINITIONS}/{own_id}/1"), "Version")

    assert [row["version"] for row in versions["versions"]] == [10, 2]
    assert published["definition_json"]["description"] == "version 10"
    assert published["workflow_id"] == own_id
    assert "is_draft" not in published
    assert draft == {
        "workflow_id": own_id,
        "version": 1,
        "definition_json": draft["definition_json"],
        "draft_version": 1,
        "is_draft": True,
        "published_at": None,
    }
    assert draft["definition_json"]["description"] == "A"
    upper = server.reader.get(f"{DEFINITIONS}/{own_id.upper()}/10")
    assert upper.json() == published


@pytest.mark.parametrize(
    "path",
    [
        f"{DEFINITIONS}/{NOBODY}/versions",
        f"{DEFINITIONS}/{NOBODY}/1",
        f"{DEFINITIONS}/{NOBODY}/export",
        f"{DEFINITIONS}/no-id/versions",
        f"{DEFINITIONS}/no-id/export",
        f"{DEFINITIONS}/no-id/1",
        f"{DEFINITIONS}/export?key=nobody",
        "/api/workflow/registry/actions",
        "/api/workflow/registry/nodes",
        "/api/workflow/registry/schemas/payload.A.v1",
        "/api/nothing",
        "/",
    ],
)
def test_what_is_not_there_is_a_404(server: Running, path: str) -> None:
    status, code = refusal(server.admin.get(path))

    assert status == 404
    assert code in {"NOT_FOUND", "UNKNOWN_KEY", "MISSING_REGISTRY"}


@pytest.mark.parametrize("number", ["7", "-1", "1.0", "x", "99999999999999999999", "²"])
def test_a_version_that_is_not_there_is_a_404(loop: Loop, server: Running, number: str) -> None:
    loop.editor.save("a", "A")

    answer = server.admin.get(f"{DEFINITIONS}/{loop.editor.id_of('a')}/{number}")

    assert refusal(answer) == (404, "NOT_FOUND")


def test_another_method_is_a_405(server: Running) -> None:
    answer = server.admin.delete(DEFINITIONS)

    assert refusal(answer) == (405, "METHOD_NOT_ALLOWED")
    assert answer.headers["allow"]


def test_an_export_of_many_is_one_bundle_and_that_of_one_has_its_digest(both: tuple[Loop, Running]) -> None:
    loop, server = both
    for key in ("b.one", "b.two", "c"):
        loop.editor.save(key, key)
    loop.pull()

    everything = check_answer(server.admin.get(f"{DEFINITIONS}/export"), "Bundle")
    some = server.admin.get(f"{DEFINITIONS}/export", params={"key": ["b.*", "c"]}).json()
    few = server.admin.get(f"{DEFINITIONS}/export?key=b.*").json()
    one = server.admin.get(f"{DEFINITIONS}/{loop.editor.id_of('c')}/export")

    assert [entry["key"] for entry in everything["workflows"]] == ["b.one", "b.two", "c"]
    assert everything["workflows"] == some["workflows"]
    assert [entry["key"] for entry in few["workflows"]] == ["b.one", "b.two"]
    digest = loop.repository.git("hash-object", str(loop.path("c")))
    assert one.headers["etag"] == f'"{digest}"'
    assert refusal(server.reader.get(f"{DEFINITIONS}/export")) == (403, "FORBIDDEN")


def test_a_workflow_that_no_bundle_can_hold_is_an_error_with_its_reason(loop: Loop, server: Running) -> None:
    own_id = loop.editor.create(None, "without a key")

    assert refusal(server.admin.get(f"{DEFINITIONS}/{own_id}/export")) == (400, "INVALID_KEY")
    assert refusal(server.admin.get(f"{DEFINITIONS}/export")) == (409, "EMPTY_SOURCE")


def test_the_registry_s_routes_say_what_registry_yaml_says(loop: Loop) -> None:
    shape: Any = {"type": "object"}
    registry = Registry(
        {("a.b", 2): ActionOffer(shape, None), ("a.b", 1): ActionOffer()},
        frozenset({"state.set", "action.call"}),
        {"payload.A.v1": shape, "payload.B.v1": None},
    )
    with running_server(url_of(loop), registry=registry) as server:
        base = "/api/workflow/registry"
        actions = check_answer(server.reader.get(f"{base}/actions"), "ActionList")
        nodes = check_answer(server.reader.get(f"{base}/nodes"), "NodeList")
        schema = check_answer(server.reader.get(f"{base}/schemas/payload.A.v1"), "Schema")
        unknown = check_answer(server.reader.get(f"{base}/schemas/payload.B.v1"), "Schema")
        missing = server.reader.get(f"{base}/schemas/payload.C.v1")

    assert [(row["id"], row["version"], row["inputSchema"]) for row in actions] == [
        ("a.b", 1, None),
        ("a.b", 2, shape),
    ]
    assert [row["id"] for row in nodes] == ["action.call", "state.set"]
    assert schema == {"ref": "payload.A.v1", "schema": shape}
    assert unknown == {"ref": "payload.B.v1", "schema": None}
    assert refusal(missing) == (404, "NOT_FOUND")


def test_a_token_comes_as_bearer_or_as_cookie_and_ends_when_it_is_revoked(
    loop: Loop, server: Running
) -> None:
    token = add_token(url_of(loop), Role.READ, name="ci")
    host = server.url.partition("://")[2]
    good: list[dict[str, str]] = [
        {"authorization": f"Bearer {token}"},
        {"authorization": f"bearer  {token}"},
        {"cookie": f"other=1; gitsync-token={token}"},
        {"cookie": f"gitsync-token={token}", "origin": f"http://{host}"},
    ]
    bad: list[dict[str, str]] = [
        {},
        {"authorization": token},
        {"authorization": f"Basic {token}"},
        {"authorization": f"Bearer {token}x"},
        {"authorization": "Bearer"},
        {"cookie": f"token={token}"},
        {"authorization": "Bearer x", "cookie": f"gitsync-token={token}"},
    ]

    allowed = [server.nobody.get(DEFINITIONS, headers=headers).status_code for headers in good]
    refused = [refusal(server.nobody.get(DEFINITIONS, headers=headers)) for headers in bad]
    foreign = server.nobody.get(
        DEFINITIONS, headers={"cookie": f"gitsync-token={token}", "origin": "https://elsewhere.example"}
    )
    assert loop.gitsync("token", "revoke", "ci").code == 0
    wait_for(lambda: server.nobody.get(DEFINITIONS, headers=good[0]).status_code != 200)
    revoked = server.nobody.get(DEFINITIONS, headers=good[0])

    assert allowed == [200] * len(good)
    assert refused == [(401, "UNAUTHORIZED")] * len(bad)
    assert refusal(foreign) == (403, "FORBIDDEN")
    assert refusal(revoked) == (401, "UNAUTHORIZED")
    assert revoked.headers["www-authenticate"].startswith("Bearer")


def stranger(number: int) -> dict[str, str]:
    """The headers of one who guesses: a text that might be a token."""
    return {"authorization": f"Bearer gitsync_{number:012x}_{'x' * 43}"}


def test_what_cannot_be_a_token_costs_no_query(server: Running) -> None:
    with queries(server) as asked:
        answers = [
            server.nobody.get(DEFINITIONS, headers={"authorization": f"Bearer {text}"})
            for text in ("x", "gitsync_", f"gitsync_{'0' * 12}_{'x' * 42}", f"gitsync_{'0' * 12}_{'x' * 44}")
        ]

    assert [refusal(answer) for answer in answers] == [(401, "UNAUTHORIZED")] * 4
    assert asked == []


def test_a_verdict_on_a_token_holds_for_a_moment_and_no_longer(loop: Loop) -> None:
    now = [0.0]
    with running_server(url_of(loop), clock=lambda: now[0]) as server:
        token = {"authorization": f"Bearer {add_token(url_of(loop), Role.READ, name='ci')}"}
        with queries(server, "FROM gitsync_tokens") as asked:
            good = in_threads(20, lambda _: server.nobody.get(DEFINITIONS, headers=token).status_code)
            bad = in_threads(20, lambda _: server.nobody.get(DEFINITIONS, headers=stranger(1)).status_code)
        assert loop.gitsync("token", "revoke", "ci").code == 0
        now[0] = VERDICT_SECONDS
        revoked = server.nobody.get(DEFINITIONS, headers=token)

    assert (good, bad) == ([200] * 20, [401] * 20)
    assert len(asked) == 2, "one for each token"
    assert refusal(revoked) == (401, "UNAUTHORIZED")


def test_readiness_is_looked_at_once_for_all_who_ask_in_the_same_second(loop: Loop) -> None:
    now = [0.0]
    file = Path(str(sa.make_url(loop.editor.url).database))
    with running_server(url_of(loop), clock=lambda: now[0]) as server:

        def ask() -> list[int]:
            return in_threads(20, lambda _: server.nobody.get("/readyz").status_code)

        with queries(server, "BEGIN") as ready:
            first = ask()
        server.server.service._engine.dispose()
        aside = file.rename(file.with_suffix(".aside"))
        held = ask()
        now[0] = READY_SECONDS
        gone = ask()
        aside.rename(file)
        still = ask()

    assert (first, held, gone, still) == ([200] * 20, [200] * 20, [503] * 20, [503] * 20)
    assert len(ready) == 2, "one look at the tables, one at the tokens"


def test_strangers_do_not_take_the_place_of_those_who_are_signed_in(
    postgres_database: str, tmp_path: Path
) -> None:
    loop = make_loop(tmp_path, url=postgres_database, tenant=TENANT)
    loop.editor.save("a", "A")
    now = [0.0]
    with running_server(url_of(loop), tenant=TENANT, clock=lambda: now[0]) as server:
        assert server.admin.get(DEFINITIONS).status_code == 200

        def work(number: int) -> Any:
            if number < 100:
                return server.nobody.get(DEFINITIONS, headers=stranger(number))
            with loop.editor.connection() as other:
                other.exec_driver_sql("LOCK TABLE gitsync_tokens")
                gate.set()
                wait_for(lambda: metric(server.nobody, "gitsync_http_requests_in_flight") >= 67)
                return server.admin.get(DEFINITIONS)

        gate = threading.Event()
        *strangers, known = in_threads(101, lambda number: (number == 100 or gate.wait()) and work(number))

    assert known.status_code == 200
    refused = [refusal(answer) for answer in strangers]
    assert set(refused) == {(401, "UNAUTHORIZED"), (503, "SERVER_BUSY")}
    assert refused.count((401, "UNAUTHORIZED")) == 66, "two are looked at, 64 wait"


def test_an_import_is_noted_in_the_ledger_like_a_push(both: tuple[Loop, Running]) -> None:
    loop, server = both
    loop.editor.save("a", "A")
    bundle = edit(export(loop, "a"), "edited")

    summary = check_answer(server.post(bundle, params={"force": "1"}), "ImportSummary")

    assert summary["deployment"] == 1
    assert [(change["key"], change["action"]) for change in summary["changes"]] == [("a", "update")]
    with loop.editor.connection() as connection:
        kinds = connection.execute(sa.text("SELECT kind, environment FROM gitsync_deployments")).all()
    assert [tuple(row) for row in kinds] == [("import", "dev")]


def test_what_is_as_wanted_already_is_listed_and_not_written(both: tuple[Loop, Running]) -> None:
    loop, server = both
    loop.editor.save("a", "A")
    loop.editor.save("b", "B")
    bundle = canonical_bytes(export(loop))
    before = loop.editor.dump()

    summary = check_answer(server.post(bundle, params={"force": "true"}), "ImportSummary")

    rows = [{"key": key, "workflowId": loop.editor.id_of(key)} for key in ("a", "b")]
    assert summary["createdWorkflows"] == summary["unchangedWorkflows"] == rows
    assert (summary["changes"], summary["deployment"]) == ([], None)
    assert loop.editor.dump() == before


def test_a_dry_import_writes_nothing(loop: Loop, server: Running) -> None:
    loop.editor.save("a", "A")
    bundle = edit(export(loop, "a"), "edited")

    summary = check_answer(server.post(bundle, params={"force": "true", "dryRun": "true"}), "ImportSummary")

    assert [change["action"] for change in summary["changes"]] == ["update"]
    assert (summary["dryRun"], summary["createdWorkflows"]) == (True, [])
    assert loop.editor.text("a") == "A"


def test_update_overwrites_what_nobody_has_edited(loop: Loop, server: Running) -> None:
    loop.commit(a="A1", b="B1")
    loop.push()
    bundle = export(loop)
    loop.editor.save("b", "B2")

    refused = server.post(edit(bundle, "new"), params={"update": "true"})
    bundle["workflows"] = bundle["workflows"][:1]
    written = server.post(edit(bundle, "new"), params={"update": "true"})

    assert refusal(refused) == (409, "WORKFLOW_KEY_CONFLICT")
    assert [row["key"] for row in refused.json()["details"]["conflicts"]] == ["b"]
    assert written.status_code == 200
    assert loop.editor.texts() == {"a": "new", "b": "B2"}


@pytest.mark.parametrize(
    "query",
    [
        {"dryRun": "yes"},
        {"update": ""},
        {"inPlace": "2"},
        {"maxOverwrites": "-1"},
        {"maxOverwrites": "many"},
        {"force": "true", "update": "true"},
    ],
)
def test_a_parameter_that_might_mean_anything_is_refused(
    loop: Loop, server: Running, query: dict[str, str]
) -> None:
    loop.editor.save("a", "A")
    bundle = edit(export(loop), "edited")

    assert refusal(server.post(bundle, params=query)) == (400, "INVALID_PARAMETER")
    assert loop.editor.text("a") == "A"


def test_too_many_overwrites_are_refused_unless_the_number_is_told(loop: Loop, server: Running) -> None:
    for number in range(12):
        loop.editor.save(f"k{number}", "old")
    bundle = export(loop)
    bundle["workflows"] = bundle["workflows"][:5]

    refused = server.post(edit(bundle, "new"), params={"force": "true"})
    written = server.post(edit(bundle, "new"), params={"force": "true", "maxOverwrites": "5"})

    assert refusal(refused) == (409, "UNSAFE_PLAN")
    assert written.status_code == 200


def test_a_client_says_what_it_expects_to_replace(both: tuple[Loop, Running]) -> None:
    loop, server = both
    loop.editor.save("a", "A1")
    path = f"{DEFINITIONS}/{loop.editor.id_of('a')}/export"
    seen = server.admin.get(path)
    bundle = edit(seen.json(), "mine")
    loop.editor.save("a", "somebody else's")

    def send(expected: str, header: str = "if-match") -> httpx.Response:
        return server.post(bundle, params={"force": "true", "inPlace": "true"}, headers={header: expected})

    stale = send(seen.headers["etag"])
    exists = send("*", "if-none-match")
    assert loop.editor.text("a") == "somebody else's"
    fresh = send(server.admin.get(path).headers["etag"])

    assert refusal(stale) == (412, "DIGEST_MISMATCH")
    assert stale.json()["details"]["mismatches"][0]["key"] == "a"
    assert refusal(exists) == (412, "DIGEST_MISMATCH")
    assert fresh.status_code == 200
    assert loop.editor.text("a") == "mine"


def test_digests_of_several_workflows_come_beside_the_bundle(both: tuple[Loop, Running]) -> None:
    loop, server = both
    loop.editor.save("a", "A")
    loop.editor.save("b", "B")
    bundle = export(loop)
    loop.editor.delete("b")
    digest = server.admin.get(f"{DEFINITIONS}/{loop.editor.id_of('a')}/export").headers["etag"].strip('"')

    def send(**expected: str | None) -> httpx.Response:
        body = {"bundle": json.loads(edit(bundle, "new")), "expectedDigests": expected}
        return server.post(json.dumps(body).encode(), params={"force": "true"})

    wrong = send(a="0" * 40, b=None)
    assert loop.editor.texts() == {"a": "A"}
    right = send(a=digest, b=None)
    again = send(a=digest, b=None)

    assert refusal(wrong) == (412, "DIGEST_MISMATCH")
    assert right.status_code == 200
    assert loop.editor.texts() == {"a": "new", "b": "new"}
    assert [row["key"] for row in again.json()["details"]["mismatches"]] == ["a", "b"]
    assert refusal(send(nobody=None)) == (400, "INVALID_EXPECTATION")
    assert refusal(send(a="no digest")) == (400, "INVALID_EXPECTATION")


@pytest.mark.parametrize(
    "headers",
    [
        {"if-match": '"0000000000000000000000000000000000000000"'},
        {"if-match": "nonsense"},
        {"if-match": '"a", "b"'},
        {"if-none-match": '"0000000000000000000000000000000000000000"'},
        {"if-match": '"0000000000000000000000000000000000000000"', "if-none-match": "*"},
    ],
)
def test_an_expectation_that_cannot_be_about_one_workflow_is_refused(
    loop: Loop, server: Running, headers: dict[str, str]
) -> None:
    loop.editor.save("a", "A")
    loop.editor.save("b", "B")

    answer = server.post(edit(export(loop), "new"), params={"force": "true"}, headers=headers)

    assert refusal(answer) == (400, "INVALID_EXPECTATION")
    assert loop.editor.texts() == {"a": "A", "b": "B"}


def test_a_body_that_is_too_large_is_refused(loop: Loop) -> None:
    with running_server(url_of(loop), bounds=Bounds(body=1000)) as server:
        declared = server.post(b"x" * 1001)
        streamed = server.admin.post(f"{DEFINITIONS}/import", content=iter([b"x" * 600, b"x" * 600]))

    assert refusal(declared) == (413, "BODY_TOO_LARGE")
    assert refusal(streamed) == (413, "BODY_TOO_LARGE")


def test_a_body_that_does_not_arrive_is_not_waited_for(loop: Loop) -> None:
    with running_server(url_of(loop), bounds=Bounds(upload=0.3)) as server:
        request = (
            f"POST {DEFINITIONS}/import HTTP/1.1\r\nHost: x\r\nContent-Length: 900\r\n"
            f"Authorization: {server.admin.headers['authorization']}\r\n\r\n{{"
        )
        with connected(server.url, request.encode()) as slow:
            answer = slow.makefile("rb").readline()

    assert b" 408 " in answer


def test_a_body_with_too_many_values_is_refused_before_it_is_parsed(loop: Loop) -> None:
    with running_server(url_of(loop), bounds=Bounds(body=100_000)) as server:
        answer = server.post(b"[" + b"[]," * 30_000 + b"[]]")

    assert refusal(answer) == (413, "BODY_TOO_LARGE")
    assert "4166 values" in answer.json()["error"]


def test_a_body_waits_until_there_is_room_for_it(loop: Loop, server: Running) -> None:
    loop.editor.save("a", "A")
    bundle = canonical_bytes(export(loop))
    head = (
        f"POST {DEFINITIONS}/import HTTP/1.1\r\nHost: x\r\nContent-Length: {len(bundle)}\r\n"
        f"Authorization: {server.admin.headers['authorization']}\r\n\r\n"
    )

    def work(number: int) -> httpx.Response | None:
        if number:
            return server.post(bundle, params={"force": "true"})
        wait_for(lambda: server.server.bodies.waiting == 1)
        others.close()
        return None

    with contextlib.ExitStack() as others:
        for _ in range(BODIES):
            others.enter_context(connected(server.url, head.encode() + bundle[:-1]))
        wait_for(lambda: metric(server.nobody, "gitsync_http_requests_in_flight") == BODIES + 1)
        _, answer = in_threads(2, work)

    assert answer.status_code == 200


def test_an_answer_with_everything_takes_its_place_until_it_has_been_taken(
    loop: Loop, server: Running
) -> None:
    for number in range(6):
        loop.editor.save(f"k{number}", "x" * 3_000_000)  # more than the two sides' buffers hold
    token = server.admin.headers["authorization"]
    request = f"GET {DEFINITIONS} HTTP/1.1\r\nHost: x\r\nAuthorization: {token}\r\n\r\n"

    def work(number: int) -> httpx.Response | None:
        if number:
            return server.admin.get(f"{DEFINITIONS}/export")
        wait_for(lambda: server.server.whole.waiting == 1)
        others.close()
        return None

    with contextlib.ExitStack() as others:
        for _ in range(WHOLE):
            client = others.enter_context(connected(server.url, request.encode(), buffer=4096))
            assert client.recv(9) == b"HTTP/1.1 "
        _, answer = in_threads(2, work)

    assert answer.status_code == 200
    assert len(answer.json()["workflows"]) == 6


def test_who_may_not_import_is_refused_before_the_body_is_read(server: Running) -> None:
    request = f"POST {DEFINITIONS}/import HTTP/1.1\r\nHost: x\r\nContent-Length: 99999\r\n\r\n{{"

    with connected(server.url, request.encode()) as client:
        answer = client.makefile("rb").readline()

    assert b" 401 " in answer


def test_an_answer_is_written_where_it_keeps_nobody_waiting(
    loop: Loop, server: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop.editor.save("a", "A")
    own_id = loop.editor.id_of("a")
    written = []

    def noted(value: Any) -> bytes:
        with contextlib.suppress(RuntimeError):
            asyncio.get_running_loop()
            raise AssertionError("the event loop waits meanwhile")
        written.append(value)
        return canonical_bytes(value)

    monkeypatch.setattr("gitsync.server.routes.canonical_bytes", noted)
    monkeypatch.setattr("gitsync.server.answers.canonical_bytes", noted)
    paths = [DEFINITIONS, f"{DEFINITIONS}/{own_id}/versions", f"{DEFINITIONS}/{own_id}/1"]

    assert [server.admin.get(path).status_code for path in paths] == [200] * 3
    assert len(written) == 3


def test_each_answer_has_the_id_of_its_request(server: Running) -> None:
    own = server.nobody.get("/healthz", headers={"x-request-id": "deploy-17"})
    strange = server.nobody.get("/healthz", headers={"x-request-id": "a b\tc"})
    error = server.nobody.get(DEFINITIONS)

    assert own.headers["x-request-id"] == "deploy-17"
    assert len(strange.headers["x-request-id"]) == 32
    assert error.headers["x-request-id"]
    assert error.headers["gitsync-version"]


def test_a_fault_of_the_server_is_a_500_that_names_the_request(
    loop: Loop, caplog: pytest.LogCaptureFixture
) -> None:
    with running_server(url_of(loop)) as server:
        server.server.service.registry = lambda: 1 // 0  # type: ignore[misc,assignment,return-value]
        answer = server.reader.get("/api/workflow/registry/nodes")

    assert refusal(answer) == (500, "ERROR")
    assert answer.json()["details"]["request"] == answer.headers["x-request-id"]
    assert "ZeroDivisionError" in caplog.text
    assert "ZeroDivisionError" not in answer.text


def test_requests_leave_no_statements_and_no_tables_behind(both: tuple[Loop, Running]) -> None:
    loop, server = both
    loop.editor.save("a", "A")
    own_id = loop.editor.id_of("a")
    paths = ["/readyz", DEFINITIONS, f"{DEFINITIONS}/{own_id}/versions", f"{DEFINITIONS}/{own_id}/export"]

    def compiled() -> int:
        assert [server.admin.get(path).status_code for path in paths] == [200] * len(paths)
        cache: Any = server.server.service._engine._compiled_cache
        return len(cache)

    first = compiled()

    assert [compiled() for _ in range(3)] == [first] * 3


def test_tables_are_made_anew_where_the_database_has_changed(loop: Loop, server: Running) -> None:
    loop.editor.save("a", "A")
    assert "extra" not in server.admin.get(DEFINITIONS).json()[0]

    loop.editor.execute("ALTER TABLE workflow_definitions ADD COLUMN extra text")

    assert server.admin.get(DEFINITIONS).json()[0]["extra"] is None


def test_a_database_that_is_gone_is_a_503_until_it_is_back(loop: Loop, server: Running) -> None:
    loop.editor.save("a", "A")
    bundle = canonical_bytes(export(loop))
    file = Path(str(sa.make_url(loop.editor.url).database))
    assert server.nobody.get("/readyz").status_code == 200
    server.server.service._engine.dispose()
    aside = file.rename(file.with_suffix(".aside"))

    wait_for(lambda: server.nobody.get("/readyz").status_code != 200)
    down = [server.admin.get(DEFINITIONS), server.post(bundle), server.nobody.get("/readyz")]
    alive = server.nobody.get("/healthz")
    server.server.service._engine.dispose()
    aside.rename(file)
    wait_for(lambda: server.nobody.get("/readyz").status_code == 200)
    back = server.admin.get(DEFINITIONS)

    assert [refusal(answer) for answer in down] == [(503, "MISSING_DATABASE")] * 3
    assert all(answer.headers["retry-after"] for answer in down)
    assert not any(str(file.parent) in answer.text for answer in down), "its address is nobody's business"
    assert alive.status_code == 200
    assert back.status_code == 200


def test_an_import_waits_for_a_run_outside_and_gives_up_after_the_lock_s_time(loop: Loop) -> None:
    loop.editor.save("a", "A")
    bundle = edit(export(loop), "new")
    with running_server(url_of(loop), lock_timeout=0.3) as server:
        with loop.editor.connection() as other:
            other.exec_driver_sql("UPDATE workflow_definitions SET name = 'held'")
            busy = server.post(bundle, params={"force": "true"})
            readable = server.admin.get(DEFINITIONS)
        free = server.post(bundle, params={"force": "true"})

    assert refusal(busy) == (503, "SYNC_IN_PROGRESS")
    assert busy.headers["retry-after"]
    assert readable.status_code == 200
    assert free.status_code == 200


def test_the_metrics_count_requests_and_imports_and_name_no_workflow(loop: Loop, server: Running) -> None:
    loop.editor.save("very-secret-key", "A")
    bundle = edit(export(loop), "new")
    server.post(bundle)
    server.post(bundle, params={"force": "true"})
    server.nobody.get("/nothing")

    text = server.nobody.get("/metrics").text

    assert 'gitsync_imports_total{outcome="refused"} 1.0' in text
    assert 'gitsync_imports_total{outcome="written"} 1.0' in text
    assert 'gitsync_imported_workflows_total{action="update"} 1.0' in text
    path = f"{DEFINITIONS}/import"
    assert f'gitsync_http_requests_total{{method="POST",route="{path}",status="409"}} 1.0' in text
    assert 'route="other",status="404"' in text
    assert "very-secret-key" not in text


def test_the_description_names_every_route_and_every_reference_in_it_leads_somewhere(server: Running) -> None:
    described = check_answer(server.nobody.get("/openapi.json"), "OpenApi")

    assert described == make_openapi()
    text = json.dumps(described)
    names = {part.partition('"')[0] for part in text.split("#/components/schemas/")[1:]}
    assert names <= described["components"]["schemas"].keys()
    served_paths = {route.path for route in _routes(server)}
    assert served_paths == set(described["paths"])


def _routes(server: Running) -> list[Any]:
    from gitsync.server.app import make_app

    return list(make_app(server.server).routes)


# ------------------------------------------------------------------------------------------- the command


def test_the_command_says_where_it_listens_and_stops_cleanly(loop: Loop) -> None:
    loop.editor.save("a", "A")
    with served(loop) as process:
        token = add_token(url_of(loop), Role.ADMIN, name="me")
        headers = {"authorization": f"Bearer {token}", "x-request-id": "r-1"}
        answer = get(f"{process.url}{DEFINITIONS}", headers=headers, params={"token": token})
        code = process.stop()

    assert answer.status_code == 200
    assert code == 0
    assert "warning: there is no token yet" in process.log
    assert process.log.rstrip().endswith("stopped")
    (line,) = [json.loads(line) for line in process.lines if line.startswith("{")]
    assert (line["request"], line["token"], line["status"], line["path"]) == ("r-1", "me", 200, DEFINITIONS)
    assert token not in process.log
    assert token.split("_", 2)[2] not in process.log


def test_the_command_collects_what_its_requests_leave_behind(loop: Loop) -> None:
    with (
        served(loop) as process,
        httpx.Client(base_url=process.url, timeout=PATIENCE, trust_env=False) as client,
    ):
        before = metric(client, 'python_gc_collections_total{generation="0"}')
        wait_for(lambda: metric(client, 'python_gc_collections_total{generation="0"}') > before)


def test_a_running_import_is_finished_when_the_server_is_told_to_stop(loop: Loop) -> None:
    loop.editor.save("a", "A")
    bundles = [edit(export(loop), text) for text in ("first", "second")]
    token = add_token(url_of(loop), Role.ADMIN)
    with served(loop, "--lock-timeout", str(PATIENCE)) as process:

        def send(number: int) -> httpx.Response:
            return httpx.post(
                f"{process.url}{DEFINITIONS}/import",
                params={"force": "true"},
                content=bundles[number],
                headers={"authorization": f"Bearer {token}"},
                timeout=PATIENCE,
                trust_env=False,
            )

        def stop_then_let_go(_: int) -> None:
            with (
                loop.editor.connection() as other,
                httpx.Client(base_url=process.url, timeout=PATIENCE, trust_env=False) as client,
            ):
                other.exec_driver_sql("UPDATE workflow_definitions SET status = 'draft'")
                gate.set()
                wait_for(lambda: metric(client, "gitsync_http_requests_in_flight") >= 3)
                wait_for(lambda: metric(client, "gitsync_imports_running") == 1)
                process.popen.terminate()
                wait_for(lambda: not listens(process.url))

        gate = threading.Event()

        def work(number: int) -> Any:
            if number == 2:
                return stop_then_let_go(number)
            gate.wait()
            return send(number)

        first, second, _ = in_threads(3, work)
        code = process.popen.wait(timeout=PATIENCE)

    statuses = {first.status_code, second.status_code}
    assert statuses == {200, 503}, (first, second)
    refused = first if first.status_code == 503 else second
    assert refused.json()["code"] == "STOPPING"
    assert code == 0
    assert loop.editor.text("a") == ("second" if refused is first else "first")


def listens(url: str) -> bool:
    """Whether a server still takes connections."""
    try:
        with connected(url):
            return True
    except ConnectionError:
        return False


def requests_in_flight(url: str) -> float:
    """How many requests the server is answering, this one included."""
    with httpx.Client(base_url=url, timeout=PATIENCE, trust_env=False) as client:
        return metric(client, "gitsync_http_requests_in_flight")


@pytest.mark.parametrize("host", [EVERYWHERE, "::", ""])
def test_the_command_does_not_listen_on_a_network_without_tls(loop: Loop, host: str) -> None:
    ran = loop.gitsync("serve", "--host", host)

    assert ran.code == 6
    assert "INSECURE_ADDRESS" in ran.err
    assert "--behind-proxy" in ran.err


def test_the_command_says_what_is_wrong_with_its_options(loop: Loop, tmp_path: Path) -> None:
    no_key = tmp_path / "no.pem"
    no_key.write_text("nothing")
    pair = ["--tls-cert", str(no_key), "--tls-key", str(no_key)]
    with socket.create_server(("127.0.0.1", 0)) as taken:
        in_use = loop.gitsync("serve", "--port", str(taken.getsockname()[1]))

    assert loop.gitsync("serve", "--tls-cert", str(no_key)).code == 64
    assert "INVALID_CERTIFICATE" in loop.gitsync("serve", "--port", "0", *pair).err
    assert in_use.code == 1
    assert "CANNOT_LISTEN" in in_use.err


def test_the_command_speaks_tls(loop: Loop) -> None:
    pair = ["--tls-cert", str(TLS / "cert.pem"), "--tls-key", str(TLS / "key.pem")]
    context = ssl.create_default_context(cafile=str(TLS / "cert.pem"))
    with served(loop, "--host", EVERYWHERE, *pair) as process:
        url = process.url.replace(EVERYWHERE, "127.0.0.1")
        answer = get(f"{url}/healthz", verify=context)
        with pytest.raises(httpx.TransportError):
            get(url.replace("https", "http") + "/healthz")

    assert process.url.startswith("https://0.0.0.0:")
    assert answer.json()["service"] == "gitsync"


def test_behind_a_proxy_the_log_names_the_client(loop: Loop) -> None:
    with served(loop, "--host", EVERYWHERE, "--behind-proxy") as process:
        url = process.url.replace(EVERYWHERE, "127.0.0.1")
        get(f"{url}/healthz", headers={"x-forwarded-for": "203.0.113.9"})
        process.stop()

    (line,) = [json.loads(line) for line in process.lines if line.startswith("{")]
    assert line["client"] == "203.0.113.9"


def test_the_command_starts_before_its_database_and_is_ready_when_that_comes(tmp_path: Path) -> None:
    loop = make_loop(tmp_path, init=False)
    with served(loop) as process:
        early = get(f"{process.url}/readyz")
        assert loop.gitsync("db", "init").code == 0
        wait_for(lambda: get(f"{process.url}/readyz").status_code == 200)

    assert "warning: not ready" in process.log
    assert early.status_code == 503


def test_a_killed_server_leaves_nothing_half_done(loop: Loop) -> None:
    loop.editor.save("a", "A")
    bundle = edit(export(loop), "new")
    token = add_token(url_of(loop), Role.ADMIN)
    before = loop.editor.dump()
    with served(loop) as process, loop.editor.connection() as other:
        other.exec_driver_sql("UPDATE workflow_definitions SET name = name")

        def work(number: int) -> Any:
            if number:
                wait_for(lambda: requests_in_flight(process.url) >= 2)
                return process.popen.kill()
            return httpx.post(
                f"{process.url}{DEFINITIONS}/import?force=true",
                content=bundle,
                headers={"authorization": f"Bearer {token}"},
                timeout=PATIENCE,
                trust_env=False,
            )

        answer, _ = in_threads(2, work)
    assert isinstance(answer, httpx.TransportError)
    assert loop.editor.dump() == before
