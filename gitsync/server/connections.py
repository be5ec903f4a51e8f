"""Connections: how many there are at most, and how long each may keep the server waiting.

uvicorn takes connections until the process has no file left, and gives a request as long as it likes to arrive.
"""

from __future__ import annotations

import contextlib
import enum
import logging
import socket
from collections.abc import Callable, Collection, Mapping
from typing import Any, Final
from weakref import WeakKeyDictionary

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

_RESERVED: Final = 100
"""Files that are no connections of clients: the database's, the program's own."""
_BACKLOG: Final = 128
_REPEATED: Final = 60.0
"""Seconds in which a message of the libraries is logged once."""


class Waits(enum.StrEnum):
    """What the server waits for on a connection."""

    HEAD = "head"
    BODY = "body"
    TAKEN = "taken"
    NEXT = "next"
    NOTHING = "nothing"


def find_room(most: int, *, files: int) -> tuple[int, int]:
    """Return how many connections there may be, at most `most`, and how many more may come at one moment.

    files: how many the process may open; some are left for all that is no connection.
    """
    room = max(2, files - _RESERVED)
    backlog = min(_BACKLOG, room // 2)
    return min(most, room - backlog), backlog


class Listener(socket.socket):
    """A listening socket that asks its door about each connection, and closes what isn't let in."""

    door: Door

    def accept(self) -> tuple[socket.socket, Any]:
        """Return the next connection that is let in; raises BlockingIOError where that takes a moment."""
        while True:
            if self.door.is_crowded():
                raise BlockingIOError
            connection, address = super().accept()
            if self.door.admit(connection):
                return connection, address
            connection.close()


class Door:
    """Lets `most` connections in: where there are as many, one that asks for nothing makes room for the next.

    leaving: how many more may be open that have been told to go. connections: those of uvicorn, which are fewer:
    a connection that has not agreed on TLS yet is none. on_cut: told of each that had to go.
    """

    def __init__(
        self, most: int, leaving: int, connections: Collection[Any], *, on_cut: Callable[[str], None]
    ) -> None:
        self._most, self._connections, self._on_cut = most, connections, on_cut
        self._held: dict[int, socket.socket] = {}
        self._leaving: list[socket.socket] = []
        self._most_leaving = leaving

    def is_crowded(self) -> bool:
        """Return whether those that were told to go have to be gone first, which takes the event loop a round or two."""
        if len(self._leaving) >= self._most_leaving:
            self._leaving = [leaving for leaving in self._leaving if leaving.fileno() >= 0]
        return len(self._leaving) >= self._most_leaving

    def admit(self, new: socket.socket) -> bool:
        """Return whether there is room for `new`, made if need be."""
        if len(self._held) >= self._most:
            self._held = {number: taken for number, taken in self._held.items() if taken.fileno() == number}
        if len(self._held) >= self._most and not self._make_room():
            self._on_cut("refused")
            return False
        self._held.pop(new.fileno(), None)  # its number was that of another, which is closed
        self._held[new.fileno()] = new
        return True

    def dismiss_unknown(self) -> None:
        """Let go of those that have not agreed on TLS yet: nobody else knows them, and the end would wait for them."""
        known = {connection.transport.get_extra_info("socket").fileno() for connection in self._connections}
        for number in self._held.keys() - known:
            with contextlib.suppress(OSError):  # it has gone already
                self._held[number].shutdown(socket.SHUT_RDWR)

    def _make_room(self) -> bool:
        """Close a connection that never asked anything, else one whose requests are answered; the oldest first."""
        asked = {
            connection.transport.get_extra_info("socket").fileno(): is_at_work(connection)
            for connection in self._connections
            if connection.cycle is not None
        }
        silent = [number for number in self._held if not asked.get(number)]
        if not silent:
            return False
        number = min(silent, key=asked.__contains__)
        leaving = self._held.pop(number)
        with contextlib.suppress(OSError):  # it has gone by itself
            leaving.shutdown(socket.SHUT_RDWR)
        self._leaving.append(leaving)
        self._on_cut("room")
        return True


class Watch:
    """Cuts connections that keep the server waiting too long; `limits` in seconds, on_cut told what was waited for."""

    def __init__(self, limits: Mapping[Waits, float], *, on_cut: Callable[[str], None]) -> None:
        self._limits, self._on_cut = limits, on_cut
        self._since: WeakKeyDictionary[H11Protocol, tuple[object, float]] = WeakKeyDictionary()

    def look(self, connections: Collection[Any], now: float) -> None:
        """Compare each connection with how it was before; call it again and again."""
        for connection in tuple(connections):
            waits = waits_for(connection)
            state = waits, connection.cycle, connection.transport.get_write_buffer_size()
            seen, since = self._since.get(connection, (None, now))
            if seen != state:
                self._since[connection] = state, now
            elif now - since >= self._limits.get(waits, float("inf")):
                self._on_cut(waits.value)
                connection.transport.abort()


def waits_for(connection: H11Protocol) -> Waits:
    """Return what the server waits for on a connection."""
    cycle, state = connection.cycle, connection.conn.their_state
    if connection.transport.get_write_buffer_size():
        return Waits.TAKEN
    if cycle is not None and not cycle.response_complete:
        return Waits.NOTHING
    if state is h11.SEND_BODY:
        return Waits.BODY
    if cycle is None or connection.conn.trailing_data[0]:
        return Waits.HEAD
    return Waits.NEXT


def is_at_work(connection: H11Protocol) -> bool:
    """Return whether a request of the connection is being answered."""
    return waits_for(connection) in (Waits.NOTHING, Waits.TAKEN)


class Unrepeated(logging.Filter):
    """Lets each message through once in a while, with how often it came in between."""

    def __init__(self) -> None:
        super().__init__()
        self._seen: dict[str, tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether the message is to be logged now."""
        message = record.getMessage().partition("\n")[0]
        logged, more = self._seen.get(message, (float("-inf"), 0))
        if record.created - logged < _REPEATED:
            self._seen[message] = logged, more + 1
            return False
        if len(self._seen) > 1000:
            self._seen.clear()
        self._seen[message] = record.created, 0
        if more:
            record.msg, record.args = f"{message} ({more} times more in between)", ()
        return True
