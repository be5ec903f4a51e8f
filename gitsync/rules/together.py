"""Workflows that call each other: what one offers, what another asks, and circles of calls."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from gitsync.rules.definition import iter_placed
from gitsync.workflow.document import REFERENCE, iter_definitions
from gitsync.workflow.faults import Fault
from gitsync.workflow.references import call_steps, iter_calls
from gitsync.workflow.scan import Path
from gitsync.workflow.steps import BRANCHES
from gitsync.workflow.types import Document, Key


@dataclass(frozen=True, slots=True)
class Links:
    """What a workflow offers to others and asks of them.

    versions: published ones, ``None`` where they are not known.
    calls: (workflowId, workflowVersion, whether nothing decides about the call).
    """

    versions: frozenset[int] | None
    calls: frozenset[tuple[str, Any, bool]] = frozenset()

    @property
    def sure_keys(self) -> frozenset[Key]:
        """The keys that it calls whatever happens."""
        return frozenset(
            Key(called.removeprefix(REFERENCE))
            for called, _, is_sure in self.calls
            if is_sure and called.startswith(REFERENCE)
        )


UNKNOWN: Final = Links(None)
_CONDITIONAL: Final = frozenset(name for names in BRANCHES.values() for name in names) - {"try"}


def links_of(document: Document) -> Links:
    """Return what `document` offers and asks."""
    versions = document["publishedVersions"]
    calls = frozenset(
        (step["workflowId"], version if type(version) is int else None, is_sure)
        for definition in iter_definitions(document)
        for step, is_sure in call_steps(definition)
        for version in [step.get("workflowVersion")]
    )
    return Links(frozenset([entry["version"] for entry in versions]), calls)


def is_clean(key: Key, links: Mapping[Key, Links], circles: Circles) -> bool:
    """Return whether nothing about the calls of `key` can be wrong.

    It asks of each call what `call_faults` asks, but for where it stands: a conditional call counts in a circle, too.
    So it may say no where nothing is wrong, and never yes where something is.
    """
    for called, version, _ in links[key].calls:
        target = Key(called.removeprefix(REFERENCE))
        if not called.startswith(REFERENCE) or target not in links or circles.holds(key, target):
            return False
        versions = links[target].versions
        if versions is not None and version is not None and version not in versions:
            return False
    return True


def call_faults(document: Document, links: Mapping[Key, Links], circles: Circles) -> Iterator[Fault]:
    """Yield what is wrong with the calls of `document`, each at its place."""
    caller = Key(document["key"])
    for path, step in _iter_calls(document):
        called, version = step.get("workflowId"), step.get("workflowVersion")
        if type(called) is not str or not called:
            continue
        if not called.startswith(REFERENCE):
            message = f"calls a workflow by the id {called}, which one database alone knows"
            yield Fault(
                (*path, "workflowId"), "RAW_REFERENCE", message, f"write {REFERENCE}<key of the workflow>"
            )
            continue
        target = Key(called.removeprefix(REFERENCE))
        if target not in links:
            yield _unresolved((*path, "workflowId"), target, links)
            continue
        versions = links[target].versions
        if type(version) is int and versions is not None and version not in versions:
            published = ", ".join(map(str, sorted(versions))) or "none"
            message = f"{target} has no published version {version} (published: {published})"
            yield Fault((*path, "workflowVersion"), "UNPUBLISHED_VERSION", message)
        if _is_sure(path) and circles.holds(caller, target):
            circle = " → ".join(circles.path(caller, target))
            message = f"the calls go round in a circle, and nothing ends it: {circle}"
            yield Fault((*path, "workflowId"), "CALL_CYCLE", message, "put a call under a condition")


def _is_sure(path: Path) -> bool:
    """Return whether a step at `path` is run whatever happens, unless one before it fails or waits."""
    return not _CONDITIONAL.intersection(path)


def _unresolved(path: Path, target: Key, links: Mapping[Key, Links]) -> Fault:
    near = difflib.get_close_matches(target, sorted(links), n=1, cutoff=0.75)
    cure = f"did you mean {REFERENCE}{near[0]}?" if near else "add that workflow, or correct the call"
    return Fault(path, "UNRESOLVED_REFERENCE", f"there is no workflow {REFERENCE}{target}", cure)


def _iter_calls(document: Document) -> Iterator[tuple[Path, dict[str, Any]]]:
    for base, definition in iter_placed(document):
        for path, step in iter_calls(definition):
            yield (*base, *path), step


class Circles:
    """The circles of calls that can be reached from some workflows."""

    def __init__(self, links: Mapping[Key, Links], starts: Iterable[Key]) -> None:
        self._links = links
        self._group: dict[Key, int] = {}  # workflows that reach each other share a number
        for number, members in enumerate(_components(links, starts)):
            self._group.update(dict.fromkeys(members, number))

    def holds(self, caller: Key, target: Key) -> bool:
        """Return whether a sure call of `target` by `caller` leads back to `caller`."""
        group = self._group.get(caller)
        return caller == target or (group is not None and group == self._group.get(target))

    def path(self, caller: Key, target: Key) -> list[Key]:
        """Return the shortest way from `caller` over `target` back to `caller`."""
        came_from: dict[Key, Key] = {target: caller}
        queue = [target]
        for key in queue:  # grows while it is walked
            if key == caller:
                break
            for called in sorted(self._links[key].sure_keys):
                if called in self._links and called not in came_from and self.holds(caller, called):
                    came_from[called] = key
                    queue.append(called)
        way = [caller]
        while len(way) == 1 or way[-1] != caller:
            way.append(came_from[way[-1]])
        return way[::-1]


def _components(links: Mapping[Key, Links], starts: Iterable[Key]) -> Iterator[Collection[Key]]:
    """Yield the groups of two or more workflows that reach each other.

    Source: R. Tarjan, "Depth-first search and linear graph algorithms"; without recursion.
    """
    order: dict[Key, int] = {}
    lowest: dict[Key, int] = {}
    stack: dict[Key, None] = {}  # a dict, since its members are looked up

    def enter(key: Key) -> tuple[Key, Iterator[Key]]:
        order[key] = lowest[key] = len(order)
        stack[key] = None
        return key, iter(sorted(called for called in links[key].sure_keys if called in links))

    for start in starts:
        if start in order or start not in links:
            continue
        frames = [enter(start)]
        while frames:
            key, called = frames[-1]
            target = next(called, None)
            if target is None:
                frames.pop()
                if frames:
                    lowest[frames[-1][0]] = min(lowest[frames[-1][0]], lowest[key])
                if lowest[key] == order[key]:
                    members: list[Key] = []
                    while not members or members[-1] != key:
                        members.append(stack.popitem()[0])
                    if len(members) > 1:
                        yield members
            elif target not in order:
                frames.append(enter(target))
            elif target in stack:
                lowest[key] = min(lowest[key], order[target])
