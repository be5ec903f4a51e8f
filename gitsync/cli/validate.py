"""``gitsync validate``."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from gitsync.cli.options import CHECKS, Settings, common_options_with, examples, settings_of
from gitsync.cli.output import echo, echo_painted
from gitsync.commands.context import direct

if TYPE_CHECKING:
    from gitsync.commands.file_project import Base, Checked, FileProject
    from gitsync.stores.git import Index
    from gitsync.workflow.types import Key

_COLOURS: Final[Mapping[str, Mapping[str, Any]]] = {
    "file": {"bold": True},
    "error": {"fg": "red", "bold": True},
    "warning": {"fg": "yellow", "bold": True},
    "quiet": {"dim": True},
    "caret": {"fg": "green", "bold": True},
}


@click.command(
    "validate",
    epilog=examples(
        "gitsync validate",
        "gitsync validate workflows/onboarding.client.json",
        "gitsync validate --against origin/main --strict",
        "gitsync validate -o sarif > gitsync.sarif",
        "gitsync validate --explain SECRETS",
    ),
)
@click.argument("files", nargs=-1, metavar="[FILE]...")
@click.option("--strict", is_flag=True, help="Count warnings as errors.")
@click.option("--against", metavar="REV", help="Published versions stay as they are at this revision.")
@click.option(
    "--explain", metavar="RULE", help="Say what a rule wants, and why, with examples; look at no file."
)
@click.option(
    "--staged",
    is_flag=True,
    help="As a hook before a commit: judge what is staged, as it is staged, pass over what is none of gitsync's, "
    "and look for calls of what the commit deletes.",
)
@common_options_with(*CHECKS)
@click.pass_context
def command(
    context: click.Context,
    /,
    files: tuple[str, ...],
    strict: bool,
    against: str | None,
    explain: str | None,
    staged: bool,
) -> int:
    """Check workflow files, gitsync.yaml and the registry against every rule; needs no database.

    Without FILE all workflows and tests of the nearest gitsync.yaml are checked; a FILE's own gitsync.yaml is looked
    for from its folder upwards. All problems are listed, sorted by place. Exits 4 where one is an error.
    Severities are set in gitsync.yaml, under validate: rules:.
    """
    settings = settings_of(context)
    if explain is not None:
        return _explain(explain)
    from gitsync.commands.choosing import open_index
    from gitsync.commands.file_project import Checked, as_errors

    index = open_index(settings.where) if staged else None
    found = _check(settings, files, against=against, index=index)
    problems = sorted({problem for checked in found for problem in checked.problems})
    if strict:
        problems = list(as_errors(problems))
    names = sorted({name for checked in found for name in checked.files})
    if index is not None and not found:
        settings.tell("nothing is staged that is gitsync's" if index.staged else "nothing is staged")
    _show(settings, Checked(tuple(names), tuple(problems)), index)
    return 4 if any(problem.severity == "error" for problem in problems) else 0


def _check(
    settings: Settings, files: tuple[str, ...], *, against: str | None, index: Index | None
) -> list[Checked]:
    from gitsync.cli.outcome import tell_unchecked
    from gitsync.cli.progress import counter
    from gitsync.commands.choosing import find_projects
    from gitsync.commands.file_project import check_project, check_tests

    where = settings.where
    wanted = [settings.place(file) for file in files] or ([where] if index is None else index.staged)
    found = []
    for project, names, gone in find_projects(wanted, where=where, index=index, is_strict=index is None):
        if not files and index is None:
            names = None  # noqa: PLW2901 (all of the project that the folder is in)
        base = _base(settings, project, against) if against else None
        with counter(settings, "reading the files") as told:
            more = {} if told is None else {"on_progress": told}
            found.append(check_project(project, names, base=base, gone=gone, **more))
        if names is None:
            found.append(check_tests(project))
        if not project.has_registry and index is None:
            settings.tell("note: no registry is configured, so actions and schemas are not checked")
        tell_unchecked(settings, project.registry)
    return found


def _base(settings: Settings, project: FileProject, revision: str) -> Base | None:
    """What the revision held of the project's workflows that differ now."""
    if project.config is None:
        return None
    from dataclasses import replace

    from gitsync.commands.file_project import Base
    from gitsync.commands.project import open_project
    from gitsync.errors import InvalidInput
    from gitsync.rules.inspection import read_stored_document
    from gitsync.rules.names import SUFFIX
    from gitsync.workflow.types import Key

    with open_project(replace(settings, folder=project.file.parent).context()) as opened:
        side = opened.commit_side(revision)
        keys = [Key(name.removesuffix(SUFFIX)) for name in project.names if name.endswith(SUFFIX)]
        moved = [key for key in keys if key in side.blobs and _digest(project, key) != side.blobs[key]]
        documents = {}
        contents = opened.git.read_blobs(side.blobs[key] for key in moved)
        for key, (oid, data) in zip(moved, contents, strict=True):
            try:
                documents[key] = read_stored_document(data, file=oid)
            except InvalidInput:
                continue  # what was no workflow then has published nothing
        return Base(revision, documents)


def _digest(project: FileProject, key: Key) -> str | None:
    """Of a workflow's file, ``None`` where it can be none."""
    from gitsync.errors import InvalidInput
    from gitsync.workflow.canonical import digest_of

    try:
        return digest_of(project.read(key))
    except InvalidInput:
        return None


def _show(settings: Settings, checked: Checked, index: Index | None) -> None:
    from gitsync.render.problems import count_text, validate_json

    form = settings.output
    if not settings.is_output_chosen and settings.variables.get("GITHUB_ACTIONS") == "true":
        form = "github"
    problems, count = checked.problems, len(checked.files)
    match form:
        case "json":
            from gitsync.render.json import render_json

            echo(render_json(validate_json(problems, count)), nl=False)
        case "sarif":
            from gitsync.render.json import render_json
            from gitsync.render.sarif import sarif_json
            from gitsync.rules.catalogue import RULES

            echo(render_json(sarif_json(problems, RULES.values())), nl=False)
        case "junit":
            from gitsync.render.junit import junit_text

            echo(junit_text(problems, checked.files), nl=False)
        case "github":
            from gitsync.render.github import iter_commands

            for line in iter_commands(problems):
                echo_painted(line)
            settings.tell(count_text(problems, count))
        case _:
            _print(settings, checked, index)


def _print(settings: Settings, checked: Checked, index: Index | None) -> None:
    from gitsync.render.problems import count_text, iter_text

    is_colourful = not settings.no_color and not settings.variables.get("NO_COLOR")
    is_terminal = sys.stdout.isatty()

    def paint(text: str, what: str) -> str:
        return click.style(text, **_COLOURS[what]) if is_colourful and is_terminal else text

    for line in iter_text(checked.problems, read_line=_line_reader(settings.where, index), paint=paint):
        echo_painted(line)
    settings.tell(count_text(checked.problems, len(checked.files)))


def _line_reader(where: Path, index: Index | None) -> Callable[[str, int], str]:
    """What gives a line of a file; it holds one file at a time, since problems are sorted by file."""
    from gitsync.errors import GitsyncError
    from gitsync.stores.disk import Disk

    held: dict[str, list[str]] = {}

    def read(file: str, line: int) -> str:
        if file not in held:
            held.clear()
            path = direct(where / file)
            try:
                data = (index or Disk.around(path.parent)).read(path)
            except (OSError, GitsyncError):
                data = b""
            text = data.decode("utf-8", "replace")
            held[file] = text.removeprefix("\ufeff").split("\n")
        lines = held[file]
        return lines[line - 1].rstrip("\r") if line <= len(lines) else ""

    return read


def _explain(name: str) -> int:
    from gitsync.errors import GitsyncError
    from gitsync.render.rules import explain_text
    from gitsync.rules.catalogue import RULES, find_rule, suggest_rule

    rule = find_rule(name)
    if rule is None:
        near = suggest_rule(name)
        hint = f"; did you mean {near}?" if near else ""
        raise GitsyncError(
            f"there is no rule {name!r}{hint}",
            code="UNKNOWN_RULE",
            cure=f"one of: {', '.join(rule.name for rule in RULES.values())}",
        )
    echo(explain_text(rule), nl=False)
    return 0
