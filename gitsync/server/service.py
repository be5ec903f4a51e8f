"""What the server does for a request, with no HTTP in it; import and export are the command line's own."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from gitsync.commands.bundles import export_keys
from gitsync.commands.context import Context, Unattended
from gitsync.commands.imports import ImportWishes, make_policy, prepare_import
from gitsync.config import Config, Environment
from gitsync.errors import DatabaseError, InvalidInput, PlanStale
from gitsync.render.json import change_json, summary_json
from gitsync.server.answers import HttpError
from gitsync.server.listing import iter_definition_rows, read_key, read_version, read_version_list
from gitsync.stores.bundle import BundleSide
from gitsync.stores.database.connect import make_engine, mask_url
from gitsync.stores.database.store import Database
from gitsync.stores.database.tokens import Token, Tokens
from gitsync.sync.imports import ImportPolicy, PlannedImport, apply_import
from gitsync.sync.model import Applied
from gitsync.workflow.canonical import canonical_bytes
from gitsync.workflow.document import is_key
from gitsync.workflow.parse import parse_json
from gitsync.workflow.registry import Registry
from gitsync.workflow.types import Digest, Json, Key

READERS: Final = 8
"""Reading requests that are worked on at a time; each has a connection of its own."""
STRANGERS: Final = 2
"""The same of requests of which nobody knows yet who sent them."""
WHOLE: Final = 2
"""Requests for everything at a time, from when they are begun until their answers have been taken."""
BODIES: Final = 4
"""Bodies that are held at a time; one of them is parsed."""
_TRIES: Final = 5
_WRAPPED: Final = {"bundle", "expectedDigests"}


@dataclass(frozen=True, slots=True)
class ServedDatabase:
    """The database that is served.

    url: the environment's, with an absolute path. environment: it says how imports overwrite, unless a request
    does. config: the limits and rules that imports are judged by. new_tenant: the tenant may have no workflows yet.
    statement_timeout: seconds after which PostgreSQL gives a statement up.
    """

    url: str = field(repr=False)
    environment: Environment
    config: Config
    new_tenant: bool = False
    lock_timeout: float = 10.0
    statement_timeout: float = 60.0


@dataclass(frozen=True, slots=True)
class ImportRequest:
    """One import as it was asked for.

    if_match, if_none_match: what the request's headers expect of the one workflow; the body may expect more.
    """

    data: bytes = field(repr=False)
    wishes: ImportWishes
    dry_run: bool = False
    if_match: str | None = None
    if_none_match: str | None = None


class Service:
    """The workflows of one database and tenant, offered to many clients at once; close it at the end.

    registry: reads what the runtime offers; ``None`` where that isn't known. now: tells the time, RFC 3339 in UTC.
    """

    def __init__(
        self, served: ServedDatabase, *, registry: Callable[[], Registry | None], now: Callable[[], str]
    ) -> None:
        self.served: Final = served
        self.address: Final = mask_url(served.url)
        self.registry: Final = registry
        self._now = now
        # Whoever sends an import has decided; nobody is there to be asked, or to hear what a person would.
        self._context = Context(where=Path(), caller=Unattended(says_yes=True))
        self._engine = make_engine(
            served.url,
            command="serve",
            lock_timeout=served.lock_timeout,
            statement_timeout=served.statement_timeout,
            pool_size=READERS + STRANGERS + 1,
        )
        self._tokens = Tokens(self._engine, tenant=served.environment.tenant, address=self.address)

    def close(self) -> None:
        """Let go of the database."""
        self._engine.dispose()

    def check_ready(self) -> None:
        """Raise where an import could not be written now, or a token not be checked."""
        with self._database() as database:
            database.check_writable()
        self._tokens.check()

    def find_token(self, text: str) -> Token | None:
        """Return the token in use that `text` is."""
        return self._tokens.find(text)

    def tokens(self) -> int:
        """Return how many tokens are in use."""
        return len(self._tokens.list())

    def definitions(self, *, with_hidden: bool) -> Json:
        """Return the rows of all workflows."""
        with self._database() as database, database.rows() as (connection, tables):
            return list(iter_definition_rows(connection, tables, with_hidden=with_hidden))

    def versions(self, workflow_id: str) -> Json:
        """Return the published versions of one workflow, newest first."""
        known = _parse_id(workflow_id)
        with self._database() as database, database.rows() as (connection, tables):
            rows = read_version_list(connection, tables, known)
        if rows is None:
            raise not_found("Workflow definition not found")
        return {"versions": list(rows)}

    def version(self, workflow_id: str, number: int) -> Json:
        """Return the row of one version, or the draft under its number."""
        known = _parse_id(workflow_id)
        with self._database() as database, database.rows() as (connection, tables):
            row = read_version(connection, tables, known, number)
        if row is None:
            raise not_found("Workflow version not found")
        return row

    def export_one(self, workflow_id: str) -> tuple[bytes, Digest]:
        """Return the bundle of one workflow, and the workflow's digest."""
        known = _parse_id(workflow_id)
        with self._database() as database:
            with database.rows() as (connection, tables):
                key_row = read_key(connection, tables, known)
            if key_row is None:
                raise not_found("Workflow definition not found")
            (key,) = key_row
            if not is_key(key):
                raise HttpError(
                    400,
                    "INVALID_KEY",
                    "The workflow has no key that a bundle can hold",
                    {"workflowId": known, "key": key},
                )
            bundle = export_keys(database, [str(key)], exported_at=self._now())  # no key is a glob
        return bundle.data, bundle.changes[0].after or Digest("")

    def export(self, patterns: Sequence[str]) -> bytes:
        """Return the bundle of the workflows that match, of all without a pattern."""
        with self._database() as database:
            return export_keys(database, patterns, exported_at=self._now()).data

    def import_(self, request: ImportRequest) -> dict[str, Any]:
        """Return the summary of an import that has been made, or was only looked at."""
        bundle, expected = _read_request(request)
        policy = make_policy(self.served.config, self.served.environment, request.wishes)
        policy = replace(policy, expected=expected)
        with self._database(in_place=policy.in_place) as database:
            planned, applied = self._write(bundle, database, policy, dry_run=request.dry_run)
        return _summary(planned, applied, dry_run=request.dry_run)

    def _write(
        self, bundle: BundleSide, database: Database, policy: ImportPolicy, *, dry_run: bool
    ) -> tuple[PlannedImport, Applied]:
        """Plan and write, and begin anew where somebody else wrote in between: nobody has seen the plan yet."""
        for rest in reversed(range(_TRIES)):
            planned = prepare_import(
                self._context,
                self.served.environment,
                bundle,
                database,
                registry=self.registry(),
                policy=policy,
                dry_run=dry_run,
            )
            try:
                return planned, apply_import(planned, bundle, database, dry_run=dry_run)
            except PlanStale:
                if not rest:
                    raise
            except DatabaseError as error:
                if error.code != "DATABASE_UNREACHABLE":
                    raise
                raise HttpError(
                    503,
                    "OUTCOME_UNKNOWN",
                    "the database went away while the import was written: "
                    "it is there as a whole or not at all; look before it is sent again",
                ) from error
        raise AssertionError("unreachable")

    @contextmanager
    def _database(self, *, in_place: bool = False) -> Iterator[Database]:
        environment = self.served.environment
        with Database(
            self.served.url,
            environment=environment.name,
            tenant=environment.tenant,
            actor=environment.actor,
            command="serve",
            in_place=in_place,
            new_tenant=self.served.new_tenant,
            engine=self._engine,
        ) as database:
            yield database


def not_found(message: str) -> HttpError:
    """Return the answer for what isn't there."""
    return HttpError(404, "NOT_FOUND", message)


def _parse_id(text: str) -> str:
    try:
        return str(uuid.UUID(text))
    except ValueError:
        raise not_found("Workflow definition not found") from None


def _read_request(request: ImportRequest) -> tuple[BundleSide, Mapping[Key, Digest | None] | None]:
    """Return the bundle of a request, and the digests that it expects, by key."""
    data, expected = request.data, None
    if b'"expectedDigests"' in data:
        data, expected = _unwrap(data)
    bundle = BundleSide.read(data, file="the request's body")
    if request.if_match is not None or request.if_none_match is not None:
        expected = dict(expected or {}) | _of_headers(request, bundle)
    return bundle, expected


def _unwrap(data: bytes) -> tuple[bytes, Mapping[Key, Digest | None] | None]:
    """Return the bundle inside a body that also says what it expects; any other body as it is."""
    value = parse_json(data, file="the request's body")
    if not isinstance(value, dict) or set(value) != _WRAPPED:
        return data, None
    expected = value["expectedDigests"]
    if not isinstance(expected, dict) or not all(_is_expectation(digest) for digest in expected.values()):
        raise InvalidInput(
            "expectedDigests maps keys to digests, or to null for no workflow",
            code="INVALID_EXPECTATION",
            cure="write 40 hexadecimal digits, as an export's ETag has them",
        )
    return canonical_bytes(value["bundle"]), {
        Key(key): None if digest is None else Digest(str(digest)) for key, digest in expected.items()
    }


def _is_expectation(digest: object) -> bool:
    return digest is None or (
        isinstance(digest, str) and len(digest) == 40 and set(digest) <= set("0123456789abcdef")
    )


def _of_headers(request: ImportRequest, bundle: BundleSide) -> dict[Key, Digest | None]:
    """Return what ``If-Match`` and ``If-None-Match: *`` expect of the one workflow of a bundle."""
    keys = list(bundle.content.documents)
    given = (request.if_match or "").strip().removeprefix("W/").strip('"')
    is_plain = len(keys) == 1 and (request.if_match is None or _is_expectation(given))
    if (
        not is_plain
        or (request.if_none_match not in (None, "*"))
        or (request.if_match is not None and request.if_none_match is not None)
    ):
        raise InvalidInput(
            "If-Match holds the one digest of a bundle's one workflow, If-None-Match a *",
            code="INVALID_EXPECTATION",
            cure="for several workflows send `expectedDigests` beside the bundle",
        )
    return {keys[0]: None if request.if_match is None else Digest(given)}


def _summary(planned: PlannedImport, applied: Applied, *, dry_run: bool) -> dict[str, Any]:
    """Return the product's summary, which also counts what was as wanted already, and what gitsync has to add."""
    summary = summary_json(applied)
    unchanged = [
        {"key": key, "workflowId": workflow_id} for key, workflow_id in sorted(planned.unchanged.items())
    ]
    if not dry_run:
        rows = [*summary["createdWorkflows"], *unchanged]
        summary["createdWorkflows"] = sorted(rows, key=lambda row: str(row["key"]))
    return {
        **summary,
        "unchangedWorkflows": unchanged,
        "changes": [change_json(change) for change in planned.changes],
        "warnings": [*map(str, planned.problems), *planned.warnings],
        "deployment": applied.number,
        "dryRun": dry_run,
    }
