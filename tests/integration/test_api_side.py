"""A server as a side, against the product's API over real databases."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from gitsync.errors import (
    AccessDenied,
    ConfigError,
    Conflict,
    GitsyncError,
    InvalidInput,
    LockNotAcquired,
    NotConverged,
    PlanStale,
    Refused,
    ServerError,
)
from gitsync.stores.http.access import Credentials
from gitsync.stores.http.client import Patience
from gitsync.stores.http.store import Api
from gitsync.sync.model import Action, Applied, Change, CommittedFiles, Deployment, MarkKind
from gitsync.workflow.canonical import document_digest
from gitsync.workflow.types import Digest, Document, Key
from tests.support.documents import call, make_workflow, steps
from tests.support.editor import Editor
from tests.support.instance import TODAY, Instance, by_key, changes_to, make_instance
from tests.support.product import OTHER_TENANT, TENANT, Generation
from tests.support.product_api import API_KEY, BASE, READER_SESSION, SESSION, ProductApi, product_api

IMPORT = f"{BASE}/import$"
ADMIN = Credentials(cookie=SESSION)
READER = Credentials(cookie=READER_SESSION)
KEY = Credentials(api_key=API_KEY)


INSTANCES = [kind._replace(has_ledger=False) for kind in TODAY]


@pytest.fixture
def server(instance: Instance) -> Iterator[ProductApi]:
    with product_api(instance.url, tenant=TENANT) as api:
        yield api


@pytest.fixture
def lone(tmp_path: Path) -> Iterator[ProductApi]:
    """A server over SQLite, for what no database makes a difference to."""
    instance = make_instance(f"sqlite:///{tmp_path / 'product.db'}", Generation.CURRENT, has_ledger=False)
    with product_api(instance.url, tenant=TENANT) as api:
        yield api


def editor_of(server: ProductApi) -> Editor:
    return Editor(server.database, tenant=Generation.CURRENT.tenant)


def opened(server: ProductApi, credentials: Credentials = ADMIN, **options: Any) -> Api:
    return Api(server.address, credentials, patience=Patience(attempts=4, pause=0.001), **options)


def digests(server: ProductApi, credentials: Credentials = ADMIN, **options: Any) -> dict[Key, Digest]:
    with opened(server, credentials, **options) as side:
        return dict(side.snapshot().digests)


def push(server: ProductApi, *documents: Document, **options: Any) -> Applied:
    """Apply what makes the server hold `documents`."""
    with opened(server, **options) as side:
        changes = changes_to(side.snapshot().digests, *documents)
        return apply(side, changes, *documents)


def apply(side: Api, changes: tuple[Change, ...], *documents: Document) -> Applied:
    held = [(document["key"], document) for document in by_key(documents)]
    return side.apply(changes, held, Deployment(MarkKind.PUSH, None))


def create(server: ProductApi, key: str | None = "a", **more: Any) -> str:
    return editor_of(server).insert(key, **more)


# ---------------------------------------------------------------- reading


@pytest.mark.parametrize("credentials", [ADMIN, READER, KEY], ids=["admin", "reader", "key"])
def test_a_server_shows_what_its_database_holds(
    instance: Instance, server: ProductApi, credentials: Credentials
) -> None:
    called = create(server, "called", versions={3: {}, 7: steps(call("nobody"))})
    trigger = json.dumps({"type": "event", "eventName": "E"})
    create(server, "caller", definition=steps(call(called)), trigger=trigger, failure_rate_threshold=0.25)
    create(server, None)
    create(server, "Not A Key")

    with opened(server, credentials) as side, instance.open() as database:
        seen, held = side.snapshot(), database.snapshot()
        documents = dict(side.load(["called", "caller"]))  # type: ignore[list-item]

        assert seen.digests == held.digests
        assert seen.unkeyed == held.unkeyed
        assert (seen.ids, seen.raw_calls) == (held.ids, held.raw_calls)
        assert documents == dict(database.load(documents))


@pytest.mark.parametrize("credentials", [ADMIN, READER, KEY], ids=["admin", "reader", "key"])
def test_keys_are_loaded_without_a_snapshot_too(lone: ProductApi, credentials: Credentials) -> None:
    for key in ("a", "b", "c"):
        create(lone, key)

    with opened(lone, credentials) as side:
        with side.open() as session:
            assert session.index.keys == {"a", "b", "c"}
            assert [key for key, _ in session.load([Key("c"), Key("a"), Key("x")])] == ["a", "c"]
        assert [key for key, _ in side.load([Key("c"), Key("a"), Key("x")])] == ["a", "c"]


def test_who_is_no_administrator_may_not_see_everything(lone: ProductApi) -> None:
    create(lone, "seen")
    create(lone, "hidden", is_visible=False)

    for credentials in (READER, KEY):
        with opened(lone, credentials) as side:
            snapshot = side.snapshot()
            assert set(snapshot.digests) == {"seen"}
            assert not side.sees_all
            assert any("never taken for deleted" in warning for warning in snapshot.warnings)
    with opened(lone) as side:
        assert set(side.snapshot().digests) == {"seen", "hidden"}
        assert side.sees_all


def test_an_empty_list_proves_nothing_about_who_asks(lone: ProductApi) -> None:
    with opened(lone) as side:
        assert side.snapshot().digests == {}
        assert not side.sees_all


def test_two_rows_with_one_key_are_named(lone: ProductApi) -> None:
    twins = sorted([create(lone, "a"), create(lone, "a")])

    with opened(lone) as side:
        snapshot = side.snapshot()

    assert (snapshot.digests, list(snapshot.unreadable)) == ({}, ["a"])
    assert snapshot.unreadable[Key("a")].ids == tuple(twins)


def test_a_system_workflow_counts_as_its_file_says(lone: ProductApi) -> None:
    create(lone, "a", is_system=True)
    for credentials in (ADMIN, KEY):
        with opened(lone, credentials) as side:
            plain = side.snapshot()
        with opened(lone, credentials) as side:
            marked = side.snapshot(files=CommittedFiles(plain.digests, frozenset([Key("a")])))
            ((_, document),) = side.load([Key("a")])

        assert document["metadata"]["isSystem"] is True
        assert document_digest(document) == marked.digests[Key("a")] != plain.digests[Key("a")]
        assert any("isSystem is not compared" in warning for warning in plain.warnings)


def test_versions_are_asked_for_where_there_are_some(lone: ProductApi) -> None:
    create(lone, "drafted")
    published = create(lone, "published", versions={1: {}, 2: {}})

    digests(lone, KEY)

    asked = [path for path in lone.paths() if path != BASE]
    assert sorted(asked) == [f"{BASE}/{published}/{last}" for last in ("1", "2", "versions")]


def test_a_workflow_that_is_saved_while_its_versions_are_read_is_read_again(
    lone: ProductApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    create(lone, "a", versions={1: {}})
    original, edits = lone.versions, iter(["first", "second"])

    def versions(*arguments: Any) -> dict[str, Any]:
        if text := next(edits, None):
            editor_of(lone).edit("a", description=text)
        return original(*arguments)

    monkeypatch.setattr(lone, "versions", versions)
    with opened(lone, KEY) as side:
        side.snapshot()
        ((_, document),) = side.load([Key("a")])

    assert document["metadata"]["description"] == "second"


def test_a_workflow_that_never_stands_still_is_given_up(
    lone: ProductApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    create(lone, "a", versions={1: {}})
    original, counter = lone.versions, iter(range(100))

    def versions(*arguments: Any) -> dict[str, Any]:
        editor_of(lone).edit("a", description=str(next(counter)))
        return original(*arguments)

    monkeypatch.setattr(lone, "versions", versions)
    with opened(lone, KEY) as side, pytest.raises(ServerError, match="edited or deleted") as caught:
        side.snapshot()

    assert caught.value.code == "SERVER_IN_MOTION"


def test_a_workflow_that_goes_while_it_is_exported_is_no_deletion(
    lone: ProductApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    create(lone, "a")
    create(lone, "b")
    original = lone.export

    def export(*arguments: Any) -> dict[str, Any]:
        editor_of(lone).execute("DELETE FROM workflow_definitions")
        return original(*arguments)

    monkeypatch.setattr(lone, "export", export)
    with opened(lone) as side, pytest.raises(ServerError) as caught:
        side.snapshot()

    assert caught.value.code == "SERVER_IN_MOTION"


# ---------------------------------------------------------------- a server or a network that fails


@pytest.mark.parametrize("how", ["status", "drop", "cut"])
@pytest.mark.parametrize("credentials", [ADMIN, KEY], ids=["admin", "key"])
def test_a_read_is_tried_again(lone: ProductApi, how: str, credentials: Credentials) -> None:
    create(lone, "a", versions={1: {}})
    expected = digests(lone, credentials)
    lone.fail(".", how, times=3)

    assert digests(lone, credentials) == expected
    assert not lone.faults


@pytest.mark.parametrize("how", ["status", "drop", "cut"])
@pytest.mark.parametrize("pattern", [f"{BASE}$", "export"])
def test_a_read_that_keeps_failing_is_an_error_and_no_empty_source(
    lone: ProductApi, how: str, pattern: str
) -> None:
    create(lone, "a")
    create(lone, "b")
    lone.fail(pattern, how, times=4)

    with pytest.raises(ServerError) as caught, opened(lone) as side:
        side.snapshot()

    assert caught.value.code == "SERVER_UNREACHABLE"
    assert not lone.faults


def test_a_server_that_asks_to_wait_is_waited_for(lone: ProductApi, monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    monkeypatch.setattr("tenacity.nap.time.sleep", pauses.append)
    lone.fail(".", status=429, headers={"retry-after": "7"})

    digests(lone)

    assert pauses == [7.0]


def test_nobody_listening_is_told(lone: ProductApi) -> None:
    with (
        pytest.raises(ServerError, match=r"cannot reach http://127\.0\.0\.1:9") as caught,
        Api("http://127.0.0.1:9", ADMIN, patience=Patience(attempts=2, pause=0.001)),
    ):
        pass

    assert caught.value.code == "SERVER_UNREACHABLE"


@pytest.mark.parametrize(
    "status, body, headers, kind, code",
    [
        pytest.param(
            200, "<html>", {"content-type": "text/html"}, ServerError, "UNEXPECTED_ANSWER", id="html"
        ),
        pytest.param(200, '{"data": []}', {}, ServerError, "UNEXPECTED_ANSWER", id="no-list"),
        pytest.param(200, '[{"key": "a"}]', {}, ServerError, "UNEXPECTED_ANSWER", id="no-id"),
        pytest.param(302, "", {"location": "/auth/signin?x=1"}, AccessDenied, "ACCESS_DENIED", id="sign-in"),
        pytest.param(
            301, "", {"location": "https://new.example"}, ServerError, "UNEXPECTED_ANSWER", id="moved"
        ),
        pytest.param(401, '{"error": "Unauthorized"}', {}, AccessDenied, "ACCESS_DENIED", id="401"),
        pytest.param(403, '{"error": "Forbidden"}', {}, AccessDenied, "ACCESS_DENIED", id="403"),
        pytest.param(404, "nope", {}, ServerError, "SERVER_ERROR", id="404"),
        pytest.param(500, '{"error": "boom"}', {}, ServerError, "SERVER_ERROR", id="500"),
    ],
)
def test_an_answer_that_is_no_list_is_an_error(
    lone: ProductApi, status: int, body: str, headers: dict[str, str], kind: type[GitsyncError], code: str
) -> None:
    lone.fail(".", status=status, body=body, headers=headers)

    with pytest.raises(kind) as caught, opened(lone):
        pass

    assert caught.value.code == code
    assert len(lone.asked) == 1, "asked again"


@pytest.mark.parametrize(
    "pattern, change",
    [
        pytest.param("export", lambda body: body["workflows"].append({}), id="two-workflows"),
        pytest.param("export", lambda body: body["workflows"][0].update(key="b"), id="another-workflow"),
        pytest.param("export", lambda body: body["workflows"][0]["metadata"].pop("trigger"), id="no-trigger"),
        pytest.param("export", lambda body: body["workflows"][0].pop("draft"), id="no-draft"),
        pytest.param("export", lambda body: body.update(format="other"), id="another-format"),
        pytest.param("versions", lambda body: body["versions"].pop(0), id="newest-version-missing"),
        pytest.param("/1$", lambda body: body.update(is_draft=True), id="draft-for-a-version"),
        pytest.param("/1$", lambda body: body.pop("definition_json"), id="version-without-definition"),
    ],
)
def test_a_part_of_a_workflow_is_never_taken_for_the_whole(
    lone: ProductApi, pattern: str, change: Callable[[Any], Any]
) -> None:
    workflow_id = create(lone, "a", versions={1: {}, 2: {}})
    user = lone.user({"cookie": SESSION})
    credentials = ADMIN if pattern == "export" else KEY
    bodies = {"export": lone.export, "versions": lone.versions}
    body = bodies[pattern](user, workflow_id) if pattern in bodies else lone.version(user, workflow_id, "1")
    change(body)
    lone.fail(pattern, status=200, body=json.dumps(body))

    with opened(lone, credentials) as side, pytest.raises(ServerError) as caught:
        side.snapshot()

    assert caught.value.code == "UNEXPECTED_ANSWER"


def test_a_secret_that_a_server_repeats_is_not_shown(lone: ProductApi) -> None:
    said = {"error": f"no session {SESSION} or {SESSION.partition('=')[2]}\n\x1b[31m"}
    lone.fail(".", status=401, body=json.dumps(said))

    with pytest.raises(AccessDenied) as caught, opened(lone):
        pass

    assert SESSION.partition("=")[2] not in str(caught.value)
    assert "\x1b" not in str(caught.value)


@pytest.mark.parametrize(
    "given",
    [{"cookie": "abc"}, {"cookie": "a=b\nx: y"}, {"token": "a b\r"}, {"api_key": "k\u00fc"}],
    ids=["no-pair", "line-end", "carriage-return", "no-ascii"],
)
def test_credentials_that_no_header_can_hold_are_refused_unseen(given: dict[str, str]) -> None:
    with pytest.raises(ConfigError) as caught:
        Credentials(**given)

    assert caught.value.code == "INVALID_CREDENTIALS"
    assert not any(value in str(caught.value) for value in given.values() if len(value) > 3)


@pytest.mark.parametrize(
    "url",
    [
        "psa.example.com",
        "ftp://psa.example.com",
        "https://u:hunter2@psa.example.com",
        "https://x/?a=b",
        "https://x:y/",
    ],
)
def test_an_address_that_cannot_be_used_is_refused(url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Api(url, ADMIN)

    assert caught.value.code == "INVALID_URL"
    assert "hunter2" not in str(caught.value)


# ---------------------------------------------------------------- whose workflows


def test_an_api_key_is_asked_for_its_tenant(lone: ProductApi) -> None:
    create(lone, "a")

    assert set(digests(lone, KEY, tenant=TENANT)) == {"a"}
    assert {asked.headers["x-tenant-id"] for asked in lone.asked} == {TENANT}
    with pytest.raises(AccessDenied):
        digests(lone, KEY, tenant=OTHER_TENANT)


def test_a_session_of_another_tenant_is_refused(lone: ProductApi) -> None:
    create(lone, "a")

    with pytest.raises(ConfigError, match=f"{TENANT}, not of {OTHER_TENANT}") as caught:
        digests(lone, ADMIN, tenant=OTHER_TENANT)

    assert caught.value.code == "WRONG_TENANT"


def test_the_identity_tells_servers_and_tenants_apart(lone: ProductApi) -> None:
    create(lone, "a")
    with opened(lone) as one, opened(lone, KEY) as two:
        assert one.identity() == two.identity()
        with product_api(lone.database, tenant=TENANT) as other, opened(other) as three:
            assert three.identity() != one.identity()


# ---------------------------------------------------------------- writing


def test_everything_is_written_by_one_request(instance: Instance, server: ProductApi) -> None:
    kept = create(server, "b", versions={1: {}})
    documents = [
        make_workflow("a", draft=steps(call("key:b")), failureRateThreshold=0.25, isSystem=True),
        make_workflow("b", versions={1: steps(call("key:b")), 4: {}}, description="new"),
    ]

    applied = push(server, *documents)

    (request,) = [asked for asked in server.asked if asked.method == "POST"]
    assert (request.path, request.query) == (f"{BASE}/import", "force=true")
    assert applied.created[Key("b")] == kept, "the product keeps the id"
    assert applied.versions == {"b": [1, 4]}
    held = instance.digests()
    assert held[Key("b")] == document_digest(documents[1])
    documents[0]["metadata"]["isSystem"] = False
    assert held[Key("a")] == document_digest(documents[0])


def test_a_creation_never_overwrites(lone: ProductApi) -> None:
    lone.before_import = lambda: void(create(lone, "a", name="made in that moment"))

    with pytest.raises(Conflict) as caught:
        push(lone, make_workflow("a"))

    assert caught.value.code == "WORKFLOW_KEY_CONFLICT"
    assert [entry["key"] for entry in caught.value.details["conflicts"]] == ["a"]
    assert [row["name"] for row in editor_of(lone).rows()] == ["made in that moment"]
    assert [asked.query for asked in lone.asked if asked.method == "POST"] == ["force=false"]


def void(_: object) -> None:
    """Nothing."""


def test_what_has_changed_since_the_plan_is_not_overwritten(lone: ProductApi) -> None:
    create(lone, "a")
    document = make_workflow("a", description="from git")
    with opened(lone) as side:
        changes = changes_to(side.snapshot().digests, document)
        editor_of(lone).edit("a", description="in the editor")

        with pytest.raises(PlanStale, match="a; nothing was sent"):
            apply(side, changes, document)

    assert editor_of(lone).row("a")["description"] == "in the editor"
    assert not lone.paths("POST")


def test_a_server_that_keeps_something_else_is_told(lone: ProductApi) -> None:
    lone.before_import = lambda: None
    with opened(lone) as side:
        document = make_workflow("a")
        original = lone.insert
        lone.insert = lambda connection, table, values: original(  # type: ignore[method-assign]
            connection,
            table,
            {**values, "description": "changed on the way"} if "description" in values else values,
        )

        with pytest.raises(NotConverged, match="it is written there") as caught:
            apply(side, changes_to({}, document), document)

    assert caught.value.details == {"keys": ["a"]}


def test_the_first_release_deletes_and_creates_again(lone: ProductApi) -> None:
    lone.deletes_on_force = True
    old = create(lone, "a")

    applied = push(lone, make_workflow("a", description="new"))

    assert applied.deleted == {"a": old}
    assert applied.created[Key("a")] == editor_of(lone).row("a")["workflow_id"] != old


@pytest.mark.parametrize("how", ["late", "drop"])
@pytest.mark.parametrize("exists", [True, False], ids=["update", "create"])
def test_a_write_that_got_no_answer_is_looked_after_and_never_sent_again(
    lone: ProductApi, how: str, exists: bool, caplog: pytest.LogCaptureFixture
) -> None:
    if exists:
        create(lone, "a")
    document = make_workflow("a", description="new")
    lone.fail(IMPORT, how)

    if how == "late":
        assert push(lone, document).created.keys() == {"a"}
        assert "the import took place" in caplog.text
    else:
        with pytest.raises(ServerError, match="nothing had been written") as caught:
            push(lone, document)
        assert caught.value.code == "IMPORT_FAILED"
    assert len(lone.paths("POST")) == 1


def test_a_write_whose_outcome_nobody_knows_says_so(lone: ProductApi) -> None:
    with opened(lone) as side:
        side.snapshot()
        side._check_fresh = lambda _: {}  # type: ignore[assignment, method-assign]
        lone.fail(IMPORT, "drop")
        lone.fail(".", "drop", times=9)

        with pytest.raises(ServerError, match="cannot be told") as caught:
            apply(side, changes_to({}, make_workflow("a")), make_workflow("a"))

    assert caught.value.code == "OUTCOME_UNKNOWN"


def test_an_interrupted_write_says_how_to_find_out(
    lone: ProductApi, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("gitsync.stores.http.client.Client.post", interrupt)
    with pytest.raises(KeyboardInterrupt):
        push(lone, make_workflow("a"))

    assert "tells whether it took place" in caplog.text


def test_a_server_below_a_path_is_asked_there(lone: ProductApi) -> None:
    with pytest.raises(ServerError), Api(f"{lone.address}/psa/", ADMIN):
        pass

    assert lone.paths() == [f"/psa{BASE}"]


@pytest.mark.parametrize("status", [500, 502, 504])
def test_a_failed_import_is_no_success(lone: ProductApi, status: int) -> None:
    lone.fail(IMPORT, status=status, body='{"error": "boom"}')

    with pytest.raises(ServerError, match=r"boom .*; nothing had been written"):
        push(lone, make_workflow("a"))

    assert len(lone.paths("POST")) == 1


def test_a_success_that_says_it_is_none_is_none(lone: ProductApi) -> None:
    lone.fail(IMPORT, status=200, body='{"ok": false, "errors": ["no"]}')

    with pytest.raises(ServerError, match="did not import"):
        push(lone, make_workflow("a"))


@pytest.mark.parametrize(
    "status, body, kind, code",
    [
        (400, {"error": "x", "details": {"missingByWorkflow": []}}, InvalidInput, "MISSING_DEPENDENCIES"),
        (400, {"error": "x", "details": {"errors": []}}, InvalidInput, "SCHEMA_VALIDATION_FAILED"),
        (400, {"error": "x", "code": "INVALID_BUNDLE"}, InvalidInput, "INVALID_BUNDLE"),
        (403, {"error": "x"}, AccessDenied, "ACCESS_DENIED"),
        (409, {"error": "x", "details": {"workflowKey": "a"}}, Conflict, "WORKFLOW_KEY_CONFLICT"),
        (409, {"error": "x", "code": "UNSAFE_PLAN"}, Refused, "UNSAFE_PLAN"),
        (409, {"error": "x", "code": "PLAN_STALE"}, PlanStale, "PLAN_STALE"),
        (412, {"error": "x"}, PlanStale, "PLAN_STALE"),
        (503, {"error": "x", "code": "SYNC_IN_PROGRESS"}, LockNotAcquired, "SYNC_IN_PROGRESS"),
    ],
)
def test_a_refusal_without_a_code_is_known_by_its_details(
    lone: ProductApi, status: int, body: dict[str, Any], kind: type[GitsyncError], code: str
) -> None:
    lone.fail(IMPORT, status=status, body=json.dumps(body))

    with pytest.raises(kind) as caught:
        push(lone, make_workflow("a"))

    assert caught.value.code == code


def test_missing_dependencies_are_the_servers_own_list(lone: ProductApi) -> None:
    with pytest.raises(InvalidInput) as caught:
        push(lone, make_workflow("a", pinnedPayloadSchemaRef="payload.Unknown.v1"))

    assert caught.value.details["missingByWorkflow"][0]["missingSchemaRefs"] == ["payload.Unknown.v1"]


# ---------------------------------------------------------------- what a server cannot do


def test_nothing_is_sent_that_a_server_cannot_do(lone: ProductApi) -> None:
    create(lone, "gone")
    documents = [
        make_workflow("caller", draft=steps(call("key:called"))),
        make_workflow("called"),
        make_workflow("loop", draft=steps(call("key:loop"))),
    ]
    with opened(lone) as side:
        changes = changes_to(side.snapshot().digests, *documents, delete=["gone"])

        with pytest.raises(InvalidInput) as caught:
            apply(side, changes, *documents)

    assert caught.value.code == "UNSUPPORTED_BY_SERVER"
    assert [problem.key for problem in caught.value.problems] == ["caller", "gone", "loop"]
    assert not lone.paths("POST")
    assert [row["key"] for row in editor_of(lone).rows()] == ["gone"]


@pytest.mark.parametrize("credentials", [KEY, READER], ids=["key", "reader"])
def test_who_may_only_read_sends_nothing(lone: ProductApi, credentials: Credentials) -> None:
    create(lone, "a")
    with opened(lone, credentials) as side:
        side.snapshot()

        with pytest.raises(AccessDenied) as caught:
            apply(side, changes_to({}, make_workflow("b")), make_workflow("b"))

    assert caught.value.code == "NOT_AN_ADMINISTRATOR"
    assert not lone.paths("POST")


def test_an_empty_plan_asks_nothing(lone: ProductApi) -> None:
    with opened(lone) as side:
        asked = len(lone.asked)

        assert apply(side, ()) == Applied()
        assert len(lone.asked) == asked


def test_a_deletion_alone_is_refused(lone: ProductApi) -> None:
    create(lone, "a")
    with opened(lone) as side:
        held = side.snapshot().digests[Key("a")]

        with pytest.raises(InvalidInput, match="nothing was sent"):
            apply(side, (Change(Key("a"), Action.DELETE, held, None),))
