"""The process: a socket, TLS, signals, logs, and the application between them."""

from __future__ import annotations

import contextlib
import ipaddress
import logging
import resource
import signal
import socket
import ssl
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Final

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from gitsync.errors import ConfigError, GitsyncError, Refused
from gitsync.logs import PrintableFormatter
from gitsync.server.app import make_app
from gitsync.server.connections import Door, Listener, Unrepeated, Waits, Watch, find_room, is_at_work
from gitsync.server.middleware import ACCESS
from gitsync.server.shared import Shared

_QUEUE: Final = 2048
_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


@dataclass(frozen=True, slots=True)
class Address:
    """Where to listen; behind_proxy: TLS ends at a proxy in front, whose word on the client's address is taken."""

    host: str = "127.0.0.1"
    port: int = 8080
    certificate: Path | None = None
    key: Path | None = None
    behind_proxy: bool = False

    @property
    def scheme(self) -> str:
        """Return what stands before the address of this server."""
        return "https" if self.certificate else "http"


def check_address(address: Address) -> None:
    """Raise Refused (INSECURE_ADDRESS) where tokens would cross a network in plain text."""
    if _is_loopback(address.host) or address.certificate or address.behind_proxy:
        return
    raise Refused(
        f"{address.host} can be reached over the network, and tokens would cross it in plain text",
        code="INSECURE_ADDRESS",
        cure="give --tls-cert and --tls-key, or say --behind-proxy where a proxy in front ends TLS, "
        "or listen on 127.0.0.1",
    )


def listen(address: Address) -> Listener:
    """Return the socket, bound and not yet listening; raises GitsyncError (CANNOT_LISTEN)."""
    try:
        family, kind, protocol, _, place = socket.getaddrinfo(
            address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        bound = Listener(family, kind, protocol)
        try:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            bound.bind(place)
        except BaseException:
            bound.close()
            raise
    except (OSError, OverflowError) as error:
        raise GitsyncError(
            f"cannot listen on {address.host} port {address.port}: {error}",
            code="CANNOT_LISTEN",
            cure="take another --port (0 finds a free one), or an address of this machine",
        ) from error
    return bound


def serve(shared: Shared, address: Address, bound: Listener, *, on_listening: Callable[[str], None]) -> None:
    """Answer requests until SIGINT or SIGTERM; what runs then is finished, and what waits is refused.

    on_listening: told the server's URL once connections are taken.
    """
    _set_up_logs()
    runner = make_runner(shared, address)
    bound.listen(_QUEUE)
    on_listening(url_of(address, bound))
    runner.run(sockets=[bound])


def url_of(address: Address, bound: socket.socket) -> str:
    """Return the URL that clients may use."""
    host, port = bound.getsockname()[:2]
    return f"{address.scheme}://{f'[{host}]' if ':' in host else host}:{port}"


def make_runner(shared: Shared, address: Address) -> uvicorn.Server:
    """Return what runs the application; raises ConfigError (INVALID_CERTIFICATE)."""
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    unlimited = files == resource.RLIM_INFINITY
    most, backlog = find_room(shared.bounds.connections, files=sys.maxsize if unlimited else files)
    config = uvicorn.Config(
        make_app(shared),
        log_config=None,
        access_log=False,
        server_header=False,
        lifespan="off",
        proxy_headers=address.behind_proxy,
        forwarded_allow_ips="*" if address.behind_proxy else None,
        ssl_certfile=address.certificate,
        ssl_keyfile=address.key,
        loop="asyncio",  # these two are what `connections` knows
        http="h11",
        ws="none",
        backlog=backlog,
        timeout_keep_alive=round(shared.bounds.idle),
        timeout_graceful_shutdown=round(2 * (shared.bounds.upload + shared.bounds.turn)),
    )
    try:
        config.load()
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(
            f"the certificate or its key cannot be used: {error}",
            code="INVALID_CERTIFICATE",
            cure="--tls-cert takes a PEM file with the whole chain, --tls-key its unencrypted private key",
        ) from error
    return _Stoppable(config, shared, most=most)


class _Stoppable(uvicorn.Server):
    """uvicorn's server, which tells the application at once that the end has come, and ends without a signal.

    It holds `most` connections, and none for long that does nothing.
    """

    def __init__(self, config: uvicorn.Config, shared: Shared, *, most: int) -> None:
        super().__init__(config)
        self._shared, bounds = shared, shared.bounds
        self._door = Door(
            most, config.backlog, self.server_state.connections, on_cut=shared.metrics.count_cut
        )
        limits = {
            Waits.HEAD: bounds.head,
            Waits.BODY: bounds.head,
            Waits.TAKEN: bounds.upload,
            Waits.NEXT: bounds.idle,
        }
        self._watch = Watch(limits, on_cut=shared.metrics.count_cut)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Let the door see all who come."""
        for bound in sockets or ():
            assert isinstance(bound, Listener)
            bound.door = self._door
        await super().startup(sockets)
        for bound in sockets or ():
            bound.listen(_QUEUE)  # those outside the door take no file

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Let go at once of TLS connections that ask for nothing: to close them gently takes their clients."""
        for connection in tuple(self.server_state.connections):
            assert isinstance(connection, H11Protocol)
            if self.config.is_ssl and not is_at_work(connection):
                connection.transport.abort()
        self._door.dismiss_unknown()
        await super().shutdown(sockets)

    async def on_tick(self, counter: int) -> bool:
        """Look at the connections once a second; uvicorn calls this ten times."""
        if counter % 10 == 0:
            connections = self.server_state.connections
            self._shared.metrics.connections.set(len(connections))
            self._watch.look(connections, time.monotonic())
        return await super().on_tick(counter)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._shared.is_stopping = True
        super().handle_exit(sig, frame)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Handle the signals that stop a server; uvicorn's own would raise them anew at the end."""
        if threading.current_thread() is not threading.main_thread():
            yield  # only the main thread may
            return
        before = {number: signal.signal(number, self.handle_exit) for number in _SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def _set_up_logs() -> None:
    """Set up the access log, one JSON object a line on stderr, and the errors of server and library beside it."""
    lines = logging.StreamHandler(sys.stderr)
    lines.setFormatter(logging.Formatter("%(message)s"))
    ACCESS.addHandler(lines)
    ACCESS.setLevel(logging.INFO)
    ACCESS.propagate = False
    errors = logging.StreamHandler(sys.stderr)
    errors.setFormatter(PrintableFormatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    errors.setLevel(logging.WARNING)
    for name in ("gitsync.server", "uvicorn.error", "asyncio"):
        logger = logging.getLogger(name)
        logger.addHandler(errors)
        logger.propagate = False
    for name in ("uvicorn.error", "asyncio"):  # what strangers can bring about as often as they like
        logging.getLogger(name).addFilter(Unrepeated())


def _is_loopback(host: str) -> bool:
    """Return whether each address that `host` stands for is this machine's own alone."""
    try:
        addresses = socket.getaddrinfo(host or "0.0.0.0", None)  # noqa: S104 - what an empty host means
    except (OSError, UnicodeError):
        return False
    return all(ipaddress.ip_address(str(entry[4][0]).partition("%")[0]).is_loopback for entry in addresses)
