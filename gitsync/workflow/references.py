"""Calls between workflows, found here alone: a database's own ids on one side, ``key:`` references on the other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final

from gitsync.workflow.document import REFERENCE, iter_definitions
from gitsync.workflow.steps import BRANCHES, iter_located_steps
from gitsync.workflow.types import Document, Json, Key

CALL: Final = "control.callWorkflow"
SIGNS_OF_A_CALL: Final = (CALL, "\\u")
"""One of these is in the JSON of each definition that calls another.

The step's type stands there as it is, or with escapes; of those that JSON has, only ``\\u`` can spell a letter or a dot.
"""
_SIGNS: Final = tuple(sign.encode() for sign in SIGNS_OF_A_CALL)


def may_call(text: str | bytes) -> bool:
    """Return whether JSON text may have a call in it; where it says no, there is none, and no need to parse."""
    if isinstance(text, str):
        return any(sign in text for sign in SIGNS_OF_A_CALL)
    return any(sign in text for sign in _SIGNS)


def call_steps(definition: Json) -> Iterator[tuple[dict[str, Any], bool]]:
    """Yield each step that calls a workflow by a name, and whether nothing decides about it; not in document order."""
    queue: list[tuple[Any, bool]] = [(definition.get("steps"), True)] if isinstance(definition, dict) else []
    for steps, is_sure in queue:  # grows while it is walked
        for step in steps if type(steps) is list else ():
            kind = step.get("type") if type(step) is dict else None
            if kind == CALL:
                if isinstance(step.get("workflowId"), str):
                    yield step, is_sure
            elif type(kind) is str and kind in BRANCHES:
                queue += [(step.get(branch), is_sure and branch == "try") for branch in BRANCHES[kind]]


def to_references(definition: Json, *, key: Key, keys_by_id: Mapping[str, Key]) -> list[str]:
    """Return the called ids that stay as they are, each once, after the others became references in place.

    key: of the workflow that `definition` belongs to; its ``id`` becomes a reference to it.
    keys_by_id: lower-case id → key, of all workflows that have one key of their own.
    """
    calls = link_calls(definition, key=key, keys_by_id=keys_by_id)
    return [called for called, target in calls.items() if target is None]


def link_calls(definition: Json, *, key: Key, keys_by_id: Mapping[str, Key]) -> dict[str, Key | None]:
    """Return called id → the key that it became, ``None`` where it stays; `definition` is changed as `to_references` does."""
    if not isinstance(definition, dict):
        return {}
    definition["id"] = REFERENCE + key
    calls: dict[str, Key | None] = {}
    for step, _ in call_steps(definition):
        called = step["workflowId"]
        target = calls[called] = key_of(called, keys_by_id)
        if target is not None:
            step["workflowId"] = REFERENCE + target
    return calls


def is_reference(called: str) -> bool:
    """Return whether a called name is a file's way to name a workflow, which in a database is no id and leads nowhere."""
    return called.startswith(REFERENCE)


def warn_of_calls(raw_calls: Mapping[Key, frozenset[str]]) -> list[str]:
    """Return a warning for each workflow of a database that calls what is no id of a workflow with a key."""
    warnings = []
    for key, called in sorted(raw_calls.items()):
        if ids := sorted(one for one in called if not is_reference(one)):
            warnings.append(f"{key} calls {', '.join(ids)}, which no workflow with a key has as its id")
        if texts := sorted(one for one in called if is_reference(one)):
            warnings.append(
                f"{key} says {', '.join(texts)} where the database needs an id; once it is in git, "
                f"`gitsync push --update {key}` links it"
            )
    return warnings


def replaced_calls(before: Document, after: Document, dead: Collection[str]) -> frozenset[str]:
    """Return the references of `before` in whose place `after` calls one of the ids `dead`."""
    earlier_calls, replaced = _calls_by_part(before), set[str]()
    for part, now in _calls_by_part(after).items():
        earlier = earlier_calls.get(part, Counter())
        if any(called in dead for called in now - earlier):
            replaced |= {called for called in earlier - now if is_reference(called)}
    return frozenset(replaced)


def _calls_by_part(document: Document) -> dict[int | None, Counter[str]]:
    """Return what the draft (``None``) and each version call, and how often."""
    parts = [(None, document["draft"]["definition"])]
    parts += [(version["version"], version["definition"]) for version in document["publishedVersions"]]
    return {part: Counter(_called_in(definition)) for part, definition in parts}


def key_of(called: str, keys_by_id: Mapping[str, Key]) -> Key | None:
    """Return the key that a called id stands for; people write ids in capitals too."""
    return keys_by_id.get(called) or keys_by_id.get(called.lower())


def to_ids(definition: Json, *, own_id: str, ids_by_key: Mapping[Key, str]) -> None:
    """Turn the references of `definition` into ids, in place.

    own_id: of the workflow that `definition` belongs to, for its ``id`` and for calls of itself.
    A reference to a key that `ids_by_key` lacks stays as it is: `check_references` has let it pass.
    """
    if not isinstance(definition, dict):
        return
    own_reference = definition.get("id")
    definition["id"] = own_id
    for step, _ in call_steps(definition):
        called = step["workflowId"]
        if not called.startswith(REFERENCE):
            continue
        if called == own_reference:
            step["workflowId"] = own_id
        else:
            step["workflowId"] = ids_by_key.get(Key(called.removeprefix(REFERENCE)), called)


def iter_calls(definition: Json) -> Iterator[tuple[tuple[str | int, ...], dict[str, Any]]]:
    """Yield each ``control.callWorkflow`` step with its path inside `definition`, in document order."""
    for path, step in iter_located_steps(definition):
        if step["type"] == CALL:
            yield path, step


def called_keys(document: Document) -> frozenset[Key]:
    """Return the keys that `document` calls, its own included where it calls itself."""
    return frozenset(
        Key(called.removeprefix(REFERENCE)) for called in _called(document) if called.startswith(REFERENCE)
    )


def raw_calls(document: Document) -> frozenset[str]:
    """Return the ids that `document` calls and that are no references."""
    return frozenset(called for called in _called(document) if not called.startswith(REFERENCE))


def _called(document: Document) -> Iterator[str]:
    for definition in iter_definitions(document):
        yield from _called_in(definition)


def _called_in(definition: Json) -> Iterator[str]:
    for step, _ in call_steps(definition):
        yield step["workflowId"]
