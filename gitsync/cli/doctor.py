"""``gitsync doctor``."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Final

import click

from gitsync.cli.options import Settings, common_options, examples, settings_of
from gitsync.cli.output import echo

if TYPE_CHECKING:
    from pathlib import Path

    from gitsync.commands.project import Project
    from gitsync.config import Config, Environment
    from gitsync.doctor.finding import Finding
    from gitsync.stores.git import GitRepository

SECTIONS: Final = ("git", "configuration", "database", "server", "both sides")


@click.command(
    "doctor",
    epilog=examples("gitsync doctor", "gitsync doctor -e prod", "gitsync doctor -o json"),
)
@common_options
@click.pass_context
def command(context: click.Context) -> int:
    """Look at everything that gitsync stands on, and say how to cure what is amiss.

    Git and its repository, the configuration with each environment, the database with its tables, tenant, keys,
    references, authors and rights, the ledger and what it remembers. Writes nothing and needs no more than the
    right to read; what is missing is a finding, not the end. Exits 1 where something stops a command.
    """
    settings = settings_of(context)
    doctor = _Doctor(settings)
    doctor.run()
    if settings.is_json:
        from gitsync.render.json import render_json

        echo(render_json(doctor.as_json()), nl=False)
    else:
        doctor.print()
    return 1 if doctor.count("error") else 0


class _Doctor:
    """One examination: its findings by section, in the order in which they were looked at."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.findings: list[tuple[str, Finding]] = []
        self.environment: Environment | None = None
        self.commit: str | None = None

    def run(self) -> None:
        """Look at everything."""
        from gitsync.doctor.repository import check_git, check_repository

        self._look("git", "version", lambda: check_git(self.settings.variables))
        os.environ["GIT_OPTIONAL_LOCKS"] = "0"  # to look at the work tree would else write the index
        git = self._repository()
        config, folder = self._configuration(git)
        if git is not None:
            top = git.top
            where = self._prefix(folder, git) + (config.workflows if config else "workflows")
            self._look("git", "repository", lambda: check_repository(git, folder=where.strip("/")))
            self.commit = self._resolve(git)
            if config is not None and folder is not None:
                self._look("configuration", "file", lambda: self._committed(git, folder, top))
        if config is not None:
            self._environments(config)
            if self.environment is not None and self.environment.server is not None:
                self._server(self.environment, has_git=git is not None)
            elif self.environment is not None and folder is not None:
                self._database(self.environment, folder, has_git=git is not None)

    def count(self, level: str) -> int:
        """How many findings are so bad."""
        return sum(finding.level == level for _, finding in self.findings)

    def as_json(self) -> dict[str, object]:
        """The result as JSON."""
        return {
            "format": "gitsync.doctor",
            "formatVersion": 1,
            "environment": self.environment.name if self.environment else None,
            "commit": self.commit,
            "findings": [
                {"section": section, **finding.as_json()}
                for section, finding in sorted(self.findings, key=lambda found: SECTIONS.index(found[0]))
            ],
            "errors": self.count("error"),
            "warnings": self.count("warning"),
        }

    def print(self) -> None:
        """The result for a person, section by section."""
        from gitsync.doctor.finding import counted
        from gitsync.render.text import print_finding, say

        console = self.settings.console()
        for title in SECTIONS:
            findings = [finding for section, finding in self.findings if section == title]
            if findings:
                say(console, title, style="bold")
            for finding in findings:
                print_finding(console, finding)
        levels = [(self.count(level), level) for level in ("error", "warning")]
        say(console, ", ".join(counted(*level) for level in levels if level[0]) or "all is well")

    # ---------------------------------------------------------------- one look

    def _look(self, section: str, name: str, check: Callable[[], Iterable[Finding]]) -> None:
        """Add what `check` finds; an error that ends it is a finding, too."""
        from gitsync.doctor.finding import as_fault, fault
        from gitsync.errors import GitsyncError

        try:
            for finding in check():
                self.findings.append((section, finding))
        except GitsyncError as error:
            self.findings.append((section, as_fault(name, error)))
        except OSError as error:
            self.findings.append(
                (section, fault(name, f"{error.filename}: {error.strerror}", "check its rights"))
            )

    def _repository(self) -> GitRepository | None:
        from gitsync.stores.git import GitRepository

        opened: list[GitRepository] = []

        def check() -> list[Finding]:
            opened.append(GitRepository.open(self.settings.where))
            return []

        self._look("git", "repository", check)
        return opened[0] if opened else None

    def _resolve(self, git: GitRepository) -> str | None:
        from gitsync.errors import GitsyncError

        try:
            return git.resolve("HEAD")
        except GitsyncError:
            return None  # said already

    def _configuration(self, git: GitRepository | None) -> tuple[Config | None, Path | None]:
        """The configuration and the folder that its paths are meant from."""
        from gitsync.commands.project import open_project, read_settings
        from gitsync.doctor.configuration import as_findings
        from gitsync.doctor.finding import fine
        from gitsync.errors import ConfigError

        try:
            if git is not None and git.is_bare:
                with open_project(self.settings.context()) as project:
                    config, folder = project.config, git.top
            else:
                config, folder = read_settings(self.settings.context())
        except ConfigError as error:
            self.findings += [("configuration", finding) for finding in as_findings(error)]
            return None, None
        count = len(config.environments)
        told = (
            f"{config.file}, {count} environment{'' if count == 1 else 's'}" if count else "no gitsync.yaml"
        )
        self.findings.append(("configuration", fine("file", told)))
        return config, folder

    def _prefix(self, folder: Path | None, git: GitRepository) -> str:
        """The configuration's folder from the repository's top, with a slash at the end."""
        if folder is None or git.is_bare:
            return ""
        inside = os.path.relpath(folder.resolve(), git.top.resolve())
        return "" if inside == "." else f"{inside}/"

    def _committed(self, git: GitRepository, folder: Path, top: Path) -> list[Finding]:
        from gitsync.config import FILE_NAME
        from gitsync.doctor.finding import warning

        if git.is_bare or not (folder / FILE_NAME).is_file():
            return []
        path = os.path.relpath((folder / FILE_NAME).resolve(), top.resolve())
        if path not in git.uncommitted(path):
            return []
        return [
            warning(
                "uncommitted",
                f"{path} is not committed as it stands; a push reads `workflows` and `registry` from its commit",
                f"`git add {path}` and `git commit`",
            )
        ]

    def _environments(self, config: Config) -> None:
        from gitsync.doctor.configuration import check_environments
        from gitsync.stores.database.connect import mask_url

        found, self.environment = check_environments(
            config, self.settings.environment, self.settings.variables, mask_url
        )
        self.findings += [("configuration", finding) for finding in found]

    def _database(self, environment: Environment, folder: Path, *, has_git: bool) -> None:
        from gitsync.commands.project import database_url
        from gitsync.doctor.database import check_database
        from gitsync.stores.database.connect import make_engine

        def check() -> list[Finding]:
            url = database_url(environment, folder)
            engine = make_engine(url, command="doctor", lock_timeout=self.settings.lock_timeout)
            try:
                return check_database(engine, tenant=environment.tenant, actor=environment.actor)
            finally:
                engine.dispose()

        self._look("database", "connection", check)
        stops = {"connection", "database", "tables", "tenant", "actor"}
        faults = {f.name for section, f in self.findings if section == "database" and f.level == "error"}
        if has_git and not faults & stops:
            self._both_sides()

    def _server(self, environment: Environment, *, has_git: bool) -> None:
        from gitsync.commands.targets import open_server
        from gitsync.doctor.finding import counted, fault, fine, warning
        from gitsync.errors import AccessDenied
        from gitsync.sync.plan import UNREADABLE_CURES

        def check() -> Iterable[Finding]:
            with open_server(environment, self.settings.context()) as side:
                yield fine("connection", f"{side.address}, {side.ability.name}")
                keys = sorted(side.list_ids())
                yield fine("keys", f"{counted(len(keys), 'workflow')} with a key of its own")
                for twins in side.twins.values():
                    yield fault("keys", twins.reason, UNREADABLE_CURES[twins.code])
                if side.unkeyed:
                    yield warning(
                        "unkeyed",
                        f"{counted(len(side.unkeyed), 'workflow')} cannot be in git: without a key, or with one "
                        "that can name no file",
                        "give each a key in the product, or with `gitsync adopt` on its database",
                    )
                dict(side.load(keys[:1]))  # whoever may export may import
                try:
                    side.check_may_write()
                except AccessDenied as error:
                    yield warning("rights", error.message, error.cure or "")
                else:
                    yield fine(
                        "rights",
                        "these credentials may write" if keys else "they show with the first workflow",
                    )

        self._look("server", "connection", check)
        if has_git and not any(section == "server" and f.level == "error" for section, f in self.findings):
            self._both_sides()

    def _both_sides(self) -> None:
        from gitsync.commands.project import open_project

        def compare() -> Iterable[Finding]:
            with open_project(self.settings.context()) as project:
                return list(_compare(project))

        self._look("both sides", "states", compare)


def _compare(project: Project) -> Iterable[Finding]:
    from gitsync.doctor.configuration import check_registry
    from gitsync.doctor.memory import check_memory
    from gitsync.stores.git import ZERO

    side = project.commit_side("HEAD")
    database = project.target(command="doctor")
    if side.commit != ZERO:
        prefix = f"{project.prefix}/" if project.prefix else ""
        yield from check_registry(
            project.config_at(side.commit),
            lambda path: project.git.read_file(side.commit, prefix + path),
        )
    comparison = project.compare(side, database, is_loading=False)
    recent = database.recent_marks() if database.has_ledger else None
    yield from check_memory(comparison, recent, project.git)
