"""Documents that a snapshot has read and that somebody will ask for: kept on disk, not read from the server twice."""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from typing import IO

from gitsync.workflow.parse import parse_stored
from gitsync.workflow.types import Digest, Document, Key


class Spool:
    """The canonical documents that differ from what another side holds, in a file that has no name.

    beside: key → digest of the other side. It is worth nothing but time: where there is no room it is empty,
    and whoever looks here first reads the database then.
    """

    def __init__(self, beside: Mapping[Key, Digest]) -> None:
        self._beside = beside
        self._places: dict[Key, tuple[int, int]] = {}
        self._file: IO[bytes] | None = None
        self._end = 0
        self._is_full = False

    def offer(self, key: Key, digest: Digest, data: bytes) -> None:
        """Keep the document of `key` where the other side holds something else."""
        if self._is_full or self._beside.get(key) == digest:
            return
        try:
            if self._file is None:
                self._file = tempfile.TemporaryFile(prefix="gitsync-")  # noqa: SIM115 - closed by `close`
            self._file.write(data)
        except OSError:
            self.close()
            self._is_full = True
            return
        self._places[key] = (self._end, len(data))
        self._end += len(data)

    def has(self, keys: Collection[Key]) -> bool:
        """Whether the documents of all of `keys` are here."""
        return self._file is not None and self._places.keys() >= set(keys)

    def read(self, keys: Collection[Key]) -> Iterator[tuple[Key, Document]]:
        """The documents of `keys`, ordered by key; all of them have to be here."""
        for key in sorted(keys):
            file = self._file
            assert file is not None, "the documents are gone"
            place, length = self._places[key]
            file.seek(place)
            document = parse_stored(file.read(length))
            assert isinstance(document, dict)
            yield key, document

    def close(self) -> None:
        """Forget all of it."""
        self._places.clear()
        if self._file is not None:
            with suppress(OSError):
                self._file.close()
            self._file = None
