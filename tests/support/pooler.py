"""A pooler in transaction mode, as PgBouncer is one: few server connections, lent to a client for a transaction.

Nothing is reset in between: what a client leaves on a connection, the next one finds there.
Source: PostgreSQL manual, "Frontend/Backend Protocol"; PgBouncer, "Features" and ``ignore_startup_parameters``.
"""

from __future__ import annotations

import contextlib
import queue
import select
import socket
import struct
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

from sqlalchemy.engine import make_url

_PROTOCOL = 196608
_CANCEL, _SSL, _GSS = 80877102, 80877103, 80877104
_KNOWN = {"user", "database", "client_encoding", "application_name"}
"""The parameters that a client may begin with; PgBouncer knows a few more."""


@dataclass(slots=True)
class Pooler:
    """Lends its connections to the server at `path`, a socket, to all who connect to `listener`.

    start: what a connection begins with. greeting: what the server answers, and each client hears.
    """

    listener: socket.socket
    path: str
    start: bytes
    greeting: bytes = b""
    _free: queue.Queue[socket.socket] = field(default_factory=queue.Queue)
    _open: list[socket.socket] = field(default_factory=list)

    def serve(self) -> None:
        """Accept until the listener is closed."""
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._open.append(client)
            threading.Thread(target=self._attend, args=(client,), daemon=True).start()

    def close(self) -> None:
        """Close every connection."""
        for one in (self.listener, *self._open):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def connect(self) -> None:
        """Add a connection to those that can be lent."""
        server = socket.socket(socket.AF_UNIX)
        self._open.append(server)
        server.connect(self.path)
        server.sendall(self.start)
        greeting, kind = b"", b""
        while kind != b"Z":
            kind, message = _receive(server)
            assert kind != b"E", message
            greeting += message
        self.greeting = greeting
        self._free.put(server)

    def _attend(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError, EOFError), client:
            if not self._welcome(client):
                return
            while (first := _receive(client))[0] != b"X":
                server = self._free.get()
                is_whole = False
                try:
                    self._lend(client, server, *first)
                    is_whole = True
                finally:
                    if is_whole:
                        self._free.put(server)
                    else:  # the client went in the middle: its transaction goes with the connection
                        server.close()
                        self.connect()

    def _welcome(self, client: socket.socket) -> bool:
        """Whether the client may go on; it has heard all that the server says to a new one then."""
        while True:
            body = _exactly(client, struct.unpack("!I", _exactly(client, 4))[0] - 4)
            (code,) = struct.unpack("!I", body[:4])
            if code not in {_SSL, _GSS}:
                break
            client.sendall(b"N")
        if code == _CANCEL:
            return False
        names = body[4:].split(b"\0")[:-2:2]
        if unknown := {name.decode() for name in names} - _KNOWN:
            told = f"unsupported startup parameter: {', '.join(sorted(unknown))}"
            fields = f"SFATAL\0C08P01\0M{told}\0\0".encode()
            client.sendall(b"E" + struct.pack("!I", len(fields) + 4) + fields)
            return False
        client.sendall(self.greeting)
        return True

    def _lend(self, client: socket.socket, server: socket.socket, kind: bytes, message: bytes) -> None:
        """Pass messages on, both ways, from the client's first until its transaction has ended.

        Raises EOFError or OSError where the client goes before.
        """
        due, is_idle = 0, True
        while True:
            server.sendall(message)
            due += kind in b"QS"
            while due or client not in select.select([client, server], [], [])[0]:
                answer, message = _receive(server)
                client.sendall(message)
                if answer == b"Z":
                    due, is_idle = due - 1, message[-1:] == b"I"
            if is_idle and kind in b"QS":
                return
            kind, message = _receive(client)
            if kind == b"X":
                raise EOFError


def _receive(one: socket.socket) -> tuple[bytes, bytes]:
    """The kind of the next message, and the whole of it."""
    head = _exactly(one, 5)
    return head[:1], head + _exactly(one, struct.unpack("!I", head[1:])[0] - 4)


def _exactly(one: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        more = one.recv(count - len(data))
        if not more:
            raise EOFError
        data += more
    return data


@contextlib.contextmanager
def pooled(url: str, *, size: int = 1) -> Iterator[str]:
    """The URL of a pooler before the database of `url`, whose server listens on a socket in a folder.

    size: how many of its transactions run at once.
    """
    parsed = make_url(url)
    start = f"user\0{parsed.username}\0database\0{parsed.database}\0client_encoding\0UTF8\0\0".encode()
    listener = socket.create_server(("127.0.0.1", 0))
    pooler = Pooler(
        listener,
        f"{parsed.query['host']}/.s.PGSQL.{parsed.query['port']}",
        struct.pack("!II", len(start) + 8, _PROTOCOL) + start,
    )
    try:
        for _ in range(size):
            pooler.connect()
        threading.Thread(target=pooler.serve, daemon=True).start()
        own = parsed.set(host="127.0.0.1", port=listener.getsockname()[1], query={})
        yield own.render_as_string(hide_password=False)
    finally:
        pooler.close()
