"""A run as a test: what it was given, what it was answered, and what came of it."""

from __future__ import annotations

from typing import Any

from gitsync.runtime.matching import EXACT
from gitsync.runtime.model import START, Run, RunStatus, iso
from gitsync.runtime.redact import Redactor
from gitsync.runtime.start import Start
from gitsync.testing.testfile import Setting


def record(run: Run, start: Start, setting: Setting, *, name: str, redactor: Redactor) -> str:
    """The YAML of a test file with one case that gives the same run again; secrets are masked in it."""
    import yaml

    masked = redactor.value
    case: dict[str, Any] = {"name": name}
    if start.event is not None:
        case["event"] = masked(dict(start.event))
    else:
        case["payload"] = masked(start.payload if start.has_payload else run.payload)
    if setting.now != START:
        case["now"] = iso(setting.now)
    if setting.secrets:
        case["secrets"] = {secret: f"value of {secret}" for secret in sorted(setting.secrets)}
    if stubs := _stubs(run, redactor):
        case["stubs"] = stubs
    if run.script:
        case["script"] = [masked(entry) for entry in run.script]
    case["expect"] = _expected(run, redactor)
    version = int(run.version) if run.version.isdecimal() else run.version
    value = {"workflow": run.workflow, "version": version, "cases": [case]}
    return yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=110)


def _stubs(run: Run, redactor: Redactor) -> dict[str, Any]:
    """Step id → what it was answered, in order; with the workflow's key where two workflows have the id.

    Names are never masked: only what a run held is.
    """
    workflows: dict[str, set[str]] = {}
    for step in run.trace:
        workflows.setdefault(step.step_id, set()).add(step.workflow)
    answers: dict[str, list[Any]] = {}
    for workflow, step_id, answer in run.answers:
        name = step_id if len(workflows[step_id]) == 1 else f"{workflow}/{step_id}"
        answers.setdefault(name, []).append(redactor.value(answer))
    return {step_id: given[0] if len(given) == 1 else given for step_id, given in answers.items()}


def _expected(run: Run, redactor: Redactor) -> dict[str, Any]:
    expected: dict[str, Any] = {"status": str(run.status)}
    if run.state is not None:
        expected["state"] = redactor.text(run.state)
    if run.error is not None:
        error = {name: run.error[name] for name in ("category", "message", "nodePath")}
        expected["error"] = redactor.value(error)
    if run.status is RunStatus.WAITING and run.wait is not None:
        expected["waitingFor"] = {"type": run.wait.kind, "stepId": run.wait.step_id}
    expected["calls"] = {
        EXACT: [
            {"action": call.action, "step": call.step_id, "input": redactor.value(call.input)}
            for call in run.calls
        ]
    }
    if run.vars:
        expected["vars"] = redactor.value(run.vars)
    return expected
