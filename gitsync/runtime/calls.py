"""A workflow that calls another one: control.callWorkflow."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from gitsync.runtime.actions import with_retry
from gitsync.runtime.model import UNCATCHABLE, Category, RunFault, StepTrace
from gitsync.runtime.state import doubles, members, text_field
from gitsync.workflow.document import REFERENCE
from gitsync.workflow.types import Json, Key

if TYPE_CHECKING:
    from gitsync.runtime.interpreter import Execution


def call_workflow(execution: Execution, step: Mapping[str, Any], path: str, trace: StepTrace) -> None:
    """The step control.callWorkflow; its retry counts, its onError doesn't, as in the product."""
    with_retry(execution, step, trace, lambda _attempt: _attempt_call(execution, step, path))


def _attempt_call(execution: Execution, step: Mapping[str, Any], path: str) -> None:
    state = execution.state
    target, version = text_field(step, "workflowId", where="step"), step.get("workflowVersion")
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise RunFault(
            Category.VALIDATION, "workflowVersion must be a whole number from 1 on", code="INVALID_CONFIG"
        )
    payload = {
        name: execution.evaluator.expression(value, state.context(), where=f"inputMapping.{name}")
        for name, value in members(step.get("inputMapping"), "inputMapping").items()
    }
    child = _stubbed(execution, step, target, payload)
    if child is None:
        child = _called(execution, target, version, payload, path)
    execution.evaluator.assigned(
        step.get("outputMapping"),
        lambda: state.context() | {"childRun": child},
        state.store,
        where="outputMapping",
    )


def _stubbed(
    execution: Execution, step: Mapping[str, Any], target: str, payload: Any
) -> dict[str, Any] | None:
    """What a stub says that the called workflow leaves in its vars; ``None`` where there is no stub."""
    world, step_id, name = execution.world, str(step["id"]), target.removeprefix(REFERENCE)
    answer = world.outside.find((*execution.names(step_id), f"workflow:{name}"), payload)
    if answer is None:
        return None
    world.advance(answer.delay_ms)
    world.run.answers.append(
        (
            execution.key,
            step_id,
            {"returns": answer.returns} if answer.error is None else {"error": dict(answer.error)},
        )
    )
    try:
        returned = doubles(answer.give())
    except RunFault as fault:
        if fault.category in UNCATCHABLE:
            raise
        raise _failed(name, fault) from fault
    return {"payload": payload, "vars": returned, "local": {}, "system": {}, "meta": {}}


def _called(execution: Execution, target: str, version: int, payload: Any, path: str) -> dict[str, Any]:
    """What a called workflow leaves behind, as outputMapping sees it."""
    most = execution.world.options.budget.calls
    if execution.depth >= most:
        raise RunFault(Category.BUDGET, f"workflows call one another more than {most} deep", code="CALLS")
    key, definition = _definition(execution, target, version)
    child = execution.child(key, version, definition, payload, path)
    try:
        child.run()
    except RunFault as fault:
        if fault.category in UNCATCHABLE:
            fault.add_place(key)
            raise
        raise _failed(key, fault) from fault
    state = child.state
    return {
        "payload": state.payload,
        "vars": state.vars,
        "local": {},
        "system": dict(state.system),
        "meta": state.meta,
    }


def _definition(execution: Execution, target: str, version: int) -> tuple[Key, Json]:
    """Key and definition of exactly that version; raises RunFault where it is not there."""
    if not target.startswith(REFERENCE):
        raise RunFault(Category.CHILD, f"{target} belongs to no workflow with a key", code="UNKNOWN_WORKFLOW")
    key = Key(target.removeprefix(REFERENCE))
    document = execution.world.document(key)
    if document is None:
        raise RunFault(Category.CHILD, f"there is no workflow {key}", code="UNKNOWN_WORKFLOW")
    for item in document["publishedVersions"]:
        if item["version"] == version:
            return key, item["definition"]
    raise RunFault(
        Category.CHILD, f"there is no published version {version} of {key}", code="UNKNOWN_WORKFLOW"
    )


def _failed(name: str, fault: RunFault) -> RunFault:
    details = {"category": str(fault.category), "message": fault.message, "nodePath": fault.path or None}
    return RunFault(Category.CHILD, f"the called workflow {name} failed: {fault.message}", details=details)
