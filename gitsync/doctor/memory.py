"""What the two sides remember of each other: the states, the ledger, and the commits that it names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from gitsync.doctor.finding import MOST_LISTED, Finding, fault, fine, warning
from gitsync.errors import listed, plural
from gitsync.stores.git import ZERO, GitRepository
from gitsync.sync.compare import Comparison
from gitsync.sync.model import Mark
from gitsync.sync.plan import UNREADABLE_CURES
from gitsync.sync.states import State
from gitsync.workflow.types import Key


def check_memory(
    comparison: Comparison, recent: Mapping[Key, Sequence[Mark]] | None, git: GitRepository
) -> Iterator[Finding]:
    """Say how the sides stand, and whether the ledger can say why; recent: its marks, ``None`` without a ledger."""
    yield from _states(comparison)
    if recent is not None:
        yield from _ledger(comparison, recent)
        yield from _commits(recent, git)


def _states(comparison: Comparison) -> Iterator[Finding]:
    counts = Counter(entry.state for entry in comparison.entries)
    summary = ", ".join(f"{counts[state]} {state}" for state in State if counts[state])
    yield fine("states", summary or "no workflow on either side")
    keys = [entry.key for entry in comparison.entries if entry.state is State.DIVERGED]
    if keys:
        yield warning(
            "diverged",
            f"both sides have changed {listed(keys, MOST_LISTED)}",
            f"`gitsync diff {keys[0]}`, then `gitsync pull --branch from-database {keys[0]}` and "
            "`git merge from-database`",
        )
    for entry in comparison.entries:
        if (
            entry.unreadable is not None and entry.unreadable.code != "DUPLICATE_KEY"
        ):  # the check of keys has those
            yield fault("unreadable", entry.unreadable.reason, UNREADABLE_CURES[entry.unreadable.code])
    keys = [entry.key for entry in comparison.entries if entry.state is State.UNKNOWN]
    if keys:
        yield warning(
            "unknown",
            f"this clone's history cannot say which side moved: {listed(keys, MOST_LISTED)}",
            "`git fetch --unshallow`, in CI `fetch-depth: 0`",
        )


def _ledger(comparison: Comparison, recent: Mapping[Key, Sequence[Mark]]) -> Iterator[Finding]:
    in_step = sum(entry.state is State.IN_SYNC for entry in comparison.entries)
    if in_step and not recent:
        yield warning(
            "empty ledger",
            f"it knows no workflow, and {in_step} in the database are as in git: was it lost, or were the "
            "product's tables restored without it? History alone decides now, and takes a revert in the editor "
            "for an old version",
            "`gitsync push` notes what is in step, and writes no workflow that is",
        )


def _commits(recent: Mapping[Key, Sequence[Mark]], git: GitRepository) -> Iterator[Finding]:
    newest = {key: mark.commit for key, marks in recent.items() for mark in marks[:1] if mark.commit}
    commits = set(newest.values()) - {ZERO}
    missing = sorted(commits - git.have(commits))
    if missing:
        keys = sorted(key for key, commit in newest.items() if commit in missing)
        yield warning(
            "deployed commits",
            f"{plural(len(keys), 'workflow')} last in step at commits that aren't here ({listed(missing, MOST_LISTED)}): "
            f"{listed(keys, MOST_LISTED)}",
            f"`git fetch origin {missing[0]}`; where history was rewritten, `gitsync push --force` notes the new "
            "commit",
        )
    elif commits:
        yield fine(
            "deployed commits", f"{plural(len(commits), 'commit')} named by the ledger, none is missing here"
        )
