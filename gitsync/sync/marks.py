"""The marks that a run leaves in the ledger beside its writes."""

from __future__ import annotations

from collections.abc import Collection

from gitsync.errors import AccessDenied
from gitsync.sync.compare import Comparison, MakeHistory
from gitsync.sync.model import Deployment, Mark, MarkKind
from gitsync.sync.states import State, in_step_mark
from gitsync.sync.stores import Target
from gitsync.workflow.types import Key


def in_step_marks(
    comparison: Comparison,
    *,
    target: Target,
    history: MakeHistory,
    commit: str,
    but: Collection[Key] = (),
) -> dict[Key, Mark]:
    """The marks due for keys found in step at `commit`; none where the path hasn't changed since the last.

    but: keys whose files aren't committed, which stand in step with no commit.
    """
    if target.ledger is None or set(commit) == {"0"}:
        return {}
    recent = target.ledger.recent_marks()
    in_step = {entry.key: entry.database for entry in comparison.entries if entry.state is State.IN_SYNC}
    if not comparison.is_selected and not comparison.database.may_hide:
        gone = recent.keys() - comparison.files.keys() - comparison.database.keys
        in_step |= dict.fromkeys(gone)
    due = {}
    for key, digest in in_step.items():
        newest = next((mark for mark in recent.get(key, ()) if mark.commit), None)
        is_noted = (
            newest and newest.kind is MarkKind.PUSH and (newest.digest, newest.commit) == (digest, commit)
        )
        if not is_noted and key not in but:
            due[key] = digest
    if not due:
        return {}
    commits = {mark.commit for key in due for mark in recent.get(key, ()) if mark.commit}
    past = history(list(due), commits, sorted(commits))
    found = {key: in_step_mark(key, digest, recent.get(key, ()), past) for key, digest in due.items()}
    return {key: mark for key, mark in found.items() if mark is not None}


def record_quietly(target: Target, deployment: Deployment) -> int | None:
    """Note marks where there is something to note and the right to; a reader leaves none."""
    if target.ledger is None or not (deployment.marks and target.capabilities.has_ledger):
        return None
    try:
        return target.ledger.record(deployment)
    except AccessDenied:
        return None
