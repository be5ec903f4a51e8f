"""``init``: a repository for workflows, with a configuration that explains itself."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from gitsync.commands.context import Context
from gitsync.commands.scaffold import (
    EXAMPLE,
    GITLAB,
    LISTS,
    PRE_COMMIT,
    Scaffold,
    is_scaffold,
    iter_example,
    parse_source,
)
from gitsync.config import FILE_NAME, Config, parse_config
from gitsync.errors import ConfigError, GitError, GitsyncError, UsageError
from gitsync.stores.disk import read_named
from gitsync.stores.git import GitRepository, TreeEntry
from gitsync.stores.git.commits import Commits
from gitsync.stores.git.library import create, main_branch


@dataclass(frozen=True, slots=True)
class FileDifference:
    """A file that is not as it would be made; before: ``None`` where there is none.

    is_kept: it is there already and would stay as it is.
    """

    name: str
    before: bytes | None
    after: bytes
    is_kept: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class InitReport:
    """What was made, or would be: files by their path from the repository's top.

    top: the repository's folder. kept: what was there with another content. differences: of a dry run alone.
    """

    kind: ClassVar[str] = "init"
    top: Path
    written: Sequence[str]
    kept: Sequence[str]
    differences: Sequence[FileDifference] = ()
    notes: Sequence[str] = ()
    error: None = None
    exit_code: int = 0


def init_repository(
    context: Context,
    *,
    example: bool = False,
    ci: Collection[str] = (),
    pre_commit: bool = False,
    source: str | None = None,
    dry_run: bool = False,
) -> InitReport:
    """Make a repository in the context's folder, or in the one that it is in: a configuration, the folder.

    example: add sample workflows and a registry, and commit it all. ci: ``github``, ``gitlab``: add the pipeline,
    which deploys to the context's environment. pre_commit: add the hooks. source: REPO@REV, where pipeline and
    hooks take gitsync from. dry_run: say what differs, and write nothing. No file is ever overwritten.
    Raises UsageError, ConfigError (ALREADY_THERE) and GitsyncError (CANNOT_WRITE).
    """
    git, config = _find_repository(context.where), _configuration(context.where)
    top = context.where.resolve() if git is None else git.top.resolve()
    prefix = context.where.resolve().relative_to(top).as_posix()
    scaffold = Scaffold(
        source=parse_source(source, context.where) if source else EXAMPLE,
        ci=ci,
        pre_commit=pre_commit,
        environment=_environment(context, config),
        branch=main_branch(git.top) if git else "main",
        prefix="" if prefix == "." else prefix,
        workflows=config.workflows if config else "workflows",
        has_registry=example or (context.where / "registry.yaml").exists(),
    )
    files = scaffold.files() | (_samples(scaffold.prefix) if example else {})
    missing, kept = _sort(top, files)
    if dry_run:
        return InitReport(
            top=top,
            written=list(missing),
            kept=kept,
            differences=list(_iter_differences(top, files, kept, [*missing, *kept])),
            notes=() if missing or kept else ("nothing to write",),
        )
    _check(missing, kept, top, example=example)
    if git is None:
        create(context.where)
        context.tell(f"made a git repository and gitsync.yaml in {context.where}")
        git = GitRepository.open(context.where)
    elif f"{scaffold.prefix}/gitsync.yaml".lstrip("/") in missing:
        context.tell(f"made gitsync.yaml in {context.where}")
    stand_in = _stand_in(git) if example else ""
    _write(top, missing, context.where / scaffold.workflows)
    if example:
        notes = _commit(git, sorted(files), stand_in)
    else:
        notes = [*_notes(scaffold, list(missing), kept), *_environment_note(scaffold, config)]
    return InitReport(top=top, written=list(missing), kept=kept, notes=notes)


def _find_repository(folder: Path) -> GitRepository | None:
    try:
        git = GitRepository.open(folder)
    except GitError as error:
        if error.code != "NOT_A_REPOSITORY":
            raise
        return None
    if git.is_bare:
        raise ConfigError(
            f"{git.top} is a bare repository and has no files to write",
            code="BARE_REPOSITORY",
            cure="run it in a clone",
        )
    return git


def _configuration(folder: Path) -> Config | None:
    """Return the configuration that is there already."""
    data = _read(folder / FILE_NAME)
    return None if data is None else parse_config(data, file=FILE_NAME)


def _read(path: Path) -> bytes | None:
    """Return what a file holds already, ``None`` where there is none."""
    try:
        return read_named(path)
    except (FileNotFoundError, NotADirectoryError):
        return None


def _environment(context: Context, config: Config | None) -> str:
    """Return the environment that the pipeline deploys to; one that the new configuration can have."""
    name = context.environment or "prod"
    if config is None and (name == "dev" or re.fullmatch(r"[A-Za-z][A-Za-z0-9._-]*", name) is None):
        raise UsageError(
            f"-e {name}: name the environment that a pipeline deploys to, in letters, digits, '.', '_' and '-'; "
            "dev is the embedded database"
        )
    return name


def _write(top: Path, files: Mapping[str, bytes], folder: Path) -> None:
    """Write `files` and make the workflows' `folder`; raises GitsyncError where one cannot be written."""
    try:
        for name, data in files.items():
            (top / name).parent.mkdir(parents=True, exist_ok=True)
            (top / name).write_bytes(data)
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise GitsyncError(
            f"cannot write {error.filename}: {error.strerror}",
            code="CANNOT_WRITE",
            cure="check the folder and its rights, then run it again: what was written is kept",
        ) from error


def _samples(prefix: str) -> dict[str, bytes]:
    return {f"{prefix}/{name}".lstrip("/"): data for name, data in iter_example() if not is_scaffold(name)}


def _sort(top: Path, files: Mapping[str, bytes]) -> tuple[dict[str, bytes], list[str]]:
    """Return what to write, and what is there with another content."""
    missing, kept = {}, []
    for name, data in sorted(files.items()):
        before = _read(top / name)
        after = _completed(name, data, before)
        if before is None or (_is_list(name) and after != before):
            missing[name] = after
        elif after != before:
            kept.append(name)
    return missing, kept


def _completed(name: str, data: bytes, before: bytes | None) -> bytes:
    """Return `data`; of a file of independent lines what is there before, and the lines that it lacks."""
    if before is None or not _is_list(name):
        return data
    lines = before.splitlines()
    lacking = [line for line in data.splitlines() if line not in lines]
    return b"\n".join([*lines, *lacking]) + b"\n" if lacking else before


def _is_list(name: str) -> bool:
    return name.rpartition("/")[2] in LISTS


def _iter_differences(
    top: Path, files: Mapping[str, bytes], kept: Collection[str], names: Collection[str]
) -> Iterator[FileDifference]:
    for name in sorted(names):
        before = _read(top / name)
        yield FileDifference(name, before, _completed(name, files[name], before), name in kept)


def _check(missing: Mapping[str, bytes], kept: Sequence[str], top: Path, *, example: bool) -> None:
    """Raise ConfigError where the run would leave out all that it was asked for."""
    if kept and (example or not missing):
        raise ConfigError(
            f"{top} has {', '.join(kept)} already; nothing was written",
            code="ALREADY_THERE",
            cure="run it in an empty folder, or see with --diff what it would write and edit what is there",
        )


def _stand_in(git: GitRepository) -> str:
    """Return the name to commit the samples under where git knows nobody; raises GitError where it cannot commit."""
    try:
        git.check_can_commit()
    except GitError as error:
        if error.code != "NO_IDENTITY":
            raise
        return "gitsync"
    return ""


def _commit(git: GitRepository, names: Sequence[str], stand_in: str) -> list[str]:
    """Commit the samples; return what to say of it."""
    commits = Commits.of(git)
    files = {name: TreeEntry("100644", "blob", oid) for name, oid in commits.hash_files(names).items()}
    commits.commit(files, lambda _: "Add the example workflows\n", stand_in=stand_in)
    count = sum("workflows/" in name and name.endswith(".json") for name in names)
    notes = [f"committed {count} sample workflows"]
    if stand_in:
        notes.append(f"as {stand_in}, since git knows no user.name and user.email here")
    return [*notes, "next: gitsync db init && gitsync push && gitsync status"]


def _notes(scaffold: Scaffold, written: Sequence[str], kept: Sequence[str]) -> Iterator[str]:
    """Yield what was written, what was not, and what is left to do."""
    for name in written:
        yield f"wrote {name}"
    for name in kept:
        yield f"kept {name}: it is there already; --diff shows what it would be"
    if GITLAB in kept:
        yield f"add to {GITLAB}: include: [{{ local: .gitlab/gitsync.yml }}]"
    if not written:
        yield "all of it is there already"
    name = scaffold.environment
    if scaffold.ci:
        yield (
            f"the pipeline deploys to {name} what is pushed to {scaffold.branch}; give it GITSYNC_DATABASE_URL, "
            f"GITSYNC_TENANT and GITSYNC_ACTOR: in {name}-plan with a role that may read, in {name} with one that "
            "may write"
        )
        if scaffold.source.repository.startswith("/"):
            yield f"note: a pipeline elsewhere cannot reach {scaffold.source.repository}"
    if scaffold.pre_commit and PRE_COMMIT not in kept:
        yield "next: pre-commit install && git add -A && git commit"
    elif scaffold.ci:
        yield "next: look at the files, then git add -A && git commit"
    else:
        yield "next: look at gitsync.yaml, then `gitsync db init` or, with a database, `gitsync status`"


def _environment_note(scaffold: Scaffold, config: Config | None) -> Iterator[str]:
    if scaffold.ci and config and scaffold.environment not in config.environments:
        yield f"note: gitsync.yaml has no environment {scaffold.environment} yet"
