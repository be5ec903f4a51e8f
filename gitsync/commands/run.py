"""``run``: one workflow run here, as the product would."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Final

from gitsync.commands.project import Project
from gitsync.commands.report import tell_unchecked
from gitsync.commands.running import Source, commit_source, database_source, file_source
from gitsync.errors import ConfigError
from gitsync.runtime.functions import load_functions
from gitsync.runtime.interpreter import run_workflow
from gitsync.runtime.limits import held
from gitsync.runtime.model import Options, Run, StepTrace
from gitsync.runtime.redact import Redactor
from gitsync.runtime.start import Start
from gitsync.runtime.stubs import Outside
from gitsync.testing.record import record
from gitsync.testing.testfile import Setting
from gitsync.workflow.types import Key

_ANY_START: Final = Start()
_NO_SETTING: Final = Setting()


@dataclass(frozen=True, slots=True, kw_only=True)
class RunReport:
    """One run and what it did, secrets taken out.

    source: where the workflow was from, for people. value: the run as JSON. recording: the run as a test file.
    """

    kind: ClassVar[str] = "run"
    source: str
    run: Run
    value: Mapping[str, Any]
    recording: str
    notes: Sequence[str] = ()
    error: None = None

    @property
    def exit_code(self) -> int:
        """0 where the run succeeded, 4 where it failed or waits for something."""
        return 0 if self.run.status == "SUCCEEDED" else 4


def run(
    project: Project,
    key: str,
    *,
    start: Start = _ANY_START,
    setting: Setting = _NO_SETTING,
    clock: Callable[[], float] = time.monotonic,
    ref: str | None = None,
    actions: Sequence[str] = (),
    on_step: Callable[[StepTrace], None] | None = None,
) -> RunReport:
    """Run a workflow with stubbed actions; nothing outside is touched.

    key: the workflow's. start: payload or event, and which version; without either, a sample of the payload is made.
    setting: stubs, script, secrets and time. clock: seconds, for the budget.
    ref: from this commit; else from the chosen environment's database, or from the files where none is chosen.
    actions: Python modules whose ACTIONS answer calls. on_step: told of each step, which may hold secrets.
    In the main thread the process has, meanwhile, a limit of memory and an alarm.

    Raises InvalidInput (UNKNOWN_WORKFLOW, UNKNOWN_VERSION, RUN_STOPPED, …) where it cannot be run; a run that fails
    is a result.
    """
    source = _source(project, ref)
    tell_unchecked(project.context, source.registry)
    document = source.require(Key(key))
    functions = load_functions(tuple(actions), folder=str(project.git.top / project.prefix))
    options = Options(now=setting.now, secrets=setting.secrets, clock=clock, on_step=on_step)
    with held(options.budget.seconds):
        done = run_workflow(
            document,
            start,
            library=source,
            registry=source.registry,
            outside=Outside(setting.stubs, functions, setting.script),
            options=options,
        )
    redactor = Redactor(setting.secrets)
    name = f"recorded: {done.status}"
    return RunReport(
        source=source.label,
        run=done,
        value=redactor.value(done.as_json()),
        recording=record(done, start, setting, name=name, redactor=redactor),
    )


def check_free(target: Path) -> None:
    """Raise ConfigError (ALREADY_THERE) where a recording would replace a file."""
    if target.exists() or target.is_symlink():
        raise ConfigError(
            f"{target} is there already; nothing was run",
            code="ALREADY_THERE",
            cure="choose another name, or delete it",
        )


def _source(project: Project, ref: str | None) -> Source:
    if ref is not None:
        return commit_source(project, project.commit_side(ref))
    if project.context.environment:
        return database_source(project, command="run")
    return file_source(project)
