"""``gitsync fmt``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from gitsync.cli.options import Settings, common_options, examples, settings_of
from gitsync.cli.output import echo

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from gitsync.commands.file_project import FileProject
    from gitsync.errors import Problem


@dataclass(frozen=True, slots=True)
class Formatted:
    """One file: what is in it, what should be (``None`` where it cannot be read), and what is in the way."""

    name: str
    path: str
    data: bytes
    wanted: bytes | None
    problems: tuple[Problem, ...]


@click.command(
    "fmt",
    epilog=examples(
        "gitsync fmt",
        "gitsync fmt workflows/onboarding.client.json",
        "gitsync fmt --check --diff",
    ),
)
@click.argument("files", nargs=-1, metavar="[FILE]...")
@click.option("--check", is_flag=True, help="Write nothing; exit 1 where a file would change.")
@click.option("--diff", is_flag=True, help="Show what changes.")
@click.option(
    "--staged",
    is_flag=True,
    help="As a hook before a commit: take the files that are staged, pass over what is none of gitsync's, and "
    "exit 1 where one was changed, so that it can be staged again.",
)
@common_options
@click.pass_context
def command(context: click.Context, /, files: tuple[str, ...], check: bool, diff: bool, staged: bool) -> int:
    """Write workflow files in canonical form, with the dependencies that their definitions have.

    What a push would send stays the same. A file is written whole or not at all; one that is no workflow,
    or whose text could be read in two ways, is left alone, named, and makes the exit code 4.
    """
    from gitsync.commands.choosing import find_projects

    settings = settings_of(context)
    if diff and settings.is_json:
        raise click.UsageError("--diff prints lines, and -o json one object; choose one")
    where = settings.where
    wanted = [settings.place(file) for file in files] or (_staged(where) if staged else [where])
    changed: list[str] = []
    problems: list[Problem] = []
    count = 0
    for project, names, _ in find_projects(wanted, where=where, is_strict=not staged):
        problems += project.problems if project.config is None else project.obstacles
        chosen = names if files or staged else None
        misplaced = project.misplaced_among(chosen)
        problems += misplaced
        count += len(misplaced)
        for one in _iter_formatted(project, chosen):
            count += 1
            problems += one.problems
            if one.wanted is None or one.wanted == one.data:
                continue
            if diff:
                _show_difference(one)
            if check or _write(one):
                changed.append(one.name)
            else:
                problems.append(_saved_meanwhile(one))
    code = _tell(settings, changed, problems, count, check=check)
    return code or (1 if staged and changed else 0)


def _staged(where: Path) -> list[Path]:
    """The files that may be workflows and that the next commit changes."""
    from gitsync.commands.choosing import open_index
    from gitsync.rules.names import is_workflow_name

    return [path for path in open_index(where).staged if is_workflow_name(path.name)]


def _iter_formatted(project: FileProject, names: list[str] | None) -> Iterator[Formatted]:
    from gitsync.commands.file_project import in_place
    from gitsync.errors import InvalidInput
    from gitsync.rules.inspection import read_stored_document
    from gitsync.rules.names import SUFFIX, name_fault
    from gitsync.workflow.canonical import canonical_bytes
    from gitsync.workflow.types import Key

    if project.config is None or project.obstacles:
        return
    for name in in_place(project.names if names is None else names):
        fault = name_fault(name, is_regular=project.names.get(name, True))
        if fault is not None and fault.rule != "UNPORTABLE_NAME":
            continue
        key = Key(name.removesuffix(SUFFIX))
        data, shown = b"", project.name_of(key)
        result: bytes | None = None
        problems: tuple[Problem, ...] = ()
        try:
            data = project.read(key)
            result = canonical_bytes(read_stored_document(data, file=shown))
        except InvalidInput as error:
            problems = error.problems
        yield Formatted(shown, str(project.folder / name), data, result, problems)


def _show_difference(one: Formatted) -> None:
    import difflib
    import re

    from gitsync.rules.inspection import read_stored_document
    from gitsync.rules.masked import Masker

    assert one.wanted is not None
    masker = Masker()
    masker.document(read_stored_document(one.wanted, file=one.name))
    before, after = (
        re.findall(r"[^\n]*\n|[^\n]+", data.decode("utf-8", "replace")) for data in (one.data, one.wanted)
    )
    for line in difflib.unified_diff(before, after, f"a/{one.name}", f"b/{one.name}"):
        shown = masker.line(line)
        echo(shown if shown.endswith("\n") else f"{shown}\n\\ No newline at end of file\n", nl=False)


def _write(one: Formatted) -> bool:
    """Replace the file, if it still holds what was read; whether it did."""
    from pathlib import Path

    from gitsync.errors import GitsyncError
    from gitsync.stores.files import compare_and_set, look

    path = Path(one.path)
    try:
        held = look(path)
        return held is not None and held.data == one.data and compare_and_set(path, held, one.wanted)
    except OSError as error:
        raise GitsyncError(
            f"cannot write {one.name}: {error.strerror}; files written so far are whole",
            code="CANNOT_WRITE",
            cure="mend the cause and run it again",
        ) from error


def _saved_meanwhile(one: Formatted) -> Problem:
    from gitsync.errors import Problem

    return Problem(one.name, rule="UNCOMMITTED_CHANGES", message="was saved meanwhile", cure="run it again")


def _tell(settings: Settings, changed: list[str], problems: list[Problem], count: int, *, check: bool) -> int:
    if settings.is_json:
        from gitsync.render.json import render_json

        value = {
            "format": "gitsync.fmt",
            "formatVersion": 1,
            "files": count,
            "check": check,
            "changed": changed,
            "problems": [problem.as_json() for problem in problems],
        }
        echo(render_json(value), nl=False)
    else:
        for name in changed:
            echo(f"{'would reformat' if check else 'reformatted'} {name}")
        for problem in problems:
            echo(f"left alone: {problem}", err=True)
        left = max(0, count - len(changed) - len({problem.file for problem in problems}))
        settings.tell(f"{len(changed)} {'to reformat' if check else 'reformatted'}, {left} as they should be")
    if problems:
        return 4
    return 1 if check and changed else 0
