"""Reading workflows from a server: by export where the session may, else by list and versions.

An export is one consistent look at one workflow; gitsync's own server exports many at once. Rows and versions are asked for one after the other, so a
workflow that was saved in between is read again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from functools import partial
from typing import Any, Final, TypeVar
from urllib.parse import quote, urlencode

from gitsync.errors import ServerError
from gitsync.stores.http.client import Client, Reply
from gitsync.stores.http.wire import (
    Malformed,
    document_of_export,
    document_of_row,
    documents_of_export,
    numbers_of,
    rows_of,
    version_of_row,
)
from gitsync.workflow.types import Document, Json, Key

T = TypeVar("T")
Row = Mapping[str, Any]
LIST: Final = "/api/workflow-definitions"
_AT_ONCE: Final = 8
"""Requests on their way at one time."""
_BATCH: Final = 64
"""How many workflows are held as documents before they are taken."""
_ROUNDS: Final = 4
"""How often a workflow that is edited meanwhile is read."""


class Reader:
    """Reads one server's workflows.

    may_export: whether exports are answered, which takes an administrator; ``None`` until one was asked for.
    has_hidden: a hidden workflow was listed, which servers do for administrators alone.
    is_gitsync: it is gitsync's own server; known once `rows` has asked it.
    """

    def __init__(self, client: Client, *, may_export: bool | None) -> None:
        self._client = client
        self.may_export = may_export
        self.has_hidden = False
        self.is_gitsync = False

    @property
    def sees_all(self) -> bool:
        """Whether the server is known to show every workflow, hidden ones too."""
        return self.may_export is True or self.has_hidden

    def rows(self) -> list[Row]:
        """The rows of all workflows that the server shows, as it lists them."""
        answer = self._client.ask(LIST)
        self.is_gitsync = "gitsync-version" in answer.headers
        rows: list[Row] = list(self._shape(answer, LIST, rows_of))
        self.has_hidden = self.has_hidden or any(row.get("is_visible") is False for row in rows)
        return rows

    def documents(self, rows: Sequence[Row]) -> Iterator[tuple[Key, Document]]:
        """The documents of `rows`, all of which have a key, in no order; with the server's ids in them."""
        if self.is_gitsync and self.may_export is not False and len(rows) > 1:
            for start in range(0, len(rows), _BATCH):
                batch = self._exported_together(rows[start : start + _BATCH])
                if batch is None:
                    break
                yield from batch
            else:
                return
        if rows and self.may_export is None:
            first, *rows = rows
            answer = self._client.ask(_export_path(first))
            self.may_export = answer.status != 403
            if self.may_export:
                yield self._exported(first, answer)
            else:
                rows = [first, *rows]
        if self.may_export:
            yield from self._at_once(self._export, rows)
        else:
            yield from self._by_rows_and_versions(rows)

    def _exported_together(self, rows: Sequence[Row]) -> list[tuple[Key, Document]] | None:
        """The documents of `rows` from one export, as gitsync's server gives it, all as they are at one moment.

        ``None`` where the credentials are none of an administrator.
        """
        keys = [Key(row["key"]) for row in rows]
        path = f"{LIST}/export?{urlencode([('key', key) for key in keys])}"
        answer = self._client.ask(path)
        if answer.status == 403 and self.may_export is None:
            self.may_export = False
            return None
        if answer.status == 404:
            raise _moving(keys)
        if answer.status != 200:
            raise self._client.refusal(answer, f"the export of {len(keys)} workflows")
        self.may_export = True
        try:
            return list(zip(keys, documents_of_export(answer.body, keys=keys), strict=True))
        except Malformed as error:
            raise self._client.unexpected(f"{LIST}/export", str(error)) from error

    def _by_rows_and_versions(self, rows: Sequence[Row]) -> Iterator[tuple[Key, Document]]:
        pending = list(rows)
        for _ in range(_ROUNDS):
            if not pending:
                return
            found = list(self._at_once(self._by_rows, pending))
            newer = {row["workflow_id"]: row for row in self.rows()}
            moved = []
            for row, (key, document) in zip(pending, found, strict=True):
                now = newer.get(row["workflow_id"])
                if now is None or now["key"] != key:
                    raise _moving([key])
                if _stable(now) == _stable(row):
                    yield key, document
                else:
                    moved.append(now)
            pending = moved
        if pending:
            raise _moving([row["key"] for row in pending])

    def _export(self, row: Row) -> tuple[Key, Document]:
        return self._exported(row, self._client.ask(_export_path(row)))

    def _exported(self, row: Row, answer: Reply) -> tuple[Key, Document]:
        """The document in the answer to the export of `row`."""
        key = Key(row["key"])
        if answer.status == 404:
            raise _moving([key])
        if answer.status != 200:
            raise self._client.refusal(answer, f"the export of {key}")
        try:
            return key, document_of_export(answer.body, key=key)
        except Malformed as error:
            raise self._client.unexpected(_export_path(row), str(error)) from error

    def _by_rows(self, row: Row) -> tuple[Key, Document]:
        key, path = Key(row["key"]), f"{LIST}/{quote(row['workflow_id'], safe='')}"
        newest = row.get("published_version", 0)
        numbers: list[int] = []
        if newest is not None:
            numbers = self._shaped(f"{path}/versions", partial(numbers_of, newest=newest or None), of=key)
        versions = [
            self._shaped(f"{path}/{number}", partial(version_of_row, number=number), of=key)
            for number in numbers
        ]
        try:
            return key, document_of_row(deepcopy(dict(row)), versions)
        except Malformed as error:
            raise self._client.unexpected(LIST, f"{error} for {key}") from error

    def _shaped(self, path: str, shape: Callable[[Json], T], *, of: Key | None = None) -> T:
        """What `shape` makes of the JSON value at `path`, which is about the workflow `of`."""
        answer = self._client.ask(path)
        if answer.status == 404 and of is not None:
            raise _moving([of])
        return self._shape(answer, path, shape)

    def _shape(self, answer: Reply, path: str, shape: Callable[[Json], T]) -> T:
        if answer.status != 200:
            raise self._client.refusal(answer, f"GET {path}")
        try:
            return shape(answer.body)
        except Malformed as error:
            raise self._client.unexpected(path, str(error)) from error

    @staticmethod
    def _at_once(work: Callable[[Row], T], rows: Sequence[Row]) -> Iterator[T]:
        """What `work` gives for each row, in order, some at a time; the first failure ends it."""
        pool = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="gitsync-read")
        try:
            for start in range(0, len(rows), _BATCH):
                yield from pool.map(work, rows[start : start + _BATCH])
        finally:
            pool.shutdown(cancel_futures=True)


def _export_path(row: Row) -> str:
    return f"{LIST}/{quote(row['workflow_id'], safe='')}/export"


def _stable(row: Row) -> dict[str, Any]:
    """The row without what changes by itself."""
    return {name: value for name, value in row.items() if name != "schedule_state"}


def _moving(keys: Sequence[str]) -> ServerError:
    listed = ", ".join(sorted(keys))
    return ServerError(
        f"{listed}: edited or deleted on the server while it was read; nothing was written",
        code="SERVER_IN_MOTION",
        cure="run the command again",
    )
