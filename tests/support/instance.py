"""One database with the product's tables and the ledger, and what is done to it through gitsync's own code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from gitsync.stores.database.connect import make_engine
from gitsync.stores.database.init import init_database
from gitsync.stores.database.store import Database
from gitsync.sync.model import Action, Applied, Change, Deployment, MarkKind
from gitsync.sync.usage import Protection
from gitsync.workflow.canonical import document_digest
from gitsync.workflow.types import Digest, Document, Key
from tests.support.editor import Editor
from tests.support.product import Generation, make_product_tables

COMMIT = "c" * 40


class Kind(NamedTuple):
    """Which database, and which of the product's tables are in it."""

    database: str
    generation: Generation
    has_ledger: bool = True

    def __str__(self) -> str:
        return f"{self.database}-{self.generation}"


TODAY = (Kind("sqlite", Generation.CURRENT), Kind("postgresql", Generation.CURRENT))


@dataclass(frozen=True, slots=True)
class Instance:
    """One database with the product's tables, and the ledger."""

    url: str
    generation: Generation
    editor: Editor

    def open(self, *, in_place: bool = False, **options: Any) -> Database:
        """The database's side, to be entered."""
        facts = {"environment": "test", "tenant": self.generation.tenant, "actor": None, "command": "push"}
        return Database(self.url, **(facts | {"in_place": in_place} | options))

    def digests(self) -> dict[Key, Digest]:
        """What the database holds."""
        with self.open(new_tenant=True) as database:
            return dict(database.snapshot().digests)

    def push(
        self,
        *documents: Document,
        delete: Sequence[str] = (),
        in_place: bool = False,
        protection: Protection | None = None,
        **options: Any,
    ) -> Applied:
        """Apply what makes the database hold `documents`, and no more the workflows of `delete`."""
        held = self.digests()
        with self.open(in_place=in_place, new_tenant=True, **options) as database:
            return database.apply(
                changes_to(held, *documents, delete=delete),
                [(document["key"], document) for document in by_key(documents)],
                Deployment(MarkKind.PUSH, COMMIT, protection=protection or Protection()),
            )

    def everything(self) -> dict[str, list[dict[str, Any]]]:
        """All rows of all tables, to compare the database with itself."""
        tables = (
            "workflow_definitions",
            "workflow_definition_versions",
            "workflow_runs",
            "gitsync_deployments",
            "gitsync_deployment_items",
        )
        return {table: self.editor.rows(table) for table in tables}


def make_instance(url: str, generation: Generation, *, has_ledger: bool = True) -> Instance:
    """An instance of `generation` in an empty database."""
    make_product_tables(url, generation)
    if has_ledger:
        engine = make_engine(url, command="db init", lock_timeout=5, create=True)
        init_database(engine, tenant=generation.tenant)
        engine.dispose()
    return Instance(url, generation, Editor(url, tenant=generation.tenant))


def by_key(documents: Sequence[Document]) -> list[Document]:
    """`documents` in the order in which a side wants them."""
    return sorted(documents, key=lambda document: str(document["key"]))


def changes_to(
    held: Mapping[Key, Digest], *documents: Document, delete: Sequence[str] = ()
) -> tuple[Change, ...]:
    """The changes that lead from `held` to `documents`."""
    changes = [Change(Key(key), Action.DELETE, held[Key(key)], None) for key in delete]
    for document in documents:
        before = held.get(document["key"])
        action = Action.CREATE if before is None else Action.UPDATE
        changes.append(Change(document["key"], action, before, document_digest(document)))
    return tuple(sorted(changes))
