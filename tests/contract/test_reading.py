"""What every place that holds workflows does when it is read."""

from __future__ import annotations

from gitsync.workflow.canonical import document_digest
from gitsync.workflow.types import Key
from tests.contract.conftest import Holding
from tests.support.documents import call, document

A, B = document("a", description="The first"), document("b", call("key:a"))
C = document("c", versions=((2, document("c")["draft"]["definition"], None),))
KEYS = [Key("a"), Key("b"), Key("c")]


def test_a_snapshot_has_the_digest_of_each_workflow(readable: Holding) -> None:
    with readable(A, B, C) as held:
        snapshot = held.store.snapshot()

    assert snapshot.digests == {key: document_digest(one) for key, one in zip(KEYS, (A, B, C), strict=True)}
    assert snapshot.keys == set(KEYS)
    assert (list(snapshot.unkeyed), dict(snapshot.unreadable), snapshot.may_hide) == ([], {}, "")
    assert not snapshot.raw_calls


def test_documents_are_loaded_as_they_were_written_ordered_by_key(readable: Holding) -> None:
    with readable(A, B, C) as held:
        assert list(held.store.load([Key("c"), Key("a"), Key("b")])) == list(
            zip(KEYS, (A, B, C), strict=True)
        )


def test_keys_that_are_not_there_are_left_out(readable: Holding) -> None:
    with readable(A, B) as held:
        assert [key for key, _ in held.store.load([Key("b"), Key("nobody")])] == ["b"]
        assert not list(held.store.load([]))


def test_a_store_is_read_as_often_as_one_likes(readable: Holding) -> None:
    with readable(A, B) as held:
        first = held.store.snapshot()
        documents = [list(held.store.load([Key("a"), Key("b")])) for _ in range(2)]

        assert held.store.snapshot() == first
        assert documents[0] == documents[1]


def test_a_store_says_what_it_is(readable: Holding) -> None:
    with readable(A) as held:
        capabilities = held.store.capabilities

    assert capabilities.noun
    assert capabilities.denied is None
