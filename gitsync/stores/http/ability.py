"""What each kind of server can do, and what it cannot: known before anything is sent."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from gitsync.errors import AccessDenied, Problem
from gitsync.sync.model import Action, Change
from gitsync.workflow.types import Key


@dataclass(frozen=True, slots=True)
class Ability:
    """What one kind of server can do.

    keeps_system: ``isSystem`` is told and kept. links_new: calls between workflows that one request creates.
    compares: refuses, in its transaction, what is no longer as expected.
    writer: whose credentials it takes an import from. notes: what to know before something is overwritten.
    """

    name: str
    keeps_system: bool
    links_new: bool
    compares: bool
    writer: str
    cure: str
    notes: tuple[str, ...]

    def obstacles(
        self, changes: Sequence[Change], calls: Mapping[Key, Collection[Key]], path: Callable[[Key], str]
    ) -> list[Problem]:
        """What of `changes` cannot be done, one problem each.

        calls: key → the keys that it calls. path: of a key's file.
        """
        created = {change.key for change in changes if change.action is Action.CREATE}
        found = []
        for change in changes:
            key = change.key
            unlinked = [] if self.links_new else sorted(created & set(calls.get(key, ())))
            if change.action is Action.DELETE:
                message = f"{key} cannot be deleted over the API"
                cure = "delete it in the product's editor, or leave out --prune"
            elif unlinked:
                message = (
                    f"{key} calls {', '.join(unlinked)}, which the same request would create: "
                    "the product links no calls between new workflows"
                )
                cure = _linking_cure(key, unlinked)
            else:
                continue
            found.append(
                Problem(path(key), rule="UNSUPPORTED_BY_SERVER", message=message, cure=cure, key=key)
            )
        return found

    def may_not_write(self, address: str) -> AccessDenied:
        """The error for credentials from which the server would take no import."""
        return AccessDenied(
            f"{address} takes an import from {self.writer} only, and these credentials are none; nothing was sent",
            code="NOT_AN_ADMINISTRATOR",
            cure=self.cure,
        )


_BY_HISTORY: Final = (
    "a server tells no deployments, so history alone says which side moved: a revert made in the editor looks "
    "like an older deployment"
)
PRODUCT: Final = Ability(
    name="the product",
    keeps_system=False,
    links_new=False,
    compares=False,
    writer="an administrator's session",
    cure="give the cookie of an administrator's session (`--cookie`, or `cookie:` of the environment); "
    "an API key is enough to read",
    notes=(
        (
            "the server overwrites in its own way: the product keeps a workflow's id and runs "
            "(its first release deletes both)"
        ),
        (
            "the product cannot compare before it writes: what is edited there within the moment between "
            "gitsync's last look and the import is overwritten"
        ),
        _BY_HISTORY,
    ),
)
GITSYNC: Final = Ability(
    name="gitsync's own server",
    keeps_system=True,
    links_new=True,
    compares=True,
    writer="a token with the role admin",
    cure="give such a token (`--token`, or `token:` of the environment)",
    notes=(
        "the server overwrites as its own configuration says; with --in-place it keeps each workflow's id",
        _BY_HISTORY,
    ),
)


def _linking_cure(key: Key, unlinked: Sequence[Key]) -> str:
    if key in unlinked:
        return "create it without that call, push, then add the call; or go through its database"
    return f"`gitsync push {' '.join(unlinked)}` first, then {key}"
