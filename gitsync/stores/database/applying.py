"""The course of one deployment inside its transaction: lock, look again, write, read back, remember."""

from __future__ import annotations

import re
import uuid
from collections.abc import Collection, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, select
from sqlalchemy.exc import DBAPIError

from gitsync.errors import DatabaseError, NotConverged, PlanStale, listed
from gitsync.stores.database import ledger
from gitsync.stores.database.batches import DOCUMENTS, in_batches, read_ahead
from gitsync.stores.database.relink import relink_callers
from gitsync.stores.database.rows import HeldWorkflow, iter_held, read_ids, read_index
from gitsync.stores.database.tables import Tables
from gitsync.stores.database.usage import find_touched, read_surroundings
from gitsync.stores.database.writing import HeldVersions, Rows, Writer
from gitsync.sync.index import Index
from gitsync.sync.model import Action, Applied, Change, Deployment
from gitsync.sync.plan import check_readable
from gitsync.sync.protection import check_obstacles, find_obstacles
from gitsync.workflow.canonical import canonical_bytes, digest_of
from gitsync.workflow.types import Digest, Document, Key
from gitsync.workflow.versions import version_digest

_UNTRANSLATABLE: Final = re.compile(
    r'byte sequence ((?:0x[0-9a-f]{2} ?)+) ?in encoding "UTF8" has no equivalent in encoding "(\w+)"'
)
_UNLINKED: Final = Digest("")
"""Equals the digest of no version."""


@dataclass(frozen=True, slots=True)
class Applier:
    """One deployment; ``in_place`` keeps the ids of what is overwritten."""

    connection: Connection
    tables: Tables
    environment: str
    actor: str | None
    in_place: bool
    new_tenant: bool

    def apply(
        self, changes: Sequence[Change], documents: Iterable[tuple[Key, Document]], deployment: Deployment
    ) -> Applied:
        """Write all of it and check it; the caller holds the lock, commits, and rolls back what is raised."""
        connection, tables = self.connection, self.tables
        planned = {change.key: change for change in changes}
        index = self._lock_rows(changes, deployment)
        check_readable(planned.keys() | deployment.references, index.twins)
        around = read_surroundings(connection, tables, changes, index.ids, in_place=self.in_place)
        self._check_number(planned, deployment)
        number = ledger.add_deployment(
            connection, tables, deployment, environment=self.environment, actor=self.actor
        )
        new_ids = self._new_ids(changes, index)
        versions = self._record(number, deployment, planned, index, new_ids)
        obstacles = find_obstacles(changes, around, deployment.protection, in_place=self.in_place)
        check_obstacles(obstacles)
        gone = {change.key for change in changes if change.action is Action.DELETE}
        ids_by_key = {key: index.ids[key] for key in index.ids.keys() - gone} | new_ids
        if missing := sorted(deployment.references - ids_by_key.keys()):
            raise _stale(missing, "workflows that are called have gone since the plan was made:")
        writer = Writer(connection, tables, ids_by_key, self.actor)
        replaced = {
            key: index.ids[key] for key in planned if key in index.ids and new_ids.get(key) != index.ids[key]
        }
        writer.delete(replaced.values())
        written = self._write(writer, planned, documents, versions)
        moved = {old: new_ids[key] for key, old in replaced.items() if key in new_ids}
        relink_callers(connection, tables, around.calls, moved)
        self._check_converged(planned, ids_by_key, replaced)
        marks = {key: mark for key, mark in deployment.marks.items() if key not in planned}
        ledger.add_marks(connection, tables, number, marks)
        return Applied(created=new_ids, deleted=replaced, versions=written, number=number)

    def _lock_rows(self, changes: Sequence[Change], deployment: Deployment) -> Index:
        """The names of all workflows, after locking those planned, those called, and their callers.

        In one order everywhere, versions after definitions; nobody can add a version or start a run then.
        """
        connection, tables = self.connection, self.tables
        touched = {change.key for change in changes}
        ids = read_ids(connection, tables, touched | deployment.references)
        there, calls = find_touched(connection, tables, changes, ids, in_place=self.in_place)
        own = {*there.values(), *(call.caller for call in calls)}
        called = {ids[key] for key in deployment.references if key in ids}
        definitions, versions = tables.definitions.c, tables.versions.c
        of_workflows = select(definitions.workflow_id).where(
            tables.owned(), tables.among(definitions.workflow_id, own | called)
        )
        connection.execute(of_workflows.order_by(definitions.workflow_id).with_for_update()).all()
        of_versions = select(versions.version_id).where(
            tables.owned_versions(), tables.among(versions.workflow_id, own)
        )
        in_order = of_versions.order_by(versions.workflow_id, versions.version)
        connection.execute(in_order.with_for_update(of=tables.versions)).all()
        return read_index(connection, tables, new_tenant=self.new_tenant)

    def _check_number(self, planned: Mapping[Key, Change], deployment: Deployment) -> None:
        if deployment.expected_number is None:
            return
        later = ledger.keys_deployed_since(
            self.connection, self.tables, planned.keys(), deployment.expected_number
        )
        if later:
            raise _stale(later, "a later deployment has touched")

    def _new_ids(self, changes: Sequence[Change], index: Index) -> dict[Key, str]:
        """The id of each workflow that will be there afterwards; all are known before the first is written."""
        return {
            change.key: index.ids[change.key]
            if self.in_place and change.key in index.ids
            else str(uuid.uuid4())
            for change in changes
            if change.action is not Action.DELETE
        }

    def _record(
        self,
        number: int,
        deployment: Deployment,
        planned: Mapping[Key, Change],
        index: Index,
        new_ids: Mapping[Key, str],
    ) -> dict[Key, HeldVersions]:
        """Compare what is held with the plan and note it in the ledger; per key the versions held.

        Raises PlanStale for the keys that hold something else.
        """
        versions: dict[Key, HeldVersions] = {}
        rewritten = deployment.protection.rewritten
        stale: list[Key] = [
            change.key
            for change in planned.values()
            if (change.before is None) is not (change.key not in index.ids)
        ]

        def iter_items() -> Generator[ledger.Item]:
            with closing(self._held(planned, index)) as rows:
                for held in rows:
                    change, key = planned[held.key], held.key
                    content = canonical_bytes(held.document, known_plain=held.is_plain)
                    if digest_of(content) != change.before:
                        stale.append(key)
                    elif not stale:
                        if self.in_place:
                            lost = None if rewritten is None else rewritten.get(key, frozenset())
                            versions[key] = _held_versions(held, lost)
                        yield ledger.Item(change, content.decode(), held.workflow_id, new_ids.get(key))
            for key, change in planned.items():
                if key not in index.ids:
                    yield ledger.Item(change, workflow_id=new_ids.get(key))

        with closing(iter_items()) as all_items:
            for items in in_batches(all_items):
                ledger.add_items(self.connection, self.tables, number, deployment, items)
        if stale:
            raise _stale(sorted(set(stale)), "the database has changed since the plan was made:")
        return versions

    def _write(
        self,
        writer: Writer,
        planned: Mapping[Key, Change],
        documents: Iterable[tuple[Key, Document]],
        versions: Mapping[Key, HeldVersions],
    ) -> dict[Key, Sequence[int]]:
        """Insert and update, a batch at a time; the version numbers written per key."""
        written: dict[Key, Sequence[int]] = {}

        def iter_rows() -> Generator[Rows]:
            for key, document in documents:
                if key in planned:
                    yield writer.rows_of(key, document, versions.get(key))

        with closing(read_ahead(iter_rows(), DOCUMENTS)) as all_rows:
            for batch in in_batches(all_rows):
                with _named(batch):
                    writer.send(batch)
                written |= {rows.key: rows.written for rows in batch if rows.written}
        return written

    def _check_converged(
        self, planned: Mapping[Key, Change], ids_by_key: Mapping[Key, str], replaced: Mapping[Key, str]
    ) -> None:
        """Raise NotConverged where the database does not hold what was meant, whatever the reason.

        ids_by_key: of all workflows, as they are to be. replaced: the ids that are to be gone.
        """
        index = Index(ids_by_key, {workflow_id: key for key, workflow_id in ids_by_key.items()}, ())
        with closing(self._held(planned, index, is_alone=True)) as rows:
            digests = {held.key: held.digest for held in rows if not held.unlinked}
        wrong = {key for key, change in planned.items() if digests.get(key) != change.after}
        there = self._there(replaced.values()) if replaced else frozenset()
        wrong |= {key for key, workflow_id in replaced.items() if workflow_id in there}
        if wrong:
            raise NotConverged(
                f"the database holds something else than was written for {listed(sorted(wrong))}; "
                "nothing was written",
                details={"keys": sorted(wrong)},
                cure="`gitsync db check`: a trigger, a rule or row-level security changes what is written",
            )

    def _there(self, ids: Collection[str]) -> frozenset[str]:
        """Those of `ids` that still are a workflow's."""
        column = self.tables.definitions.c.workflow_id
        query = select(self.tables.as_text(column))
        query = query.where(self.tables.owned(), self.tables.among(column, ids))
        return frozenset(self.connection.execute(query).scalars())

    def _held(
        self, planned: Mapping[Key, Change], index: Index, *, is_alone: bool = False
    ) -> Generator[HeldWorkflow]:
        ids = [index.ids[key] for key in planned if key in index.ids]
        return iter_held(self.connection, self.tables, index.keys_by_id, ids=ids, is_alone=is_alone)


@contextmanager
def _named(batch: Sequence[Rows]) -> Iterator[None]:
    """Say which workflow of `batch` holds a character that the database's encoding has not."""
    try:
        yield
    except DBAPIError as error:
        found = _UNTRANSLATABLE.search(str(error.orig))
        if found is None:
            raise
        character = bytes.fromhex(found[1].replace("0x", "")).decode()
        keys = [rows.key for rows in batch if character in repr(rows)]
        raise DatabaseError(
            f"{listed(keys) or 'a workflow'}: {character!a} cannot be stored, since the database's encoding is "
            f"{found[2]}; nothing was written",
            code="NOT_IN_ENCODING",
            details={"keys": keys},
            cure=f"take {character!a} out of the file; or move the product to a database whose encoding is UTF8",
        ) from error


def _held_versions(held: HeldWorkflow, rewritten: Collection[int] | None) -> HeldVersions:
    """The versions of a workflow that is about to be overwritten; what isn't linked is as nothing that is meant.

    rewritten: those that are known to change or go, ``None`` where nobody has looked.
    """
    found: dict[int, Digest | None] = {}
    for version in held.document["publishedVersions"]:
        number = version["version"]
        if number in held.unlinked:
            found[number] = _UNLINKED
        else:
            is_kept = rewritten is not None and number not in rewritten
            found[number] = None if is_kept else version_digest(version)
    return found


def _stale(keys: Sequence[Key], what: str) -> PlanStale:
    return PlanStale(
        f"{what} {listed(keys)}; nothing was written",
        details={"keys": list(keys)},
        cure="look with `gitsync status`, then run the command again",
    )
