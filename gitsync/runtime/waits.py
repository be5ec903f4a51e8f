"""The steps that wait: for an event, for a person, for a time. The script answers, or the run stays WAITING."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from gitsync.runtime.model import Category, RunFault, Wait, iso
from gitsync.runtime.paths import get
from gitsync.runtime.state import later, members, text_field
from gitsync.runtime.stubs import ScriptEntry, ScriptKind
from gitsync.workflow.expressions import to_string

if TYPE_CHECKING:
    from gitsync.runtime.interpreter import Execution

KEY_PATHS: Final = ("ticketId", "clientId", "invoiceId", "projectId", "paymentId")
"""Where the product finds an event's correlation key, unless the event names one."""


class Waiting(Exception):
    """The run can go no further until something happens outside."""

    def __init__(self, wait: Wait) -> None:
        super().__init__(wait.describe())
        self.wait = wait


def event_wait(execution: Execution, step: Mapping[str, Any], path: str) -> None:
    """The step event.wait."""
    world, step_id = execution.world, str(step["id"])
    config = members(step.get("config"), "config")
    name = text_field(config, "eventName")
    context = execution.state.context()
    correlation = execution.evaluator.expression(
        config.get("correlationKey"), context, where="config.correlationKey"
    )
    key = None if correlation is None else to_string(correlation)
    timeout = config.get("timeoutMs")
    if timeout is not None and not _is_positive(timeout):
        raise RunFault(
            Category.VALIDATION, "config.timeoutMs must be a number above 0", code="INVALID_CONFIG"
        )
    filters = config.get("filters") or []
    if not isinstance(filters, list) or not all(isinstance(item, dict) for item in filters):
        raise RunFault(Category.VALIDATION, "config.filters must be a list of objects", code="INVALID_CONFIG")

    def resumes(entry: ScriptEntry) -> bool:
        if entry.kind is ScriptKind.TIMEOUT:
            return entry.name == step_id
        if entry.kind is not ScriptKind.EVENT or entry.name != name:
            return False
        reason = _mismatch(entry, key, filters)
        if reason:
            world.warn(f"{path} ({step_id}): the event {name} does not resume it: {reason}")
        return not reason

    entry = world.outside.take(resumes)
    due = None if timeout is None else later(world.now, timeout)
    if entry is None:
        raise Waiting(
            Wait("event", step_id, path, execution.key, name, key, None if due is None else iso(due))
        )
    world.run.script.append(entry.as_json())
    if entry.kind is ScriptKind.TIMEOUT or (timeout is not None and entry.after_ms > timeout):
        if timeout is None:
            raise RunFault(
                Category.STUB,
                f"the script lets {step_id} time out, and it has no timeoutMs",
                code="NO_TIMEOUT",
            )
        world.advance(timeout)
        raise RunFault(Category.TIMEOUT, f"no event {name} within {timeout:g} ms")
    world.advance(entry.after_ms)
    _resume(execution, config, {"event": entry.payload, "eventName": name})


def human_task(execution: Execution, step: Mapping[str, Any], path: str) -> None:
    """The step human.task; the answer's form is not checked, since no registry has the forms."""
    world, step_id = execution.world, str(step["id"])
    config = members(step.get("config"), "config")
    kind = text_field(config, "taskType")
    context = execution.state.context()
    execution.evaluator.expression(config.get("title"), context, where="config.title")
    if config.get("description") is not None:
        execution.evaluator.expression(config["description"], context, where="config.description")
    for name, value in members(config.get("contextData"), "config.contextData").items():
        execution.evaluator.expression(value, context, where=f"config.contextData.{name}")
    entry = world.outside.take(
        lambda entry: entry.kind is ScriptKind.TASK and entry.name in {step_id, kind, "*"}
    )
    if entry is None:
        raise Waiting(Wait("human", step_id, path, execution.key, kind))
    world.run.script.append(entry.as_json())
    world.advance(entry.after_ms)
    _resume(execution, config, {"event": entry.payload, "eventName": "HUMAN_TASK_COMPLETED"})


def time_wait(execution: Execution, step: Mapping[str, Any], path: str) -> None:
    """The step time.wait; a time that has passed already is not waited for."""
    world, step_id = execution.world, str(step["id"])
    config = members(step.get("config"), "config")
    mode = config.get("mode")
    if mode == "duration":
        duration = config.get("durationMs")
        if not _is_positive(duration):
            raise RunFault(
                Category.VALIDATION, "config.durationMs must be a number above 0", code="INVALID_CONFIG"
            )
        due = later(world.now, float(duration))  # type: ignore[arg-type]
    elif mode == "until":
        until = execution.evaluator.expression(
            config.get("until"), execution.state.context(), where="config.until"
        )
        due = _instant(until)
    else:
        raise RunFault(Category.VALIDATION, "config.mode must be duration or until", code="INVALID_CONFIG")
    if due > world.now:
        entry = world.outside.take(
            lambda entry: entry.kind is ScriptKind.TIME and entry.name in {step_id, "*"}
        )
        if entry is None:
            raise Waiting(Wait("time", step_id, path, execution.key, due=iso(due)))
        world.run.script.append(entry.as_json() | {"time": step_id})
        world.now = due
    _resume(execution, config, {"timeWait": {"mode": mode, "dueAt": iso(due), "resumedAt": iso(world.now)}})


def passes(condition: Mapping[str, Any], payload: Any) -> bool:
    """Whether an event's payload passes one filter of an event.wait.

    Raises RunFault where the filter is malformed.
    """
    is_given, value = get(payload, str(condition.get("path")))
    operator, operand = condition.get("op"), condition.get("value")
    match operator:
        case "exists":
            return is_given and value is not None
        case "not_exists":
            return not is_given or value is None
        case "=":
            return is_given and _equal(value, operand)
        case "!=":
            return not is_given or not _equal(value, operand)
        case "in" | "not_in":
            if not isinstance(operand, list):
                raise RunFault(
                    Category.VALIDATION, f"the filter {operator} needs a list", code="INVALID_CONFIG"
                )
            return any(_equal(value, item) for item in operand) is (operator == "in")
        case ">" | ">=" | "<" | "<=":
            return _ordered(operator, value, operand)
        case "contains" | "starts_with" | "ends_with":
            return _textual(operator, value, operand)
        case _:
            raise RunFault(
                Category.VALIDATION, f"there is no filter operator {operator!r}", code="INVALID_CONFIG"
            )


def _resume(execution: Execution, config: Mapping[str, Any], answer: Mapping[str, Any]) -> None:
    state = execution.state
    state.vars = {**state.vars, **answer}
    execution.evaluator.assigned(config.get("assign"), state.context, state.store, where="config.assign")


def _mismatch(entry: ScriptEntry, key: str | None, filters: list[dict[str, Any]]) -> str:
    """Why an event of the right name does not resume the wait, empty where it does."""
    derived = entry.correlation_key
    if derived is None and isinstance(entry.payload, dict):
        derived = next(
            (entry.payload[name] for name in KEY_PATHS if entry.payload.get(name) is not None), None
        )
    if key is not None and (derived is None or to_string(derived) != key):
        has = "no correlation key" if derived is None else f"the correlation key {to_string(derived)!r}"
        return f"it has {has}, the step waits for {key!r}"
    for condition in filters:
        if not passes(condition, entry.payload):
            return f"the filter {condition.get('path')} {condition.get('op')} does not pass"
    return ""


def _equal(value: Any, operand: Any) -> bool:
    if isinstance(value, bool) or isinstance(operand, bool):
        return value is operand
    return bool(value == operand)


def _ordered(operator: str, value: Any, operand: Any) -> bool:
    both_numbers = all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in (value, operand))
    if not both_numbers and not (isinstance(value, str) and isinstance(operand, str)):
        return False
    if operator in {">", ">="}:
        return bool(value > operand) or (operator == ">=" and bool(value == operand))
    return bool(value < operand) or (operator == "<=" and bool(value == operand))


def _textual(operator: str, value: Any, operand: Any) -> bool:
    if not isinstance(operand, str):
        raise RunFault(Category.VALIDATION, f"the filter {operator} needs a text", code="INVALID_CONFIG")
    if operator == "contains" and isinstance(value, list):
        return operand in value
    if not isinstance(value, str):
        return False
    if operator == "contains":
        return operand in value
    return value.startswith(operand) if operator == "starts_with" else value.endswith(operand)


def _is_positive(number: Any) -> bool:
    return (
        isinstance(number, (int, float))
        and not isinstance(number, bool)
        and math.isfinite(number)
        and number > 0
    )


def _instant(value: Any) -> datetime:
    """The instant that an expression gave: ISO text, or milliseconds since 1970."""
    try:
        if isinstance(value, str):
            moment = datetime.fromisoformat(value)
            return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return datetime.fromtimestamp(value / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        pass
    raise RunFault(
        Category.VALIDATION,
        f"config.until gives {to_string(value)!r}, which is no time",
        code="INVALID_CONFIG",
    )
