"""The export of workflows into a bundle: from a database, a server or a commit, always this one way."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable

from gitsync.errors import PlanStale, Refused
from gitsync.sync.model import Action, Applied, Change, Deployment, MarkKind
from gitsync.sync.stores import WritableStore
from gitsync.workflow.canonical import document_digest
from gitsync.workflow.types import Document, Key

Load = Callable[[Collection[Key]], Iterable[tuple[Key, Document]]]
"""Keys → the documents of those that are there, ordered by key."""


def export_workflows(
    load: Load, bundle: WritableStore, keys: Collection[Key]
) -> tuple[tuple[Change, ...], Applied]:
    """Write the workflows `keys` that `load` gives into `bundle`, a new one, all of them or none.

    Raises Refused (EMPTY_SOURCE) without a key, since a bundle holds at least one workflow, and PlanStale where
    one has gone since `keys` were listed.
    """
    if not keys:
        raise Refused(
            "there is no workflow to export, and a bundle holds at least one",
            code="EMPTY_SOURCE",
            cure="is this the right environment and tenant? `gitsync status` lists what is there",
        )
    documents = list(load(keys))
    if gone := sorted(set(keys) - {key for key, _ in documents}):
        raise PlanStale(
            f"{', '.join(gone)}: gone while it was exported; nothing was written",
            details={"keys": gone},
            cure="run the command again",
        )
    changes = tuple(
        Change(key, Action.CREATE, None, document_digest(document)) for key, document in documents
    )
    return changes, bundle.apply(changes, documents, Deployment(MarkKind.PULL, None))
