"""The server under many clients, broken ones, and breaking parts: whole or not at all, whatever happens."""

from __future__ import annotations

import copy
import gc
import json
import random
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from psycopg import sql

from gitsync.server.shared import Bounds
from gitsync.stores.database.tokens import Role
from gitsync.workflow.bundle import make_bundle, offline_id
from gitsync.workflow.canonical import canonical_bytes
from gitsync.workflow.registry import ActionOffer, Registry
from tests.support.documents import action, call, document
from tests.support.effort import IS_FUZZING, chance, effort, rounds, seconds_left
from tests.support.loop import Loop, make_loop
from tests.support.postgres import OwnServer, execute, fresh_database
from tests.support.product import TENANT
from tests.support.program import PATIENCE
from tests.support.server import (
    DEFINITIONS,
    add_token,
    in_threads,
    metric,
    running_server,
    served,
    url_of,
    wait_for,
)

pytestmark = pytest.mark.fuzz("requests")
AT = "2026-01-31T12:00:00Z"


@pytest.fixture(params=["sqlite", "postgresql"])
def loop(request: pytest.FixtureRequest, tmp_path: Path) -> Loop:
    if request.param == "sqlite":
        return make_loop(tmp_path)
    return make_loop(tmp_path, url=request.getfixturevalue("postgres_database"), tenant=TENANT)


def bundle_of(*keys: str, text: str) -> bytes:
    """A bundle whose workflows say `text`."""
    documents = [
        document(key, action(), description=text, versions=((1, document(key)["draft"]["definition"], None),))
        for key in keys
    ]
    return canonical_bytes(make_bundle(documents, exported_at=AT, id_of=offline_id))


def descriptions(loop: Loop) -> dict[str, str]:
    with loop.editor.connection() as connection:
        rows = connection.execute(sa.text("SELECT key, description FROM workflow_definitions")).all()
    return {str(key): str(text) for key, text in rows}


def test_each_of_many_imports_at_one_time_is_whole_or_refused(loop: Loop) -> None:
    count = effort(short=24, long=100)
    choice = chance()
    keys = [[f"k{n}" for n in sorted(choice.sample(range(10), 4))] for _ in range(count)]
    policies = [choice.choice(["false", "true"]) for _ in range(count)]
    with (
        running_server(url_of(loop), tenant=loop.editor.tenant, bounds=Bounds(turn=PATIENCE)) as first,
        running_server(url_of(loop), tenant=loop.editor.tenant, bounds=Bounds(turn=PATIENCE)) as second,
    ):

        def send(number: int) -> httpx.Response:
            return (first, second)[number % 2].post(
                bundle_of(*keys[number], text=f"bundle {number}"),
                params={"force": policies[number], "maxOverwrites": "10"},
            )

        answers = in_threads(count, send)

    written = {}
    for number, answer in enumerate(answers):
        assert isinstance(answer, httpx.Response), answer
        value = answer.json()
        if answer.status_code == 200:
            assert [row["key"] for row in value["createdWorkflows"]] == keys[number]
            written[value["deployment"]] = number
        else:
            assert (answer.status_code, value["code"]) in {
                (409, "WORKFLOW_KEY_CONFLICT"),
                (409, "PLAN_STALE"),
                (503, "SYNC_IN_PROGRESS"),
                (503, "SERVER_BUSY"),
            }
    assert written, "not one was written"
    expected: dict[str, str] = {}
    with loop.editor.connection() as connection:
        items = connection.execute(sa.text("SELECT number, key FROM gitsync_deployment_items")).all()
    noted: dict[int, list[str]] = {}
    for deployment, key in items:
        noted.setdefault(deployment, []).append(key)
    assert noted.keys() == written.keys(), "a deployment for each import that was written, and for no other"
    for deployment in sorted(noted):
        number = written[deployment]
        assert sorted(noted[deployment]) == keys[number]
        expected |= dict.fromkeys(keys[number], f"bundle {number}")
    assert descriptions(loop) == expected


def test_a_client_that_goes_away_while_it_sends_leaves_nothing(loop: Loop) -> None:
    data = bundle_of("a", "b", text="never whole")
    before = loop.editor.dump()
    with running_server(url_of(loop), tenant=loop.editor.tenant) as server:
        host, _, port = server.url.partition("://")[2].partition(":")
        token = server.admin.headers["authorization"]
        for part in (0, 1, len(data) // 2, len(data) - 1):
            with socket.create_connection((host, int(port))) as client:
                head = (
                    f"POST {DEFINITIONS}/import HTTP/1.1\r\nHost: x\r\nAuthorization: {token}\r\n"
                    f"Content-Length: {len(data)}\r\n\r\n"
                )
                client.sendall(head.encode() + data[:part])
        wait_for(lambda: metric(server.nobody, "gitsync_http_requests_in_flight") == 1)
        text = server.nobody.get("/metrics").text
        whole = server.post(data)

    assert 'status="499"} 4.0' in text
    assert loop.editor.dump() != before
    assert whole.status_code == 200


def test_a_server_that_is_killed_while_it_imports_leaves_all_or_nothing(loop: Loop) -> None:
    keys = [f"k{n:03}" for n in range(effort(short=60, long=300))]
    token = add_token(url_of(loop), Role.ADMIN, tenant=loop.editor.tenant)
    wait = chance()
    outcomes = []
    held: dict[str, str] = {}
    for number in rounds(2):
        text = f"round {number}"
        with served(loop) as process:

            def work(
                which: int, *, text: str = text, url: str = process.url, popen: Any = process.popen
            ) -> Any:
                if which:
                    time.sleep(wait.uniform(0.01, 0.4))
                    return popen.kill()
                return httpx.post(
                    f"{url}{DEFINITIONS}/import",
                    params={"force": "true", "maxOverwrites": "999"},
                    content=bundle_of(*keys, text=text),
                    headers={"authorization": f"Bearer {token}"},
                    timeout=PATIENCE,
                    trust_env=False,
                )

            answer, _ = in_threads(2, work)
        now = descriptions(loop)
        assert set(now.values()) in ({text}, set(held.values())), "all or nothing"
        assert now in (held, dict.fromkeys(keys, text))
        if isinstance(answer, httpx.Response):
            assert now == dict.fromkeys(keys, text), "what was answered is there"
        outcomes.append(now != held)
        held = now
    assert loop.gitsync("db", "check").code == 0


# psycopg warns of cursors that nobody closed, and a cursor cannot be closed on a connection that was broken off
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_database_that_is_restarted_under_load_loses_nothing(tmp_path: Path, own_server: OwnServer) -> None:
    clients, restarts = effort(short=4, long=12), effort(short=1, long=6)
    # the tests' servers answer before a commit is in the log, and a server that is killed forgets it
    for setting in ("ALTER SYSTEM SET synchronous_commit = on", "SELECT pg_reload_conf()"):
        execute(own_server.url, sql.SQL(setting))
    with fresh_database(own_server.url) as url:
        loop = make_loop(tmp_path, url=url, tenant=TENANT)
        with running_server(url, tenant=TENANT) as server:
            done, good = threading.Event(), [0] * clients

            def restart() -> None:
                for which in range(restarts):
                    enough = sum(good) + clients
                    wait_for(lambda: sum(good) >= enough)  # noqa: B023 (asked here and now)
                    own_server.restart("immediate" if which % 2 else "fast")

            def work(number: int) -> Any:
                answers: list[tuple[list[str], httpx.Response]] = []
                if number == clients:
                    try:
                        restart()
                    finally:
                        done.set()
                while not done.is_set():
                    keys = [f"c{number}.{len(answers)}.{part}" for part in "ab"]
                    answers.append((keys, server.post(bundle_of(*keys, text="x"))))
                    good[number] += answers[-1][1].status_code == 200
                return answers

            results = in_threads(clients + 1, work)
            wait_for(lambda: server.nobody.get("/readyz").status_code == 200)
            last = server.post(bundle_of("after", text="x"))
        there = descriptions(loop)

    gc.collect()  # the warnings come here, not in another test
    assert last.status_code == 200
    statuses = set()
    for answers in results:
        assert isinstance(answers, list), answers
        for keys, answer in answers:
            found = [key in there for key in keys]
            statuses.add(answer.status_code)
            assert found in ([True, True], [False, False]), "whole, or not at all"
            if answer.status_code == 200:
                assert all(found), "what was answered is there"
            else:
                assert answer.status_code == 503
                assert not any(found) or answer.json()["code"] == "OUTCOME_UNKNOWN"
    assert 200 in statuses


# -------------------------------------------------------------------------------------------- malformed bundles

ODD_VALUES: list[Any] = [
    None, True, 0, -1, 1.5, 2**31, 2**53, 2**64, 1e308, -0.0, "", "\0", " ", "x" * 300, "key:nobody", "💥", "\u2028",
    [], {}, [[]], {"": None}, {"__proto__": 1}, [None] * 50, "0.333", "1e3", "NaN", AT,
]  # fmt: skip
ODD_TEXTS = [
    b"NaN", b"Infinity", b"1e999", b"-", b"01", b'"\\ud800"', b'"\\u0000"', b'"\xff"', b"\xef\xbb\xbf{}", b"{,}", b"tru",
    b"[" * 300, b"[" * 100_000, b'{"a":' * 5000, b"123456789012345678901234567890", b"0.1234567890123456789012345", b"",
    b'{"a":1,"a":2}', b"//", b"'a'", b"\x00",
]  # fmt: skip


def make_malformed(choice: random.Random) -> bytes:
    """A bundle with something wrong in it, mostly; now and then it is right by chance."""
    documents = [document("a", action(), call("key:b")), document("b")]
    bundle: Any = make_bundle(documents, exported_at=AT, id_of=offline_id)
    bundle["workflows"] *= choice.choice([1, 1, 1, 2, 0])
    bundle = copy.deepcopy(bundle)
    for _ in range(choice.choice([0, 1, 1, 1, 2, 5])):
        _break_value(bundle, choice)
    data = bytearray(canonical_bytes(bundle))
    for _ in range(choice.choice([0, 0, 1, 2])):
        place = choice.randrange(len(data) + 1)
        match choice.randrange(4):
            case 0:
                data[place:place] = choice.choice(ODD_TEXTS)
            case 1:
                del data[place : place + choice.choice([1, 10, 10_000])]
            case 2:
                data[place : place + 1] = bytes([choice.randrange(256)])
            case _:
                end = min(len(data), place + choice.choice([5, 50]))
                data[place:end] = choice.choice(ODD_TEXTS)
    if choice.random() < 0.1:
        expected = choice.choice([{}, {"a": "0" * 40}, {"a": None}, {"a": 1}, [], {"z": None}])
        data = bytearray(
            b'{"bundle": ' + bytes(data) + b', "expectedDigests": ' + json.dumps(expected).encode() + b"}"
        )
    return bytes(data)


def _break_value(value: Any, choice: random.Random) -> None:
    """Change, remove or add one thing somewhere inside."""
    while True:
        places = list(value) if isinstance(value, dict) else list(range(len(value)))
        if not places:
            if isinstance(value, dict):
                value["odd"] = copy.deepcopy(choice.choice(ODD_VALUES))
            else:
                value.append(copy.deepcopy(choice.choice(ODD_VALUES)))
            return
        place = choice.choice(places)
        if isinstance(value[place], (dict, list)) and choice.random() < 0.8:
            value = value[place]
            continue
        match choice.randrange(4):
            case 0:
                del value[place]
            case 1 if isinstance(value, dict):
                name = str(choice.choice(["odd", "id", "key", "", "\0", "__proto__"]))
                value[name] = copy.deepcopy(choice.choice(ODD_VALUES))
            case 2 if isinstance(value, list):
                value.append(copy.deepcopy(value[place]))
            case _:
                value[place] = copy.deepcopy(choice.choice(ODD_VALUES))
        return


def test_malformed_bundles_are_refused_and_never_a_fault_of_the_server(loop: Loop) -> None:
    registry = Registry(
        {("email.send", 1): ActionOffer()}, frozenset({"action.call"}), {"payload.A.v1": None}
    )
    queries: list[dict[str, str]] = [{}, {"force": "true"}, {"update": "1"}, {"dryRun": "1"}]
    seen: dict[int, int] = {}
    with running_server(
        url_of(loop), tenant=loop.editor.tenant, registry=registry, bounds=Bounds(body=1_000_000)
    ) as server:
        first = chance().getrandbits(32)
        for seed in map(first.__add__, rounds(120)):
            choice = random.Random(seed)
            data = make_malformed(choice)
            answer = server.post(data, params=choice.choice(queries))
            seen[answer.status_code] = seen.get(answer.status_code, 0) + 1
            assert answer.status_code == 200 or 400 <= answer.status_code < 500, (seed, answer.text)
            if answer.status_code != 200:
                assert answer.json().keys() >= {"error", "code"}, seed
                assert answer.json()["error"], seed
        exported = server.admin.get(f"{DEFINITIONS}/export")

    assert sum(seen.values()) < 50 or seen[400] > sum(seen.values()) / 2
    assert exported.status_code in (200, 409)
    assert loop.gitsync("db", "check").code == 0


def test_schemathesis_finds_nothing(tmp_path: Path) -> None:
    loop = make_loop(tmp_path)
    loop.editor.save("a", "A")
    loop.editor.publish("a", 1)
    registry = Registry(
        {("email.send", 1): ActionOffer()}, frozenset({"action.call"}), {"payload.A.v1": None}
    )
    configuration = tmp_path / "schemathesis.toml"
    configuration.write_text(
        f"""
        [parameters]
        "path.id" = "{loop.editor.id_of("a")}"
        "path.ref" = "payload.A.v1"
        [checks.positive_data_acceptance]  # a bundle may fit the schema, and need what the runtime does not offer
        expected-statuses = ["2xx", 400, 404, 409, 412]
        """
    )
    how = ["--seed", "1", "--max-examples", "3", "--phases", "coverage,fuzzing"]
    if IS_FUZZING:
        seed, seconds = chance().getrandbits(32), max(10, int(seconds_left()))
        how = ["--seed", str(seed), "--max-time", str(seconds), "--phases", "coverage,fuzzing,stateful"]
    with running_server(url_of(loop), registry=registry) as server:
        done = subprocess.run(
            [
                *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(configuration)),
                *("run", f"{server.url}/openapi.json", "--no-color", "--continue-on-failure", *how),
                *("--header", f"Authorization: {server.admin.headers['authorization']}"),
                *("--request-timeout", str(PATIENCE), "--suppress-health-check", "all"),
            ],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 total" not in done.stdout
