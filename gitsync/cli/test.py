"""``gitsync test``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gitsync.cli.options import PAGES, common_options_with, examples, settings_of
from gitsync.cli.output import echo

if TYPE_CHECKING:
    from gitsync.cli.options import Settings
    from gitsync.testing.suite import Result


@click.command(
    "test",
    epilog=examples(
        "gitsync test",
        "gitsync test tests/dunning.yaml -k 'reminder and not last'",
        "gitsync test --changed-since origin/main",
        "gitsync test --coverage --fail-under 80 --junit results.xml",
    ),
)
@click.argument("paths", nargs=-1, metavar="[PATH]...", type=click.Path(path_type=Path))
@click.option(
    "-k", "words", metavar="EXPR", help="Cases whose workflow::name has these words: 'a and not b'."
)
@click.option(
    "--changed-since", metavar="REV", help="Only tests of what has changed since REV, callers included."
)
@click.option("--ref", metavar="REV", help="Test this commit, with its own tests, and not the files.")
@click.option(
    "--actions", multiple=True, metavar="MODULE", help="A Python module whose ACTIONS answer calls."
)
@click.option(
    "--junit", metavar="FILE", type=click.Path(path_type=Path), help="Write the results as JUnit XML too."
)
@click.option("--coverage", is_flag=True, help="Show which steps and branches no case reached.")
@click.option(
    "--fail-under", type=click.FloatRange(0, 100), metavar="PERCENT", help="Fail below this coverage."
)
@click.option(
    "-j", "--jobs", type=click.IntRange(min=1), metavar="N", help="At most N processes (one a core)."
)
@common_options_with(*PAGES)
@click.pass_context
def command(context: click.Context, /, paths: tuple[Path, ...], **values: Any) -> int:
    """Run the tests of the workflows: tests/**/*.yaml beside gitsync.yaml, or those named.

    A case says what a run is given, what stands for the world outside, and what is expected of it. Exits 4 where
    a case fails, or a test file has a problem.
    """
    from gitsync.cli.emit import emit
    from gitsync.commands.project import open_project
    from gitsync.commands.test import test

    settings = settings_of(context)
    if values["ref"] and paths:
        raise click.UsageError("--ref tests a commit with its own tests; name no paths")
    with open_project(settings.context()) as project:
        report = test(
            project,
            paths=paths,
            words=values["words"],
            since=values["changed_since"],
            ref=values["ref"],
            actions=values["actions"],
            with_coverage=values["coverage"],
            fail_under=values["fail_under"],
            processes=values["jobs"],
            on_result=lambda result: _tell(settings, result),
        )
    if values["junit"] is not None:
        from gitsync.cli.files import write_output
        from gitsync.render.tests import render_junit

        write_output(settings, str(values["junit"]), render_junit(report.results).encode())
    return emit(report, settings)


def _tell(settings: Settings, result: Result) -> None:
    """Print a result as it comes, where text was asked for."""
    if settings.output != "text":
        return
    from gitsync.render.tests import result_lines

    if settings.quiet and result.verdict in ("passed", "skipped"):
        return
    for line in result_lines(result, is_verbose=settings.verbose):
        echo(line)
