"""``validate``: workflow files, gitsync.yaml and the registry against every rule; needs no database.

Light, since a hook of pre-commit imports it on every commit.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from gitsync.commands.choosing import find_projects, open_index
from gitsync.commands.context import Context, Counter, context_of, direct
from gitsync.commands.file_project import FileProject
from gitsync.commands.report import tell_unchecked
from gitsync.commands.workers import map_chunks
from gitsync.errors import GitsyncError, InvalidInput, Problem
from gitsync.rules.catalogue import RULES, find_rule, suggest_rule
from gitsync.rules.folder import FolderLinks, check_calls, check_files, mentions
from gitsync.rules.history import Base
from gitsync.rules.names import SUFFIX, collisions
from gitsync.rules.rule import Rule
from gitsync.stores.disk import TESTS, Disk, test_names
from gitsync.workflow.canonical import digest_of
from gitsync.workflow.faults import Fault
from gitsync.workflow.reading import read_stored_document
from gitsync.workflow.scan import Scan
from gitsync.workflow.types import Key

if TYPE_CHECKING:
    from gitsync.commands.project import Project
    from gitsync.stores.git import Index


@dataclass(frozen=True, slots=True, kw_only=True)
class ValidateReport:
    """What was looked at, and what is wrong with it; both sorted.

    files: their names from the folder that the command ran in. read_line: gives line N of such a file, to be shown
    below a problem; empty where there is none.
    """

    kind: ClassVar[str] = "validate"
    files: Sequence[str]
    problems: Sequence[Problem]
    read_line: Callable[[str, int], str] = lambda _file, _line: ""
    notes: Sequence[str] = ()
    error: None = None

    @property
    def exit_code(self) -> int:
        """4 where a problem is an error, else 0."""
        return 4 if any(problem.severity == "error" for problem in self.problems) else 0


def validate(
    project: Project | Context,
    files: Sequence[str | Path] = (),
    *,
    against: str | None = None,
    staged: bool = False,
    strict: bool = False,
) -> ValidateReport:
    """Judge `files`, each under its own gitsync.yaml, or all of the project around the folder; no database is asked.

    project: or a Context alone; no repository is needed, unless a revision or the index is named.
    files: paths from the folder that the project was opened in.
    against: the revision whose published versions must be there still, unchanged. staged: judge what the next commit
    holds, pass over what is none of gitsync's, and look for calls of what it deletes. strict: count warnings as errors.
    Raises GitsyncError (NO_SUCH_FILE, NO_CONFIGURATION, CANNOT_READ).
    """
    context = context_of(project)
    index = open_index(context.where) if staged else None
    checks: list[Checked] = []
    paths = [direct(context.where / file) for file in files]
    if not paths:
        paths = [context.where] if index is None else index.staged
    for each, names, deleted in find_projects(
        paths, where=context.where, index=index, is_strict=index is None
    ):
        chosen = names if files or index is not None else None
        base = _base(context, each, against) if against else None
        with context.caller.count("reading the files") as count:
            checks.append(check_project(each, chosen, base=base, deleted=deleted, count=count))
        if chosen is None:
            checks.append(check_tests(each))
        if not each.has_registry and index is None:
            context.tell("note: no registry is configured, so actions and schemas are not checked")
        tell_unchecked(context, each.registry)
    if index is not None and not checks:
        context.tell("nothing is staged that is gitsync's" if index.staged else "nothing is staged")
    problems = sorted({problem for checked in checks for problem in checked.problems})
    return ValidateReport(
        files=sorted({name for checked in checks for name in checked.files}),
        problems=[replace(problem, severity="error") for problem in problems] if strict else problems,
        read_line=_line_reader(context.where, index),
    )


@dataclass(frozen=True, slots=True)
class Checked:
    """What was looked at, and what is wrong with it; both sorted."""

    files: tuple[str, ...]
    problems: tuple[Problem, ...]


def check_project(
    project: FileProject,
    names: Collection[str] | None = None,
    *,
    base: Base | None = None,
    deleted: Collection[Key] = (),
    count: Counter | None = None,
) -> Checked:
    """Judge the files of these names, or all of them where `names` is ``None``.

    deleted: keys whose files are being deleted; every file that still calls one of them is judged for that.
    """
    misplaced = project.misplaced_among(names)
    problems = [*project.problems, *misplaced]
    if project.config is None:
        return Checked((project.shown(project.file),), tuple(problems))
    tree, validator = project.tree, project.validator
    chosen = project.in_place(names)
    for name in chosen:
        if (fault := tree.fault(name)) is not None:
            problems += _problems_of_name(project, name, fault)
    for name, fault in collisions(tree.names):
        if names is None or name in names:
            problems += _problems_of_name(project, name, fault)
    keys = [key for name in chosen if (key := tree.key(name)) is not None]
    links = FolderLinks(frozenset(tree.keys), project.parse)
    project.files.prepare(project.path(key) for key in (tree.keys if deleted else keys))
    parts = map_chunks(lambda part: check_files(part, project.parse, validator, base=base), keys)
    for problems_of_part, links_of_part in parts:
        problems += problems_of_part
        links.known |= links_of_part
        if count is not None:
            count(len(links.known), len(keys))
    problems += check_calls(keys, links, validator)
    if deleted:
        others = sorted(links.keys_of_files.difference(keys))
        callers = [key for key in others if _mentions(project, key, deleted)]
        problems += check_calls(callers, links, validator, of=deleted)
    files = {project.prefix + name for name in chosen} | {problem.file for problem in misplaced}
    return Checked(tuple(sorted(files)), tuple(sorted(set(problems))))


def _problems_of_name(project: FileProject, name: str, fault: Fault) -> Iterator[Problem]:
    """Yield a fault of a file's name, which has no place in the file."""
    file, key = project.prefix + name, name.removesuffix(SUFFIX)
    for problem in project.validator.problems([fault], Scan(""), file=file, key=key):
        yield replace(problem, line=0, column=0, path="")


def _mentions(project: FileProject, key: Key, others: Collection[Key]) -> bool:
    try:
        return mentions(project.read(key), others)
    except InvalidInput:
        return False


def check_tests(project: FileProject) -> Checked:
    """Judge the test files beside a project's ``gitsync.yaml``, each by its form alone."""
    folder = project.file.parent / TESTS
    try:
        paths = [folder / name for name in test_names(project.files, folder)]
    except InvalidInput as error:
        return Checked((), project.shown_problems(error))
    if not paths:
        return Checked((), ())
    from gitsync.testing.testfile import read_test_file  # which a hook without tests does not need

    problems: list[Problem] = []
    for path in paths:
        try:
            problems += read_test_file(project.content(path), file=project.shown(path)).problems
        except InvalidInput as error:
            problems += error.problems
    return Checked(tuple(map(project.shown, paths)), tuple(problems))


def explain(name: str) -> Rule:
    """Return the rule of this name; raises GitsyncError (UNKNOWN_RULE)."""
    rule = find_rule(name)
    if rule is not None:
        return rule
    near = suggest_rule(name)
    hint = f"; did you mean {near}?" if near else ""
    raise GitsyncError(
        f"there is no rule {name!r}{hint}",
        code="UNKNOWN_RULE",
        cure=f"one of: {', '.join(rule.name for rule in RULES.values())}",
    )


def _base(context: Context, project: FileProject, revision: str) -> Base | None:
    """Return what the revision held of the project's workflows that differ now."""
    if project.config is None:
        return None
    from gitsync.commands.project import open_project  # what compares with a database; no hook needs it

    with open_project(replace(context, where=project.file.parent)) as opened:
        side = opened.commit_side(revision)
        keys = [key for key in project.tree.keys if key in side.blobs]
        moved = [key for key in keys if _digest(project, key) != side.blobs[key]]
        documents = {}
        contents = opened.git.read_blobs(side.blobs[key] for key in moved)
        for key, (oid, data) in zip(moved, contents, strict=True):
            try:
                documents[key] = read_stored_document(data, file=oid)
            except InvalidInput:
                continue  # what was no workflow then has published nothing
        return Base(revision, documents)


def _digest(project: FileProject, key: Key) -> str | None:
    """Return the digest of a workflow's file, ``None`` where it can be none."""
    try:
        return digest_of(project.read(key))
    except InvalidInput:
        return None


def _line_reader(where: Path, index: Index | None) -> Callable[[str, int], str]:
    """Return what gives a line of a file; it keeps one file at a time, since problems are sorted by file."""
    lines_of: dict[str, list[str]] = {}

    def read(file: str, line: int) -> str:
        if file not in lines_of:
            lines_of.clear()
            path = direct(where / file)
            try:
                data = (index or Disk.around(path.parent)).read(path)
            except (OSError, GitsyncError):
                data = b""
            lines_of[file] = data.decode("utf-8", "replace").removeprefix("\ufeff").split("\n")
        lines = lines_of[file]
        return lines[line - 1].rstrip("\r") if line <= len(lines) else ""

    return read
