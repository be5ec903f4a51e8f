"""A real server on loopback: in a thread of the tests, or as the installed command in a process of its own."""

from __future__ import annotations

import contextlib
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import event

from gitsync.cli.bundles import now
from gitsync.config import Config, Environment
from gitsync.server.run import Address, listen, make_runner
from gitsync.server.run import url_of as address_of
from gitsync.server.service import ServedDatabase, Service
from gitsync.server.shared import Bounds, Shared
from gitsync.stores.database.connect import make_engine
from gitsync.stores.database.tokens import Role, Tokens
from gitsync.sync.limits import Limits
from gitsync.workflow.registry import Registry
from tests.support import figures
from tests.support.git import git_environment
from tests.support.loop import Loop
from tests.support.program import PATIENCE

DEFINITIONS = "/api/workflow-definitions"
TLS = Path(__file__).parents[1] / "fixtures" / "tls"


@dataclass(frozen=True, slots=True)
class Running:
    """A server that answers, with clients that are signed in."""

    url: str
    admin: httpx.Client
    reader: httpx.Client
    nobody: httpx.Client
    server: Shared

    def post(self, body: bytes, **options: Any) -> httpx.Response:
        """The answer to an import by the admin."""
        figures.count("requests")
        return self.admin.post(f"{DEFINITIONS}/import", content=body, **options)


@contextlib.contextmanager
def running_server(
    url: str,
    *,
    tenant: str | None = None,
    registry: Registry | None = None,
    bounds: Bounds = Bounds(),
    in_place: bool = False,
    limits: Limits = Limits(),
    lock_timeout: float = PATIENCE,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[Running]:
    """A server over the initialised database of `url`, in a thread."""
    environment = Environment("dev", url, tenant=tenant, overwrite="in-place" if in_place else "recreate")
    config = Config("gitsync.yaml", limits=limits)
    served = ServedDatabase(url, environment, config, new_tenant=True, lock_timeout=lock_timeout)
    service = Service(served, registry=lambda: registry, now=now)
    server, address = Shared(service, bounds=bounds, clock=clock), Address(port=0)
    with listen(address) as bound, contextlib.ExitStack() as stack:
        bound.listen(512)
        runner = make_runner(server, address)
        thread = threading.Thread(target=runner.run, kwargs={"sockets": [bound]})
        thread.start()
        try:
            base = address_of(address, bound)
            tokens = {role: add_token(url, role, tenant=tenant) for role in Role}

            def client(token: str | None = None) -> httpx.Client:
                headers = {"authorization": f"Bearer {token}"} if token else {}
                limits = httpx.Limits(max_connections=None, max_keepalive_connections=16)
                return stack.enter_context(
                    httpx.Client(
                        base_url=base, headers=headers, timeout=5 * PATIENCE, limits=limits, trust_env=False
                    )
                )

            yield Running(base, client(tokens[Role.ADMIN]), client(tokens[Role.READ]), client(), server)
        finally:
            stack.close()
            runner.handle_exit(signal.SIGTERM, None)
            thread.join(timeout=PATIENCE)
            service.close()
            assert not thread.is_alive(), "the server did not stop"


def url_of(loop: Loop) -> str:
    """The URL of the loop's database, password and all."""
    return loop.editor.url


def add_token(url: str, role: Role, *, tenant: str | None = None, name: str | None = None) -> str:
    """A new token of the database of `url`."""
    engine = make_engine(url, command="tests", lock_timeout=10)
    try:
        return Tokens(engine, tenant=tenant, address="here").add(name or f"test {uuid.uuid4()}", role)
    finally:
        engine.dispose()


@dataclass(slots=True)
class Process:
    """``gitsync serve`` in a process of its own."""

    popen: subprocess.Popen[str]
    url: str
    lines: list[str]

    def stop(self, number: int = signal.SIGTERM) -> int:
        """The exit code after a signal."""
        self.popen.send_signal(number)
        return self.popen.wait(timeout=PATIENCE)

    @property
    def log(self) -> str:
        """What it has said, all of it once it has ended."""
        return "".join(self.lines)


@contextlib.contextmanager
def served(loop: Loop, *arguments: str, files: int = 1024) -> Iterator[Process]:
    """The command, started in the loop's folder on a free port, with so many `files`; killed at the end if it still runs."""
    command = [sys.executable, "-m", "gitsync", "serve", "--port", "0", "--new-tenant", *arguments]
    popen = subprocess.Popen(
        ["sh", "-c", f'ulimit -n {files}; exec "$@"', "sh", *command],
        cwd=loop.folder,
        env=git_environment(loop.repository.home),
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    lines: list[str] = []
    listening = threading.Event()
    reader = threading.Thread(target=_collect, args=(popen, lines, listening))
    reader.start()
    try:
        assert listening.wait(timeout=PATIENCE), "".join(lines)
        match = re.search(r"listening on (\S+);", "".join(lines))
        assert match, "".join(lines)
        yield Process(popen, match[1], lines)
    finally:
        popen.kill()
        popen.wait()
        reader.join()
        assert popen.stderr is not None
        popen.stderr.close()


def _collect(popen: subprocess.Popen[str], lines: list[str], listening: threading.Event) -> None:
    assert popen.stderr is not None
    for line in popen.stderr:
        lines.append(line)
        if "listening on" in line:
            listening.set()
    listening.set()  # it has ended: nobody needs to wait any more


@contextlib.contextmanager
def queries(server: Running, table: str = "") -> Iterator[list[str]]:
    """The statements that the server sends to its database meanwhile, those that name `table`."""
    engine = server.server.service._engine
    seen: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if table in statement:
            seen.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(engine, "before_cursor_execute", note)


def wait_for(condition: Callable[[], bool]) -> None:
    """Ask again and again until it is so; what never comes is a fault of its own."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.02)


def get(url: str, **options: Any) -> httpx.Response:
    """The answer to one request, over a connection of its own."""
    return httpx.get(url, timeout=PATIENCE, trust_env=False, **options)


def metric(client: httpx.Client, name: str) -> float:
    """The value of one line of the metrics."""
    (line,) = [line for line in client.get("/metrics").text.splitlines() if line.startswith(f"{name} ")]
    return float(line.rpartition(" ")[2])


@contextlib.contextmanager
def connected(url: str, sent: bytes = b"", *, buffer: int | None = None) -> Iterator[socket.socket]:
    """A bare connection to a server, over which `sent` has gone; `buffer`: bytes that it takes unread."""
    host, _, port = url.partition("://")[2].rpartition(":")
    with socket.socket() as client:
        client.settimeout(PATIENCE)
        if buffer is not None:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        client.connect((host, int(port)))
        client.sendall(sent)
        yield client


def read_to_end(client: socket.socket) -> bytes:
    """All that comes until the server closes the connection, gently or not."""
    parts = bytearray()
    with contextlib.suppress(ConnectionResetError):
        while part := client.recv(65536):
            parts += part
    return bytes(parts)


def in_threads(count: int, work: Callable[[int], Any]) -> list[Any]:
    """What `work` gives for 0, 1, …, all begun at one moment."""
    results: list[Any] = [None] * count
    gate = threading.Barrier(count)

    def run(number: int) -> None:
        gate.wait()
        try:
            results[number] = work(number)
        except Exception as error:  # noqa: BLE001 - it is the result of this one
            results[number] = error

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results
