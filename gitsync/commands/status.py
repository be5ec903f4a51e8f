"""``status``: which side of each workflow has moved since the two were last in step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar

from gitsync.commands.difference import MOST_TOLD, Differ, Difference
from gitsync.commands.project import Project
from gitsync.commands.report import drift_exit, unreadable_outcome
from gitsync.errors import GitsyncError, Problem, first_of
from gitsync.stores.git.commit import WorkTree
from gitsync.sync.compare import Comparison
from gitsync.sync.plan import Entry
from gitsync.sync.states import State
from gitsync.workflow.types import Key


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusReport:
    """What `status` saw.

    commit: ``None`` before the first one. entries: every selected workflow, by key. uncommitted: the paths of files
    that differ from the commit. strays: files that can be no workflow. differences: of the first entries that are
    apart, where they were asked for. error: what could not be read and was left out.
    """

    kind: ClassVar[str] = "status"
    environment: str
    address: str
    commit: str | None
    comparison: Comparison
    entries: Sequence[Entry]
    uncommitted: Mapping[Key, str]
    strays: Sequence[Problem]
    differences: Mapping[Key, Difference] = field(default_factory=dict)
    notes: Sequence[str] = ()
    error: GitsyncError | None = None

    @property
    def apart(self) -> list[Entry]:
        """The entries that are not in step."""
        return [entry for entry in self.entries if entry.state is not State.IN_SYNC]

    @property
    def exit_code(self) -> int:
        """3 where there is a conflict, 2 where anything is apart, else 0."""
        return drift_exit(self.entries)


def status(
    project: Project, *, keys: Sequence[str] = (), ref: str = "HEAD", with_words: bool = False
) -> StatusReport:
    """Compare a commit with the environment's database or server; write nothing.

    keys: keys or globs, all workflows where there are none. with_words: read what changed as well.
    Raises GitsyncError where either side cannot be read.
    """
    is_here = ref == "HEAD" and not project.git.is_bare
    side = project.work_tree() if is_here else project.commit_side(ref)
    target = project.target(command="status")
    comparison = project.compare(
        side, target, select=keys, registry=project.registry_at(side.commit), is_loading=False
    )
    uncommitted = sorted(side.uncommitted) if isinstance(side, WorkTree) else []
    entries = flag_invalid(comparison)
    report = StatusReport(
        environment=project.environment.name,
        address=target.address,
        commit=side.revision,
        comparison=comparison,
        entries=entries,
        uncommitted={key: side.path(key) for key in uncommitted},
        strays=side.strays,
        error=unreadable_outcome(entries),
    )
    if not with_words:
        return report
    differences = Differ(project.git, side, target).differences(report.apart[:MOST_TOLD])
    return replace(report, differences={one.entry.key: one for one in differences})


def flag_invalid(comparison: Comparison) -> list[Entry]:
    """Return the entries, those whose file has a fault that stops a push flagged, with the first one in the note."""
    entries = []
    for entry in comparison.entries:
        facts = comparison.facts.get(entry.key)
        if facts and facts.errors:
            notes = (entry.note, first_of(facts.errors))
            entries.append(replace(entry, is_invalid=True, note="; ".join(filter(None, notes))))
        else:
            entries.append(entry)
    return entries
