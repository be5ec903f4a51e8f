"""``python -m benchmarks``: measure, and print the table of ``docs/performance.md``."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from benchmarks.measures import MEASURES, Measure, Result, measure
from benchmarks.stage import Stage
from tests.support.postgres import running_postgres

MOST_FILLED = 10_000
"""Above this, one database is filled, and only what needs no more is measured."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--size", type=int, nargs="+", default=[1_000, 10_000], help="workflows (1000 10000)")
    parser.add_argument("--runs", type=int, default=5, help="runs of each measure, whose median counts (5)")
    parser.add_argument("--only", default="", help="measures whose name contains this")
    parser.add_argument("--folder", type=Path, help="where files go (a temporary folder, removed afterwards)")
    options = parser.parse_args(arguments)
    chosen = [one for one in MEASURES if options.only in one.name]
    results: list[Result] = []
    with (
        tempfile.TemporaryDirectory(prefix="gitsync-bench-", dir=options.folder) as folder,
        running_postgres(os.environ.get("GITSYNC_TEST_POSTGRES") or None) as server,
    ):
        for size in options.size:
            fixed = () if size == options.size[0] else [one for one in chosen if not one.is_sized]
            wanted = [one for one in chosen if one not in fixed and one.smallest <= size <= one.largest]
            results += _measure_all(wanted, Path(folder), size=size, server=server, runs=options.runs)
    print(table(results))


def _measure_all(
    chosen: Sequence[Measure], folder: Path, *, size: int, server: str, runs: int
) -> list[Result]:
    results = []
    with ExitStack() as stack:
        stage = _prepared(folder, size=size, server=server)
        if size > MOST_FILLED:
            stage.deploy(stack.enter_context(stage.database()))
        else:
            empty, rows, deployed = (stack.enter_context(stage.database()) for _ in range(3))
            stage.fill(empty=empty, rows=rows, deployed=deployed)
        if any(one.needs_smaller for one in chosen):
            stage.smaller = _prepared(folder / "smaller", size=size // 10, server=server)
            stage.smaller.deploy(stack.enter_context(stage.smaller.database()))
        for one in chosen:
            result = measure(one, stage, runs=runs)
            own, base = result.own.seconds, result.base.seconds
            _tell(f"{size} workflows: {one.name}: {own:.3f} s over {base:.3f} s, {result.own.peak:.0f} MiB")
            results.append(result)
    return results


def _prepared(folder: Path, *, size: int, server: str) -> Stage:
    _tell(f"{size} workflows: preparing")
    stage = Stage(folder, size=size, server=server)
    stage.prepare()
    return stage


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def table(results: Sequence[Result]) -> str:
    """The results as a table in Markdown: ratios, since times would speak of one machine only."""
    lines = [
        "| operation | workflows | floor | ratio | budget | peak MiB | budget |",
        "|---|--:|---|--:|--:|--:|--:|",
    ]
    for result in sorted(results, key=lambda one: MEASURES.index(one.measure)):
        what, size = result.measure, f"{result.size:,}" if result.size else "–"
        ratio, peak = f"{result.ratio:.2f}", f"{result.own.peak:.0f}"
        lines.append(
            f"| {what.name} | {size} | {what.floor} | {ratio} | {what.budget} | {peak} | {what.most_peak} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
