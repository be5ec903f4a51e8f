"""``gitsync test``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gitsync.cli.options import PAGES, common_options_with, examples, settings_behind, settings_of
from gitsync.cli.output import echo

if TYPE_CHECKING:
    from gitsync.cli.options import Settings
    from gitsync.commands.project import Project
    from gitsync.commands.running import Source
    from gitsync.testing.coverage import Coverage
    from gitsync.testing.suite import Result
    from gitsync.testing.testfile import Case


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
    from gitsync.cli.outcome import tell_unchecked
    from gitsync.commands.project import open_project
    from gitsync.testing.cases import coverage_of, read_tests, run_cases, select
    from gitsync.testing.selection import selector

    settings = settings_of(context)
    if values["ref"] and paths:
        raise click.UsageError("--ref tests a commit with its own tests; name no paths")
    is_chosen = selector(values["words"]) if values["words"] else lambda _title: True
    with open_project(settings.context()) as project:
        source, files = _source(project, values["ref"], paths)
        tell_unchecked(settings, source.registry)
        is_touched = _touched(project, source, files, values["changed_since"])
        selection = select(
            source,
            read_tests(files),
            wanted=lambda case: is_chosen(case.title) and is_touched(case),
        )
        results = []
        for result in run_cases(
            source,
            selection,
            modules=values["actions"],
            folder=str(project.git.top / project.prefix),
            processes=values["jobs"],
        ):
            results.append(result)
            _tell(settings, result)
        covered = None
        if values["coverage"] or values["fail_under"] is not None:
            is_whole = not (paths or values["words"] or values["changed_since"])
            tested = {case.workflow for case in selection.cases}
            untested = source.keys - tested if is_whole else frozenset()
            covered = coverage_of(source, selection.cases, results, untested=untested)
    return _finish(settings, source.label, results, covered, values)


def _source(
    project: Project, ref: str | None, paths: Sequence[Path]
) -> tuple[Source, list[tuple[str, bytes]]]:
    """Where the workflows come from, and the test files."""
    from gitsync.commands.running import commit_source, commit_tests, file_source, file_tests, path_tests

    if ref is not None:
        side = project.commit_side(ref)
        return commit_source(project, side), list(commit_tests(project, side.commit))
    return file_source(project), list(
        path_tests(settings_behind(project).where, paths) if paths else file_tests(project)
    )


def _touched(
    project: Project, source: Source, files: list[tuple[str, bytes]], since: str | None
) -> Callable[[Case], bool]:
    """Whether a case is about something that has changed; always so without a revision."""
    if since is None:
        return lambda _case: True
    from gitsync.commands.running import changed_since

    keys, names = changed_since(project, source, files, since)
    return lambda case: case.workflow in keys or case.file in names


def _tell(settings: Settings, result: Result) -> None:
    if settings.output != "text":
        return
    from gitsync.render.tests import result_lines

    if settings.quiet and result.verdict in ("passed", "skipped"):
        return
    for line in result_lines(result, is_verbose=settings.verbose):
        echo(line)


def _finish(
    settings: Settings,
    label: str,
    results: Sequence[Result],
    covered: Sequence[Coverage] | None,
    values: dict[str, Any],
) -> int:
    """Print what stands at the end, and give the exit code."""
    from gitsync.cli.files import write_output
    from gitsync.render.tests import (
        coverage_lines,
        percent,
        render_junit,
        render_report,
        render_report_markdown,
        summary,
    )
    from gitsync.testing.coverage import share_of

    if values["junit"] is not None:
        write_output(settings, str(values["junit"]), render_junit(results).encode())
    if settings.is_json:
        from gitsync.render.json import render_json

        echo(render_json(render_report(results, covered, source=label)), nl=False)
    elif settings.is_markdown:
        echo("\n".join(render_report_markdown(results, covered)))
    else:
        if covered is not None:
            echo("\n".join(coverage_lines(covered)))
        echo(summary(results))
    if not results:
        settings.tell("note: there is no test to run; a test file is tests/NAME.yaml beside gitsync.yaml")
    least = values["fail_under"]
    is_short = least is not None and covered is not None and share_of(covered) * 100 < least
    if is_short and covered is not None:
        settings.tell(f"the coverage of {percent(share_of(covered)).strip()} is below {least:g}%")
    has_failed = any(result.verdict in ("failed", "error") for result in results)
    return 4 if has_failed or is_short else 0
