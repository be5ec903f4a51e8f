"""What every place that can be written to does with changes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gitsync.errors import InvalidInput, PlanStale
from gitsync.sync.model import Action, Applied, Change, Deployment, MarkKind
from gitsync.workflow.canonical import canonical_bytes, document_digest
from gitsync.workflow.types import Document, Key
from tests.contract.conftest import Holding
from tests.support.documents import call, document
from tests.support.instance import by_key, changes_to
from tests.support.stores import work_tree

A, B, NEW = document("a"), document("b"), document("a", description="New")
COMMIT = "c" * 40


def apply(store: Any, changes: tuple[Change, ...], *documents: Document) -> Applied:
    held = [(Key(one["key"]), one) for one in by_key(documents)]
    applied: Applied = store.apply(changes, held, Deployment(MarkKind.PUSH, COMMIT))
    return applied


def test_what_is_created_and_updated_is_held_afterwards(writable: Holding) -> None:
    created = document("c", call("key:b"))

    with writable(A, B) as held:
        digests = held.digests()
        apply(held.store, changes_to(digests, NEW, created), NEW, created)

        assert held.digests() == digests | {
            Key("a"): document_digest(NEW),
            Key("c"): document_digest(created),
        }


def test_what_is_deleted_is_gone_where_a_store_deletes_and_else_refused(writable: Holding) -> None:
    with writable(A, B) as held:
        digests = held.digests()
        changes = changes_to(digests, delete=["b"])
        if held.store.capabilities.deletes:
            apply(held.store, changes)
            assert held.digests() == {"a": digests[Key("a")]}
        else:
            with pytest.raises(InvalidInput) as caught:
                apply(held.store, changes)
            assert (caught.value.code, held.digests()) == ("UNSUPPORTED_BY_SERVER", digests)


@pytest.mark.parametrize("action", [Action.CREATE, Action.UPDATE])
def test_nothing_is_written_where_something_is_not_as_the_plan_has_seen_it(
    atomic: Holding, action: Action
) -> None:
    before = None if action is Action.CREATE else document_digest(document("a", description="Old"))
    stale = Change(Key("a"), action, before, document_digest(NEW))
    created = document("c")

    with atomic(A, B) as held:
        digests = held.digests()
        with pytest.raises(PlanStale):
            apply(held.store, (stale, *changes_to(digests, created)), NEW, created)

        assert held.digests() == digests


def test_a_work_tree_keeps_what_git_does_not_hold_and_writes_the_rest(tmp_path: Path) -> None:
    created, edited = document("c"), canonical_bytes(document("a", description="Edited meanwhile"))

    with work_tree(tmp_path, "", A, B) as held:
        digests, file = held.digests(), held.store.git.top / held.store.path(Key("a"))
        file.write_bytes(edited)
        applied = apply(held.store, changes_to(digests, NEW, created), NEW, created)

        assert (set(applied.kept), file.read_bytes()) == ({"a"}, edited)
        assert held.digests()[Key("c")] == document_digest(created)


def test_new_workflows_that_call_each_other_are_linked_or_refused(writable: Holding) -> None:
    first, second = document("c", call("key:d")), document("d", call("key:c"))

    with writable(A) as held:
        digests = held.digests()
        changes = changes_to(digests, first, second)
        if held.store.capabilities.links_new:
            apply(held.store, changes, first, second)
            assert held.digests() == digests | {
                Key("c"): document_digest(first),
                Key("d"): document_digest(second),
            }
        else:
            with pytest.raises(InvalidInput) as caught:
                apply(held.store, changes, first, second)
            assert (caught.value.code, held.digests()) == ("UNSUPPORTED_BY_SERVER", digests)


def test_a_system_workflow_is_told_from_others_where_a_store_keeps_it(writable: Holding) -> None:
    system = document("s", isSystem=True)

    with writable(A) as held:
        if held.store.capabilities.keeps_system:
            apply(held.store, changes_to(held.digests(), system), system)
            assert held.digests()[Key("s")] == document_digest(system)
