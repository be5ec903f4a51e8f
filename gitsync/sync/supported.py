"""What a store cannot do of what a run would do to it: said before anything is written."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

from gitsync.errors import GitsyncError, InvalidInput, Problem
from gitsync.sync.model import Action, Capabilities, Change
from gitsync.sync.plan import find_incomplete
from gitsync.workflow.types import Key

Calls = Mapping[Key, Collection[Key]]
"""Key → the keys that it calls."""
PathOf = Callable[[Key], str]
"""Key → where its document lies."""


def find_unsupported(
    capabilities: Capabilities, changes: Sequence[Change], calls: Calls, path: PathOf
) -> list[Problem]:
    """Return what of `changes` the store cannot do, one problem each."""
    created = {change.key for change in changes if change.action is Action.CREATE}
    problems = []
    for change in changes:
        key = change.key
        unlinked = [] if capabilities.links_new else sorted(created & set(calls.get(key, ())))
        if change.action is Action.DELETE and not capabilities.deletes:
            message = f"{key} cannot be deleted over the API"
            hint = "delete it in the product's editor, or leave out --prune"
        elif change.action is not Action.DELETE and unlinked:
            message = (
                f"{key} calls {', '.join(unlinked)}, which the same request would create: "
                "the product links no calls between new workflows"
            )
            hint = _linking_hint(key, unlinked)
        else:
            continue
        problems.append(Problem(path(key), rule="UNSUPPORTED_BY_SERVER", message=message, cure=hint, key=key))
    return problems


def _linking_hint(key: Key, unlinked: Sequence[Key]) -> str:
    if key in unlinked:
        return "create it without that call, push, then add the call; or go through its database"
    return f"`gitsync push {' '.join(unlinked)}` first, then {key}"


def unsupported_changes(
    capabilities: Capabilities, address: str, changes: Sequence[Change], calls: Calls, path: PathOf
) -> GitsyncError | None:
    """Return the error for what the store at `address` cannot do: that it is closed to the caller, or all of it."""
    if not changes:
        return None
    if capabilities.denied is not None:
        return capabilities.denied
    problems = find_unsupported(capabilities, changes, calls, path)
    if not problems:
        return None
    return InvalidInput(
        f"{len(problems)} of {len(changes)} changes cannot be made over the API of {address}; nothing was sent",
        code="UNSUPPORTED_BY_SERVER",
        problems=problems,
        cure=problems[0].cure,
    )


def doubtful_creates(
    capabilities: Capabilities, changes: Sequence[Change], *, may_hide: str
) -> GitsyncError | None:
    """Return the error where the store may hold what would be created, and would not refuse it by itself."""
    if capabilities.guards_hidden:
        return None
    return find_incomplete(changes, Action.CREATE, may_hide=may_hide, cure=capabilities.complete_hint)


def overwriting_notes(capabilities: Capabilities, changes: Sequence[Change]) -> tuple[str, ...]:
    """Return what a person should know before `changes` are written."""
    return capabilities.notes if any(change.action is Action.UPDATE for change in changes) else ()
