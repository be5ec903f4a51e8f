from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitsync.workflow.document import is_key
from gitsync.workflow.naming import suggest_key


@pytest.mark.parametrize(
    "names, expected",
    [
        pytest.param(["Refund a Customer"], "refund-a-customer", id="words"),
        pytest.param(["  Ärger & Größe! "], "arger-grosse", id="accents-and-signs"),
        pytest.param(["Billing.Dunning v1.2"], "billing.dunning-v1.2", id="dots-stay"),
        pytest.param(["", "Name"], "name", id="the-first-that-has-letters"),
        pytest.param(["請求", "…"], "workflow-1", id="no-latin-letter"),
        pytest.param(["taken"], "taken-3", id="taken-twice"),
        pytest.param(["---"], "workflow-1", id="only-signs"),
    ],
)
def test_a_key_is_like_the_name(names: list[str], expected: str) -> None:
    assert suggest_key(*names, fallback="workflow-1", taken={"taken", "taken-2"}) == expected


@given(st.text(), st.sets(st.sampled_from(["a", "a-2", "workflow-1", "b"])))
def test_a_suggestion_is_always_a_key_and_free(name: str, taken: set[str]) -> None:
    key = suggest_key(name, fallback="workflow-1", taken=taken)

    assert is_key(key)
    assert key not in taken
