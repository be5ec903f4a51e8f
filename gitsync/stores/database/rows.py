"""Rows into documents: two ordered streams, definitions and versions, merged without holding either."""

from __future__ import annotations

from collections.abc import Collection, Container, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from sqlalchemy import Connection, Select, func, select

from gitsync.errors import DatabaseError, GitsyncError
from gitsync.stores.database.batches import BATCH, DOCUMENTS, iter_rows, read_ahead
from gitsync.stores.database.product import METADATA_COLUMNS, Kind, kind_of
from gitsync.stores.database.schema import unknown_tenant
from gitsync.stores.database.tables import Tables
from gitsync.sync.index import Index, make_index
from gitsync.sync.model import Unreadable
from gitsync.sync.plan import UNREADABLE_CURES
from gitsync.workflow.canonical import canonical_bytes, digest_of, is_plain
from gitsync.workflow.document import NULL_READS_AS, make_document
from gitsync.workflow.parse import parse_stored, parse_stored_judged
from gitsync.workflow.references import is_reference, link_calls, may_call
from gitsync.workflow.types import Digest, Document, Json, Key

Rows: TypeAlias = Generator[tuple[Sequence[Any], Sequence[Sequence[Any]]]]
"""Definition rows, each with its version rows."""

_PARSED: Final = {field for field, column in METADATA_COLUMNS.items() if kind_of(column) is Kind.JSON}


@dataclass(frozen=True, slots=True)
class HeldWorkflow:
    """One workflow as the database holds it.

    calls: called id → the key that it stands for, ``None`` where it belongs to no key. unlinked: the versions, ``None``
    for the draft, that call by a file's reference, which is no id here though the document can't show it. is_plain: the document
    is known to be plain (`canonical.is_plain`).
    """

    workflow_id: str
    key: Key
    document: Document = field(repr=False)
    calls: Mapping[str, Key | None] = field(default_factory=dict)
    unlinked: frozenset[int | None] = frozenset()
    is_plain: bool = False

    @property
    def digest(self) -> Digest:
        """The document's digest."""
        return digest_of(self.content())

    def content(self) -> bytes:
        """The document in canonical form."""
        return canonical_bytes(self.document, known_plain=self.is_plain)


def read_index(connection: Connection, tables: Tables, *, new_tenant: bool = True) -> Index:
    """The names of all workflows of the tenant.

    Raises ConfigError (UNKNOWN_TENANT) where only other tenants have workflows and `new_tenant` is false.
    """
    columns = tables.definitions.c
    query = select(tables.as_text(columns.workflow_id), columns.key, columns.name).where(tables.owned())
    index = make_index(iter_rows(connection.execute(query)))
    if not index.keys_by_id and not index.unkeyed and not new_tenant and tables.tenant is not None:
        _check_tenant_known(connection, tables, tables.tenant)
    return index


def read_ids(connection: Connection, tables: Tables, keys: Collection[Key]) -> dict[Key, str]:
    """Key → id of those of `keys` that are there; of two rows with one key any, since an index tells of them."""
    columns = tables.definitions.c
    query = select(columns.key, tables.as_text(columns.workflow_id))
    query = query.where(tables.owned(), tables.among(columns.key, keys))
    return {Key(key): workflow_id for key, workflow_id in connection.execute(query)}


def iter_held(
    connection: Connection,
    tables: Tables,
    keys_by_id: Mapping[str, Key],
    *,
    ids: Collection[str] | None = None,
    is_alone: bool = False,
    unreadable: dict[Key, Unreadable] | None = None,
) -> Generator[HeldWorkflow]:
    """The workflows that are in `keys_by_id`, by id; of `ids` alone where these are given.

    keys_by_id: what ids in definitions become. Streamed; the connection has to stay open meanwhile, and whoever
    stops half-way closes it first. unreadable: takes what is no JSON; without it such a row raises DatabaseError.
    is_alone: nothing else uses the connection meanwhile, so rows may be fetched while others are worked on.
    """
    rows = _iter_rows(connection, tables, keys_by_id, ids)
    with closing(_ahead(tables, rows) if is_alone else rows) as found:
        for row, versions in found:
            try:
                held = make_held(row, versions, keys_by_id)
            except DatabaseError as error:
                if unreadable is None:
                    raise
                unreadable.setdefault(Key(row[1]), Unreadable(error.code, error.message, (row[0],)))
            else:
                yield held


def _iter_rows(
    connection: Connection, tables: Tables, wanted: Container[str], ids: Collection[str] | None
) -> Rows:
    """Each definition row with its version rows, by id."""
    definitions, versions = tables.definitions.c, tables.versions.c
    rows, own = _definitions_query(tables), _versions_query(tables)
    if ids is not None:
        rows = rows.where(tables.among(definitions.workflow_id, ids))
        own = own.where(tables.among(versions.workflow_id, ids))
    own = own.order_by(versions.workflow_id, versions.version)
    with _streams(connection, rows.order_by(definitions.workflow_id), own) as (found, ahead):
        for row in found:
            if row[0] in wanted:
                ahead.skip_before(row[0])
                yield row, ahead.take(row[0])


def iter_by_key(
    connection: Connection, tables: Tables, keys_by_id: Mapping[str, Key], keys: Collection[Key]
) -> Generator[HeldWorkflow]:
    """The workflows of `keys` ordered by key; the connection's transaction has to see one moment throughout.

    Nothing else may use the connection meanwhile.
    """
    with closing(_ahead(tables, _iter_rows_by_key(connection, tables, keys))) as rows:
        for row, versions in rows:
            yield make_held(row, versions, keys_by_id)


def _iter_rows_by_key(connection: Connection, tables: Tables, keys: Collection[Key]) -> Rows:
    """Each definition row with its version rows, by key."""
    definitions, versions = tables.definitions.c, tables.versions.c
    wanted = tables.among(definitions.key, keys)
    in_order = tables.ordered(definitions.key)
    rows = _definitions_query(tables).where(wanted)
    own = _versions_query(tables).join(tables.definitions, tables.joined()).where(tables.owned(), wanted)
    own = own.order_by(in_order, versions.version)
    with _streams(connection, rows.order_by(in_order), own) as (found, ahead):
        for row in found:
            yield row, ahead.take(row[0])


def _ahead(tables: Tables, rows: Rows) -> Rows:
    """`rows`, fetched while others are worked on, where a server and not this process makes them."""
    return read_ahead(rows, DOCUMENTS) if tables.found.is_postgresql else rows


def make_held(
    row: Sequence[Any], versions: Sequence[Sequence[Any]], keys_by_id: Mapping[str, Key]
) -> HeldWorkflow:
    """The workflow of one definition row with its version rows; raises DatabaseError where it isn't JSON."""
    workflow_id, key, draft_version, draft, *values = row
    metadata = dict(zip(METADATA_COLUMNS, values, strict=True))
    calls: dict[str, Key | None] = {}
    unlinked: set[int | None] = set()
    are_plain = True

    def parsed(text: str) -> Json:
        nonlocal are_plain
        _check_text(text)
        value, is_known_plain = parse_stored_judged(text)
        are_plain &= is_known_plain
        return value

    def referenced(text: str, part: int | None = None) -> Json:
        definition = parsed(text)
        if not may_call(text):
            return definition
        found = link_calls(definition, key=key, keys_by_id=keys_by_id)
        calls.update(found)
        if any(map(is_reference, found)):
            unlinked.add(part)
        return definition

    try:
        document = make_document(
            key=key,
            metadata={name: _field(name, value) for name, value in metadata.items()},
            draft_definition=referenced(draft),
            draft_version=draft_version,
            versions=[
                (
                    version[1],
                    referenced(version[2], version[1]),
                    None if version[3] is None else parsed(version[3]),
                )
                for version in versions
            ],
        )
    except (GitsyncError, ValueError) as error:
        what = f"what is no JSON document: {error}"
        if isinstance(error, UnicodeEncodeError):
            what = "bytes that are no UTF-8; the database has no encoding (SQL_ASCII) and takes any"
        raise DatabaseError(
            f"workflow {key} (id {workflow_id}) holds {what}",
            code="UNREADABLE_WORKFLOW",
            details={"key": key, "workflowId": workflow_id},
            cure=UNREADABLE_CURES["UNREADABLE_WORKFLOW"],
        ) from error
    are_plain = are_plain and is_plain(document["metadata"]) and is_plain(document["dependencies"])
    return HeldWorkflow(workflow_id, key, document, calls, frozenset(unlinked), are_plain)


def _check_text(text: str) -> None:
    """Raise UnicodeEncodeError where `text` has bytes in it that are no UTF-8, see `connect`."""
    if not text.isascii():
        text.encode()


def _definitions_query(tables: Tables) -> Select[Any]:
    columns = tables.definitions.c
    return select(
        tables.as_text(columns.workflow_id),
        columns.key,
        columns.draft_version,
        columns.draft_definition,
        *(_readable(tables, column) for column in METADATA_COLUMNS.values()),
    ).where(tables.owned(), columns.key.is_not(None))


def _versions_query(tables: Tables) -> Select[Any]:
    columns = tables.versions.c
    return select(
        tables.as_text(columns.workflow_id),
        columns.version,
        columns.definition_json,
        columns.payload_schema_json,
    ).where(tables.owned_versions())


def _readable(tables: Tables, name: str) -> Any:
    column = tables.definitions.c[name]
    return tables.as_text(column) if kind_of(name) is Kind.SHARE else column


@contextmanager
def _streams(
    connection: Connection, rows: Select[Any], versions: Select[Any]
) -> Iterator[tuple[Iterable[Sequence[Any]], _Lookahead]]:
    """Both streams at once, closed whatever happens: a server keeps a cursor open until it's told."""
    options = {"yield_per": BATCH}
    with (
        connection.execute(versions, execution_options=options) as own,
        connection.execute(rows, execution_options=options) as found,
    ):
        yield found, _Lookahead(iter(own))


class _Lookahead:
    """Version rows in order, taken by the definition that comes next."""

    def __init__(self, rows: Iterator[Sequence[Any]]) -> None:
        self._rows = rows
        self._next = next(rows, None)

    def skip_before(self, workflow_id: str) -> None:
        """Drop rows of definitions that nobody asked for."""
        while self._next is not None and self._next[0] < workflow_id:
            self._next = next(self._rows, None)

    def take(self, workflow_id: str) -> list[Sequence[Any]]:
        """The rows of one definition."""
        taken = []
        while self._next is not None and self._next[0] == workflow_id:
            taken.append(self._next)
            self._next = next(self._rows, None)
        return taken


def _field(name: str, value: Any) -> Json:
    """The value of one metadata field: columns that may be NULL read as the product's exporter reads them."""
    if value is None:
        return NULL_READS_AS.get(name)
    if isinstance(value, str):
        _check_text(value)
    if name in _PARSED:
        return parse_stored(value)
    return value  # type: ignore[no-any-return]


def _check_tenant_known(connection: Connection, tables: Tables, tenant: str) -> None:
    """The one look at rows of other tenants, and only where this one has none."""
    others = select(func.count()).select_from(select(tables.definitions.c.workflow_id).limit(1).subquery())
    if connection.execute(others).scalar():
        raise unknown_tenant(tenant)
