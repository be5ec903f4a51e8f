"""A run as a test: what it was given, what it was answered, and what came of it."""

from __future__ import annotations

from typing import Any

from gitsync.runtime.matching import EXACT
from gitsync.runtime.model import START, Run, RunStatus, iso
from gitsync.runtime.redact import Redactor
from gitsync.runtime.start import Start
from gitsync.runtime.testfile import Setting


def record(run: Run, start: Start, setting: Setting, *, name: str, redactor: Redactor) -> str:
    """The YAML of a test file with one case that gives the same run again; secrets are masked in it."""
    import yaml

    case: dict[str, Any] = {"name": name}
    if start.event is not None:
        case["event"] = dict(start.event)
    elif start.has_payload:
        case["payload"] = start.payload
    else:
        case["payload"] = run.payload
    if setting.now != START:
        case["now"] = iso(setting.now)
    if setting.secrets:
        case["secrets"] = {secret: f"value of {secret}" for secret in sorted(setting.secrets)}
    if stubs := _stubs(run):
        case["stubs"] = stubs
    if run.script:
        case["script"] = run.script
    case["expect"] = _expected(run)
    head: dict[str, Any] = {"workflow": run.workflow}
    head["version"] = int(run.version) if run.version.isdecimal() else run.version
    masked = {**head, "cases": [_masked(case, redactor)]}
    return yaml.safe_dump(masked, sort_keys=False, allow_unicode=True, width=110)


def _masked(case: dict[str, Any], redactor: Redactor) -> dict[str, Any]:
    """The case, masked; the made-up values of its secrets stay, or it could not be run."""
    secrets = case.get("secrets")
    masked: dict[str, Any] = redactor.value(
        {name: value for name, value in case.items() if name != "secrets"}
    )
    return masked if secrets is None else {"name": masked.pop("name"), "secrets": secrets, **masked}


def _stubs(run: Run) -> dict[str, Any]:
    """Step id → what it was answered, in order."""
    answers: dict[str, list[Any]] = {}
    for step_id, answer in run.answers:
        answers.setdefault(step_id, []).append(answer)
    return {step_id: found[0] if len(found) == 1 else found for step_id, found in answers.items()}


def _expected(run: Run) -> dict[str, Any]:
    expected: dict[str, Any] = {"status": str(run.status)}
    if run.state is not None:
        expected["state"] = run.state
    if run.error is not None:
        expected["error"] = {name: run.error[name] for name in ("category", "message", "nodePath")}
    if run.status is RunStatus.WAITING and run.wait is not None:
        expected["waitingFor"] = {"type": run.wait.kind, "stepId": run.wait.step_id}
    expected["calls"] = {
        EXACT: [{"action": call.action, "step": call.step_id, "input": call.input} for call in run.calls]
    }
    if run.vars:
        expected["vars"] = run.vars
    return expected
