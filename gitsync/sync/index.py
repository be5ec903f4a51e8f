"""Which workflow of a database or a server has which id, and which of them no file can stand for."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from gitsync.sync.model import Unkeyed, Unreadable
from gitsync.workflow.document import is_key
from gitsync.workflow.types import Key


@dataclass(frozen=True, slots=True)
class Index:
    """Which workflow has which id, and which cannot be named.

    ids: of the keys that one workflow has. keys_by_id: the key of each id, twins' too, so that calls of them stay
    calls by key. twins: the keys that several workflows have.
    """

    ids: Mapping[Key, str]
    keys_by_id: Mapping[str, Key]
    unkeyed: Sequence[Unkeyed] = ()
    twins: Mapping[Key, Unreadable] = field(default_factory=dict)

    @property
    def keys(self) -> Collection[Key]:
        """Every key that some workflow has."""
        return self.ids.keys() | self.twins.keys()


def make_index(rows: Iterable[Sequence[Any]]) -> Index:
    """The index of `rows`, each with a workflow's id, its key (or ``None``) and its name."""
    found: dict[Key, str] = {}
    several: dict[Key, list[str]] = {}
    unkeyed: list[Unkeyed] = []
    for workflow_id, text, name in rows:
        reason = why_unkeyed(text)
        key = Key(text)
        if reason is not None:
            unkeyed.append(Unkeyed(workflow_id, shown_name(name), reason))
        elif key in found:
            several.setdefault(key, [found[key]]).append(workflow_id)
        else:
            found[key] = workflow_id
    unkeyed.sort(key=lambda row: (row.name, row.workflow_id))
    keys_by_id = {workflow_id: key for key, workflow_id in found.items()}
    for key, ids in several.items():
        keys_by_id |= dict.fromkeys(ids, key)
        del found[key]
    return Index(
        found, keys_by_id, tuple(unkeyed), {key: _twins(key, several[key]) for key in sorted(several)}
    )


def shown_name(name: str | None) -> str:
    """Return the name of a workflow, empty where it has none, with a replacement for each byte that is no text."""
    name = name or ""
    return name if name.isascii() else name.encode(errors="replace").decode()


def why_unkeyed(key: str | None) -> str | None:
    """Why a workflow with this key cannot be in git; ``None`` where it can."""
    if key is None:
        return "it has no key"
    if not is_key(key):
        return f"its key {key!r} is not lower-case letters, digits, `.`, `_` and `-`, at most 200 characters"
    return None


def _twins(key: Key, ids: Sequence[str]) -> Unreadable:
    listed = tuple(sorted(ids))
    how_many = "two" if len(ids) == 2 else str(len(ids))
    return Unreadable(
        "DUPLICATE_KEY", f"{how_many} workflows share the key {key} ({' and '.join(listed)})", listed
    )
