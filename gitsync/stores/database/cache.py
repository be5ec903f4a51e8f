"""The digest cache's files: what an earlier look at a database found, so that the next need not read documents.

A file is worth nothing but time. It is written aside and renamed, carries a checksum, and whatever is wrong with
it, or with the folder, is the same as its absence. It may be deleted at any time.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from stat import S_ISREG
from typing import Any, Final, TypeVar, cast

import orjson

from gitsync.stores.files import write_aside
from gitsync.sync.model import Unkeyed, Unreadable
from gitsync.workflow.types import Digest, Key

MOST_BYTES: Final = 128 * 1024 * 1024
"""Of one file; some 150 bytes a workflow. More is not kept."""
MOST_FILES: Final = 8
"""Of all databases and tenants that one repository is used with; the longest unused go first."""

_MAGIC: Final = b"gitsync digests 1\n"
_SUFFIX: Final = ".digests"
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Remembered:
    """What one look found, as parallel lines for the definition rows by id; all text is ASCII or JSON.

    horizon, lines: of the look's `Stamp`. keys, digests: empty for what has no key or is not readable. calls: JSON of called id →
    key that it stood for or null, empty where nothing is called.
    """

    horizon: int
    lines: str
    keys: str = field(repr=False)
    digests: str = field(repr=False)
    calls: str = field(repr=False)
    unkeyed: Sequence[Unkeyed] = ()
    raw_calls: Mapping[Key, frozenset[str]] = field(default_factory=dict)
    unreadable: Mapping[Key, Unreadable] = field(default_factory=dict)

    def ids(self) -> dict[Key, str]:
        """Key → id."""
        return _by_key(self.keys, (line.partition(" ")[0] for line in self.lines.split("\n")))

    def digests_by_key(self) -> dict[Key, Digest]:
        """Key → digest."""
        return _by_key(self.keys, cast("list[Digest]", self.digests.split("\n")))


class DigestCache:
    """The files below one folder, which need not exist."""

    def __init__(self, folder: Path) -> None:
        self.folder: Final = folder

    def read(self, binding: str) -> Remembered | None:
        """What was kept for `binding`; ``None`` where there is nothing, or nothing whole."""
        try:
            data = self._read_bytes(self._path(binding))
            return None if data is None else _parse(data, binding)
        except (OSError, ValueError, TypeError, KeyError, MemoryError):
            return None

    def write(self, binding: str, remembered: Remembered) -> None:
        """Keep `remembered`; does nothing where that cannot be done."""
        with suppress(OSError, MemoryError):
            data = _render(remembered, binding)
            if len(data) > MOST_BYTES:
                return
            self.folder.mkdir(parents=True, exist_ok=True)
            write_aside(self._path(binding), data)
            self._forget_old()

    def _path(self, binding: str) -> Path:
        return self.folder / f"{binding[:32]}{_SUFFIX}"

    def _read_bytes(self, path: Path) -> bytes | None:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)  # a pipe would keep us waiting
        with os.fdopen(handle, "rb") as file:
            facts = os.fstat(handle)
            if not S_ISREG(facts.st_mode) or facts.st_size > MOST_BYTES:
                return None
            with suppress(OSError):
                os.utime(handle)  # in use, so that others are forgotten first
            return file.read()

    def _forget_old(self) -> None:
        """Leave the files used last, and none that a killed run has left half-written."""
        files = sorted(self.folder.iterdir(), key=lambda path: path.stat().st_mtime, reverse=True)
        asides = [path for path in files if path.suffix == ".tmp"]
        whole = [path for path in files if path.suffix == _SUFFIX]
        for path in (*whole[MOST_FILES:], *asides[MOST_FILES:]):
            path.unlink(missing_ok=True)


def _by_key(keys: str, values: Iterable[_T]) -> dict[Key, _T]:
    values_by_key = dict(zip(cast("list[Key]", keys.split("\n")), values, strict=True))
    values_by_key.pop(Key(""), None)
    return values_by_key


def _render(remembered: Remembered, binding: str) -> bytes:
    blocks = [
        text.encode() for text in (remembered.lines, remembered.keys, remembered.digests, remembered.calls)
    ]
    head = {
        "binding": binding,
        "horizon": remembered.horizon,
        "sizes": [len(block) for block in blocks],
        "unkeyed": [[row.workflow_id, row.name, row.reason] for row in remembered.unkeyed],
        "rawCalls": {key: sorted(ids) for key, ids in remembered.raw_calls.items()},
        "unreadable": {key: [one.code, one.reason, one.ids] for key, one in remembered.unreadable.items()},
    }
    content = b"".join((orjson.dumps(head), b"\n", *blocks))
    return b"".join((_MAGIC, hashlib.sha256(content).hexdigest().encode(), b"\n", content))


def _parse(data: bytes, binding: str) -> Remembered | None:
    """What `data` says; raises ValueError, TypeError or KeyError, or gives ``None``, where it isn't a whole file."""
    start = len(_MAGIC) + 65
    if data[: len(_MAGIC)] != _MAGIC:
        return None
    content = memoryview(data)[start:]
    if hashlib.sha256(content).hexdigest().encode() + b"\n" != data[len(_MAGIC) : start]:
        return None
    end = data.index(b"\n", start)
    head: dict[str, Any] = orjson.loads(data[start:end])
    if head["binding"] != binding:
        return None
    blocks, place = [], end + 1
    for size in head["sizes"]:
        blocks.append(data[place : place + size].decode())
        place += size
    lines, keys, digests, calls = blocks
    raw_calls = {Key(key): frozenset(ids) for key, ids in head["rawCalls"].items()}
    unkeyed = tuple(Unkeyed(*row) for row in head["unkeyed"])
    unreadable = {
        Key(key): Unreadable(code, reason, tuple(ids))
        for key, (code, reason, ids) in head["unreadable"].items()
    }
    return Remembered(head["horizon"], lines, keys, digests, calls, unkeyed, raw_calls, unreadable)
