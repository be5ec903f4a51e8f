"""Connections that ask for nothing, or never come to an end: they cost the server little, and nobody else anything."""

from __future__ import annotations

import contextlib
import logging
import ssl
from collections.abc import Iterator

import httpx
import pytest

from gitsync.server.connections import Unrepeated, find_room
from gitsync.server.shared import Bounds
from gitsync.stores.database.tokens import Role
from tests.support.loop import Loop
from tests.support.program import PATIENCE
from tests.support.server import (
    DEFINITIONS,
    TLS,
    Running,
    add_token,
    connected,
    metric,
    read_to_end,
    running_server,
    served,
    url_of,
    wait_for,
)


def cut(client: httpx.Client, what: str) -> float:
    """How many connections were cut, by what was waited for."""
    name = f'gitsync_connections_cut_total{{waited_for="{what}"}}'
    return metric(client, name) if name in client.get("/metrics").text else 0


@pytest.fixture
def hasty(loop: Loop) -> Iterator[Running]:
    """A server that waits for nothing."""
    with running_server(url_of(loop), bounds=Bounds(head=1, upload=1)) as running:
        yield running


@pytest.mark.parametrize("sent", [b"", b"G", b"GET /healthz HTTP/1.1\r\nHost: x\r\n"])
def test_a_request_that_does_not_arrive_is_not_waited_for(hasty: Running, sent: bytes) -> None:
    with connected(hasty.url, sent) as client:
        assert read_to_end(client) == b""

    assert cut(hasty.nobody, "head") == 1


def test_a_body_that_nobody_wants_is_not_waited_for(hasty: Running) -> None:
    head = f"POST {DEFINITIONS}/import HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\n{{"

    with connected(hasty.url, head.encode()) as client:
        answer = read_to_end(client)

    assert answer.startswith(b"HTTP/1.1 401 ")
    assert cut(hasty.nobody, "body") == 1


def test_a_connection_that_asks_no_more_is_closed(loop: Loop) -> None:
    request = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"

    with (
        running_server(url_of(loop), bounds=Bounds(idle=1)) as server,
        connected(server.url, request) as client,
    ):
        assert read_to_end(client).startswith(b"HTTP/1.1 200 ")


def test_an_answer_that_nobody_takes_is_not_kept(loop: Loop, hasty: Running) -> None:
    for number in range(6):
        loop.editor.save(f"k{number}", "x" * 3_000_000)  # more than the two sides' buffers hold
    token = hasty.admin.headers["authorization"]
    request = f"GET {DEFINITIONS} HTTP/1.1\r\nHost: x\r\nAuthorization: {token}\r\n\r\n"

    with connected(hasty.url, request.encode(), buffer=4096):
        wait_for(lambda: cut(hasty.nobody, "taken") == 1)


def test_a_request_that_is_worked_on_is_not_cut(hasty: Running) -> None:
    def registry() -> None:
        for _ in range(2):
            with connected(hasty.url) as silent:
                read_to_end(silent)

    hasty.server.service.registry = registry  # type: ignore[misc]

    assert hasty.reader.get("/api/workflow/registry/nodes").json()["code"] == "MISSING_REGISTRY"
    assert cut(hasty.nobody, "head") == 2


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_silent_connections_do_not_stop_the_server(loop: Loop, *, tls: bool) -> None:
    token = add_token(url_of(loop), Role.READ)
    pair = ["--tls-cert", str(TLS / "cert.pem"), "--tls-key", str(TLS / "key.pem")] if tls else []
    most = 50
    with (
        served(loop, *pair, files=200) as process,
        contextlib.ExitStack() as silent,
        httpx.Client(
            base_url=process.url,
            headers={"authorization": f"Bearer {token}"},
            verify=ssl.create_default_context(cafile=TLS / "cert.pem"),
            timeout=PATIENCE,
            trust_env=False,
        ) as client,
    ):
        for _ in range(400):
            silent.enter_context(connected(process.url))
        answer = client.get(DEFINITIONS)
        held = metric(client, "process_open_fds")
        made = cut(client, "room")
        code = process.stop()

    assert answer.status_code == 200
    assert made >= 400 - most
    assert held < 200
    assert code == 0
    assert len([line for line in process.lines if not line.startswith("{")]) == 3, process.log


@pytest.mark.parametrize(
    "files, expected", [(100_000, (512, 128)), (1024, (512, 128)), (256, (78, 78)), (64, (1, 1))]
)
def test_connections_leave_files_for_the_rest(files: int, expected: tuple[int, int]) -> None:
    assert find_room(512, files=files) == expected


def test_a_message_that_comes_again_is_counted_and_not_logged() -> None:
    said = Unrepeated()

    def log(second: float, text: str) -> str | None:
        record = logging.LogRecord("uvicorn.error", logging.WARNING, "", 0, "%s", (text,), None)
        record.created = second
        return record.getMessage() if said.filter(record) else None

    logged = [log(second, "too many\n<socket>") for second in (0, 1, 59.9, 60)]
    other = log(60, "something else")

    assert logged == ["too many\n<socket>", None, None, "too many (2 times more in between)"]
    assert other == "something else"
