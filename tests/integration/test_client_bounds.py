"""A server that never comes to an end: each request to it does, with one error, whatever it sends."""

from __future__ import annotations

import contextlib
import gzip
import itertools
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from gitsync.errors import ServerError
from gitsync.stores.http.access import Credentials
from gitsync.stores.http.client import Client, Interrupted, Patience
from tests.support.loop import Loop

SIZE = 1_000_000
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


@dataclass(slots=True)
class Hostile:
    """A server that answers each request by `send`, and counts requests and the bytes of its answers."""

    listener: socket.socket
    send: Callable[[Hostile, socket.socket], None]
    asked: int = 0
    sent: int = 0
    end: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.listener.getsockname()[1]}"

    def serve(self) -> None:
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            with client, contextlib.suppress(OSError):
                request = b""
                while not request.endswith((b"\r\n\r\n", b"{}")) or (
                    b"POST" in request and b"{}" not in request
                ):
                    request += client.recv(65536)  # all of it: what is left unread breaks the answer off
                self.asked += 1
                self.send(self, client)

    def put(self, client: socket.socket, data: bytes) -> None:
        client.sendall(data)
        self.sent += len(data)


Send = Callable[[Hostile, socket.socket], None]


@contextlib.contextmanager
def hostile(send: Send) -> Iterator[Hostile]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = Hostile(listener, send)
        thread = threading.Thread(target=server.serve)
        thread.start()
        try:
            yield server
        finally:
            server.end.set()
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def whole(body: bytes, *headers: bytes) -> Send:
    """Send `body` as one answer."""
    lines = b"".join(header + b"\r\n" for header in (*headers, b"Content-Length: %d" % len(body)))
    return lambda server, client: server.put(client, HEAD + lines + b"\r\n" + body)


def endless(server: Hostile, client: socket.socket) -> None:
    """Send blanks for ever."""
    server.put(client, HEAD + b"\r\n")
    while not server.end.is_set():
        server.put(client, b" " * 65536)


def dripping(start: bytes, drop: bytes) -> Send:
    """Send `start`, then `drop` again and again, with pauses in which no time for silence runs out."""

    def send(server: Hostile, client: socket.socket) -> None:
        server.put(client, start)
        for _ in itertools.count():
            server.put(client, drop)
            if server.end.wait(0.01):
                return

    return send


BOMB = gzip.compress(b" " * 100_000_000)
CASES = [
    pytest.param(whole(BOMB, b"Content-Encoding: gzip"), "ANSWER_TOO_LARGE", id="bomb"),
    pytest.param(whole(b" " * (SIZE + 1)), "ANSWER_TOO_LARGE", id="large"),
    pytest.param(endless, "ANSWER_TOO_LARGE", id="endless"),
    pytest.param(whole(b"[" * 500_000), "UNEXPECTED_ANSWER", id="deep"),
    pytest.param(whole(gzip.compress(BOMB), b"Content-Encoding: gzip, gzip"), "UNEXPECTED_ANSWER", id="twice-packed"),
    pytest.param(whole(b"[]", b"Content-Encoding: br"), "UNEXPECTED_ANSWER", id="packed-otherwise"),
    pytest.param(dripping(HEAD + b"\r\n[", b" "), "ANSWER_TOO_SLOW", id="dripping-body"),
    pytest.param(dripping(HEAD, b"a: b\r\n"), "ANSWER_TOO_SLOW", id="dripping-head"),
]  # fmt: skip


def client_of(server: Hostile, *, size: int = SIZE) -> Client:
    is_slow = server.send.__qualname__.startswith("dripping")
    patience = Patience(attempts=3, pause=0.001, whole=0.5 if is_slow else 60, size=size)
    return Client(server.url, Credentials(token="secret"), patience=patience)


@pytest.mark.parametrize("send, code", CASES)
def test_a_read_ends_with_one_error_and_is_not_tried_again(send: Send, code: str) -> None:
    with hostile(send) as server, client_of(server) as client, pytest.raises(ServerError) as caught:
        client.get("/api/workflow-definitions")

    assert caught.value.code == code
    assert server.asked == 1
    assert server.sent < SIZE + 20_000_000, "what the two sides' buffers hold comes on top"


@pytest.mark.parametrize("send, code", CASES)
def test_of_a_write_it_is_told_that_nobody_knows_what_became_of_it(send: Send, code: str) -> None:
    with hostile(send) as server, client_of(server) as client, pytest.raises(Interrupted) as caught:
        client.post("/api/workflow-definitions/import", b"{}")

    assert caught.value.code == code
    assert server.asked == 1


def test_more_values_than_memory_has_room_for_are_not_parsed() -> None:
    with (
        hostile(whole(b"[" + b"[]," * 2_500_000 + b"[]]")) as server,
        client_of(server, size=50_000_000) as client,
        pytest.raises(ServerError, match="5,000,000 values") as caught,
    ):
        client.get("/api/workflow-definitions")

    assert caught.value.code == "ANSWER_TOO_LARGE"


def test_a_packed_answer_is_read() -> None:
    packed = whole(gzip.compress(b'{"a": 12345678901234567890}'), b"Content-Encoding: gzip")

    with hostile(packed) as server, client_of(server) as client:
        assert client.get("/") == {"a": 12345678901234567890}


@pytest.mark.parametrize(
    "name, value, code",
    [
        ("ALL_PROXY", "socks4://user:hidden@127.0.0.1:9", "INVALID_PROXY"),
        ("HTTPS_PROXY", "ftp://127.0.0.1:9", "INVALID_PROXY"),
        ("SSL_CERT_FILE", "/nowhere/ca.pem", "INVALID_CA_FILE"),
        ("SSL_CERT_FILE", str(Path(__file__)), "INVALID_CA_FILE"),
    ],
)
def test_what_the_environment_says_of_proxies_and_certificates_is_told_where_it_cannot_be_used(
    loop: Loop, name: str, value: str, code: str
) -> None:
    ran = loop.gitsync("status", "--base-url", "https://psa.example", "--token", "t", variables={name: value})

    assert ran.code == 4
    assert f"[{code}]" in ran.err
    assert name in ran.err
    assert "hidden" not in ran.err
    assert "Traceback" not in ran.err
