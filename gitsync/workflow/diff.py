"""What changed between two documents of one workflow: steps by id, triggers, needs, settings, versions.

Pure and total: definitions are free JSON, so what has no step's shape is compared as a plain value.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from gitsync.workflow.document import iter_definitions
from gitsync.workflow.references import called_keys
from gitsync.workflow.steps import BRANCHES, iter_located_steps
from gitsync.workflow.types import Document, Json
from gitsync.workflow.values import MISSING, ValueDelta, is_equal, iter_values


@dataclass(frozen=True, slots=True)
class Place:
    """The block and the branch of it that hold a step; no block for the definition itself."""

    block: str | None
    branch: str


@dataclass(frozen=True, slots=True)
class Step:
    """A step's name and where it stands; ``id`` is empty where the step has none."""

    id: str
    kind: str
    place: Place


@dataclass(frozen=True, slots=True)
class ChangedStep:
    """A step whose own fields changed; those of the steps inside it are theirs."""

    step: Step
    values: tuple[ValueDelta, ...]


@dataclass(frozen=True, slots=True)
class MovedStep:
    """A step that stands elsewhere now; two equal places mean another order within one."""

    step: Step
    before: Place


@dataclass(frozen=True, slots=True)
class DefinitionDelta:
    """What changed in one definition. Steps are in document order, those removed in the old one's.

    values: what stands beside the steps, such as ``trigger.eventName``.
    """

    added: tuple[Step, ...] = ()
    removed: tuple[Step, ...] = ()
    changed: tuple[ChangedStep, ...] = ()
    moved: tuple[MovedStep, ...] = ()
    values: tuple[ValueDelta, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether nothing of this changed."""
        return not (self.added or self.removed or self.changed or self.moved or self.values)


@dataclass(frozen=True, slots=True)
class VersionDelta:
    """One published version that came, went or was rewritten.

    since: the version that ``definition`` is compared with, the newest older one; ``None`` without such.
    is_draft: whether it equals the new draft.
    """

    number: int
    what: str
    since: int | None = None
    definition: DefinitionDelta = DefinitionDelta()
    is_draft: bool = False
    is_schema_changed: bool = False


@dataclass(frozen=True, slots=True)
class WorkflowDelta:
    """What changed between two documents; an absent one counts as empty.

    settings: metadata. gained, lost: ``action``, ``node type``, ``schema``, ``secret``, ``workflow`` → names.
    """

    before: Document | None
    after: Document | None
    draft: DefinitionDelta = DefinitionDelta()
    draft_version: ValueDelta | None = None
    versions: tuple[VersionDelta, ...] = ()
    settings: tuple[ValueDelta, ...] = ()
    gained: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    lost: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def compare_documents(before: Document | None, after: Document | None) -> WorkflowDelta:
    """What leads from `before` to `after`; both in normal form."""
    old_draft, new_draft = _draft(before), _draft(after)
    old, new = _needs(before), _needs(after)
    settings = tuple(iter_values(_metadata(before), _metadata(after)))
    draft = compare_definitions(old_draft["definition"], new_draft["definition"])
    said = set(map(_identity, settings))
    values = tuple(value for value in draft.values if _identity(value) not in said)
    numbers = next(iter_values(old_draft["draftVersion"], new_draft["draftVersion"], "draftVersion"), None)
    return WorkflowDelta(
        before,
        after,
        draft=DefinitionDelta(draft.added, draft.removed, draft.changed, draft.moved, values),
        draft_version=numbers,
        versions=tuple(_versions(before, after)),
        settings=settings,
        gained={kind: found for kind in new if (found := tuple(sorted(new[kind] - old[kind])))},
        lost={kind: found for kind in old if (found := tuple(sorted(old[kind] - new[kind])))},
    )


def compare_definitions(
    before: Json, after: Json, *, ignoring: frozenset[str] = frozenset({"id"})
) -> DefinitionDelta:
    """What leads from one definition to the other; `ignoring`: fields that say nothing here."""
    old, new = _steps(before), _steps(after)
    changed = [
        ChangedStep(new[name][0], values)
        for name in new
        if name in old and (values := tuple(iter_values(_own(old[name][1]), _own(new[name][1]))))
    ]
    delta = DefinitionDelta(
        added=tuple(new[name][0] for name in new if name not in old),
        removed=tuple(old[name][0] for name in old if name not in new),
        changed=tuple(changed),
        moved=tuple(_moved({n: old[n][0] for n in old}, {n: new[n][0] for n in new})),
        values=tuple(iter_values(_beside(before, ignoring), _beside(after, ignoring))),
    )
    if delta.is_empty and (odd := tuple(iter_values(_all(before, ignoring), _all(after, ignoring)))):
        return DefinitionDelta(values=odd)  # where no step's shape is, or an empty branch beside none
    return delta


def _identity(value: ValueDelta) -> tuple[str, ...]:
    """What makes two changes one to tell: metadata has null where a definition has nothing."""
    return value.path, *(repr(None if half is MISSING else half) for half in (value.before, value.after))


def _draft(document: Document | None) -> dict[str, Any]:
    return document["draft"] if document else {"definition": {}, "draftVersion": MISSING}


def _metadata(document: Document | None) -> dict[str, Any]:
    return document["metadata"] if document else {}


def _all(definition: Json, ignoring: frozenset[str]) -> Json:
    if not isinstance(definition, dict):
        return {"definition": definition}
    return {name: value for name, value in definition.items() if name not in ignoring}


def _beside(definition: Json, ignoring: frozenset[str]) -> Json:
    return _all(definition, ignoring | {"steps"})


def _own(step: Mapping[str, Any]) -> dict[str, Json]:
    branches = BRANCHES.get(step["type"], ())
    return {name: value for name, value in step.items() if name not in branches}


Name = tuple[str, int]
"""A step's id, and how many steps before it have the same."""


def _steps(definition: Json) -> dict[Name, tuple[Step, dict[str, Any]]]:
    """Every step by its name, in document order."""
    found: dict[Name, tuple[Step, dict[str, Any]]] = {}
    names: dict[tuple[str | int, ...], str] = {}
    counts: Counter[str] = Counter()
    for path, step in iter_located_steps(definition):
        own_id = step.get("id")
        text = own_id if isinstance(own_id, str) else ""
        names[path] = text
        place = Place(names.get(path[:-2]), str(path[-2]))
        found[text, counts[text]] = (Step(text, step["type"], place), step)
        counts[text] += 1
    return found


def _moved(old: Mapping[Name, Step], new: Mapping[Name, Step]) -> Iterator[MovedStep]:
    """The fewest steps that have to be moved, in the new order."""
    stay: set[Name] = set()
    ranks = {name: rank for rank, name in enumerate(old)}
    siblings: dict[Place, list[Name]] = {}
    for name, step in new.items():
        if name in old and old[name].place == step.place:
            siblings.setdefault(step.place, []).append(name)
    for names in siblings.values():
        stay.update(names[i] for i in _longest_rise([ranks[name] for name in names]))
    for name, step in new.items():
        if name in old and name not in stay:
            yield MovedStep(step, old[name].place)


def _longest_rise(ranks: Sequence[int]) -> list[int]:
    """The indexes of a longest increasing subsequence."""
    tails: list[int] = []
    ends: list[int] = []
    previous: list[int] = []
    for index, rank in enumerate(ranks):
        at = bisect_left(tails, rank)
        previous.append(ends[at - 1] if at else -1)
        tails[at : at + 1] = [rank]
        ends[at : at + 1] = [index]
    found = []
    index = ends[-1] if ends else -1
    while index >= 0:
        found.append(index)
        index = previous[index]
    return found[::-1]


_NUMBERED: Final = frozenset({"id", "version"})
"""What differs between any two versions."""


def _versions(before: Document | None, after: Document | None) -> Iterator[VersionDelta]:
    old, new = _by_number(before), _by_number(after)
    draft = _draft(after)["definition"]
    for number in sorted(old.keys() | new.keys()):
        if number not in new:
            yield VersionDelta(number, "removed")
            continue
        definition, schema = new[number]["definition"], new[number]["payloadSchemaJson"]
        since = number if number in old else max((n for n in new if n < number), default=None)
        reference = old[number] if number in old else new.get(since) if since is not None else None
        if number in old and is_equal(old[number], new[number]):
            continue
        ignoring = frozenset({"id"}) if since == number else _NUMBERED
        delta = DefinitionDelta()
        if reference:
            delta = compare_definitions(reference["definition"], definition, ignoring=ignoring)
        is_schema_changed = reference is not None and not is_equal(reference["payloadSchemaJson"], schema)
        yield VersionDelta(
            number,
            "rewritten" if number in old else "published",
            since=since,
            definition=delta,
            is_draft=compare_definitions(draft, definition, ignoring=_NUMBERED).is_empty,
            is_schema_changed=is_schema_changed,
        )


def _by_number(document: Document | None) -> dict[int, dict[str, Any]]:
    return {version["version"]: version for version in document["publishedVersions"]} if document else {}


def _needs(document: Document | None) -> dict[str, set[str]]:
    """What a workflow needs of the runtime, by kind."""
    if document is None:
        return {kind: set() for kind in ("action", "node type", "schema", "secret", "workflow")}
    needs = document["dependencies"]
    return {
        "action": {f"{action['actionId']}@{action['version']}" for action in needs["actions"]},
        "node type": set(needs["nodeTypes"]),
        "schema": set(needs["schemaRefs"]),
        "secret": {name for definition in iter_definitions(document) for name in _secrets(definition)},
        "workflow": {str(key) for key in called_keys(document) if key != document["key"]},
    }


def _secrets(value: Json) -> Iterator[str]:
    """The names of the secrets that a definition refers to."""
    queue: list[Json] = [value]
    for item in queue:  # grows while it is walked
        if isinstance(item, dict):
            name = item.get("$secret")
            if isinstance(name, str) and len(item) == 1:
                yield name
            else:
                queue.extend(item.values())
        elif isinstance(item, list):
            queue.extend(item)
