"""The parts that a command works with: configuration, repository and database, opened once and closed."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from gitsync.commands.context import Context
from gitsync.commands.targets import choose_environment, open_database, open_store
from gitsync.config import FILE_NAME, FROM_VARIABLE, Config, Environment, find_config, parse_config
from gitsync.errors import ConfigError, GitError, InvalidInput
from gitsync.rules.validator import Validator
from gitsync.stores.disk import Disk
from gitsync.stores.git import ZERO, GitRepository
from gitsync.stores.git.commit import CommitSide, WorkTree
from gitsync.stores.git.history import GitHistory
from gitsync.sync.compare import Comparison, compare
from gitsync.workflow.registry import Registry, read_registry
from gitsync.workflow.types import Digest, Key

if TYPE_CHECKING:
    from gitsync.stores.database.store import Database
    from gitsync.sync.stores import Target


@dataclass(frozen=True)
class Project:
    """One ``gitsync.yaml`` with its repository; the database is opened when asked for.

    prefix: the file's folder from the repository's top, empty for the top itself.
    """

    context: Context
    config: Config
    git: GitRepository
    prefix: str
    stack: ExitStack

    @cached_property
    def environment(self) -> Environment:
        """The environment to work on."""
        return choose_environment(self.config, self.context)

    def database(self, *, command: str) -> Database:
        """Open the environment's database until the project closes; raise ConfigError for a server."""
        return self.stack.enter_context(
            open_database(
                self.environment, self._folder, self.context, command=command, cache=self._cache_folder
            )
        )

    def target(self, *, command: str, in_place: bool = False, new_tenant: bool = False) -> Target:
        """Open the environment's database or server until the project closes."""
        return self.stack.enter_context(
            open_store(
                self.environment,
                self._folder,
                self.context,
                command=command,
                in_place=in_place,
                new_tenant=new_tenant,
                cache=self._cache_folder,
            )
        )

    @property
    def _folder(self) -> Path:
        """The folder of gitsync.yaml."""
        return self.git.top / self.prefix

    @property
    def _cache_folder(self) -> Path:
        """Where digests of a database are kept between runs."""
        return self.git.common_dir / "gitsync"

    def folder_at(self, config: Config) -> str:
        """The workflows' folder from the repository's top."""
        return "/".join(part for part in (self.prefix, config.workflows) if part)

    def config_at(self, commit: str) -> Config:
        """The configuration as it stands in `commit`; this one where the commit has none."""
        path = f"{self.prefix}/{FILE_NAME}" if self.prefix else FILE_NAME
        data = None if commit == ZERO else self.git.read_file(commit, path)
        return self.config if data is None else parse_config(data, file=f"{commit[:10]}:{path}")

    def commit_side(self, revision: str) -> CommitSide:
        """The side of one commit; HEAD before the first commit is an empty one."""
        commit = self.git.resolve(revision) or ZERO
        folder = self.folder_at(self.config_at(commit))
        return CommitSide(
            self.git,
            folder=folder,
            commit=commit,
            is_checked_out=revision == "HEAD" and not self.git.is_bare,
            largest=self.config.limits.file,
            typed=self._typed(folder),
        )

    def _typed(self, folder: str) -> str:
        """A folder of the repository as one types it where the command runs."""
        typed = os.path.relpath(self.git.top / folder, self.context.where.resolve())
        return "" if typed == "." else typed

    def work_tree(self) -> WorkTree:
        """The work tree over HEAD."""
        if self.git.is_bare:
            raise ConfigError(
                f"{self.git.top} is a bare repository and has no files to write",
                code="BARE_REPOSITORY",
                cure="pull in a clone of it, or onto a branch: `gitsync pull --branch NAME`",
            )
        commit = self.git.resolve("HEAD") or ZERO
        folder = self.folder_at(self.config)
        return WorkTree(
            self.git,
            folder=folder,
            commit=commit,
            largest=self.config.limits.file,
            typed=self._typed(folder),
        )

    def registry_at(self, commit: str) -> Registry | None:
        """What the target runtime offers, as `commit` says; ``None`` where it says nothing."""
        config = self.config_at(commit)
        if config.registry is None:
            return None
        path = "/".join(part for part in (self.prefix, config.registry) if part)
        data = self.git.read_file(commit, path) if commit != ZERO else None
        if data is None:
            raise ConfigError(
                f"{config.file} names the registry {config.registry}, which is not in commit {commit[:10]}",
                code="MISSING_REGISTRY",
                cure=f"commit {path}, or take `registry:` out of {FILE_NAME}",
            )
        return read_registry(data, file=path)

    def history(self, side: CommitSide, database_id: str) -> HistoryMaker:
        """What makes the history behind `side`'s commit."""
        return HistoryMaker(self.git, side, database_id)

    def compare(
        self,
        side: CommitSide,
        database: Target,
        *,
        select: Sequence[str] = (),
        overlay: Mapping[Key, Digest | None] | None = None,
        registry: Registry | None = None,
        is_loading: bool = True,
    ) -> Comparison:
        """The side against the database; `overlay` has the work tree's own digests where they differ from HEAD.

        is_loading: the documents that differ will be asked for.
        """
        over = overlay or {}
        validator = Validator(registry, self.config_at(side.commit).rules)
        context, capabilities = self.context, database.capabilities
        files = {key: digest for key, digest in ({**side.blobs, **over}).items() if digest is not None}
        with context.caller.count(f"reading the {capabilities.noun}") as progress:
            snapshot = database.snapshot(
                keep=files if is_loading else None,
                files=None if capabilities.keeps_system else side.committed_files(),
                progress=progress,
            )
        comparison = compare(
            database=database,
            snapshot=snapshot,
            files=files,
            examine=lambda keys: context.watch(
                "reading the commit",
                side.examine([key for key in keys if key not in over], validator),
                len(keys),
            ),
            history=self.history(side, database.identity()),
            select=select,
            rules=validator,
        )
        return replace(comparison, misplaced=tuple(side.misplaced))


@dataclass(frozen=True, slots=True)
class HistoryMaker:
    """Makes the history behind one side's commit, for the keys in doubt."""

    git: GitRepository
    side: CommitSide
    database_id: str

    def __call__(
        self, keys: Collection[Key], marked: Collection[str], contained: Sequence[str]
    ) -> GitHistory:
        """See `gitsync.sync.compare.MakeHistory`."""
        return GitHistory(
            self.git,
            self.side.commit,
            folder=self.side.folder,
            keys=keys,
            marked=marked,
            normalise=self.side.normalise,
            database_id=self.database_id,
            contained=contained,
        )


@contextmanager
def open_project(context: Context) -> Iterator[Project]:
    """The project around the working directory; raises ConfigError or GitError where there is none."""
    found = find_config(context.where)
    with ExitStack() as stack:
        if found is None:
            yield _without_file(context, stack)
            return
        git = GitRepository.open(found.parent)
        config = parse_config(_read(found), file=_relative(found))
        prefix = found.parent.resolve().relative_to(git.top.resolve()).as_posix()
        prefix = "" if prefix == "." else prefix
        yield Project(context, _trusted(config, context, git, prefix), git, prefix, stack)


class NoTrustedConfiguration(ConfigError):
    """The revision of ``--config-from`` has no configuration."""

    code = "NO_CONFIGURATION_AT_REVISION"


def _trusted(config: Config, context: Context, git: GitRepository, prefix: str) -> Config:
    """`config` with the environments and limits of ``--config-from``: of a commit that strangers cannot change."""
    revision = context.config_from
    if revision is None:
        return config
    path = f"{prefix}/{FILE_NAME}" if prefix else FILE_NAME
    commit = git.resolve(revision)
    data = None if commit is None else git.read_file(commit, path)
    if data is None:
        raise NoTrustedConfiguration(
            f"{revision} has no {path} to take the environments from",
            cure=f"merge {path} there first, or leave out --config-from",
        )
    theirs = parse_config(data, file=f"{revision}:{path}")
    return replace(
        config,
        file=theirs.file,
        limits=theirs.limits,
        default=theirs.default,
        environments=theirs.environments,
    )


def _without_file(context: Context, stack: ExitStack) -> Project:
    """A bare repository with a configuration in HEAD, or no configuration but a URL in the environment."""
    try:
        git = GitRepository.open(context.where)
    except GitError as error:
        if names_target(context) or error.code != "NOT_A_REPOSITORY":
            raise
        raise no_configuration(context.where) from None
    head = git.resolve("HEAD") if git.is_bare else None
    data = git.read_file(head, FILE_NAME) if head else None
    if data is not None:
        config = parse_config(data, file=f"HEAD:{FILE_NAME}")
    elif names_target(context) or context.config_from is not None:
        config = Config(FILE_NAME)
    else:
        raise no_configuration(context.where)
    return Project(context, _trusted(config, context, git, ""), git, "", stack)


def names_target(context: Context) -> bool:
    """Whether option or variable say what to work on, so that no configuration is needed."""
    return context.base_url is not None or bool(context.variables.get(FROM_VARIABLE))


def no_configuration(folder: Path) -> ConfigError:
    """The error of a command that finds neither a configuration nor a URL."""
    return ConfigError(
        f"no {FILE_NAME} in {folder} or above it, and neither {FROM_VARIABLE} nor --base-url is given",
        code="NO_CONFIGURATION",
        cure="`gitsync init` makes one here; `gitsync init --example` adds sample workflows",
    )


def read_settings(place: Project | Context) -> tuple[Config, Path]:
    """Return the configuration alone, and its folder, for commands that need no repository."""
    if isinstance(place, Project):
        return place.config, place.git.top / place.prefix
    context = place
    found = find_config(context.where)
    if found is not None:
        return parse_config(_read(found), file=_relative(found)), found.parent
    if names_target(context):
        return Config(FILE_NAME), context.where
    raise no_configuration(context.where)


def registry_of(config: Config, folder: Path) -> Registry | None:
    """What the target runtime offers, as the file on disk says; ``None`` where there is none."""
    if config.registry is None:
        return None
    path = folder / config.registry
    if not os.path.lexists(path):
        raise ConfigError(
            f"{config.file} names the registry {config.registry}, and there is no such file in {folder}",
            code="MISSING_REGISTRY",
            cure=f"make it, or take `registry:` out of {FILE_NAME}",
        )
    return read_registry(_read(path), file=config.registry)


def _read(path: Path) -> bytes:
    try:
        return Disk.around(path.parent).read(path)
    except InvalidInput as error:
        message = "; ".join(f"{problem.file} {problem.message}" for problem in error.problems)
        raise ConfigError(message, code=error.code, problems=error.problems, cure=error.cure) from error
    except OSError as error:
        raise ConfigError(
            f"cannot read {path}: {error.strerror}", cure=f"check the rights of {path}"
        ) from error


def _relative(path: Path) -> str:
    return os.path.relpath(path)
