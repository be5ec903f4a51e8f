"""The rows of the budget: for each an operation as a person runs it, and its floor, measured in turns."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from typing import Final

from benchmarks.stage import GITSYNC, Stage, Used, edit_rows

Run = Callable[[Stage], tuple[Used, Used]]
"""What the operation took on a stage, and what its floor did."""


@dataclass(frozen=True, slots=True)
class Measure:
    """One row: budget and most_peak are what must hold, as a ratio to the floor and in MiB.

    smallest, largest: the sizes between which it is measured. needs_smaller: its floor is a stage of a tenth.
    """

    name: str
    floor: str
    budget: float
    most_peak: int
    run: Run
    is_sized: bool = True
    smallest: int = 0
    largest: int = 10_000
    needs_smaller: bool = False


@dataclass(frozen=True, slots=True)
class Result:
    """One row measured: medians over all runs."""

    measure: Measure
    size: int | None
    own: Used
    base: Used

    @property
    def ratio(self) -> float:
        """The operation's time over its floor's."""
        return self.own.seconds / self.base.seconds


def measure(what: Measure, stage: Stage, *, runs: int) -> Result:
    """The medians of `runs` runs."""
    pairs = [what.run(stage) for _ in range(runs)]
    own, base = (_median([pair[side] for pair in pairs]) for side in (0, 1))
    return Result(what, stage.size if what.is_sized else None, own, base)


def _median(used: list[Used]) -> Used:
    return Used(median(one.seconds for one in used), median(one.peak for one in used))


# ---------------------------------------------------------------- the operations


def _help(stage: Stage) -> tuple[Used, Used]:
    base = stage.watch([sys.executable, "-c", "import click"])
    return stage.watch([*GITSYNC, "--help"]), base


def _validate_one(stage: Stage) -> tuple[Used, Used]:
    base = stage.watch([sys.executable, "-c", "import click"])
    return stage.watch([*GITSYNC, "validate", str(stage.alone)]), base


def _hook(stage: Stage) -> tuple[Used, Used]:
    base = stage.watch([sys.executable, "-c", "import click"])
    file = str(stage.alone.relative_to(stage.alone.parents[1]))
    return stage.watch([*GITSYNC, "validate", "--staged", file], folder=stage.alone.parents[1]), base


def _validate_all(stage: Stage) -> tuple[Used, Used]:
    base = stage.floor("judge", str(stage.repository / "workflows"))
    return stage.watch([*GITSYNC, "validate"], folder=stage.repository), base


def _status(stage: Stage) -> tuple[Used, Used]:
    base = (
        stage.copy_out(stage.filled.deployed)
        + stage.floor("digest", str(stage.documents))
        + stage.list_tree()
    )
    return stage.gitsync("status", "--no-cache", url=stage.filled.deployed), base


def _status_unchanged(stage: Stage) -> tuple[Used, Used]:
    base = stage.fingerprints(stage.filled.deployed) + stage.list_tree()
    return stage.warm(stage.filled.deployed), base


def _status_scaled(stage: Stage) -> tuple[Used, Used]:
    assert stage.smaller is not None
    base = stage.smaller.warm(stage.smaller.filled.deployed)
    return stage.warm(stage.filled.deployed), base


def _pull_first(stage: Stage) -> tuple[Used, Used]:
    with stage.empty_repository(stage.name("floor")) as folder:
        base = stage.copy_out(stage.filled.rows)
        base += stage.floor("write", str(stage.documents), str(stage.size), str(folder / "workflows"))
        base += stage.add_and_commit(folder, "workflows")
    with stage.empty_repository(stage.name("pull")) as folder, stage.database(stage.filled.rows) as url:
        return stage.gitsync("pull", "--commit", "-m", "Pull", url=url, folder=folder), base


def _pull_few(stage: Stage) -> tuple[Used, Used]:
    paths = stage.write_edits(stage.few, edition=stage.name("floor"))
    base = stage.add_and_commit(stage.repository, *paths)
    stage.reset()
    with stage.database(stage.filled.deployed) as url:
        base += stage.warm(url)
        edit_rows(url, [stage.edited(number, edition=stage.name("pull")) for number in stage.few])
        own = stage.gitsync("pull", "--commit", "-m", "Pull", url=url)
    stage.reset()
    return own, base


def _push_create(stage: Stage) -> tuple[Used, Used]:
    base = stage.floor("read", str(stage.repository / "workflows"))
    with stage.database(stage.filled.empty) as url:
        base += stage.copy_in(url)
    with stage.database(stage.filled.empty) as url:
        return stage.gitsync("push", url=url), base


def _push_overwrite(stage: Stage) -> tuple[Used, Used]:
    base = stage.floor("read", str(stage.repository / "workflows"))
    with stage.database(stage.filled.empty) as url:
        base += stage.copy_in(url)
    stage.commit_edits(range(stage.size), edition="all")
    policy = ("--update", "--in-place", "--yes", "--max-overwrites", str(stage.size))
    with stage.database(stage.filled.deployed) as url:
        own = stage.gitsync("push", *policy, url=url)
    stage.reset()
    return own, base


def _push_few(stage: Stage) -> tuple[Used, Used]:
    with stage.database(stage.filled.deployed) as url:
        base = stage.warm(url)
        stage.commit_edits(stage.few, edition=stage.name("push"))
        own = stage.gitsync("push", "--update", "--in-place", url=url)
    stage.reset()
    return own, base


def _sqlite_status(stage: Stage) -> tuple[Used, Used]:
    base = stage.floor("sqlite", str(stage.sqlite))
    return stage.gitsync("status", url=f"sqlite:///{stage.sqlite}"), base


def _steps(stage: Stage) -> tuple[Used, Used]:
    program = [sys.executable, "-m", "benchmarks.running"]
    base = stage.watch([*program, "expressions"])
    return stage.watch([*program, "steps"]), base


MEASURES: Final = (
    Measure("`--help`", '`python -c "import click"`', 1.6, 25, _help, is_sized=False),
    Measure("validate one file", '`python -c "import click"`', 3.0, 40, _validate_one, is_sized=False),
    Measure("validate one file, as a hook", '`python -c "import click"`', 3.0, 40, _hook, is_sized=False),
    Measure("validate all", "read + digest of all files", 10.0, 80, _validate_all),
    Measure(
        "status, nothing changed",
        "fingerprints + ls-tree",
        10.0,
        100,
        _status_unchanged,
    ),
    Measure(
        "status, nothing changed",
        "own run with a tenth",
        3.5,
        250,
        _status_scaled,
        smallest=100_000,
        largest=100_000,
        needs_smaller=True,
    ),
    Measure("status, no cache", "COPY out + digest + ls-tree", 3.0, 120, _status),
    Measure("pull, first, with commit", "COPY out + write + add and commit", 1.6, 120, _pull_first),
    Measure("pull, 10 changed", "own no-op status + add 10 and commit", 1.5, 120, _pull_few),
    Measure("push, create all", "COPY in + read of the files", 2.5, 150, _push_create),
    Measure("push, overwrite all in place", "COPY in + read of the files", 3.0, 150, _push_overwrite),
    Measure("push, 10 changed", "own no-op status", 1.5, 100, _push_few),
    Measure("SQLite: status, no cache", "sqlite read + digest", 6.0, 120, _sqlite_status),
    Measure("run, 12,100 steps", "their expressions alone", 4.0, 60, _steps, is_sized=False),
)
