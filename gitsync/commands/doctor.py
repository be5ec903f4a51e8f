"""``doctor``: a look at everything that gitsync stands on."""

from __future__ import annotations

import enum
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from gitsync.commands.context import Context, context_of
from gitsync.commands.project import Project, open_project, read_settings
from gitsync.commands.targets import database_url, open_server
from gitsync.config import Config, Environment
from gitsync.doctor.configuration import as_findings, check_committed, check_environments, check_registry
from gitsync.doctor.database import check_database
from gitsync.doctor.finding import Finding, Level, as_fault, fault, fine
from gitsync.doctor.memory import check_memory
from gitsync.doctor.repository import check_git, check_repository
from gitsync.doctor.server import check_server
from gitsync.errors import ConfigError, GitsyncError, plural
from gitsync.stores.database.connect import make_engine, mask_url
from gitsync.stores.git import ZERO
from gitsync.stores.git.facts import GitFacts


class Section(enum.StrEnum):
    """What a finding is about, in the order in which they are shown."""

    GIT = "git"
    CONFIGURATION = "configuration"
    DATABASE = "database"
    SERVER = "server"
    BOTH_SIDES = "both sides"


@dataclass(frozen=True, slots=True, kw_only=True)
class DoctorReport:
    """What a look at everything has shown; exit code 1 where something stops a command.

    environment: that was looked at, ``None`` where none can be used. commit: of HEAD, if there is one.
    findings: by section, in the order in which they were looked at.
    """

    kind: ClassVar[str] = "doctor"
    environment: str | None
    commit: str | None
    findings: Sequence[tuple[Section, Finding]]
    notes: Sequence[str] = ()
    error: None = None

    def count(self, level: Level) -> int:
        """Return how many findings are so bad."""
        return sum(finding.level is level for _, finding in self.findings)

    @property
    def exit_code(self) -> int:
        """Return 1 where a finding is an error, else 0."""
        return 1 if self.count(Level.ERROR) else 0


def diagnose(project: Project | Context) -> DoctorReport:
    """Look at git, the configuration, the database or server, and what both sides remember; write nothing.

    What is missing or fails is a finding with its cure; the other looks go on, and nothing is raised for it.
    project: or a Context alone, where no project can be opened.
    """
    examination = _Examination(context_of(project))
    examination.run()
    order = list(Section)
    return DoctorReport(
        environment=examination.environment.name if examination.environment else None,
        commit=examination.commit,
        findings=sorted(examination.findings, key=lambda row: order.index(row[0])),
    )


_STOPS: frozenset[str] = frozenset({"connection", "database", "tables", "tenant", "actor"})
"""Findings on a database that leave nothing to compare."""


class _Examination:
    """One examination under way: its findings by section, in the order in which they were looked at."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.findings: list[tuple[Section, Finding]] = []
        self.environment: Environment | None = None
        self.commit: str | None = None

    def run(self) -> None:
        """Look at everything."""
        self._look(Section.GIT, "version", lambda: check_git(self.context.variables))
        git = self._repository()
        config, folder = self._configuration(git)
        if git is not None:
            workflows = _prefix(folder, git) + (config.workflows if config else "workflows")
            self._look(Section.GIT, "repository", lambda: check_repository(git, folder=workflows.strip("/")))
            self.commit = _head_of(git)
            if config is not None and folder is not None:
                self._look(Section.CONFIGURATION, "file", lambda: check_committed(git, folder))
        if config is not None:
            self._environments(config)
            if self.environment is not None and self.environment.server is not None:
                self._server(self.environment, has_git=git is not None)
            elif self.environment is not None and folder is not None:
                self._database(self.environment, folder, has_git=git is not None)

    def _look(self, section: Section, name: str, check: Callable[[], Iterable[Finding]]) -> None:
        """Add what `check` finds; an error that ends it is a finding, too."""
        try:
            for finding in check():
                self._add(section, finding)
        except GitsyncError as error:
            self._add(section, as_fault(name, error))
        except OSError as error:
            self._add(section, fault(name, f"{error.filename}: {error.strerror}", "check its rights"))

    def _add(self, section: Section, *findings: Finding) -> None:
        self.findings += [(section, finding) for finding in findings]

    def _errors(self, section: Section) -> set[str]:
        """Return the names of what is wrong in one section."""
        return {
            finding.name
            for place, finding in self.findings
            if place is section and finding.level is Level.ERROR
        }

    def _repository(self) -> GitFacts | None:
        opened: list[GitFacts] = []

        def check() -> list[Finding]:
            opened.append(GitFacts.open(self.context.where))
            return []

        self._look(Section.GIT, "repository", check)
        return opened[0] if opened else None

    def _configuration(self, git: GitFacts | None) -> tuple[Config | None, Path | None]:
        """Return the configuration and the folder that its paths are meant from."""
        try:
            if git is not None and git.is_bare:
                with open_project(self.context) as project:
                    config, folder = project.config, git.top
            else:
                config, folder = read_settings(self.context)
        except ConfigError as error:
            self._add(Section.CONFIGURATION, *as_findings(error))
            return None, None
        count = len(config.environments)
        message = f"{config.file}, {plural(count, 'environment')}" if count else "no gitsync.yaml"
        self._add(Section.CONFIGURATION, fine("file", message))
        return config, folder

    def _environments(self, config: Config) -> None:
        findings, self.environment = check_environments(
            config, self.context.environment, self.context.variables, mask_url
        )
        self._add(Section.CONFIGURATION, *findings)

    def _database(self, environment: Environment, folder: Path, *, has_git: bool) -> None:
        def check() -> list[Finding]:
            url = database_url(environment, folder)
            engine = make_engine(url, command="doctor", lock_timeout=self.context.lock_timeout)
            try:
                return check_database(engine, tenant=environment.tenant, actor=environment.actor)
            finally:
                engine.dispose()

        self._look(Section.DATABASE, "connection", check)
        if has_git and not self._errors(Section.DATABASE) & _STOPS:
            self._both_sides()

    def _server(self, environment: Environment, *, has_git: bool) -> None:
        def check() -> Iterator[Finding]:
            with open_server(environment, self.context) as store:
                yield from check_server(store)

        self._look(Section.SERVER, "connection", check)
        if has_git and not self._errors(Section.SERVER):
            self._both_sides()

    def _both_sides(self) -> None:
        def compare() -> list[Finding]:
            with open_project(self.context) as project:
                return list(_compare(project))

        self._look(Section.BOTH_SIDES, "states", compare)


def _head_of(git: GitFacts) -> str | None:
    try:
        return git.resolve("HEAD")
    except GitsyncError:
        return None  # the look at the repository has said it


def _prefix(folder: Path | None, git: GitFacts) -> str:
    """Return the configuration's folder from the repository's top, with a slash at the end."""
    if folder is None or git.is_bare:
        return ""
    inside = os.path.relpath(folder.resolve(), git.top.resolve())
    return "" if inside == "." else f"{inside}/"


def _compare(project: Project) -> Iterator[Finding]:
    """Yield what HEAD and the environment remember of each other."""
    side = project.commit_side("HEAD")
    target = project.target(command="doctor")
    if side.commit != ZERO:
        prefix = f"{project.prefix}/" if project.prefix else ""
        yield from check_registry(
            project.config_at(side.commit),
            lambda path: project.git.read_file(side.commit, prefix + path),
        )
    comparison = project.compare(side, target, is_loading=False)
    ledger = target.ledger if target.capabilities.has_ledger else None
    recent = None if ledger is None else ledger.recent_marks()
    yield from check_memory(comparison, recent, project.git)
