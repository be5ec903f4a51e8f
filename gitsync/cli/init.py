"""``gitsync init``."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import click

from gitsync.cli.options import Settings, common_options, examples, settings_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from gitsync.commands.scaffold import Scaffold
    from gitsync.config import Config
    from gitsync.stores.git import GitRepository


@click.command(
    "init",
    epilog=examples(
        "gitsync init",
        "gitsync init --example",
        "gitsync -C workflows-repo init",
        "gitsync init --ci github --pre-commit --source https://git.example.com/gitsync.git@v1.0.0",
        "gitsync init --ci gitlab --source https://git.example.com/gitsync.git@v1.0.0 --diff",
    ),
)
@click.option("--example", is_flag=True, help="Add sample workflows and a registry, and commit it all.")
@click.option(
    "--ci",
    type=click.Choice(["github", "gitlab"]),
    multiple=True,
    help="Add the pipeline: a plan on each pull request, a deploy on merge.",
)
@click.option("--pre-commit", is_flag=True, help="Add the configuration of the pre-commit hooks.")
@click.option(
    "--source",
    metavar="REPO@REV",
    help="Where pipeline and hooks take gitsync from: what `git clone` takes, and a tag or commit.",
)
@click.option("--diff", "show_diff", is_flag=True, help="Show what would be written, and write nothing.")
@common_options
@click.pass_context
def command(
    context: click.Context,
    example: bool,
    ci: tuple[str, ...],
    pre_commit: bool,
    source: str | None,
    show_diff: bool,
) -> int:
    """Make a repository for workflows here: git, a configuration that explains itself, the folder.

    Uses the git repository that the folder is in, or makes one. Never overwrites a file: what is there already is
    kept, and named. -e NAME says which environment the pipeline deploys to (prod).
    """
    from gitsync.commands.scaffold import EXAMPLE, Scaffold, parse_source
    from gitsync.stores.git import GitRepository
    from gitsync.stores.git.library import create, main_branch

    settings = settings_of(context)
    if (ci or pre_commit) and not source:
        raise click.UsageError("--ci and --pre-commit need --source REPO@REV: where to take gitsync from")
    if source and not (ci or pre_commit):
        raise click.UsageError("--source says where --ci and --pre-commit take gitsync from; add one of them")
    git, config = _find_repository(settings.where), _configuration(settings.where)
    top = settings.where.resolve() if git is None else git.top.resolve()
    prefix = settings.where.resolve().relative_to(top).as_posix()
    scaffold = Scaffold(
        source=parse_source(source, settings.where) if source else EXAMPLE,
        ci=ci,
        pre_commit=pre_commit,
        environment=_environment(settings, config),
        branch=main_branch(git.top) if git else "main",
        prefix="" if prefix == "." else prefix,
        workflows=config.workflows if config else "workflows",
        has_registry=example or (settings.where / "registry.yaml").exists(),
    )
    wanted = scaffold.files() | (_samples(scaffold.prefix) if example else {})
    if show_diff:
        _print_diff(settings, top, wanted)
        return 0
    missing, kept = _sort(top, wanted)
    _check(missing, kept, top, example=example)
    if git is None:
        create(settings.where)
        settings.tell(f"made a git repository and gitsync.yaml in {settings.where}")
        git = GitRepository.open(settings.where)
    elif f"{scaffold.prefix}/gitsync.yaml".lstrip("/") in missing:
        settings.tell(f"made gitsync.yaml in {settings.where}")
    stand_in = _stand_in(git) if example else ""
    _write(top, missing, settings.where / scaffold.workflows)
    if example:
        _commit(settings, git, sorted(wanted), stand_in)
    else:
        _tell(settings, scaffold, missing, kept)
        if ci and config and scaffold.environment not in config.environments:
            settings.tell(f"note: gitsync.yaml has no environment {scaffold.environment} yet")
    return 0


def _find_repository(folder: Path) -> GitRepository | None:
    from gitsync.errors import ConfigError, GitError
    from gitsync.stores.git import GitRepository

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
    """The configuration that is there already."""
    from gitsync.config import FILE_NAME, parse_config

    data = _held(folder / FILE_NAME)
    return None if data is None else parse_config(data, file=FILE_NAME)


def _held(path: Path) -> bytes | None:
    """What a file holds already, ``None`` where there is none."""
    from gitsync.stores.disk import read_named

    try:
        return read_named(path)
    except (FileNotFoundError, NotADirectoryError):
        return None


def _environment(settings: Settings, config: Config | None) -> str:
    """The environment that the pipeline deploys to; one that the new configuration can have."""
    name = settings.environment or "prod"
    if config is None and (name == "dev" or re.fullmatch(r"[A-Za-z][A-Za-z0-9._-]*", name) is None):
        raise click.UsageError(
            f"-e {name}: name the environment that a pipeline deploys to, in letters, digits, '.', '_' and '-'; "
            "dev is the embedded database"
        )
    return name


def _write(top: Path, files: Mapping[str, bytes], folder: Path) -> None:
    """Write `files` and make the workflows' `folder`; raises GitsyncError where one cannot be written."""
    from gitsync.errors import GitsyncError

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
    from gitsync.commands.scaffold import is_scaffold, iter_example

    return {f"{prefix}/{name}".lstrip("/"): data for name, data in iter_example() if not is_scaffold(name)}


def _sort(top: Path, wanted: Mapping[str, bytes]) -> tuple[dict[str, bytes], list[str]]:
    """What to write, and what is there with another content."""
    missing, kept = {}, []
    for name, data in sorted(wanted.items()):
        held = _held(top / name)
        whole = _completed(name, data, held)
        if held is None or (_is_list(name) and whole != held):
            missing[name] = whole
        elif whole != held:
            kept.append(name)
    return missing, kept


def _completed(name: str, data: bytes, held: bytes | None) -> bytes:
    """`data`; of a file of independent lines what is held, and the lines that it lacks."""
    if held is None or not _is_list(name):
        return data
    lines = held.splitlines()
    lacking = [line for line in data.splitlines() if line not in lines]
    return b"\n".join([*lines, *lacking]) + b"\n" if lacking else held


def _is_list(name: str) -> bool:
    from gitsync.commands.scaffold import LISTS

    return name.rpartition("/")[2] in LISTS


def _check(missing: Mapping[str, bytes], kept: list[str], top: Path, *, example: bool) -> None:
    """Raise ConfigError where the run would leave out all that it was asked for."""
    from gitsync.errors import ConfigError

    if kept and (example or not missing):
        raise ConfigError(
            f"{top} has {', '.join(kept)} already; nothing was written",
            code="ALREADY_THERE",
            cure="run it in an empty folder, or see with --diff what it would write and edit what is there",
        )


def _print_diff(settings: Settings, top: Path, wanted: Mapping[str, bytes]) -> None:
    """Each file that differs, as a unified diff from what is there."""
    from gitsync.render.text import print_diff, say, unified

    console = settings.console()
    missing, kept = _sort(top, wanted)
    for name in sorted([*missing, *kept]):
        held = _held(top / name)
        before = "/dev/null" if held is None else f"a/{name}"
        if name in kept:
            say(console, f"{name} is there already and would be kept; to take over by hand:", style="bold")
        whole = _completed(name, wanted[name], held)
        print_diff(console, unified(held or b"", whole, names=(before, f"b/{name}")))
    if not missing and not kept:
        settings.tell("nothing to write")


def _stand_in(git: GitRepository) -> str:
    """The name to commit the samples under where git knows nobody; raises GitError where it cannot commit."""
    from gitsync.errors import GitError

    try:
        git.check_can_commit()
    except GitError as error:
        if error.code != "NO_IDENTITY":
            raise
        return "gitsync"
    return ""


def _commit(settings: Settings, git: GitRepository, names: list[str], stand_in: str) -> None:
    from gitsync.stores.git import TreeEntry
    from gitsync.stores.git.commits import Commits

    commits = Commits.of(git)
    files = {name: TreeEntry("100644", "blob", oid) for name, oid in commits.hash_files(names).items()}
    commits.commit(files, lambda _: "Add the example workflows\n", stand_in=stand_in)
    count = sum("workflows/" in name and name.endswith(".json") for name in names)
    settings.tell(f"committed {count} sample workflows")
    if stand_in:
        settings.tell(f"as {stand_in}, since git knows no user.name and user.email here")
    settings.tell("next: gitsync db init && gitsync push && gitsync status")


def _tell(settings: Settings, scaffold: Scaffold, missing: Mapping[str, bytes], kept: list[str]) -> None:
    """What was written, what was not, and what is left to do."""
    from gitsync.commands.scaffold import GITLAB, PRE_COMMIT

    for name in missing:
        settings.tell(f"wrote {name}")
    for name in kept:
        settings.tell(f"kept {name}: it is there already; --diff shows what it would be")
    if GITLAB in kept:
        settings.tell(f"add to {GITLAB}: include: [{{ local: .gitlab/gitsync.yml }}]")
    if not missing:
        settings.tell("all of it is there already")
    name = scaffold.environment
    if scaffold.ci:
        settings.tell(
            f"the pipeline deploys to {name} what is pushed to {scaffold.branch}; give it GITSYNC_DATABASE_URL, "
            f"GITSYNC_TENANT and GITSYNC_ACTOR: in {name}-plan with a role that may read, in {name} with one that may write"
        )
        if scaffold.source.repository.startswith("/"):
            settings.tell(f"note: a pipeline elsewhere cannot reach {scaffold.source.repository}")
    if scaffold.pre_commit and PRE_COMMIT not in kept:
        settings.tell("next: pre-commit install && git add -A && git commit")
    elif scaffold.ci:
        settings.tell("next: look at the files, then git add -A && git commit")
    else:
        settings.tell(
            "next: look at gitsync.yaml, then `gitsync db init` or, with a database, `gitsync status`"
        )
