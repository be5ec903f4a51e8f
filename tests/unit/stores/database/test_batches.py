from __future__ import annotations

import threading
from collections.abc import Generator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitsync.stores.database.batches import in_batches, read_ahead


class Source:
    """Numbers, which note where they are made and whether they were closed."""

    def __init__(self, count: int, *, fails_at: int | None = None) -> None:
        self.count, self.fails_at = count, fails_at
        self.made = 0
        self.is_closed = False
        self.threads: set[int] = set()

    def numbers(self) -> Generator[int]:
        try:
            for number in range(self.count):
                if number == self.fails_at:
                    raise ValueError(f"no {number}")
                self.threads.add(threading.get_ident())
                self.made += 1
                yield number
        finally:
            self.is_closed = True


@given(st.integers(0, 50), st.integers(1, 20))
def test_what_is_read_ahead_comes_whole_and_in_order(count: int, size: int) -> None:
    source = Source(count)

    assert list(read_ahead(source.numbers(), size)) == list(range(count))
    assert source.is_closed
    assert threading.get_ident() not in source.threads


@given(st.integers(0, 30), st.integers(1, 7))
def test_an_error_comes_where_the_items_are_used(fails_at: int, size: int) -> None:
    source = Source(31, fails_at=fails_at)
    seen: list[int] = []

    with pytest.raises(ValueError, match=f"no {fails_at}"):
        seen.extend(read_ahead(source.numbers(), size))

    assert seen == list(range(fails_at - fails_at % size))


def test_whoever_stops_early_stops_the_reading_too() -> None:
    source = Source(1_000_000)
    ahead = read_ahead(source.numbers(), 10)

    assert next(ahead) == 0
    ahead.close()

    assert source.is_closed
    assert source.made <= 50


@given(st.lists(st.integers()), st.integers(1, 9))
def test_batches_are_the_items_in_lists(items: list[int], size: int) -> None:
    batches = list(in_batches(items, size))

    assert [item for batch in batches for item in batch] == items
    assert all(len(batch) == size for batch in batches[:-1])
