"""The stand-in for no value at all."""

from __future__ import annotations

import copy
import pickle

from gitsync.workflow.values import MISSING


def test_the_missing_value_is_the_same_in_a_copy_and_after_its_way_into_another_process() -> None:
    assert copy.deepcopy({"a": MISSING})["a"] is MISSING
    assert pickle.loads(pickle.dumps(MISSING)) is MISSING  # noqa: S301 (written in this very line)
