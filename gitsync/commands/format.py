"""``fmt``: workflow files written in canonical form.

Light, since a hook of pre-commit imports it on every commit.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from gitsync.commands.choosing import find_projects, open_index
from gitsync.commands.context import Context, context_of, direct
from gitsync.commands.file_project import FileProject
from gitsync.errors import GitsyncError, InvalidInput, Problem
from gitsync.rules.names import is_workflow_name
from gitsync.stores.files import compare_and_set, look
from gitsync.workflow.canonical import canonical_bytes
from gitsync.workflow.reading import read_stored_document
from gitsync.workflow.types import Key

if TYPE_CHECKING:
    from gitsync.commands.project import Project


@dataclass(frozen=True, slots=True)
class Reformatted:
    """One file that is not in canonical form: what was in it, and what is to be."""

    name: str
    before: bytes
    after: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class FormatReport:
    """Which files were put in canonical form, and which were left alone.

    files: how many were looked at. check: nothing was written. staged: files of the next commit were looked at, and
    what was changed must be staged again. differences: what changed in each file, where they were asked for.
    """

    kind: ClassVar[str] = "format"
    files: int
    check: bool
    staged: bool
    changed: Sequence[str]
    problems: Sequence[Problem]
    differences: Sequence[Reformatted] = ()
    notes: Sequence[str] = ()
    error: None = None

    @property
    def exit_code(self) -> int:
        """4 where a file was left alone, 1 where one would change, or has to be staged again, else 0."""
        if self.problems:
            return 4
        return 1 if self.changed and (self.check or self.staged) else 0


def format(  # noqa: A001 (the command is called so)
    project: Project | Context,
    files: Sequence[str | Path] = (),
    *,
    check: bool = False,
    staged: bool = False,
    with_differences: bool = False,
) -> FormatReport:
    """Write `files`, or all of the project around the folder, in canonical form; each whole or not at all.

    project: or a Context alone; no repository is needed, unless the index is named.
    files: paths from the folder that the project was opened in.
    check: write nothing. staged: take the files that the next commit changes, and pass over what is none of
    gitsync's. with_differences: report what changes in each.
    Raises GitsyncError (NO_SUCH_FILE, NO_CONFIGURATION, CANNOT_READ, CANNOT_WRITE).
    """
    context = context_of(project)
    paths = [direct(context.where / file) for file in files]
    if not paths:
        paths = _staged(context.where) if staged else [context.where]
    changed: list[str] = []
    differences: list[Reformatted] = []
    problems: list[Problem] = []
    count = 0
    for each, names, _ in find_projects(paths, where=context.where, is_strict=not staged):
        chosen = names if files or staged else None
        misplaced = each.misplaced_among(chosen)
        problems += each.problems if each.config is None else each.obstacles
        problems += misplaced
        count += len(misplaced)
        for key in _keys(each, chosen):
            count += 1
            try:
                one = _reformatted(each, key)
            except InvalidInput as error:
                problems += error.problems
                continue
            if one.before == one.after:
                continue
            if with_differences:
                differences.append(one)
            if check or _write(each.path(key), one):
                changed.append(one.name)
            else:
                problems.append(_saved_meanwhile(one.name))
    return FormatReport(
        files=count, check=check, staged=staged, changed=changed, problems=problems, differences=differences
    )


def _staged(where: Path) -> list[Path]:
    """Return the files that may be workflows and that the next commit changes."""
    return [path for path in open_index(where).staged if is_workflow_name(path.name)]


def _keys(project: FileProject, names: Collection[str] | None) -> Iterator[Key]:
    """Yield the workflows among `names`, of all files where it is ``None``."""
    if project.config is None or project.obstacles:
        return
    for name in project.in_place(names):
        if (key := project.tree.key(name)) is not None:
            yield key


def _reformatted(project: FileProject, key: Key) -> Reformatted:
    """Return a workflow's file with its canonical form; raises InvalidInput where it holds no workflow."""
    name, data = project.name_of(key), project.read(key)
    return Reformatted(name, data, canonical_bytes(read_stored_document(data, file=name)))


def _write(path: Path, one: Reformatted) -> bool:
    """Replace the file, if it still holds what was read; return whether it did."""
    try:
        current = look(path)
        return (
            current is not None and current.data == one.before and compare_and_set(path, current, one.after)
        )
    except OSError as error:
        raise GitsyncError(
            f"cannot write {one.name}: {error.strerror}; files written so far are whole",
            code="CANNOT_WRITE",
            cure="mend the cause and run it again",
        ) from error


def _saved_meanwhile(name: str) -> Problem:
    return Problem(name, rule="UNCOMMITTED_CHANGES", message="was saved meanwhile", cure="run it again")
