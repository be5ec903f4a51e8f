"""What a database holds, as digests: of all rows at once, and of those alone that changed since the last look."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Final, NamedTuple

import orjson
from sqlalchemy import Connection

from gitsync.stores.database.cache import DigestCache, Remembered
from gitsync.stores.database.fingerprints import Stamp, is_within_reach, read_stamp
from gitsync.stores.database.rows import iter_held, read_index
from gitsync.stores.database.spool import Spool
from gitsync.stores.database.tables import Tables
from gitsync.sync.index import Index
from gitsync.sync.model import Unkeyed, Unreadable
from gitsync.workflow.canonical import digest_of
from gitsync.workflow.references import key_of
from gitsync.workflow.types import Digest, Key

_FEW: Final = 4
"""Rows are asked for by id where they are less than one in this many; else all are read, in their order."""

Report = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Content:
    """Key → digest of all workflows that have a key, and what else was seen.

    ids: makes key → id of the same, which few ask for. raw_calls: key → ids that it calls and that belong to no key.
    """

    ids: Callable[[], Mapping[Key, str]]
    digests: Mapping[Key, Digest]
    raw_calls: Mapping[Key, frozenset[str]]
    unkeyed: Sequence[Unkeyed]
    unreadable: Mapping[Key, Unreadable]


class _Known(NamedTuple):
    """What is known of one workflow; calls: as JSON, empty where it calls nothing."""

    digest: Digest
    calls: str


class ContentReader:
    """One reading of everything, in a transaction that sees one moment throughout.

    cache: where digests are kept between runs, ``None`` to read every document.
    new_tenant: the tenant may be one without workflows where others have some.
    spool: where the documents that are read may be kept.
    """

    def __init__(
        self,
        connection: Connection,
        tables: Tables,
        *,
        cache: DigestCache | None,
        new_tenant: bool,
        spool: Spool | None = None,
    ) -> None:
        self._connection, self._tables = connection, tables
        self._cache, self._new_tenant, self._spool = cache, new_tenant, spool
        self._outdated: tuple[str, Remembered] | None = None

    def read(self, report: Report) -> Content:
        """All of it; `report` is told (done, total). Raises what `read_index` raises, and DatabaseError."""
        stamp = read_stamp(self._connection, self._tables) if self._cache else None
        remembered = self._remembered(stamp)
        if stamp and remembered and remembered.lines == stamp.lines:
            return Content(
                remembered.ids,
                remembered.digests_by_key(),
                remembered.raw_calls,
                remembered.unkeyed,
                remembered.unreadable,
            )
        index = read_index(self._connection, self._tables, new_tenant=self._new_tenant)
        known = _still_known(remembered, stamp.lines, index) if stamp and remembered else {}
        unreadable = dict(index.twins)
        self._read_rows(index, known, unreadable, report)
        content = _content(index, known, unreadable)
        if stamp:
            self._outdated = stamp.binding, _to_remember(stamp, content, index, known)
        return content

    def keep(self) -> None:
        """Keep what the cache did not know; best after the transaction, which need not wait for a disk."""
        if self._cache and self._outdated:
            self._cache.write(*self._outdated)

    def _remembered(self, stamp: Stamp | None) -> Remembered | None:
        remembered = self._cache.read(stamp.binding) if self._cache and stamp else None
        is_near = stamp and remembered and is_within_reach(remembered.horizon, stamp.horizon)
        return remembered if is_near else None

    def _read_rows(
        self, index: Index, known: dict[str, _Known], unreadable: dict[Key, Unreadable], report: Report
    ) -> None:
        """Add to `known` every workflow of `index` that isn't in it, or to `unreadable`."""
        missing = [own for own in index.ids.values() if own not in known]
        if not missing:
            return
        wanted = missing if len(missing) * _FEW <= len(index.ids) else None
        total = len(index.ids) if wanted is None else len(missing)
        rows = iter_held(
            self._connection,
            self._tables,
            index.keys_by_id,
            ids=wanted,
            is_alone=True,
            unreadable=unreadable,
        )
        with closing(rows):
            for done, held in enumerate((held for held in rows if held.key in index.ids), start=1):
                content = held.content()
                digest = digest_of(content)
                if self._spool is not None:
                    self._spool.offer(held.key, digest, content)
                calls = orjson.dumps(held.calls).decode() if held.calls else ""
                known[held.workflow_id] = _Known(digest, calls)
                report(done, total)


def _still_known(remembered: Remembered, lines: str, index: Index) -> dict[str, _Known]:
    """What of `remembered` holds: rows that are the same, and call what they called."""
    earlier = dict(zip(remembered.lines.split("\n"), _iter_known(remembered), strict=True))
    had = {own: key for key, own in remembered.ids().items()}
    are_named_alike = had == index.keys_by_id
    found = {}
    for line in lines.split("\n"):
        known = earlier.get(line)
        if known is None or not known.digest:
            continue
        if not known.calls or are_named_alike or _calls_the_same(known.calls, index.keys_by_id):
            found[line.partition(" ")[0]] = known
    return found


def _iter_known(remembered: Remembered) -> Iterator[_Known]:
    return map(_Known, map(Digest, remembered.digests.split("\n")), remembered.calls.split("\n"))


def _calls_the_same(calls: str, keys_by_id: Mapping[str, Key]) -> bool:
    """Whether each called id stands for the key that it stood for: the digest has keys in the ids' place."""
    return all(key_of(called, keys_by_id) == key for called, key in orjson.loads(calls).items())


def _content(index: Index, known: Mapping[str, _Known], unreadable: Mapping[Key, Unreadable]) -> Content:
    digests, raw_calls = {}, {}
    for key, own in index.ids.items():
        if key in unreadable:
            continue
        digests[key] = known[own].digest
        if calls := known[own].calls:
            raw = frozenset(called for called, target in orjson.loads(calls).items() if target is None)
            if raw:
                raw_calls[key] = raw
    ids = {key: own for key, own in index.ids.items() if key not in unreadable} if unreadable else index.ids
    return Content(lambda: ids, digests, raw_calls, index.unkeyed, unreadable)


def _to_remember(stamp: Stamp, content: Content, index: Index, known: Mapping[str, _Known]) -> Remembered:
    order = [line.partition(" ")[0] for line in stamp.lines.split("\n")]
    nothing = _Known(Digest(""), "")
    keys = {own: key for key, own in index.ids.items() if key not in content.unreadable}
    rows = [known.get(own, nothing) for own in order]
    return Remembered(
        horizon=stamp.horizon,
        lines=stamp.lines,
        keys="\n".join(keys.get(own, "") for own in order),
        digests="\n".join(row.digest for row in rows),
        calls="\n".join(row.calls for row in rows),
        unkeyed=content.unkeyed,
        raw_calls=content.raw_calls,
        unreadable=content.unreadable,
    )
