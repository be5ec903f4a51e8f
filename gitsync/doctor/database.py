"""What `gitsync db check` looks at, each finding with its cure; nothing is written, and reading is enough."""

from __future__ import annotations

import os
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from sqlalchemy import Connection, Engine, func, select, text
from sqlalchemy.exc import DBAPIError

from gitsync.doctor.dangling import Dangling, find_dangling
from gitsync.doctor.finding import MOST_LISTED, Finding, Level, as_fault, fault, fine, warning
from gitsync.errors import GitsyncError, listed, plural
from gitsync.stores.database.adopting import WorkflowRow, read_rows
from gitsync.stores.database.connect import mask_url, reading
from gitsync.stores.database.faults import explain, read_only, translated
from gitsync.stores.database.ledger import check_ledger
from gitsync.stores.database.lock import find_holder
from gitsync.stores.database.product import DEFINITIONS, USERS, VERSIONS
from gitsync.stores.database.rights import READING, WRITING, Rights, find_hiding, read_rights
from gitsync.stores.database.rows import read_index
from gitsync.stores.database.schema import (
    DEPLOYMENTS,
    ITEMS,
    Found,
    check_tables,
    check_tenant,
    find_stray_users,
    look,
)
from gitsync.stores.database.tables import Tables, make_tables
from gitsync.sync.index import why_unkeyed

OLDEST_SERVER: Final = 13
_LONG: Final = 600.0
"""Seconds after which a deployment has probably been forgotten."""
_READING: Final = frozenset({"tenant", "keys", "references", "actors"})
"""Checks that read the product's rows."""


def check_database(engine: Engine, *, tenant: str | None, actor: str | None = None) -> list[Finding]:
    """Return all findings, in the order in which they were looked at; one that stops the rest is the last.

    actor: as configured. Each check stands alone: one that fails is a finding, and the next one goes on.
    """
    address = mask_url(engine.url.render_as_string(hide_password=False))
    findings: list[Finding] = []
    try:
        with translated(address), reading(engine) as connection:
            findings.append(fine("connection", address))
            findings.extend(_iter_findings(connection, look(connection), address, tenant, actor))
    except GitsyncError as error:
        findings.append(as_fault("connection" if not findings else "database", error))
    return findings


def _iter_findings(
    connection: Connection, catalogue: Found, address: str, tenant: str | None, actor: str | None
) -> Iterator[Finding]:
    yield _version(catalogue)
    if catalogue.read_only:
        yield warning(
            "server",
            f"this server is read-only: {catalogue.read_only}; it can be compared and pulled from, not pushed to",
            read_only("").cure or "",
        )
    try:
        check_tables(catalogue)
    except GitsyncError as error:
        yield as_fault("tables", error)
        return
    yield fine("tables", f"{DEFINITIONS} and {VERSIONS}, all columns")
    for stray in find_stray_users(catalogue):
        yield warning("tables", f"{stray.message}; what it holds is not looked at", stray.cure or "")
    try:
        checked_tenant = check_tenant(catalogue, tenant)
    except GitsyncError as error:
        yield as_fault("tenant", error)
        return
    checkup = _DatabaseCheckup(connection, make_tables(catalogue, checked_tenant), address, tenant, actor)
    yield from checkup.findings()


def _version(catalogue: Found) -> Finding:
    major, minor = divmod(catalogue.server_version, 10_000)
    if not catalogue.is_postgresql:
        return fine("version", f"SQLite {major}.{minor // 100}.{minor % 100}")
    if major < OLDEST_SERVER:
        return fault(
            "version",
            f"PostgreSQL {major}; gitsync is made for {OLDEST_SERVER} and newer",
            "update the server",
        )
    citus = " with Citus" if catalogue.is_citus else ""
    return fine("version", f"PostgreSQL {major}.{minor // 100 or minor}{citus}")


@dataclass(frozen=True)
class _DatabaseCheckup:
    """One database with usable tables, looked at through one read-only transaction."""

    connection: Connection
    tables: Tables
    address: str
    given_tenant: str | None
    given_actor: str | None

    @property
    def catalogue(self) -> Found:
        """Return what a look at the catalogue found."""
        return self.tables.found

    @cached_property
    def rows(self) -> Sequence[WorkflowRow]:
        """Return the tenant's workflows by id, key and name."""
        return read_rows(self.connection, self.tables)

    @cached_property
    def rights(self) -> Rights:
        """Return what the role may do; of PostgreSQL alone."""
        return read_rights(self.connection, home=self.catalogue.home)

    @property
    def is_readable(self) -> bool:
        """Return whether the role may read the product's two tables."""
        return not self.catalogue.is_postgresql or not self.rights.lacking(
            {DEFINITIONS: ("SELECT",), VERSIONS: ("SELECT",)}
        )

    def findings(self) -> Iterator[Finding]:
        """Yield what each check finds."""
        checks: Sequence[tuple[str, Callable[[], Iterator[Finding]]]] = (
            ("rights", self._rights),
            ("row-level security", self._row_security),
            ("tenant", self._tenant),
            ("unique key", self._unique_key),
            ("keys", self._keys),
            ("references", self._references),
            ("actors", self._actors),
            ("ledger", self._ledger),
            ("lock", self._lock),
        )
        for name, check in checks:
            if not self.is_readable and name in _READING:
                continue  # that the rows cannot be read has been said
            # a statement that fails would take the whole transaction with it
            point = self.connection.begin_nested()
            seen: list[Finding] = []
            try:
                seen.extend(check())
            except DBAPIError as error:
                seen.append(as_fault(name, explain(error, self.address)))
            except GitsyncError as error:
                seen.append(as_fault(name, error))
            finally:
                point.rollback()
            yield from seen

    def _tenant(self) -> Iterator[Finding]:
        if self.tables.tenant is None:
            if self.given_tenant:
                cure = "take `tenant:` out of the environment"
                yield warning("tenant", "workflows belong to no tenant here", cure)
            else:
                yield fine("tenant", "workflows belong to no tenant here")
            return
        yield fine("tenant", f"{self.tables.tenant} (column `{self.catalogue.tenant_column}`)")
        column = self.catalogue.version_tenant_column
        if column is None:
            return
        definitions, versions = self.tables.definitions, self.tables.versions
        same = versions.c.workflow_id == definitions.c.workflow_id
        lost = select(func.count()).select_from(versions.join(definitions, same))
        lost = lost.where(self.tables.owned(), versions.c[column].is_(None))
        if count := self.connection.execute(lost).scalar_one():
            yield warning(
                "version rows",
                f"{plural(count, 'published version')} without a tenant; neither the product nor gitsync sees them",
                f"set `{column}` of these rows to their definition's",
            )

    def _unique_key(self) -> Iterator[Finding]:
        if self.catalogue.has_unique_key:
            yield fine("unique key", "the database keeps keys unique")
            return
        yield warning(
            "unique key",
            "the database does not keep keys unique; the editor may make a twin at the moment of a push",
            f"the product's own schema lacks a unique index on {DEFINITIONS} (tenant, key)",
        )

    def _keys(self) -> Iterator[Finding]:
        if not self.rows:
            read_index(self.connection, self.tables, new_tenant=False)  # raises for a tenant that is mistyped
        counts = Counter(row.key for row in self.rows if why_unkeyed(row.key) is None)
        twins = sorted(key for key, count in counts.items() if count > 1 and key is not None)
        for key in twins:
            ids = sorted(row.workflow_id for row in self.rows if row.key == key)
            yield fault(
                "keys",
                f"{len(ids)} workflows share the key {key}: {' and '.join(ids)}; neither can be compared",
                f"delete one in the product, or `gitsync adopt {ids[-1]} {key}-2`",
            )
        if not twins:
            yield fine("keys", f"{plural(len(counts), 'workflow')} with a key, no duplicates")
        unkeyed = [row for row in self.rows if why_unkeyed(row.key) is not None]
        if unkeyed:
            yield warning(
                "unkeyed",
                f"{plural(len(unkeyed), 'workflow')} cannot be in git: without a key, or with one that can name no file",
                "`gitsync adopt --suggest` prints the commands that give them one",
            )

    def _references(self) -> Iterator[Finding]:
        keys = {row.workflow_id: row.key for row in self.rows if row.key and why_unkeyed(row.key) is None}
        dangling = find_dangling(self.connection, self.tables, self.rows, keys)
        nowhere = [item for item in dangling if not item.is_version and not item.is_unkeyed]
        kinds = (
            (nowhere, "of ids that no workflow has", "correct them in the product, or in git and push"),
            (
                [item for item in dangling if item.is_version],
                "of versions that are not published",
                "publish the version in the product, or call another one",
            ),
            (
                [item for item in dangling if item.is_unkeyed],
                "of workflows that cannot be in git, by their ids in this database",
                "`gitsync adopt --suggest` prints the commands that give them a key",
            ),
        )
        for items, what, cure in kinds:
            if items:
                yield warning(
                    "references", f"{plural(len(items), 'call')} {what}: {_listed_calls(items)}", cure
                )
        if not dangling:
            yield fine("references", "every call leads to a workflow that is there")

    def _actors(self) -> Iterator[Finding]:
        yield self._actor()
        definitions, versions = self.tables.definitions, self.tables.versions
        if "created_by" not in definitions.c or "published_by" not in versions.c:
            return
        published = (
            select(versions.c.version_id)
            .where(self.tables.owned_versions(), self.tables.joined(), versions.c.published_by.is_not(None))
            .correlate(definitions)
        )
        query = select(definitions.c.key, definitions.c.name).where(
            self.tables.owned(), definitions.c.created_by.is_(None), ~published.exists()
        )
        names = sorted(str(key or name) for key, name in self.connection.execute(query))
        if names:
            yield warning(
                "authors",
                f"{plural(len(names), 'workflow')} without an author, whose business actions cannot run: {listed(names, MOST_LISTED)}",
                "save and publish each once in the product; `actor:` gives one to what is created from now on",
            )

    def _actor(self) -> Finding:
        """Say whether the configured actor is a user of the product, as far as that can be seen."""
        if not self.given_actor:
            return warning(
                "actor",
                "none is configured: business actions of workflows that a push creates cannot run",
                "set `actor:` of the environment, or GITSYNC_ACTOR, to the `user_id` of a product user",
            )
        try:
            actor = str(uuid.UUID(self.given_actor))
        except ValueError:
            return fault(
                "actor",
                f"{self.given_actor!r} is not a uuid",
                "set `actor:` of the environment, or GITSYNC_ACTOR, to the `user_id` of a product user",
            )
        columns = set(
            self.connection.execute(_USERS[self.catalogue.is_postgresql], {"users": USERS}).scalars()
        )
        if "user_id" not in columns:
            return fine("actor", f"{actor}; whether it is a user cannot be seen here")
        is_mine = (
            " AND lower(CAST(tenant AS text)) = :tenant" if "tenant" in columns and self.tables.tenant else ""
        )
        query = text(f"SELECT count(*) FROM {USERS} WHERE lower(CAST(user_id AS text)) = :actor{is_mine}")  # noqa: S608
        values = {"actor": actor} | ({"tenant": self.tables.tenant} if is_mine else {})
        if self.connection.execute(query, values).scalar():
            return fine("actor", f"{actor}, a user of the product")
        return fault(
            "actor",
            f"the product has no user {actor}" + (" in this tenant" if is_mine else ""),
            "take a `user_id` from the product's `users` table",
        )

    def _ledger(self) -> Iterator[Finding]:
        check_ledger(self.catalogue)
        if not self.catalogue.has_tokens:
            yield warning(
                "tokens",
                f"a ledger of version {self.catalogue.ledger_version} has no table of tokens: good for all but `gitsync serve`",
                "`gitsync db init` brings it up to date",
            )
        deployments = self.tables.deployments.c
        query = select(deployments.number, deployments.kind, deployments.environment, deployments.commit_id)
        query = query.where(deployments.tenant == self.tables.ledger_tenant)
        newest = self.connection.execute(query.order_by(deployments.number.desc()).limit(1)).first()
        history = "nothing noted yet"
        if newest is not None:
            number, kind, environment, commit = newest
            history = f"{plural(number, 'run')} noted, the last a {kind} of {environment}"
            history += f" at {commit[:10]}" if commit else ""
        yield fine("ledger", f"version {self.catalogue.ledger_version}; {history}")

    def _rights(self) -> Iterator[Finding]:
        if not self.catalogue.is_postgresql:
            yield from self._file_rights()
            return
        rights = self.rights
        reading, writing = rights.lacking(READING), rights.lacking(WRITING)
        if lacking := rights.grants([*reading, *writing]):
            is_fatal = any(table in (DEFINITIONS, VERSIONS) for _, table in reading)
            may = f"{rights.role} may {'not read all' if reading else 'read, but not write'}"
            purpose = "all commands need" if reading else "`push` needs"
            grants = "; ".join(f"GRANT {what} TO {rights.role}" for what in lacking)
            yield (fault if is_fatal else warning)(
                "rights", f"{may}: it lacks {'; '.join(lacking)}", f"what {purpose}: {grants}"
            )
        else:
            yield fine("rights", f"{rights.role} may read and write")
        if not self.catalogue.has_ledger and not self.catalogue.hidden and not rights.may_create:
            yield warning(
                "right to create",
                f"{rights.role} may not make tables in the schema {rights.schema}, which `gitsync db init` does, once",
                f"run `gitsync db init` as another role, or GRANT CREATE ON SCHEMA {rights.schema} TO {rights.role}",
            )

    def _file_rights(self) -> Iterator[Finding]:
        path = str(self.connection.engine.url.database)
        if os.access(path, os.W_OK) and os.access(os.path.dirname(path) or ".", os.W_OK):  # noqa: PTH120
            yield fine("rights", "the file may be read and written")
            return
        yield warning(
            "rights",
            "the file may be read, but not written",
            "check the rights of the file and of its folder",
        )

    def _row_security(self) -> Iterator[Finding]:
        if not self.catalogue.is_postgresql:
            return
        query = text("""
            SELECT t FROM unnest(CAST(:tables AS text[])) AS t
             WHERE to_regclass(t) IS NOT NULL AND row_security_active(to_regclass(t)::oid)
        """)
        names = [DEFINITIONS, VERSIONS, DEPLOYMENTS, ITEMS]
        active = list(self.connection.execute(query, {"tables": names}).scalars())
        applies = f"row-level security applies to {', '.join(active)}"
        if find_hiding(self.connection, self.tables) or {DEPLOYMENTS, ITEMS} & set(active):
            yield warning(
                "row-level security",
                f"{applies}: a row that its policies hide from this role cannot be told from one that isn't there, so "
                "`--prune` deletes no file and a push creates nothing (`INCOMPLETE_SOURCE`)",
                "let the policies show this role all rows of the tenant, or give it BYPASSRLS",
            )
        elif active:
            yield fine("row-level security", f"{applies}; its policies show this role all rows of the tenant")

    def _lock(self) -> Iterator[Finding]:
        holder = find_holder(self.connection, tenant=self.tables.ledger_tenant)
        if holder is None:
            return
        stop = f"wait for it; if it hangs, `SELECT pg_terminate_backend({holder.process})` rolls it back"
        if not (holder.name or "").startswith("gitsync"):
            yield warning("lock", f"{holder} holds the deployment lock, and is no gitsync", stop)
        elif holder.state == "idle in transaction" and (holder.seconds or 0) > _LONG:
            yield warning("lock", f"{holder} holds the deployment lock and does nothing", stop)
        else:
            yield Finding("lock", Level.OK, f"{holder} is deploying right now")


_USERS: Final = {
    True: text("""
        SELECT attname FROM pg_attribute WHERE attrelid = to_regclass(:users) AND attnum > 0
           AND NOT attisdropped AND has_table_privilege(attrelid, 'SELECT')
    """),
    False: text("SELECT name FROM pragma_table_info(:users)"),
}
"""The columns of the product's users, where the role may read them, by whether it is PostgreSQL."""


def _listed_calls(items: Sequence[Dangling]) -> str:
    return listed(sorted(f"{item.caller} calls {item.called}" for item in items), MOST_LISTED)
