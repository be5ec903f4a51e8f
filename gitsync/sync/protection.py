"""What may not be lost with a write: runs, schedules and webhooks, published versions, and calls. No I/O at all."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from gitsync.errors import Refused, noun_for, plural
from gitsync.sync.flight import NO_FLIGHT, Flight
from gitsync.sync.model import Action, Change
from gitsync.sync.usage import Call, Protection, Surroundings, Usage
from gitsync.workflow.types import Document, Key
from gitsync.workflow.versions import is_same_version


@dataclass(frozen=True, slots=True, order=True)
class Obstacle:
    """One reason not to write one workflow."""

    code: str
    title: str
    reason: str
    facts: Mapping[str, Any] = field(default_factory=dict, compare=False)


def find_rewritten(
    before: Iterable[tuple[Key, Document]], after: Iterable[tuple[Key, Document]]
) -> dict[Key, frozenset[int]]:
    """Key → the published versions that `after` changes or no longer has; keys without any are absent.

    Both are ordered by key; keys that only one has are passed over.
    """
    found = {}
    ahead = iter(after)
    later = next(ahead, None)
    for key, document in before:
        while later is not None and later[0] < key:
            later = next(ahead, None)
        if later is None or later[0] != key or not document["publishedVersions"]:
            continue
        now = {version["version"]: version for version in later[1]["publishedVersions"]}
        lost = frozenset(
            version["version"]
            for version in document["publishedVersions"]
            if version["version"] not in now or not is_same_version(version, now[version["version"]])
        )
        if lost:
            found[key] = lost
    return found


def find_obstacles(
    changes: Sequence[Change], around: Surroundings, protection: Protection, *, in_place: bool
) -> list[Obstacle]:
    """Everything that speaks against `changes`, sorted."""
    found: list[Obstacle] = []
    for change in changes:
        usage = around.usage.get(around.ids.get(change.key, ""), Usage())
        found += _of_change(change, usage, protection, in_place=in_place)
    deleted = {around.ids[c.key]: c.key for c in changes if c.action is Action.DELETE and c.key in around.ids}
    for call in around.calls:
        if call.called in deleted:
            called = deleted[call.called]
            reason = f"calls {called}, which would be deleted, in its {_place(call)}"
            found.append(
                Obstacle("STILL_CALLED", call.title, reason, {"called": called, "version": call.version})
            )
        elif not protection.discard_runs and (count := _running(around.usage, call)):
            reason = (
                f"its version {call.version} calls a workflow that gets a new id, and {count} unfinished "
                f"{_runs(count)} it"
            )
            found.append(
                Obstacle("VERSION_IN_USE", call.title, reason, {"versions": {str(call.version): count}})
            )
    return sorted(found)


def _of_change(change: Change, usage: Usage, protection: Protection, *, in_place: bool) -> Iterator[Obstacle]:
    if change.action is Action.CREATE:
        return
    stays = in_place and change.action is Action.UPDATE
    if not stays and not usage.is_empty and not protection.discard_runs:
        facts = {"runs": dict(usage.runs), "schedules": usage.schedules, "webhooks": usage.webhooks}
        yield Obstacle("RUNS_WOULD_BE_LOST", change.key, str(usage), facts)
    rewritten = (protection.rewritten or {}).get(change.key, frozenset())
    in_use = {version: usage.in_use[version] for version in sorted(rewritten & usage.in_use.keys())}
    if stays and in_use and not protection.discard_runs:
        for version, count in in_use.items():
            reason = f"version {version} would change, and {count} unfinished {_runs(count)} it"
            yield Obstacle("VERSION_IN_USE", change.key, reason, {"versions": {str(version): count}})
    if change.action is Action.UPDATE and rewritten and not protection.force:
        numbers = ", ".join(map(str, sorted(rewritten)))
        reason = f"published {noun_for(len(rewritten), 'version')} {numbers} would change or go"
        yield Obstacle("VERSION_REWRITTEN", change.key, reason, {"versions": sorted(rewritten)})


def _running(usage: Mapping[str, Usage], call: Call) -> int:
    of_caller = usage.get(call.caller, Usage()).in_use
    return 0 if call.version is None else of_caller.get(call.version, 0)


def _runs(count: int) -> str:
    return "run executes" if count == 1 else "runs execute"


def _place(call: Call) -> str:
    return "draft" if call.version is None else f"version {call.version}"


_MEANING: Final[Mapping[str, Callable[[int], str]]] = {
    "RUNS_WOULD_BE_LOST": lambda n: (
        f"runs, schedules or webhooks hang on {plural(n, 'workflow')} whose id would go"
    ),
    "STILL_CALLED": lambda n: f"{plural(n, 'workflow')} that others call would be deleted",
    "VERSION_IN_USE": lambda n: (
        f"unfinished runs execute versions of {plural(n, 'workflow')} that would change"
    ),
    "VERSION_REWRITTEN": lambda n: (
        f"published versions of {plural(n, 'workflow')} would change, which never change"
    ),
}
_CURES: Final[Mapping[str, str]] = {
    "RUNS_WOULD_BE_LOST": "`--in-place` keeps each id and its runs; `--discard-runs` lets them go; "
    "or name the other workflows, and leave these for later",
    "STILL_CALLED": "take the calls out of the callers first, or delete them as well",
    "VERSION_IN_USE": "publish a new version instead; or wait until the runs have ended; "
    "`--discard-runs` breaks them",
    "VERSION_REWRITTEN": "publish a new version instead (`git checkout` the old one's lines); "
    "`--force` overwrites it",
}


def obstacle_error(obstacles: Sequence[Obstacle], flight: Flight = NO_FLIGHT) -> Refused | None:
    """Return what refuses a plan with these obstacles: its code is the first kind's, its lines name all.

    flight: what would become of runs, told after them.
    """
    if not obstacles:
        return None
    codes = sorted({obstacle.code for obstacle in obstacles})
    touched = {code: {o.facts.get("called", o.title) for o in obstacles if o.code == code} for code in codes}
    parts = [_MEANING[code](len(touched[code])) for code in codes]
    return Refused(
        "; ".join(parts) + "; nothing was written",
        code=codes[0],
        details={"obstacles": [obstacle_json(obstacle) for obstacle in obstacles], **flight.as_json()},
        lines=[
            *(
                f"{obstacle.title}: {obstacle.reason}" + (f" [{obstacle.code}]" if len(codes) > 1 else "")
                for obstacle in obstacles
            ),
            *flight.lines(),
        ],
        cure="; ".join(_CURES[code] for code in codes),
    )


def check_obstacles(obstacles: Sequence[Obstacle]) -> None:
    """Raise Refused where there is any obstacle."""
    if (error := obstacle_error(obstacles)) is not None:
        raise error


def obstacle_json(obstacle: Obstacle) -> dict[str, Any]:
    """The obstacle in the commands' JSON."""
    return {
        "workflow": obstacle.title,
        "code": obstacle.code,
        "reason": obstacle.reason,
        **obstacle.facts,
    }
