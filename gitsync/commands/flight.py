"""What a plan would do to runs in flight, told with it: which run waits where, and what would become of it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from gitsync.errors import GitsyncError
from gitsync.sync.flight import BrokenCall, Fate, find_broken_calls, find_fates, removed_versions
from gitsync.sync.model import Action, Change
from gitsync.workflow.types import Key

if TYPE_CHECKING:
    from gitsync.commands.targets import Target
    from gitsync.stores.database.store import Database
    from gitsync.stores.git.commit import CommitSide
    from gitsync.sync.plan import Plan
    from gitsync.sync.push import PushOptions

_TOLD: Final = frozenset({"RUNS_WOULD_BE_LOST", "VERSION_IN_USE", "VERSION_REWRITTEN", "STILL_CALLED"})
"""The refusals that are about what hangs on the workflows."""
_SHOWN: Final = 20


@dataclass(frozen=True, slots=True)
class Flight:
    """What becomes of runs, and of calls of versions that go."""

    fates: Sequence[Fate] = ()
    calls: Sequence[BrokenCall] = ()

    def lines(self) -> list[str]:
        """The first of them in words, and how many there are more."""
        told = [*map(str, self.fates), *map(str, self.calls)]
        return told[:_SHOWN] + ([f"and {len(told) - _SHOWN} more"] if len(told) > _SHOWN else [])

    def as_json(self) -> dict[str, Any]:
        """The member ``inFlight`` of a plan's JSON; nothing where there is nothing to tell."""
        if not self.fates and not self.calls:
            return {}
        return {
            "inFlight": {
                "runs": [fate.as_json() for fate in self.fates],
                "calls": [call.as_json() for call in self.calls],
            }
        }


def look_in_flight(
    side: CommitSide, database: Target, plan: Plan, options: PushOptions, error: GitsyncError | None
) -> Flight:
    """What the plan would do to runs and callers; read only where it would do anything to them.

    error: what stops the push. Without one there is something to tell only where the options let it through.
    """
    from gitsync.stores.database.store import Database

    is_told = options.discard_runs or options.force if error is None else error.code in _TOLD
    touched = [change for change in plan.changes if change.action is not Action.CREATE]
    if not is_told or not touched or not isinstance(database, Database):
        return Flight()
    return _look(side, database, touched, in_place=options.in_place)


def explain(error: GitsyncError, flight: Flight) -> None:
    """Add what was found to a refusal, for a person and for ``-o json``."""
    error.lines = (*error.lines, *flight.lines())
    error.details |= flight.as_json()


def _look(side: CommitSide, database: Database, touched: Sequence[Change], *, in_place: bool) -> Flight:
    keys = [change.key for change in touched]
    runs = database.unfinished_runs(keys)
    updated = [change.key for change in touched if change.action is Action.UPDATE]
    before = dict(database.load(keys))
    after = dict(side.load(updated))
    fates = find_fates(touched, runs, before=before, after=after, in_place=in_place)
    removed = removed_versions(before, after)
    return Flight(fates, find_broken_calls(_callers(database, removed, after), removed) if removed else [])


def _callers(database: Database, removed: Collection[Key], after: dict[Key, Any]) -> list[tuple[Key, Any]]:
    """The callers of workflows that lose a version, as they will be; those that go themselves are left out."""
    keys = database.callers(removed)
    held = [
        (key, document) for key, document in database.load(keys) if key not in after and key not in removed
    ]
    return held + [(key, document) for key, document in after.items() if key in keys]
