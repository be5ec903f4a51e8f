"""Unfinished runs whose definition a plan changes: where each waits, and what would become of it. No I/O at all."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from gitsync.errors import shortlist
from gitsync.sync.model import Action, Change
from gitsync.sync.stores import Store, UsageReader
from gitsync.sync.usage import UnfinishedRun
from gitsync.workflow.references import iter_calls
from gitsync.workflow.types import Document, Json, Key
from gitsync.workflow.versions import version_digest

_PART: Final = re.compile(r"\.(?:(then|else|body|try|catch)\.)?steps\[([0-9]{1,6})\]")


@dataclass(frozen=True, slots=True)
class Fate:
    """What a plan would do to one run, in words."""

    run: UnfinishedRun
    step_id: str | None
    outcome: str

    def __str__(self) -> str:
        run = self.run
        place = "" if run.path is None else f" at {self.step_id or run.path}"
        waits = f", waiting for {run.waits_for}" if run.waits_for else ""
        return f"{run.key}, version {run.version}: run {run.run_id} is {run.status}{place}{waits}; {self.outcome}"

    def as_json(self) -> dict[str, Any]:
        """The fate in a plan's JSON."""
        return {
            "key": self.run.key,
            "version": self.run.version,
            "runId": self.run.run_id,
            "status": self.run.status,
            "stepPath": self.run.path,
            "stepId": self.step_id,
            "waitsFor": self.run.waits_for or None,
            "outcome": self.outcome,
        }


@dataclass(frozen=True, slots=True, order=True)
class BrokenCall:
    """A call of a published version that the plan removes; version: of the caller, ``None`` for its draft."""

    caller: Key
    version: int | None
    step_id: str
    called: Key
    called_version: int

    def __str__(self) -> str:
        place = "the draft" if self.version is None else f"version {self.version}"
        return (
            f"{self.caller}: the step {self.step_id} of {place} calls version {self.called_version} of "
            f"{self.called}, which would go; it would fail"
        )

    def as_json(self) -> dict[str, Any]:
        """The call in a plan's JSON."""
        return {
            "key": self.caller,
            "version": self.version,
            "stepId": self.step_id,
            "called": self.called,
            "calledVersion": self.called_version,
        }


def find_fates(
    changes: Sequence[Change],
    runs: Iterable[UnfinishedRun],
    *,
    before: Mapping[Key, Document],
    after: Mapping[Key, Document],
    in_place: bool,
) -> list[Fate]:
    """What becomes of each run that the changes touch, sorted; runs that go on as they are are left out.

    before, after: the documents of the changed keys, those that are there.
    """
    actions = {change.key: change.action for change in changes}
    found = []
    for run in sorted(runs):
        action = actions.get(run.key)
        if action is None or action is Action.CREATE:
            continue
        old = _version(before.get(run.key), run.version)
        new = None if action is Action.DELETE else _version(after.get(run.key), run.version)
        step = None if old is None or run.path is None else step_at(old["definition"], run.path)
        step_id = None if step is None else str(step.get("id"))
        outcome = _outcome(run, action, old, new, step, in_place=in_place)
        if outcome:
            found.append(Fate(run, step_id, outcome))
    return found


def _outcome(
    run: UnfinishedRun,
    action: Action,
    old: Mapping[str, Any] | None,
    new: Mapping[str, Any] | None,
    step: Mapping[str, Any] | None,
    *,
    in_place: bool,
) -> str:
    if action is Action.DELETE or not in_place:
        return "it would be deleted with the workflow's row"
    if new is None:
        return "its version would be gone, and it could not go on"
    if old is not None and version_digest(old) == version_digest(new):
        return ""
    if run.is_pinned:
        return "it is bound to the content of its version, which would change: it would break"
    if run.path is None:
        return "its version would change under it"
    now = step_at(new["definition"], run.path)
    if now is None:
        return "there would be no step where it stands, and it could not go on"
    if step is not None and now.get("id") != step.get("id"):
        return f"it would go on at another step, {now.get('id')}"
    if now != step:
        return "its step would change under it"
    return "its step stays, what comes before or after it would change"


def removed_versions(
    before: Mapping[Key, Document], after: Mapping[Key, Document]
) -> dict[Key, frozenset[int]]:
    """Key → the published versions that `after` no longer has; keys that only `before` has are gone altogether."""
    found = {}
    for key, document in before.items():
        held = _numbers(document)
        lost = held - (_numbers(after[key]) if key in after else frozenset())
        if lost:
            found[key] = lost
    return found


def find_broken_calls(
    callers: Iterable[tuple[Key, Document]], removed: Mapping[Key, frozenset[int]]
) -> list[BrokenCall]:
    """The calls of versions that are removed, sorted. callers: the documents as they will be."""
    return sorted(call for key, document in callers for call in _iter_broken(key, document, removed))


def _iter_broken(key: Key, document: Document, removed: Mapping[Key, frozenset[int]]) -> Iterator[BrokenCall]:
    definitions: list[tuple[int | None, Json]] = [(None, document["draft"]["definition"])]
    definitions += [(item["version"], item["definition"]) for item in document["publishedVersions"]]
    for version, definition in definitions:
        for _, step in iter_calls(definition):
            called = Key(str(step.get("workflowId")).removeprefix("key:"))
            number = step.get("workflowVersion")
            if isinstance(number, int) and number in removed.get(called, ()):
                yield BrokenCall(key, version, str(step.get("id")), called, number)


def step_at(definition: Json, path: str) -> dict[str, Any] | None:
    """The step at a path such as ``root.steps[0].then.steps[1]``; ``None`` where there is none."""
    if not path.startswith("root"):
        return None
    found: Any = definition
    position = len("root")
    while position < len(path):
        match = _PART.match(path, position)
        if match is None or not isinstance(found, dict):
            return None
        steps = found.get(match[1]) if match[1] else found.get("steps")
        index = int(match[2])
        if not isinstance(steps, list) or index >= len(steps):
            return None
        found, position = steps[index], match.end()
    return found if isinstance(found, dict) and found is not definition else None


def _version(document: Document | None, number: int) -> Mapping[str, Any] | None:
    published = [] if document is None else document["publishedVersions"]
    return next((item for item in published if item["version"] == number), None)


def _numbers(document: Document) -> frozenset[int]:
    return frozenset(item["version"] for item in document["publishedVersions"])


_MOST_SHOWN: Final = 20


@dataclass(frozen=True, slots=True)
class Flight:
    """What a plan would do to runs in flight, and to calls of versions that go."""

    fates: Sequence[Fate] = ()
    calls: Sequence[BrokenCall] = ()

    def lines(self) -> list[str]:
        """Return the first of them in words, and how many there are more."""
        lines = [*map(str, self.fates), *map(str, self.calls)]
        return shortlist(lines, _MOST_SHOWN)

    def as_json(self) -> dict[str, Any]:
        """Return the member ``inFlight`` of a plan's JSON; nothing where there is nothing to tell."""
        if not self.fates and not self.calls:
            return {}
        return {
            "inFlight": {
                "runs": [fate.as_json() for fate in self.fates],
                "calls": [call.as_json() for call in self.calls],
            }
        }


NO_FLIGHT: Final = Flight()


def look_in_flight(
    changes: Sequence[Change], *, source: Store, target: Store, usage: UsageReader, in_place: bool
) -> Flight:
    """Return what `changes` would do to the unfinished runs of the target, and to callers of versions that go."""
    touched = [change for change in changes if change.action is not Action.CREATE]
    if not touched:
        return NO_FLIGHT
    keys = [change.key for change in touched]
    runs = usage.unfinished_runs(keys)
    before = dict(target.load(keys))
    after = dict(source.load([change.key for change in touched if change.action is Action.UPDATE]))
    fates = find_fates(touched, runs, before=before, after=after, in_place=in_place)
    removed = removed_versions(before, after)
    calls = (
        find_broken_calls(_callers(target, usage.callers(removed), removed, after), removed)
        if removed
        else []
    )
    return Flight(fates, calls)


def _callers(
    target: Store, keys: Collection[Key], removed: Collection[Key], after: Mapping[Key, Document]
) -> list[tuple[Key, Document]]:
    """Return the callers `keys` of workflows that lose a version, as they will be, without those that go themselves."""
    staying = [
        (key, document) for key, document in target.load(keys) if key not in after and key not in removed
    ]
    return staying + [(key, document) for key, document in after.items() if key in keys]
