"""What the measure of steps runs."""

from __future__ import annotations

from benchmarks.running import ITEMS, evaluate_alone, run_steps


def test_both_sides_of_the_measure_evaluate_as_often() -> None:
    done = run_steps(1)

    assert str(done.status) == "SUCCEEDED"
    assert len(done.trace) == 3 * ITEMS + 1
    assert evaluate_alone(1) == len(done.trace)
