"""A network that fails: a relay between a client and a server that cuts the connection after so many bytes."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

from sqlalchemy.engine import make_url


@dataclass(slots=True)
class Relay:
    """Passes bytes on, both ways, until `cut_after` of them have gone by; then every connection is cut."""

    listener: socket.socket
    target: str
    cut_after: int | None = None
    passed: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _open: list[socket.socket] = field(default_factory=list)

    def reset(self, cut_after: int | None = None) -> None:
        """Count anew."""
        with self._lock:
            self.cut_after, self.passed = cut_after, 0

    def serve(self) -> None:
        """Accept until the listener is closed."""
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            server = socket.socket(socket.AF_UNIX)
            server.connect(self.target)
            self._open += [client, server]
            for source, sink in ((client, server), (server, client)):
                threading.Thread(target=self._pass, args=(source, sink), daemon=True).start()

    def _pass(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(4096):
                with self._lock:
                    left = len(data) if self.cut_after is None else self.cut_after - self.passed
                    self.passed += len(data)
                sink.sendall(data[: max(0, left)])
                if left < len(data):
                    break
        for one in (source, sink):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close every connection."""
        for one in (self.listener, *self._open):
            one.close()


@contextlib.contextmanager
def relayed(url: str) -> Iterator[tuple[str, Relay]]:
    """The URL of a relay to the server of `url`, which listens on a socket in a folder; and the relay."""
    parsed = make_url(url)
    folder, port = parsed.query["host"], parsed.query["port"]
    listener = socket.create_server(("127.0.0.1", 0))
    relay = Relay(listener, f"{folder}/.s.PGSQL.{port}")
    threading.Thread(target=relay.serve, daemon=True).start()
    own = parsed.set(
        host="127.0.0.1",
        port=listener.getsockname()[1],
        query={"sslmode": "disable", "gssencmode": "disable"},
    )
    try:
        yield own.render_as_string(hide_password=False), relay
    finally:
        relay.close()
