"""Whether a run is what a case expects."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from gitsync.errors import plural
from gitsync.runtime.matching import EXACT, differences, matches, show
from gitsync.runtime.model import ActionCall, Run, RunStatus

_CALL_FIELDS: Final = ("action", "version", "workflow", "input", "output", "error")


def unmet(expect: Mapping[str, Any], run: Run) -> list[str]:
    """One line for each thing that is not as expected, empty where all is; not yet redacted."""
    lines = list(_iter_unmet(expect, run))
    if lines and run.error is not None and "error" not in expect:
        error = run.error
        lines.append(
            f"the run's error: {error['category']} at {error['nodePath'] or 'the start'}: {error['message']}"
        )
    return lines


def _iter_unmet(expect: Mapping[str, Any], run: Run) -> Iterator[str]:
    if "status" in expect and expect["status"] != str(run.status):
        waiting = f" for {run.wait.describe()}" if run.wait else ""
        yield f"status: expected {expect['status']}, got {run.status}{waiting}"
    elif "status" not in expect and "error" not in expect and run.status is RunStatus.FAILED:
        yield "status: the run failed, and the case expects no error"
    if "state" in expect:
        yield from differences(expect["state"], run.state, path="state")
    if "error" in expect:
        yield from differences(expect["error"], run.error, path="error")
    if "vars" in expect:
        yield from differences(expect["vars"], run.vars, path="vars")
    if "payload" in expect:
        yield from differences(expect["payload"], run.payload, path="payload")
    if "waitingFor" in expect:
        waiting_for = None if run.wait is None else run.wait.as_json()
        yield from differences(expect["waitingFor"], waiting_for, path="waitingFor")
    if "steps" in expect:
        yield from _steps(expect["steps"], run)
    if "calls" in expect:
        yield from _calls(expect["calls"], run.calls)


def _steps(expected: Mapping[str, Any], run: Run) -> Iterator[str]:
    executed = {step.step_id for step in run.trace}
    for step_id in expected.get("executed", ()):
        if step_id not in executed:
            yield f"steps: {step_id} was not executed"
    for step_id in expected.get("notExecuted", ()):
        if step_id in executed:
            yield f"steps: {step_id} was executed"


def _calls(expected: Any, calls: Sequence[ActionCall]) -> Iterator[str]:
    if isinstance(expected, dict):
        yield from _exact_calls(expected[EXACT], calls)
        return
    for index, expectation in enumerate(expected):
        same = [call for call in calls if _is_of(expectation, call)]
        matching = [call for call in same if _first_difference(expectation, call) is None]
        times = expectation.get("times")
        if (times is None and matching) or times == len(matching):
            continue
        what = " ".join(filter(None, (_name(expectation), _words(expectation))))
        due = "a call" if times is None else plural(times, "call")
        yield f"calls[{index}]: expected {due} of {what}, got {len(matching)}"
        others = [call for call in same if call not in matching]
        for call in others[:3]:
            yield f"  {call.action} at {call.step_id}: {_first_difference(expectation, call)}"
        if not same:
            made = ", ".join(dict.fromkeys(call.action for call in calls)) or "no action at all"
            yield f"  the run called {made}"


def _exact_calls(expected: Sequence[Mapping[str, Any]], calls: Sequence[ActionCall]) -> Iterator[str]:
    if len(expected) != len(calls):
        yield f"calls: expected exactly {len(expected)}, got {len(calls)}: {', '.join(c.action for c in calls)}"
        return
    for index, (expectation, call) in enumerate(zip(expected, calls, strict=True)):
        if not _is_of(expectation, call):
            yield f"calls[{index}]: expected {_name(expectation)}, got {call.action} at {call.step_id}"
        elif difference := _first_difference(expectation, call):
            yield f"calls[{index}] ({call.action} at {call.step_id}): {difference}"


def _is_of(expectation: Mapping[str, Any], call: ActionCall) -> bool:
    facts = {"action": call.action, "step": call.step_id}
    return all(expectation.get(name, fact) == fact for name, fact in facts.items())


def _first_difference(expectation: Mapping[str, Any], call: ActionCall) -> str | None:
    facts = call.as_json()
    for name in _CALL_FIELDS:
        if name in expectation and not matches(expectation[name], facts[name]):
            return next(differences(expectation[name], facts[name], path=name))
    return None


def _name(expectation: Mapping[str, Any]) -> str:
    step = f" at {expectation['step']}" if "step" in expectation and "action" in expectation else ""
    return str(expectation.get("action") or f"step {expectation.get('step')}") + step


def _words(expectation: Mapping[str, Any]) -> str:
    return f"with input {show(expectation['input'])}" if "input" in expectation else ""
