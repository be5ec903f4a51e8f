"""The public API: all that ``import gitsync`` offers. It imports every command; ``gitsync`` itself imports it when asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from types import MappingProxyType

from gitsync.commands.bundles import ExportReport, export_bundle, export_commit
from gitsync.commands.context import Caller, Context, Unattended, direct
from gitsync.commands.diff import DiffReport, diff
from gitsync.commands.difference import Difference
from gitsync.commands.doctor import DoctorReport, Section, diagnose
from gitsync.commands.format import FormatReport, format  # noqa: A004 (the command is called so)
from gitsync.commands.imports import ImportReport, ImportWishes, import_bundle
from gitsync.commands.project import Project
from gitsync.commands.project import open_project as open_in
from gitsync.commands.pull import PulledBranch, PullReport, PullWishes, pull
from gitsync.commands.push import PlanReport, PushReport, PushWishes, apply, plan, push
from gitsync.commands.run import RunReport, run
from gitsync.commands.status import StatusReport, status
from gitsync.commands.test import TestReport, test
from gitsync.commands.validate import ValidateReport, validate
from gitsync.doctor.finding import Finding, Level
from gitsync.errors import (
    AccessDenied,
    ConfigError,
    Conflict,
    DatabaseError,
    DuplicateKey,
    GitError,
    GitsyncError,
    InvalidInput,
    LockNotAcquired,
    NotConverged,
    PlanStale,
    Problem,
    Refused,
    ServerError,
    UsageError,
)
from gitsync.runtime.model import Run
from gitsync.runtime.start import Start
from gitsync.runtime.stubs import ActionFailure, Answer, ScriptEntry, ScriptKind, Stub
from gitsync.sync.model import Action, Applied, Change
from gitsync.sync.plan import Entry, Plan
from gitsync.sync.plan import Policy as PushPolicy
from gitsync.sync.saved_plan import SavedPlan, read_saved_plan, render_saved_plan
from gitsync.sync.states import State
from gitsync.testing.suite import Result, Verdict
from gitsync.testing.testfile import Setting

__all__ = [
    "AccessDenied",
    "Action",
    "ActionFailure",
    "Answer",
    "Applied",
    "Caller",
    "Change",
    "ConfigError",
    "Conflict",
    "Context",
    "DatabaseError",
    "DiffReport",
    "Difference",
    "DoctorReport",
    "DuplicateKey",
    "Entry",
    "ExportReport",
    "Finding",
    "FormatReport",
    "GitError",
    "GitsyncError",
    "ImportReport",
    "ImportWishes",
    "InvalidInput",
    "Level",
    "LockNotAcquired",
    "NotConverged",
    "Plan",
    "PlanReport",
    "PlanStale",
    "Problem",
    "Project",
    "PullReport",
    "PullWishes",
    "PulledBranch",
    "PushPolicy",
    "PushReport",
    "PushWishes",
    "Refused",
    "Result",
    "Run",
    "RunReport",
    "SavedPlan",
    "ScriptEntry",
    "ScriptKind",
    "Section",
    "ServerError",
    "Setting",
    "Start",
    "State",
    "StatusReport",
    "Stub",
    "TestReport",
    "UsageError",
    "ValidateReport",
    "Verdict",
    "apply",
    "diagnose",
    "diff",
    "export_bundle",
    "export_commit",
    "format",
    "import_bundle",
    "open_project",
    "plan",
    "pull",
    "push",
    "read_saved_plan",
    "render_saved_plan",
    "run",
    "status",
    "test",
    "validate",
]


def open_project(  # noqa: PLR0913 (each is a fact of its own)
    where: str | Path = ".",
    *,
    environment: str | None = None,
    variables: Mapping[str, str] = MappingProxyType({}),
    base_url: str | None = None,
    given: Mapping[str, str] = MappingProxyType({}),
    says_yes: bool = False,
    on_note: Callable[[str], None] = lambda _text: None,
    lock_timeout: float = 10.0,
    no_cache: bool = False,
    assume_complete: bool = False,
    config_from: str | None = None,
) -> AbstractContextManager[Project]:
    """Open the project around a folder, in a ``with``: its gitsync.yaml, in the folder or above it, and its repository.

    The database or server is opened when a command first needs it, and closed with the project.

    where: the folder, from which the paths are meant that a command is given.
    environment: its name in gitsync.yaml, the default one where none is named.
    variables: where ``${GITSYNC_…}`` in gitsync.yaml comes from, and what the GITSYNC_ variables say instead of it;
    hand in ``os.environ`` to have what the command line has.
    says_yes: answer yes where a command asks before it deletes or recreates; it raises Refused (CONFIRMATION_NEEDED)
    otherwise. on_note: is given each note and warning that comes meanwhile.
    base_url: the URL of a server to work on instead of an environment. given: its ``cookie``, ``token``, ``api_key``
    and ``tenant``. lock_timeout: seconds to wait for another run on the same database. no_cache: read every workflow,
    also those whose rows are as they were. assume_complete: what is not shown is not there.
    config_from: the revision whose gitsync.yaml says which environments there are.

    Raises ConfigError (NO_CONFIGURATION, INVALID_CONFIG), GitError (NOT_A_REPOSITORY).
    """
    context = Context(
        where=direct(Path(where)),
        variables=variables,
        environment=environment,
        base_url=base_url,
        given=given,
        lock_timeout=lock_timeout,
        no_cache=no_cache,
        config_from=config_from,
        assume_complete=assume_complete,
        caller=Unattended(says_yes, on_note),
    )
    return open_in(context)
