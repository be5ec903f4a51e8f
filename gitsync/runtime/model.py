"""What a run is made of: its states, what it did, what it may cost."""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from gitsync.workflow.expressions import ExpressionLimits
from gitsync.workflow.types import Document, Key

START: Final = datetime(2026, 1, 1, tzinfo=UTC)
"""The virtual clock's usual start: a run is the same whenever it is made."""


class RunStatus(enum.StrEnum):
    """How a run stands."""

    RUNNING = "RUNNING"
    WAITING = "WAITING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    CANCELED = "CANCELED"


class StepStatus(enum.StrEnum):
    """How a step stands; one that waits stays STARTED."""

    STARTED = "STARTED"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    CANCELED = "CANCELED"


class Category(enum.StrEnum):
    """The runtime's error categories, and two of gitsync's own: beyond the budget, and a stub with no answer."""

    VALIDATION = "ValidationError"
    EXPRESSION = "ExpressionError"
    TRANSIENT = "TransientError"
    ACTION = "ActionError"
    TIMEOUT = "TimeoutError"
    QUOTA = "QuotaExceeded"
    CHILD = "ChildWorkflowError"
    CANCELLATION = "Cancellation"
    CORRUPTION = "InterpreterCorruption"
    BUDGET = "BudgetExceeded"
    STUB = "StubError"


UNCATCHABLE: Final = frozenset({Category.CANCELLATION, Category.CORRUPTION, Category.BUDGET, Category.STUB})
"""What no try, no onError and no loop goes on after."""


class RunFault(Exception):
    """A step's failure. details: JSON."""

    def __init__(
        self, category: str, message: str, *, code: str | None = None, details: Any = None, path: str = ""
    ) -> None:
        super().__init__(message)
        self.category, self.message, self.code, self.details, self.path = (
            category,
            message,
            code,
            details,
            path,
        )
        self._has_place = False

    def add_place(self, workflow: str) -> None:
        """Say in the message which called workflow it comes from; the innermost is said."""
        if not self._has_place:
            self.message, self._has_place = f"{self.message} (in {workflow})", True

    def as_error(self, *, path: str, at: str) -> dict[str, Any]:
        """The value of ``error`` and of what captureErrorAs names."""
        error: dict[str, Any] = {
            "category": str(self.category),
            "message": self.message,
            "nodePath": self.path or path,
            "at": at,
        }
        if self.code is not None:
            error["code"] = self.code
        if self.details is not None:
            error["details"] = self.details
        return error


@dataclass(frozen=True, slots=True)
class Budget:
    """What one run may cost, its children included.

    steps: executed, each retry counting as one. items: of any one loop. calls: workflows inside one another. payload: bytes of JSON.
    seconds: by `clock`, 0 for no limit.
    """

    steps: int = 5_000
    items: int = 1_000
    calls: int = 10
    payload: int = 512 * 1024
    seconds: float = 30.0


@dataclass(frozen=True, slots=True)
class Wait:
    """What a run waits for: an event, a person, a time.

    kind: ``event``, ``human`` or ``time``. name: the event's, or the task's type. due: ISO instant.
    """

    kind: str
    step_id: str
    path: str
    workflow: str
    name: str | None = None
    correlation_key: str | None = None
    due: str | None = None

    def describe(self) -> str:
        """Such as ``the event TICKET_CLOSED (correlation key t-1)``."""
        match self.kind:
            case "event":
                key = "" if self.correlation_key is None else f" (correlation key {self.correlation_key})"
                return f"the event {self.name}{key}"
            case "human":
                return f"a person's answer to the task {self.name}"
            case _:
                return f"the time {self.due}"

    def as_json(self) -> dict[str, Any]:
        """The wait in a run's JSON."""
        return {
            "type": self.kind,
            "workflow": self.workflow,
            "stepId": self.step_id,
            "stepPath": self.path,
            "name": self.name,
            "correlationKey": self.correlation_key,
            "dueAt": self.due,
        }


@dataclass(slots=True)
class StepTrace:
    """One executed step; `workflow` and `depth` tell a called workflow's steps from the caller's.

    handled: ``onError``, ``tryCatch`` or ``forEach`` where the run went on after its error.
    is_replayed: an action that was not called again, since its idempotency key had its answer.
    """

    workflow: str
    depth: int
    path: str
    step_id: str
    type: str
    started_at: str
    status: StepStatus = StepStatus.STARTED
    completed_at: str | None = None
    attempts: int = 1
    error: dict[str, Any] | None = None
    handled: str | None = None
    is_replayed: bool = False

    def as_json(self) -> dict[str, Any]:
        """The step in a run's JSON."""
        return {
            "workflow": self.workflow,
            "depth": self.depth,
            "stepPath": self.path,
            "stepId": self.step_id,
            "type": self.type,
            "status": str(self.status),
            "attempts": self.attempts,
            "startedAt": self.started_at,
            "completedAt": self.completed_at,
            "error": self.error,
            "handledBy": self.handled,
            "replayed": self.is_replayed,
        }


@dataclass(frozen=True, slots=True)
class ActionCall:
    """One call of an action, in the order made."""

    workflow: str
    step_id: str
    path: str
    action: str
    version: int
    input: Any
    attempt: int
    idempotency_key: str
    at: str
    output: Any = None
    error: Mapping[str, Any] | None = None

    def as_json(self) -> dict[str, Any]:
        """The call in a run's JSON."""
        return {
            "workflow": self.workflow,
            "stepId": self.step_id,
            "stepPath": self.path,
            "action": self.action,
            "version": self.version,
            "input": self.input,
            "attempt": self.attempt,
            "idempotencyKey": self.idempotency_key,
            "at": self.at,
            "output": self.output,
            "error": None if self.error is None else dict(self.error),
        }


@dataclass(slots=True)
class Run:
    """A run as it stands when the interpreter is done with it.

    reached: coverage points (workflow key, version, point). answers: workflow, step id and the stub that would
    answer the same, for each step that was answered from outside; script: what the waits were answered with.
    """

    workflow: str
    version: str
    status: RunStatus
    payload: Any = None
    vars: Any = field(default_factory=dict)
    meta: Any = field(default_factory=dict)
    error: dict[str, Any] | None = None
    wait: Wait | None = None
    trace: list[StepTrace] = field(default_factory=list)
    calls: list[ActionCall] = field(default_factory=list)
    answers: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)
    script: list[dict[str, Any]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    reached: set[tuple[str, str, str]] = field(default_factory=set)
    started_at: str = ""
    completed_at: str = ""

    @property
    def state(self) -> str | None:
        """What state.set set last."""
        state = self.meta.get("state") if isinstance(self.meta, dict) else None
        return state if isinstance(state, str) else None

    def as_json(self) -> dict[str, Any]:
        """The run as one JSON object; not yet redacted."""
        return {
            "workflow": self.workflow,
            "version": self.version,
            "status": str(self.status),
            "state": self.state,
            "error": self.error,
            "waitingFor": None if self.wait is None else self.wait.as_json(),
            "payload": self.payload,
            "vars": self.vars,
            "trace": [step.as_json() for step in self.trace],
            "calls": [call.as_json() for call in self.calls],
            "warnings": self.warnings,
            "startedAt": self.started_at,
            "completedAt": self.completed_at,
        }


Library = Callable[[Key], Document | None]
"""Where workflows come from: the document of a key, ``None`` where there is none; one source for a whole run."""


@dataclass(frozen=True, slots=True)
class Options:
    """What a run stands on besides its definition.

    now: where the virtual clock starts. clock: seconds that pass outside, for the budget alone; ``None`` for none.
    secrets: name → value; a name without one stands in inputs as a placeholder.
    """

    now: datetime = START
    tenant: str = "00000000-0000-0000-0000-000000000000"
    run_id: str = "00000000-0000-0000-0000-000000000001"
    budget: Budget = field(default_factory=Budget)
    limits: ExpressionLimits = field(default_factory=ExpressionLimits)
    clock: Callable[[], float] | None = None
    secrets: Mapping[str, str] = field(default_factory=dict)
    on_step: Callable[[StepTrace], None] | None = None


def iso(moment: datetime) -> str:
    """The instant as JavaScript's toISOString writes it."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"
