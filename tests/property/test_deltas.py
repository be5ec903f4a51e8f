"""What a comparison tells, over any two documents."""

from __future__ import annotations

import copy
import random

from hypothesis import given
from hypothesis import strategies as st

from gitsync.render.words import explain
from gitsync.workflow.canonical import canonical_bytes
from gitsync.workflow.diff import compare_documents
from gitsync.workflow.document import normalise
from gitsync.workflow.summary import THE_FORM, describe
from gitsync.workflow.types import Document
from tests.support.strategies import documents

one_key = st.just("a")


@given(documents(key=one_key), documents(key=one_key), st.randoms(use_true_random=False))
def test_the_words_are_empty_exactly_for_equal_documents(
    before: Document, other: Document, chance: random.Random
) -> None:
    after = copy.deepcopy(before)
    for part in chance.sample(["draft", "metadata", "publishedVersions"], chance.randrange(3)):
        after[part] = copy.deepcopy(other[part])
    normalise(after)

    delta = compare_documents(before, after)

    is_same = canonical_bytes(before) == canonical_bytes(after)
    assert (describe(delta) == THE_FORM) is is_same
    assert (not list(explain(delta))) is is_same


@given(documents())
def test_a_workflow_that_comes_or_goes_can_always_be_told(document: Document) -> None:
    for delta in (compare_documents(None, document), compare_documents(document, None)):
        assert describe(delta)
        assert list(explain(delta))
