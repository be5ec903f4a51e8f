"""The database as a side: one consistent read for a snapshot, one transaction for an apply."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Final, Self, TypeVar
from weakref import WeakSet

from sqlalchemy import Connection, Engine, text

from gitsync.errors import ConfigError
from gitsync.stores.database import ledger
from gitsync.stores.database.adopting import Adopted, Suggestion, adopt, plan_adoption, read_rows, suggest
from gitsync.stores.database.applying import Applier
from gitsync.stores.database.cache import DigestCache
from gitsync.stores.database.capabilities import DATABASE
from gitsync.stores.database.connect import make_engine, mask_url, parse_url, reading, writing
from gitsync.stores.database.content import ContentReader
from gitsync.stores.database.faults import retried, translated
from gitsync.stores.database.flight import read_unfinished
from gitsync.stores.database.lock import lock
from gitsync.stores.database.rights import find_hiding
from gitsync.stores.database.rows import iter_by_key, read_ids, read_index
from gitsync.stores.database.schema import Found, check_tables, check_tenant, look
from gitsync.stores.database.spool import Spool
from gitsync.stores.database.tables import Tables, tables_of
from gitsync.stores.database.usage import find_calls, read_surroundings
from gitsync.sync.index import Index
from gitsync.sync.model import (
    Action,
    Applied,
    Capabilities,
    Change,
    CommittedFiles,
    Deployment,
    Mark,
    Progress,
    Snapshot,
)
from gitsync.sync.plan import check_readable, warn_of_hiding
from gitsync.sync.stores import Ledger, UsageReader
from gitsync.sync.usage import Surroundings, UnfinishedRun
from gitsync.workflow.references import warn_of_calls
from gitsync.workflow.types import Digest, Document, Key

_PROGRESS_STEP: Final = 100

T = TypeVar("T")


class Database:
    """The workflows of one database and tenant; open it in a ``with``.

    url: of PostgreSQL or SQLite. environment: its name, for the ledger. tenant: compulsory where the product
    keeps workflows per tenant. actor: uuid of the user written as author. command: shown by the server as
    ``gitsync <command>``. in_place: overwriting keeps ids. lock_timeout: seconds to wait for another run,
    where the engine is its own. new_tenant: the tenant may be one without workflows where others have some.
    cache: a folder to keep digests in between runs; ``None`` to read every document. engine: one to use instead
    of an engine of its own, of the same database, and to leave open.
    Raises ConfigError, DatabaseError or AccessDenied on entering.
    """

    def __init__(  # noqa: PLR0913 - what a command knows of the database, each by name
        self,
        url: str,
        *,
        environment: str,
        tenant: str | None,
        actor: str | None,
        command: str,
        in_place: bool = False,
        lock_timeout: float = 10.0,
        new_tenant: bool = False,
        cache: Path | None = None,
        engine: Engine | None = None,
    ) -> None:
        self.address: Final = mask_url(url)
        self.environment: Final = environment
        self._url = parse_url(url)
        self._tenant = tenant
        self._actor = _parse_actor(actor)
        self._in_place = in_place
        self._new_tenant = new_tenant
        self._cache = DigestCache(cache) if cache else None
        self._has_own_engine = engine is None
        self._engine = engine or make_engine(url, command=command, lock_timeout=lock_timeout)
        self._spool: Spool | None = None
        self._found: Tables | None = None
        self._loading: WeakSet[Generator[tuple[Key, Document]]] = WeakSet()

    def __enter__(self) -> Self:
        try:
            with self._reading() as connection:
                self._found = self._look(connection)
        except BaseException:
            self._leave()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for loading in tuple(self._loading):
            loading.close()  # one that was left half-way holds a connection
        if self._spool is not None:
            self._spool.close()
        self._leave()

    def _leave(self) -> None:
        if self._has_own_engine:
            self._engine.dispose()

    @property
    def capabilities(self) -> Capabilities:
        """What a database can do, with or without a ledger."""
        return replace(DATABASE, has_ledger=self._has_ledger)

    @property
    def ledger(self) -> Ledger:
        """Its own: what it remembers of deployments, which writing needs."""
        return self

    @property
    def usage(self) -> UsageReader:
        """Its own: what it tells of runs, schedules and callers."""
        return self

    @property
    def _has_ledger(self) -> bool:
        return self._tables.found.has_ledger

    def check_writable(self) -> None:
        """Raise before any work is done for a write that cannot be made or noted; see `ledger.check_writable`."""
        ledger.check_writable(self._tables.found)

    def identity(self) -> str:
        """What tells this database and tenant from every other; the same as long as the server lives.

        A restored copy on another server has another identity, a copied SQLite file the same.
        """
        with self._reading() as connection:
            own = self._server_identity(connection)
        return hashlib.sha256(f"{own}/{self._tables.ledger_tenant}".encode()).hexdigest()[:16]

    def snapshot(
        self,
        *,
        keep: Mapping[Key, Digest] | None = None,
        files: CommittedFiles | None = None,
        progress: Progress | None = None,
    ) -> Snapshot:
        """Read everything the tenant has, by one consistent read; no document is held in memory.

        See `Target.snapshot`; `files` tell a database nothing, since it keeps all that they say.
        Raises ConfigError (UNKNOWN_TENANT) for a tenant without rows where others have some.
        """
        if self._spool is not None:
            self._spool.close()
        self._spool = None if keep is None else Spool(keep)
        with self._reading() as connection:
            reader = ContentReader(
                connection,
                self._tables,
                cache=self._cache,
                new_tenant=self._new_tenant,
                spool=self._spool,
            )
            content = reader.read(_every_so_often(progress))
            number = ledger.newest_number(connection, self._tables) if self._has_ledger else 0
            may_hide = self._may_hide(connection)
        reader.keep()
        return Snapshot(
            content.digests,
            content.unkeyed,
            (*self._tenant_warnings(), *warn_of_calls(content.raw_calls), *warn_of_hiding(may_hide)),
            content.unreadable,
            may_hide,
            content.raw_calls,
            number,
            content.ids,
        )

    def may_hide(self) -> str:
        """Why the role may not see all workflows of the tenant; empty where it does."""
        with self._reading() as connection:
            return self._may_hide(connection)

    def _may_hide(self, connection: Connection) -> str:
        hiding = find_hiding(connection, self._tables)
        return f"row-level security may hide rows of {' and '.join(hiding)} from this role" if hiding else ""

    @contextmanager
    def open(self) -> Iterator[DatabaseSession]:
        """Begin one consistent read."""
        with self._reading() as connection:
            yield DatabaseSession(connection, self._tables, new_tenant=self._new_tenant)

    def load(self, keys: Collection[Key]) -> Iterator[tuple[Key, Document]]:
        """Yield the documents of `keys` that are there, ordered by key, streamed in one consistent read.

        It is that of the snapshot where this has kept them all, else one of its own.
        Raises DatabaseError for one that cannot be read, as for a key that several workflows have.
        """
        loading = self._load(keys)
        self._loading.add(loading)
        return loading

    def _load(self, keys: Collection[Key]) -> Generator[tuple[Key, Document]]:
        if not keys:
            return
        if self._spool is not None and self._spool.has(keys):
            yield from self._spool.read(keys)
            return
        with self.open() as session:
            yield from session.load(keys)

    def marks(self, keys: Collection[Key]) -> Mapping[Key, tuple[Mark, ...]]:
        """All marks of `keys`, newest first."""
        if not self._has_ledger or not keys:
            return {}
        with self._reading() as connection:
            return ledger.marks(connection, self._tables, keys)

    def recent_marks(self) -> Mapping[Key, tuple[Mark, ...]]:
        """The marks of every key, newest first, down to its newest write."""
        if not self._has_ledger:
            return {}
        with self._reading() as connection:
            return ledger.recent_marks(connection, self._tables)

    def look_around(self, changes: Sequence[Change]) -> Surroundings:
        """What hangs on the workflows that `changes` touch, and who calls those that go or get another id."""
        if all(change.action is Action.CREATE for change in changes):
            return Surroundings()
        with self._reading() as connection:
            ids = read_ids(connection, self._tables, [change.key for change in changes])
            return read_surroundings(connection, self._tables, changes, ids, in_place=self._in_place)

    def unfinished_runs(self, keys: Collection[Key]) -> list[UnfinishedRun]:
        """The runs of `keys` that have not ended, and where each is."""
        with self._reading() as connection:
            ids = read_index(connection, self._tables).ids
            wanted = {ids[key]: key for key in keys if key in ids}
            return read_unfinished(connection, self._tables, wanted)

    def callers(self, keys: Collection[Key]) -> frozenset[Key]:
        """The keys of workflows that call one of `keys`, in whatever version."""
        with self._reading() as connection:
            ids = read_index(connection, self._tables).ids
            calls = find_calls(connection, self._tables, {ids[key] for key in keys if key in ids})
            return frozenset(Key(call.key) for call in calls if call.key is not None)

    def newest_number(self) -> int:
        """The number of the tenant's newest deployment, 0 where there is none."""
        if not self._has_ledger:
            return 0
        with self._reading() as connection:
            return ledger.newest_number(connection, self._tables)

    def apply(
        self, changes: Sequence[Change], documents: Iterable[tuple[Key, Document]], deployment: Deployment
    ) -> Applied:
        """Make all changes and note them, or none; see `WritableStore.apply`.

        Raises PlanStale, LockNotAcquired, AccessDenied, NotConverged, DatabaseError (MISSING_LEDGER).
        """
        if not changes:
            return Applied(number=self.record(deployment))

        def apply(connection: Connection) -> Applied:
            applier = Applier(
                connection, self._tables, self.environment, self._actor, self._in_place, self._new_tenant
            )
            return applier.apply(changes, documents, deployment)

        return self._write(apply)

    def record(self, deployment: Deployment) -> int | None:
        """Note marks alone; the deployment's number, ``None`` where there was nothing to note."""
        if not deployment.marks:
            return None

        def record(connection: Connection) -> int:
            number = ledger.add_deployment(
                connection, self._tables, deployment, environment=self.environment, actor=self._actor
            )
            ledger.add_marks(connection, self._tables, number, deployment.marks)
            return number

        return self._write(record)

    def suggest_keys(self) -> list[Suggestion]:
        """A key for each workflow that has none of its own."""
        with self._reading() as connection:
            return suggest(read_rows(connection, self._tables))

    def adopt(self, pairs: Sequence[tuple[str, str]], *, dry_run: bool = False) -> list[Adopted]:
        """Give workflows a key, all of them or none; see `adopting.adopt`.

        pairs: workflow id, key. dry_run: check alone, for which the right to read is enough.
        """
        if dry_run:
            with self._reading() as connection:
                return plan_adoption(read_rows(connection, self._tables), pairs)
        return self._write(lambda connection: adopt(connection, self._tables, pairs, actor=self._actor))

    @contextmanager
    def rows(self) -> Iterator[tuple[Connection, Tables]]:
        """One consistent read of the rows themselves, for those who show them as they are."""
        with self._reading() as connection:
            yield connection, self._tables

    @property
    def _tables(self) -> Tables:
        assert self._found is not None, "the database is used outside its `with`"
        return self._found

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with translated(self.address), reading(self._engine) as connection:
            yield connection

    def _write(self, work: Callable[[Connection], T]) -> T:
        """What `work` gives, in one transaction under the lock; done again where the server broke it off."""
        ledger.check_writable(self._tables.found)
        with translated(self.address):
            return retried(lambda: self._try(work))

    def _try(self, work: Callable[[Connection], T]) -> T:
        with self.writing() as connection:
            return work(connection)

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A connection in a transaction that holds the lock; committed at the end, or rolled back."""
        with writing(self._engine) as connection:
            tenant = self._tables.ledger_tenant
            lock(connection, tenant=tenant, address=self.address)
            yield connection

    def _look(self, connection: Connection) -> Tables:
        found: Found = look(connection)
        check_tables(found)
        return tables_of(connection, found, check_tenant(found, self._tenant))

    def _server_identity(self, connection: Connection) -> str:
        if not self._tables.found.is_postgresql:
            if self._has_ledger:
                return str(connection.execute(text("SELECT id FROM gitsync_identity")).scalar_one())
            return f"sqlite {self._url.database}"
        may_look = text("SELECT has_function_privilege('pg_control_system()', 'EXECUTE')")
        own = text("SELECT oid::text || ' ' || datname FROM pg_database WHERE datname = current_database()")
        name = str(connection.execute(own).scalar_one())
        if connection.execute(may_look).scalar():
            system = text("SELECT system_identifier::text FROM pg_control_system()")
            return f"{connection.execute(system).scalar_one()} {name}"
        return name

    def _tenant_warnings(self) -> list[str]:
        if self._tenant and self._tables.tenant is None:
            return [f"this database has no tenants; the tenant {self._tenant} means nothing here"]
        return []


class DatabaseSession:
    """One consistent read of a database, in the transaction of `connection`.

    new_tenant: the tenant may be one without workflows where others have some.
    """

    def __init__(self, connection: Connection, tables: Tables, *, new_tenant: bool) -> None:
        self._connection, self._tables, self._new_tenant = connection, tables, new_tenant

    @cached_property
    def index(self) -> Index:
        """Which workflow has which id, by one query.

        Raises ConfigError (UNKNOWN_TENANT) for a tenant without rows where others have some.
        """
        return read_index(self._connection, self._tables, new_tenant=self._new_tenant)

    def load(self, keys: Collection[Key]) -> Iterator[tuple[Key, Document]]:
        """Yield the documents of `keys` that are there, ordered by key, streamed.

        Raises DatabaseError for one that cannot be read, as for a key that several workflows have.
        """
        if not keys:
            return
        check_readable(keys, self.index.twins)
        with closing(iter_by_key(self._connection, self._tables, self.index.keys_by_id, keys)) as rows:
            for held in rows:
                yield held.key, held.document


def _every_so_often(progress: Progress | None) -> Progress:
    """Return what tells `progress` of some of the steps, the last among them."""

    def tell(done: int, total: int) -> None:
        if progress is not None and (done % _PROGRESS_STEP == 0 or done == total):
            progress(done, total)

    return tell


def _parse_actor(actor: str | None) -> str | None:
    """The actor's uuid, ``None`` where none is named; raises ConfigError for anything else."""
    if not actor:
        return None
    try:
        return str(uuid.UUID(actor))
    except ValueError:
        raise ConfigError(
            f"the actor {actor!r} is not a uuid",
            code="INVALID_ACTOR",
            cure="set `actor:` for the environment, or GITSYNC_ACTOR, to the `user_id` of a product user",
        ) from None
