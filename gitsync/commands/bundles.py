"""Bundles: workflows exported into one, taken apart into files, put together from files."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from gitsync.commands.context import Context, context_of
from gitsync.commands.project import Project, read_settings
from gitsync.commands.targets import announce, choose_environment, open_store, warn_of_hidden
from gitsync.errors import Conflict, InvalidInput, Problem, UsageError, plural
from gitsync.rules.rule import Severity
from gitsync.rules.validator import Validator
from gitsync.stores.bundle import BundleSide
from gitsync.stores.folder import Folder
from gitsync.sync.compare import select_keys
from gitsync.sync.exports import Load, export_workflows
from gitsync.sync.model import Action, Applied, Change, Deployment, MarkKind, Unkeyed
from gitsync.workflow.bundle import Bundle, iter_loose_calls, offline_id
from gitsync.workflow.schema import is_date_time
from gitsync.workflow.types import Key

if TYPE_CHECKING:
    from gitsync.sync.stores import Target


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportReport:
    """A bundle that was made.

    data: its bytes. applied: key → the id that it has in the bundle. commit: that it was taken from, if any.
    """

    kind: ClassVar[str] = "export"
    environment: str
    commit: str | None
    data: bytes
    changes: Sequence[Change]
    applied: Applied
    warnings: Sequence[str]
    notes: Sequence[str] = ()
    error: None = None
    exit_code: int = 0


def export_bundle(project: Project | Context, *, keys: Sequence[str] = (), exported_at: str) -> ExportReport:
    """Export workflows of the environment's database or server.

    project: or a Context alone; no repository is needed. keys: keys or globs, all workflows where there are none.
    exported_at: the time that the bundle names, such as ``2026-01-31T12:00:00Z``; UsageError where it is none.
    Raises Refused (EMPTY_SOURCE) where there is nothing to export; GitsyncError where it cannot be read.
    """
    context = context_of(project)
    config, folder = read_settings(project)
    environment = choose_environment(config, context)
    with open_store(environment, folder, context, command="export") as target:
        announce(context, environment, target)
        bundle = export_keys(target, keys, exported_at=exported_at)
        return _report(
            bundle,
            environment=environment.name,
            warnings=[
                *(
                    f"left out: {row.name} (id {row.workflow_id}): {row.reason}"
                    for row in bundle.unkeyed
                    if not keys
                ),
                *warn_of_hidden(target),
            ],
        )


def export_commit(
    project: Project, *, keys: Sequence[str] = (), ref: str = "HEAD", exported_at: str
) -> ExportReport:
    """Export workflows of a commit, with ids made of their keys; no database is asked.

    keys: keys or globs, all workflows where there are none. ref: the commit. exported_at: the time that the bundle
    names, such as ``2026-01-31T12:00:00Z``; UsageError where it is none.
    Raises InvalidInput with every fault of the files, Refused (EMPTY_SOURCE) where there is nothing to export.
    """
    side = project.commit_side(ref)
    chosen = select_keys(side.blobs, keys)
    validator = Validator(settings=project.config.rules)
    problems = [problem for _, facts in side.examine(chosen, validator) for problem in facts.problems]
    errors = [problem for problem in problems if problem.severity == Severity.ERROR]
    _check_files([*errors, *(() if keys else (*side.strays, *side.misplaced))])
    bundle = write_bundle(side.load, chosen, exported_at=exported_at)
    misplaced = [*map(str, side.misplaced)]
    return _report(bundle, environment="repository", commit=side.revision, warnings=misplaced)


def join_files(source: Folder, *, keys: Sequence[str] = (), exported_at: str) -> ExportReport:
    """Put the workflow files of a folder together to one bundle, as they are on disk.

    Raises InvalidInput with every fault of the files.
    """
    chosen = select_keys(source.keys, keys)
    misplaced = source.misplaced
    _check_files([*source.find_problems(chosen, with_strays=not keys), *(() if keys else misplaced)])
    bundle = write_bundle(source.load, chosen, exported_at=exported_at)
    return _report(bundle, environment="repository", warnings=[*map(str, misplaced)])


@dataclass(frozen=True, slots=True)
class WrittenBundle:
    """A bundle as bytes, with what is in it.

    applied: key → the id that it has in the bundle. unkeyed: what its source also has, and no bundle can hold.
    """

    data: bytes = field(repr=False)
    changes: Sequence[Change]
    applied: Applied
    unkeyed: Sequence[Unkeyed] = ()


def export_keys(target: Target, patterns: Sequence[str], *, exported_at: str) -> WrittenBundle:
    """Return the bundle of the workflows of a database or server that match, of all of them without a pattern.

    They have their ids there, as they were when they were read. Raises GitsyncError (UNKNOWN_KEY) for a pattern that
    matches nothing, and what `export_workflows` raises.
    """
    with target.open() as session:
        index = session.index
        bundle = write_bundle(
            session.load,
            select_keys(index.keys, patterns),
            exported_at=exported_at,
            id_of=lambda key: index.ids[key],
        )
    return replace(bundle, unkeyed=index.unkeyed)


def write_bundle(
    load: Load, keys: Sequence[Key], *, exported_at: str, id_of: Callable[[Key], str] = offline_id
) -> WrittenBundle:
    """Return the bundle of the workflows `keys` that `load` gives.

    Raises UsageError where `exported_at` is no time, and what `export_workflows` raises.
    """
    if not is_date_time(exported_at):
        raise UsageError(f"{exported_at!r} is no date and time with an offset, such as 2026-01-31T12:00:00Z")
    data: list[bytes] = []
    bundle = BundleSide(Bundle("the bundle"), write=data.append, exported_at=exported_at, id_of=id_of)
    changes, applied = export_workflows(load, bundle, keys)
    return WrittenBundle(b"".join(data), changes, applied)


def _report(
    bundle: WrittenBundle, *, environment: str, commit: str | None = None, warnings: Sequence[str]
) -> ExportReport:
    return ExportReport(
        environment=environment,
        commit=commit,
        data=bundle.data,
        changes=bundle.changes,
        applied=bundle.applied,
        warnings=[*warnings, *bundle.applied.warnings],
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitReport:
    """A bundle that was taken apart; folder: where its files are now."""

    kind: ClassVar[str] = "split"
    folder: Path
    changes: Sequence[Change]
    warnings: Sequence[str]
    notes: Sequence[str] = ()
    error: None = None
    exit_code: int = 0


def split_bundle(data: bytes, *, file: str, target: Folder, force: bool = False) -> SplitReport:
    """Write each workflow of a bundle to its own file in canonical form.

    data: the bundle. file: what messages call it. force: overwrite files that hold something else.
    Raises Conflict (WORKFLOW_KEY_CONFLICT) without it, with nothing written; InvalidInput for what is no bundle.
    """
    bundle = BundleSide.read(data, file="standard input" if file == "-" else file)
    bundle_digests, file_digests = bundle.snapshot().digests, target.snapshot().digests
    changes = [
        Change(key, Action.UPDATE if key in file_digests else Action.CREATE, file_digests.get(key), digest)
        for key, digest in sorted(bundle_digests.items())
        if file_digests.get(key) != digest
    ]
    if not force:
        _check_files_free(changes, target.path, file)
    target.apply(changes, bundle.load([change.key for change in changes]), Deployment(MarkKind.PULL, None))
    warnings = [*bundle.content.warnings, *iter_loose_calls(bundle.content.documents, where="the bundle")]
    return SplitReport(folder=target.path, changes=changes, warnings=warnings)


def _check_files_free(changes: Sequence[Change], folder: Path, file: str) -> None:
    taken = [change for change in changes if change.action is Action.UPDATE]
    if not taken:
        return
    names = ", ".join(f"{change.key}.json" for change in taken)
    raise Conflict(
        f"{plural(len(taken), 'file')} in {folder} hold something else: {names}; nothing was written",
        code="WORKFLOW_KEY_CONFLICT",
        details={
            "conflicts": [
                {
                    "key": change.key,
                    "state": "exists",
                    "repository": change.before,
                    "database": None,
                    "base": None,
                }
                for change in taken
            ]
        },
        cure=f"commit what must not be lost, then `gitsync bundle split --force {file}`",
    )


def _check_files(problems: Iterable[Problem]) -> None:
    """Raise InvalidInput with all `problems`, if there are any."""
    if not (ordered := sorted(problems)):
        return
    rules = {problem.rule for problem in ordered}
    raise InvalidInput(
        f"{plural(len(ordered), 'problem')} in the files; nothing was written",
        code=rules.pop() if len(rules) == 1 else "INVALID_WORKFLOW",
        problems=ordered,
        cure="mend the files first",
    )
