"""Running a definition step by step: order, blocks, errors, and workflows that call workflows.

Strictly sequential and depth first. Where the product's engines differ this follows its simulator; the page
docs/running.md has the list.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Callable, Mapping
from typing import Any, Final

from gitsync.runtime import blocks, nodes, waits
from gitsync.runtime.actions import call_action
from gitsync.runtime.calls import call_workflow
from gitsync.runtime.model import (
    UNCATCHABLE,
    Category,
    Library,
    Options,
    Run,
    RunFault,
    RunStatus,
    StepStatus,
    StepTrace,
    iso,
)
from gitsync.runtime.start import Start, choose_definition, starting_payload
from gitsync.runtime.state import Evaluator, RunState, World, doubles
from gitsync.runtime.stubs import Outside, ScriptKind
from gitsync.workflow.document import REFERENCE
from gitsync.workflow.references import CALL
from gitsync.workflow.registry import Registry
from gitsync.workflow.types import Document, Json, Key

SEMANTICS: Final = "gitsync-1"
"""What ``system.runtimeSemanticsVersion`` says here."""


class _Returned(Exception):
    """The run is over, from whatever depth."""


def run_workflow(
    document: Document,
    start: Start,
    *,
    library: Library,
    registry: Registry | None = None,
    outside: Outside | None = None,
    options: Options = Options(),  # noqa: B008
) -> Run:
    """The run of one workflow, as far as it goes; it never raises for what the workflow does.

    document: in normal form. library: where the workflows that it calls come from.
    """
    chosen = choose_definition(document, start.version)
    key = Key(str(document["key"]))
    run = Run(key, chosen.label, RunStatus.RUNNING, started_at=iso(options.now))
    world = World(
        options, registry, library, outside or Outside(), run, options.now, documents={key: document}
    )
    if options.clock is not None and options.budget.seconds:
        world.deadline = options.clock() + options.budget.seconds
    evaluator = Evaluator(world)
    try:
        given = starting_payload(chosen, start, registry, evaluator, options.budget.payload)
    except RunFault as fault:
        run.status, run.error = RunStatus.FAILED, fault.as_error(path="", at=iso(world.now))
        run.payload = doubles(start.payload) if start.has_payload else None
    else:
        execution = Execution(world, key, chosen.label, options.run_id, chosen.definition, given.payload)
        execution.state.meta = dict(given.meta)
        _finish(run, execution)
    run.completed_at = iso(world.now)
    return run


def _finish(run: Run, execution: Execution) -> None:
    """Run to the end, and put down how it ended."""
    try:
        execution.run()
        run.status = RunStatus.SUCCEEDED
    except waits.Waiting as waiting:
        run.status, run.wait = RunStatus.WAITING, waiting.wait
    except RunFault as fault:
        is_cancelled = fault.category == Category.CANCELLATION
        run.status = RunStatus.CANCELED if is_cancelled else RunStatus.FAILED
        run.error = fault.as_error(path="", at=iso(execution.world.now))
    except RecursionError:
        too_deep = RunFault(Category.BUDGET, "the steps are nested too deeply", code="DEPTH")
        run.status, run.error = RunStatus.FAILED, too_deep.as_error(path="", at=iso(execution.world.now))
    run.payload, run.vars, run.meta = (
        execution.state.payload,
        execution.state.vars,
        execution.state.meta,
    )


class Execution:
    """One run of one definition inside a world: the run that was asked for, or one that it calls."""

    def __init__(
        self, world: World, key: Key, label: str, run_id: str, definition: Json, payload: Any, depth: int = 0
    ) -> None:
        self.world = world
        self.key = key
        self.label = label
        self.run_id = run_id
        self.depth = depth
        self.evaluator = Evaluator(world)
        self.definition = doubles(definition)
        text = json.dumps(self.definition, ensure_ascii=False, separators=(",", ":"))
        number = self.definition.get("version") if isinstance(self.definition, dict) else None
        self.state = RunState(
            payload,
            {
                "runId": run_id,
                "workflowId": f"{REFERENCE}{key}",
                "workflowVersion": int(label) if label.isdecimal() else number,
                "tenantId": world.options.tenant,
                "definitionHash": hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest(),
                "runtimeSemanticsVersion": SEMANTICS,
            },
        )
        self.tries = 0  # how many tries there are around
        self.loops: list[str] = []  # onItemError of each loop around

    def run(self) -> None:
        """Run all steps; raises RunFault or Waiting where that isn't to be."""
        if not isinstance(self.definition, dict) or not isinstance(self.definition.get("steps"), list):
            raise RunFault(Category.VALIDATION, "the definition has no list of steps", code="INVALID_CONFIG")
        if not self.definition["steps"]:
            self.world.warn(
                f"{self.key} has no steps: that is a success here, and a failure in the product's engine"
            )
        try:
            self._sequence(self.definition["steps"], "root")
        except _Returned:
            return

    def _sequence(self, steps: Any, path: str) -> None:
        if not isinstance(steps, list):
            raise RunFault(Category.VALIDATION, f"{path} must be a list of steps", code="INVALID_CONFIG")
        for index, step in enumerate(steps):
            self._step(step, f"{path}.steps[{index}]")

    def branch(self, step: Mapping[str, Any], path: str, name: str) -> None:
        """Run the steps that a block has under `name`; only an else may be absent."""
        self._reach(f"{path}.{name}")
        steps = step.get(name)
        if name == "else" and steps is None:
            return
        self._sequence(steps, f"{path}.{name}")

    def _reach(self, point: str) -> None:
        self.world.run.reached.add((self.key, self.label, point))

    def _step(self, step: Any, path: str) -> None:
        world = self.world
        world.spend_step()
        if not isinstance(step, dict) or not isinstance(step.get("type"), str):
            raise RunFault(
                Category.VALIDATION, f"{path} is no step: it has no type", code="INVALID_CONFIG", path=path
            )
        step_id = step.get("id")
        if not isinstance(step_id, str) or not step_id:
            raise RunFault(Category.VALIDATION, f"{path} has no id", code="INVALID_CONFIG", path=path)
        self._reach(path)
        trace = StepTrace(self.key, self.depth, path, step_id, step["type"], iso(world.now))
        world.run.trace.append(trace)
        self._tell(trace)
        try:
            self._check_cancelled(step_id)
            handler = _HANDLERS.get(step["type"], _unknown)
            handler(self, step, path, trace)
            trace.status = StepStatus.SUCCEEDED
        except _Returned:
            trace.status = StepStatus.SUCCEEDED
            raise
        except RunFault as fault:
            self._failed(fault, step, path, trace)
        finally:
            if trace.status is not StepStatus.STARTED:
                trace.completed_at = iso(world.now)
            self._tell(trace)

    def _check_cancelled(self, step_id: str) -> None:
        taken = self.world.outside.take(lambda e: e.kind is ScriptKind.CANCEL and e.name == step_id)
        if taken is not None:
            self.world.run.script.append(taken.as_json())
            raise RunFault(Category.CANCELLATION, f"the run was cancelled at {step_id}")

    def _failed(self, fault: RunFault, step: Mapping[str, Any], path: str, trace: StepTrace) -> None:
        """Go on after the fault where the step or a loop allows it; raises the fault otherwise.

        The order is the product's: a retry has been tried, then onError, then a try around, then the loop.
        """
        if fault.category == Category.CANCELLATION:
            trace.status = StepStatus.CANCELED
            raise fault
        fault.path = fault.path or path
        trace.status = StepStatus.FAILED
        trace.error = fault.as_error(path=path, at=iso(self.world.now))
        if fault.category in UNCATCHABLE:
            raise fault
        if step["type"] == "action.call" and _goes_on(step):
            trace.status, trace.handled = StepStatus.SUCCEEDED, "onError"
        elif not self.tries and self.loops and self.loops[-1] == "continue":
            trace.handled = "forEach"
        else:
            raise fault
        self.state.error = trace.error

    def _tell(self, trace: StepTrace) -> None:
        if self.world.options.on_step is not None:
            self.world.options.on_step(trace)

    def names(self, step_id: str) -> tuple[str, str]:
        """Under what a stub may stand for one step: its id with the workflow's key, or alone."""
        return f"{self.key}/{step_id}", step_id

    def child(self, key: Key, version: int, definition: Json, payload: Any, path: str) -> Execution:
        """The run of a workflow that this one calls at `path`; not begun yet."""
        run_id = str(uuid.uuid5(uuid.UUID(self.run_id), f"{path}#{len(self.world.run.trace)}"))
        return Execution(self.world, key, str(version), run_id, definition, payload, self.depth + 1)


def _goes_on(step: Mapping[str, Any]) -> bool:
    """Whether the step goes on after an error; its own onError wins over its config's."""
    config = step.get("config")
    for holder in (step, config):
        policy = holder.get("onError") if isinstance(holder, dict) else None
        if isinstance(policy, dict):
            return policy.get("policy") == "continue"
    return False


def _unknown(execution: Execution, step: Mapping[str, Any], path: str, trace: StepTrace) -> None:
    raise RunFault(
        Category.VALIDATION,
        f"there is no step type {step['type']!r}; gitsync runs those of the product only",
        code="UNKNOWN_NODE_TYPE",
    )


def _return(*_: Any) -> None:
    raise _Returned


_HANDLERS: Final[Mapping[str, Callable[[Execution, dict[str, Any], str, StepTrace], None]]] = {
    "state.set": lambda execution, step, path, trace: nodes.set_state(execution, step),
    "transform.assign": lambda execution, step, path, trace: nodes.assign(execution, step),
    "email.parseBody": lambda execution, step, path, trace: nodes.parse_body(execution, step),
    "email.renderCommentBlocks": lambda execution, step, path, trace: nodes.render_comment_blocks(
        execution, step
    ),
    "action.call": call_action,
    "event.wait": lambda execution, step, path, trace: waits.event_wait(execution, step, path),
    "time.wait": lambda execution, step, path, trace: waits.time_wait(execution, step, path),
    "human.task": lambda execution, step, path, trace: waits.human_task(execution, step, path),
    "control.if": lambda execution, step, path, trace: blocks.branch(execution, step, path),
    "control.forEach": lambda execution, step, path, trace: blocks.for_each(execution, step, path),
    "control.tryCatch": lambda execution, step, path, trace: blocks.try_catch(execution, step, path),
    CALL: call_workflow,
    "control.return": _return,
}
STEP_TYPES: Final = frozenset(_HANDLERS)
"""Every step type that a run knows."""
