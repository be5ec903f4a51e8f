from __future__ import annotations

import resource
import signal
from collections.abc import Iterator
from contextlib import closing

import pytest

from gitsync.stores.database.spool import Spool
from gitsync.workflow.canonical import canonical_bytes, digest_of
from gitsync.workflow.types import Digest, Document, Key
from tests.support.documents import make_workflow

A, B, C = (make_workflow(key) for key in "abc")


def offer(spool: Spool, *documents: Document) -> None:
    for document in documents:
        data = canonical_bytes(document)
        spool.offer(document["key"], digest_of(data), data)


def digest(document: Document) -> Digest:
    return digest_of(canonical_bytes(document))


def test_what_differs_is_kept_and_read_in_the_order_of_the_keys() -> None:
    with closing(Spool({Key("a"): digest(A), Key("b"): digest(C)})) as spool:
        offer(spool, C, B, A)

        assert spool.has([Key("b"), Key("c")])
        assert not spool.has([Key("a"), Key("b")])
        assert list(spool.read([Key("c"), Key("b")])) == [("b", B), ("c", C)]
        assert list(spool.read([Key("b")])) == [("b", B)]
    assert not spool.has([Key("b")])


def test_numbers_that_no_double_holds_come_back_digit_for_digit() -> None:
    large = make_workflow("a", draft={"n": 12345678901234567890123})
    with closing(Spool({})) as spool:
        offer(spool, large)

        assert next(spool.read([Key("a")]))[1]["draft"]["definition"]["n"] == 12345678901234567890123


def test_an_empty_spool_has_nothing() -> None:
    assert not Spool({}).has([Key("a")])
    assert not Spool({}).has([])


@pytest.fixture
def small_files() -> Iterator[None]:
    """No file may grow beyond a kibibyte."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1024, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


def test_where_there_is_no_room_it_is_empty(small_files: None) -> None:
    spool = Spool({})

    offer(spool, A, make_workflow("b", draft={"text": "x" * 100_000}), C)

    assert not spool.has([Key("a")])
    assert not spool.has([Key("c")])
