"""Which workflow of a database or a server has which id, and which of them no file can stand for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gitsync.errors import DuplicateKey
from gitsync.sync.side import Unkeyed
from gitsync.workflow.document import is_key
from gitsync.workflow.types import Key


@dataclass(frozen=True, slots=True)
class Index:
    """Which workflow has which id, and which cannot be named."""

    ids: Mapping[Key, str]
    keys_by_id: Mapping[str, Key]
    unkeyed: Sequence[Unkeyed]


def make_index(rows: Iterable[Sequence[Any]]) -> Index:
    """The index of `rows`, each with a workflow's id, its key (or ``None``) and its name.

    Raises DuplicateKey, listing every key with two rows and their ids.
    """
    ids: dict[Key, str] = {}
    twins: dict[Key, list[str]] = {}
    unkeyed: list[Unkeyed] = []
    for workflow_id, text, name in rows:
        reason = why_unkeyed(text)
        key = Key(text)
        if reason is not None:
            unkeyed.append(Unkeyed(workflow_id, name, reason))
        elif key in ids:
            twins.setdefault(key, [ids[key]]).append(workflow_id)
        else:
            ids[key] = workflow_id
    if twins:
        raise _duplicates(twins)
    unkeyed.sort(key=lambda row: (row.name, row.workflow_id))
    return Index(ids, {workflow_id: key for key, workflow_id in ids.items()}, tuple(unkeyed))


def why_unkeyed(key: str | None) -> str | None:
    """Why a workflow with this key cannot be in git; ``None`` where it can."""
    if key is None:
        return "it has no key"
    if not is_key(key):
        return f"its key {key!r} is not lower-case letters, digits, `.`, `_` and `-`, at most 200 characters"
    return None


def _duplicates(twins: Mapping[Key, Sequence[str]]) -> DuplicateKey:
    listed = [f"{key} ({' and '.join(sorted(twins[key]))})" for key in sorted(twins)]
    return DuplicateKey(
        f"two workflows share one key: {', '.join(listed)}; nothing was written",
        details={"duplicates": {key: sorted(ids) for key, ids in sorted(twins.items())}},
        cure="delete one of each pair in the product, or give it another key: `gitsync adopt WORKFLOW_ID KEY`",
    )
