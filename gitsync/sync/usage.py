"""What a database has around the workflows that a run touches, and what the run may do to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from gitsync.errors import plural
from gitsync.workflow.types import Key

ENDED: Final = frozenset({"SUCCEEDED", "FAILED", "CANCELED"})
"""Run statuses after which nothing more happens; any other counts as unfinished."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What hangs on one workflow of the database.

    runs: status → how many. in_use: version → how many unfinished runs execute it. schedules, webhooks: how
    many name the workflow.
    """

    runs: Mapping[str, int] = field(default_factory=dict)
    in_use: Mapping[int, int] = field(default_factory=dict)
    schedules: int = 0
    webhooks: int = 0

    @property
    def is_empty(self) -> bool:
        """Whether nothing hangs on it."""
        return not self.runs and not self.schedules and not self.webhooks

    def __str__(self) -> str:
        parts = [f"{count} {status}" for status, count in sorted(self.runs.items())]
        for count, noun in ((self.schedules, "schedule"), (self.webhooks, "webhook")):
            if count:
                parts.append(plural(count, noun))
        return ", ".join(parts)


@dataclass(frozen=True, slots=True, order=True)
class UnfinishedRun:
    """One run that has not ended.

    path: of the step that it is at, ``None`` where the database doesn't say. waits_for: in words, empty where it
    runs. is_pinned: its engine refuses to go on with any other content of its version.
    """

    key: Key
    version: int
    run_id: str
    status: str
    path: str | None = None
    waits_for: str = ""
    is_pinned: bool = False


@dataclass(frozen=True, slots=True)
class Call:
    """One draft or published version in the database that calls a workflow by its id.

    row: the id of the row that it stands in. caller: the calling workflow's id. key: ``None`` where it has
    none. version: ``None`` for the draft.
    """

    called: str
    row: str
    caller: str
    key: str | None
    name: str
    version: int | None = None

    @property
    def title(self) -> str:
        """What a person knows the caller by."""
        return self.key or f"{self.name!r} ({self.caller})"


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the database has around the workflows that a plan touches.

    ids: key → id of each key of the plan that is there. usage: by workflow id, of these and of all callers.
    calls: of workflows that the plan deletes or gives a new id, by workflows that it does not write.
    """

    ids: Mapping[Key, str] = field(default_factory=dict)
    usage: Mapping[str, Usage] = field(default_factory=dict)
    calls: Sequence[Call] = ()


@dataclass(frozen=True, slots=True)
class Protection:
    """What a run may do to what hangs on its workflows.

    rewritten: key → published versions that its update changes or removes; ``None`` where nobody has looked.
    """

    rewritten: Mapping[Key, frozenset[int]] | None = None
    discard_runs: bool = False
    force: bool = False
