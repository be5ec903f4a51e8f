"""The answers of `judge` equal those of an executable model of the rules, over random histories."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from typing import Any

from gitsync.sync.model import Mark, MarkKind
from gitsync.sync.states import NO_BASE, State, judge
from gitsync.workflow.types import Digest, Key
from tests.support.base_vectors import FILE
from tests.support.memory_history import MemoryCommit, MemoryHistory

KEY = Key("a")
VECTORS: list[dict[str, Any]] = json.loads(gzip.decompress(FILE.read_bytes()))


def make_history(vector: dict[str, Any]) -> MemoryHistory:
    commits = {
        str(name): MemoryCommit(
            tuple(map(str, parents)), digest, tuple((token, number) for token, number in pulls)
        )
        for name, parents, digest, _, pulls in vector["commits"]
    }
    boundary = [str(name) for name in vector["shallow"]]
    return MemoryHistory(commits, str(vector["commit"]), boundary=boundary)


def make_marks(vector: dict[str, Any]) -> list[Mark]:
    return [
        Mark(MarkKind(kind), digest, str(commit), number, replaced, bool(is_write))
        for kind, digest, commit, number, replaced, is_write in vector["marks"]
    ]


def is_undecided_in_the_model_alone(vector: dict[str, Any]) -> bool:
    """The model looks at reformatted blobs of a shallow clone last; here they count at once."""
    reformatted = {digest for _, _, digest, is_canonical, _ in vector["commits"] if not is_canonical}
    return vector["state"] == "unknown" and vector["database"] in reformatted


def test_every_answer_is_the_model_s() -> None:
    wrong = []
    seen: Counter[str] = Counter()

    for number, vector in enumerate(VECTORS):
        found = judge(
            KEY,
            database=vector["database"],
            repository=vector["repository"],
            marks=make_marks(vector),
            history=make_history(vector),
        )
        expected_base = NO_BASE if vector["base"] is None else vector["base"][0]
        seen[vector["state"]] += 1
        is_same = found.state == vector["state"] and (
            found.base == expected_base or found.state is State.DIVERGED
        )
        if not is_same and not is_undecided_in_the_model_alone(vector):
            wrong.append((number, vector["state"], expected_base, found))

    assert not wrong, wrong[:5]
    assert set(seen) == set(State) - {State.IN_SYNC, State.UNREADABLE}


def test_an_import_mark_is_passed_over() -> None:
    """Import, pull, commit, an edit in the editor: only the database has moved."""
    old, new = Digest("1" * 40), Digest("2" * 40)
    history = MemoryHistory({"c0": MemoryCommit(), "c1": MemoryCommit(("c0",), old)}, "c1")
    marks = [Mark(MarkKind.PULL, old, "c0", 2), Mark(MarkKind.IMPORT, old, None, 1)]

    found = judge(KEY, database=new, repository=old, marks=marks, history=history)

    assert (found.state, found.base) == (State.DATABASE_AHEAD, old)
