"""The process: a socket, TLS, signals, logs, and the application between them."""

from __future__ import annotations

import contextlib
import ipaddress
import logging
import signal
import socket
import ssl
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Final

import uvicorn

from gitsync.errors import ConfigError, GitsyncError, Refused
from gitsync.server.app import make_app
from gitsync.server.middleware import ACCESS
from gitsync.server.state import Server

_BACKLOG: Final = 2048
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
        """What stands before the address of this server."""
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


def listen(address: Address) -> socket.socket:
    """The socket, bound and not yet listening; raises GitsyncError (CANNOT_LISTEN)."""
    try:
        family, kind, protocol, _, place = socket.getaddrinfo(
            address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        bound = socket.socket(family, kind, protocol)
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


def serve(
    server: Server, address: Address, bound: socket.socket, *, on_listening: Callable[[str], None]
) -> None:
    """Answer requests until SIGINT or SIGTERM; what runs then is finished, and what waits is refused.

    on_listening: told the server's URL once connections are taken.
    """
    _set_up_logs()
    runner = make_runner(server, address)
    bound.listen(_BACKLOG)
    on_listening(url_of(address, bound))
    runner.run(sockets=[bound])


def url_of(address: Address, bound: socket.socket) -> str:
    """The URL that clients may use."""
    host, port = bound.getsockname()[:2]
    return f"{address.scheme}://{f'[{host}]' if ':' in host else host}:{port}"


def make_runner(server: Server, address: Address) -> uvicorn.Server:
    """What runs the application; raises ConfigError (INVALID_CERTIFICATE)."""
    config = uvicorn.Config(
        make_app(server),
        log_config=None,
        access_log=False,
        server_header=False,
        lifespan="off",
        proxy_headers=address.behind_proxy,
        forwarded_allow_ips="*" if address.behind_proxy else None,
        ssl_certfile=address.certificate,
        ssl_keyfile=address.key,
        backlog=_BACKLOG,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=round(2 * (server.bounds.upload + server.bounds.turn)),
    )
    try:
        config.load()
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(
            f"the certificate or its key cannot be used: {error}",
            code="INVALID_CERTIFICATE",
            cure="--tls-cert takes a PEM file with the whole chain, --tls-key its unencrypted private key",
        ) from error
    return _Stoppable(config, server)


class _Stoppable(uvicorn.Server):
    """uvicorn's server, which tells the application at once that the end has come, and ends without a signal."""

    def __init__(self, config: uvicorn.Config, server: Server) -> None:
        super().__init__(config)
        self._told = server

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._told.is_stopping = True
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
    """The access log, one JSON object a line on stderr, and the errors of server and library beside it."""
    lines = logging.StreamHandler(sys.stderr)
    lines.setFormatter(logging.Formatter("%(message)s"))
    ACCESS.addHandler(lines)
    ACCESS.setLevel(logging.INFO)
    ACCESS.propagate = False
    errors = logging.StreamHandler(sys.stderr)
    errors.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    errors.setLevel(logging.WARNING)
    for name in ("gitsync.server", "uvicorn.error"):
        logger = logging.getLogger(name)
        logger.addHandler(errors)
        logger.propagate = False


def _is_loopback(host: str) -> bool:
    """Whether each address that `host` stands for is this machine's own alone."""
    try:
        found = socket.getaddrinfo(host or "0.0.0.0", None)  # noqa: S104 - what an empty host means
    except (OSError, UnicodeError):
        return False
    return all(ipaddress.ip_address(str(entry[4][0]).partition("%")[0]).is_loopback for entry in found)
