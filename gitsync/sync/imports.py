"""The import of a bundle: no base and no history, as the product's own import has none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gitsync.errors import Conflict, InvalidInput
from gitsync.sync.reconcile import LedgerSide
from gitsync.sync.side import Action, Applied, Change, Deployment, MarkKind
from gitsync.workflow.canonical import document_digest
from gitsync.workflow.check import check_dependencies
from gitsync.workflow.registry import Registry
from gitsync.workflow.types import Document, Key


@dataclass(frozen=True, slots=True)
class PlannedImport:
    """The changes of one import, ordered by key, with the documents to write."""

    changes: tuple[Change, ...]
    documents: dict[Key, Document]
    number: int


def plan_import(
    documents: Sequence[tuple[Key, Document]],
    database: LedgerSide,
    *,
    registry: Registry | None,
    file: str,
    update: bool,
    force: bool,
) -> PlannedImport:
    """What the import would do; raises InvalidInput (MISSING_DEPENDENCIES), then Conflict, with all of it."""
    held = dict(documents)
    if registry is not None and (problems := check_dependencies(held, registry)):
        count = len(problems)
        raise InvalidInput(
            f"{file}: {count} dependenc{'y is' if count == 1 else 'ies are'} not offered by the runtime; nothing was written",
            code="MISSING_DEPENDENCIES",
            problems=problems,
            cure="add them to registry.yaml if the runtime has them, or take them out of the bundle",
        )
    number = database.newest_number() if database.has_ledger else 0
    there = database.snapshot().digests
    wanted = {key: document_digest(document) for key, document in held.items()}
    existing = sorted(key for key in wanted if key in there and not (update and there[key] == wanted[key]))
    if existing and not force:
        raise Conflict(
            f"{len(existing)} of the bundle's workflows exist already: {', '.join(existing)}; nothing was written",
            code="WORKFLOW_KEY_CONFLICT",
            details={
                "workflowKey": existing[0],
                "conflicts": [
                    {
                        "key": key,
                        "state": "exists",
                        "repository": wanted[key],
                        "database": there[key],
                        "base": None,
                    }
                    for key in existing
                ],
            },
            cure=f"`gitsync import --force {file}` overwrites them",
        )
    changes = tuple(
        Change(key, Action.UPDATE if key in there else Action.CREATE, there.get(key), wanted[key])
        for key in sorted(wanted)
        if there.get(key) != wanted[key]
    )
    return PlannedImport(changes, held, number)


def apply_import(planned: PlannedImport, database: LedgerSide, *, dry_run: bool) -> Applied:
    """Write the import in one transaction, or nothing where it is dry or empty."""
    if dry_run or not planned.changes:
        return Applied()
    documents = ((change.key, planned.documents[change.key]) for change in planned.changes)
    deployment = Deployment(MarkKind.IMPORT, None, {}, planned.number)
    return database.apply(planned.changes, documents, deployment)
