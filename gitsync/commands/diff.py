"""``diff``: what differs between git and the database, in words and line by line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from gitsync.commands.difference import MASKED, Differ, Difference
from gitsync.commands.project import Project
from gitsync.commands.report import drift_exit, tell_warnings, unreadable_outcome
from gitsync.errors import GitsyncError
from gitsync.sync.plan import Entry
from gitsync.sync.states import State


@dataclass(frozen=True, slots=True, kw_only=True)
class DiffReport:
    """What `diff` saw.

    commit: ``None`` before the first one. apart: the entries that are not in step. differ: reads the differences from
    both sides while the project is open. error: what could not be read and was left out.
    """

    kind: ClassVar[str] = "diff"
    environment: str
    commit: str | None
    apart: Sequence[Entry]
    differ: Differ
    error: GitsyncError | None = None

    @property
    def notes(self) -> Sequence[str]:
        """That secrets were masked in what was told so far."""
        return [f"note: {MASKED}"] if self.differ.secrets else []

    @property
    def differences(self) -> Iterator[Difference]:
        """One for each entry that is apart, in order."""
        return self.differ.differences(self.apart)

    @property
    def exit_code(self) -> int:
        """3 where there is a conflict, 2 where anything differs, else 0."""
        return drift_exit(self.apart)


def diff(project: Project, *, keys: Sequence[str] = (), ref: str = "HEAD") -> DiffReport:
    """Compare a commit with the environment's database or server, workflow by workflow; write nothing.

    keys: keys or globs, all workflows where there are none. Raises GitsyncError where either side cannot be read.
    """
    side = project.commit_side(ref)
    target = project.target(command="diff")
    comparison = project.compare(side, target, select=keys)
    tell_warnings(project.context, comparison.misplaced)
    apart = [entry for entry in comparison.entries if entry.state is not State.IN_SYNC]
    return DiffReport(
        environment=project.environment.name,
        commit=side.revision,
        apart=apart,
        differ=Differ(project.git, side, target),
        error=unreadable_outcome(apart),
    )
