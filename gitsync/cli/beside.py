"""What a plan tells beside its changes: the verdict of the tests, and runs in flight."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gitsync.commands.flight import Flight, explain, look_in_flight
from gitsync.commands.gate import NO_GATE, Gate, run_gate

if TYPE_CHECKING:
    from gitsync.commands.project import Project
    from gitsync.commands.targets import Target
    from gitsync.errors import GitsyncError
    from gitsync.stores.git.commit import CommitSide
    from gitsync.sync.plan import Plan
    from gitsync.sync.push import PushOptions


@dataclass(frozen=True, slots=True)
class Beside:
    """Both, and what stops a push after all."""

    gate: Gate
    flight: Flight
    obstacle: GitsyncError | None

    def as_json(self) -> dict[str, Any]:
        """The members ``tests`` and ``inFlight``, where there are any."""
        return {**self.gate.as_json(), **self.flight.as_json()}

    def lines(self) -> Iterator[str]:
        """The verdict, and what becomes of runs where nothing stops it; what stops a push has them itself."""
        yield from self.gate.lines()
        if self.obstacle is None or self.gate.obstacle is not None:
            yield from (f"in flight: {line}" for line in self.flight.lines())


def look_beside(
    project: Project,
    side: CommitSide,
    database: Target,
    plan: Plan,
    options: PushOptions,
    obstacle: GitsyncError | None,
    *,
    is_tested: bool,
) -> Beside:
    """What there is to tell of a plan; a plan that something stops already isn't tested.

    obstacle: what stops a push; it is told what becomes of runs.
    """
    flight = look_in_flight(side, database, plan, options, obstacle)
    if obstacle is not None:
        explain(obstacle, flight)
        return Beside(NO_GATE, flight, obstacle)
    gate = run_gate(project, side, plan, is_asked=is_tested)
    return Beside(gate, flight, gate.obstacle)
