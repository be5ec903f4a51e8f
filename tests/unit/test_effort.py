"""The time of `make fuzz`: each kind has its share, and what one test leaves over goes to those that come after."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import figures
from tests.support.effort import Shares

ROOT = Path(__file__).parents[2]
KINDS = ["kills", "inputs", "inputs", "writers"]


def test_each_kind_has_the_same_share_and_each_test_of_a_kind_the_same_part_of_it() -> None:
    shares = Shares(KINDS, end=160.0)

    assert shares.deal("kills", 100.0) == 120.0
    assert shares.deal("inputs", 120.0) == 130.0
    assert shares.deal("inputs", 130.0) == 140.0
    assert shares.deal("writers", 140.0) == 160.0


def test_what_a_test_leaves_over_goes_to_its_kind_and_what_a_kind_leaves_over_to_those_that_come_after() -> (
    None
):
    shares = Shares(KINDS, end=160.0)
    shares.deal("kills", 100.0)

    assert shares.deal("inputs", 100.0) == 115.0
    assert shares.deal("inputs", 102.0) == 130.0
    assert shares.deal("writers", 104.0) == 160.0


def test_the_first_test_of_a_kind_is_run_when_the_time_is_over_and_the_others_are_not() -> None:
    shares = Shares(KINDS, end=160.0)

    assert shares.deal("inputs", 170.0) == 170.0
    assert shares.deal("inputs", 171.0) is None
    assert shares.deal("writers", 172.0) == 172.0


def test_the_page_says_what_each_figure_counts() -> None:
    page = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")

    assert [kind for kind in (*figures.KINDS, figures.LOST) if f"\n| {kind} | " not in page] == []


@pytest.mark.parametrize("law,workers,code", [("number < 10", 0, 1), ("number < 10**9", 2, 0)])
def test_a_property_test_is_tried_again_until_its_time_is_over_or_it_has_found_something(
    tmp_path: Path, law: str, workers: int, code: int
) -> None:
    (tmp_path / "property").mkdir()
    (tmp_path / "conftest.py").write_text("from tests.conftest import *\n")
    (tmp_path / "property" / "test_law.py").write_text(
        "from hypothesis import given, strategies as st\n"
        "@given(st.integers(max_value=100))\n"
        f"def test_law(number: int) -> None: assert {law}\n"
        "@given(st.integers())\n"
        "def test_truism(number: int) -> None: assert number == number\n"
    )
    variables = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}

    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-m", "fuzz", "-n", str(workers), "--dist", "each", *("-c", ROOT / "pyproject.toml"),
         "--rootdir", tmp_path, tmp_path / "property"],
        cwd=tmp_path, env=variables | {"GITSYNC_TEST_MINUTES": "0.05", "PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert ran.returncode == code, ran.stdout + ran.stderr
    found = re.search(r"\| examples \| ([0-9,]+) \| 2 \| 0 \| (\d) \|", ran.stdout)
    assert found, ran.stdout
    assert found[2] == str(code)
    assert code or int(found[1].replace(",", "")) > 120, "one round and no more"
