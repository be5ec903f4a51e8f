"""Calling an action: its input, its idempotency key, its answer, and another try where the step allows one."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar

from gitsync.runtime.model import UNCATCHABLE, ActionCall, Category, RunFault, StepTrace, iso
from gitsync.runtime.sample import sample_of
from gitsync.runtime.schema import accept, faults_of
from gitsync.runtime.state import doubles, members, size_of, text_field
from gitsync.runtime.stubs import ActionFailure
from gitsync.workflow.registry import ActionOffer

if TYPE_CHECKING:
    from gitsync.runtime.interpreter import Execution

T = TypeVar("T")
_DIGITS: Final = "0123456789abcdefghijklmnopqrstuvwxyz"
_RAISED: Final = frozenset(Category) - {Category.STUB, Category.BUDGET}
_LONGEST_DELAY: Final = 30 * 86_400_000  # milliseconds; the product's own limit of a run


@dataclass(frozen=True, slots=True)
class Retry:
    """A step's retry policy; the delay before attempt n+1 is backoff × multiplier^(n-1), without jitter."""

    attempts: int
    backoff_ms: float
    multiplier: float
    longest_ms: float
    only: tuple[str, ...]

    def allows(self, fault: RunFault, attempt: int) -> bool:
        """Whether to try again after `attempt` failed so."""
        if attempt >= self.attempts or fault.category in UNCATCHABLE:
            return False
        return not self.only or fault.category in self.only

    def delay(self, attempt: int) -> float:
        """Milliseconds before the next attempt."""
        try:
            base = math.floor(self.backoff_ms * self.multiplier ** (attempt - 1))
        except OverflowError:
            base = _LONGEST_DELAY
        return min(base, self.longest_ms, _LONGEST_DELAY)


def read_retry(step: Mapping[str, Any]) -> Retry | None:
    """The policy of a step, ``None`` where it has none; raises RunFault where it is malformed."""
    policy = step.get("retry")
    if policy is None:
        return None
    policy = members(policy, "retry")
    only = policy.get("retryOn") or ()
    numbers: dict[str, Any] = {
        "maxAttempts": policy.get("maxAttempts"),
        "backoffMs": policy.get("backoffMs"),
        "backoffMultiplier": policy.get("backoffMultiplier", 2),
        "maxDelayMs": policy.get("maxDelayMs", _LONGEST_DELAY),
    }
    for name, number in numbers.items():
        least = 1 if name in {"maxAttempts", "maxDelayMs"} else 0
        if not isinstance(number, (int, float)) or isinstance(number, bool) or number < least:
            raise RunFault(
                Category.VALIDATION,
                f"retry.{name} must be a number from {least} on, not {number!r}",
                code="INVALID_CONFIG",
            )
    if not isinstance(only, (list, tuple)):
        raise RunFault(Category.VALIDATION, "retry.retryOn must be a list", code="INVALID_CONFIG")
    return Retry(
        attempts=int(numbers["maxAttempts"]),
        backoff_ms=float(numbers["backoffMs"]),
        multiplier=float(numbers["backoffMultiplier"]),
        longest_ms=float(numbers["maxDelayMs"]),
        only=tuple(str(name) for name in only),
    )


def with_retry(execution: Execution, step: Mapping[str, Any], trace: StepTrace, act: Callable[[int], T]) -> T:
    """The result of `act`, given the number of the attempt, tried as often as the step allows."""
    retry = read_retry(step)
    attempt = 1
    while True:
        trace.attempts = attempt
        try:
            return act(attempt)
        except RunFault as fault:
            if retry is None or not retry.allows(fault, attempt):
                raise
            execution.world.advance(retry.delay(attempt))
            execution.world.spend_step()  # each attempt is kept and shown, so it costs what a step does
            attempt += 1


def call_action(execution: Execution, step: Mapping[str, Any], path: str, trace: StepTrace) -> None:
    """The step action.call."""
    world, state = execution.world, execution.state
    config = members(step.get("config"), "config")
    action, version = text_field(config, "actionId"), _version(config)
    offer = _offered(execution, action, version)
    context = state.context()
    given = execution.evaluator.mapping(config.get("inputMapping"), context, where="inputMapping")
    explicit = config.get("idempotencyKey")
    own_key = None if explicit is None else execution.evaluator.expression(
        explicit, context, where="idempotencyKey"
    )  # fmt: skip
    if offer.input is not None:
        given = accept(offer.input, given, what=f"the input of {action}@{version}")
    if (size := size_of(given)) > world.options.budget.payload:
        raise RunFault(
            Category.VALIDATION, f"the input of {action} has {size} bytes of JSON", code="TOO_LARGE"
        )
    key = _idempotency_key(execution, path, action, version, given, own_key)
    if (action, version, key) in world.invocations:
        trace.is_replayed = True
        output = world.invocations[action, version, key]
        if own_key is None:
            world.warn(
                f"{path} ({step['id']}): the same input as before has the same idempotency key, so {action} was "
                "not called again; give the step an idempotencyKey that tells its calls apart"
            )
    else:
        output = with_retry(
            execution,
            step,
            trace,
            lambda attempt: _invoke(execution, step, path, (action, version, offer), given, key, attempt),
        )
        world.invocations[action, version, key] = output
    target = config.get("saveAs")
    if isinstance(target, str) and target:
        state.store(target, output)


def _invoke(
    execution: Execution,
    step: Mapping[str, Any],
    path: str,
    called: tuple[str, int, ActionOffer],
    given: Any,
    key: str,
    attempt: int,
) -> Any:
    """The answer of one attempt, recorded whatever it is."""
    action, version, offer = called
    world, step_id = execution.world, str(step["id"])
    at = iso(world.now)

    def record(*, output: Any = None, error: dict[str, Any] | None = None) -> None:
        call = ActionCall(
            execution.key, step_id, path, action, version, given, attempt, key, at, output=output, error=error
        )
        world.run.calls.append(call)
        world.run.answers.append(
            (execution.key, step_id, {"returns": output} if error is None else {"error": error})
        )

    started = world.now
    try:
        output = doubles(_answer(execution, step_id, action, version, offer, given))
    except RunFault as fault:
        if fault.category != Category.STUB:
            error = {"category": str(fault.category), "message": fault.message}
            error |= {} if fault.code is None else {"code": fault.code}
            error |= {} if fault.details is None else {"details": fault.details}
            record(error=error)
            _note_delay(world.run.answers[-1][2], started, world.now)
        raise
    record(output=output)
    _note_delay(world.run.answers[-1][2], started, world.now)
    if offer.output is not None and (faults := faults_of(offer.output, output)):
        world.warn(f"{path} ({step_id}): the answer of {action} is not what its schema says: {faults[0]}")
    return output


def _note_delay(answer: dict[str, Any], started: Any, ended: Any) -> None:
    if ended > started:
        answer["delayMs"] = round((ended - started).total_seconds() * 1000)


def _answer(
    execution: Execution, step_id: str, action: str, version: int, offer: ActionOffer, given: Any
) -> Any:
    """What a stub, else a Python function, else a sample answers."""
    world = execution.world
    answer = world.outside.find((*execution.names(step_id), f"{action}@{version}", action), given)
    if answer is not None:
        world.advance(answer.delay_ms)
        return answer.give()
    functions = world.outside.functions
    function = functions.get(f"{action}@{version}") or functions.get(action)
    if function is not None:
        return _call_function(function, action, given)
    if offer.output is not None:
        return sample_of(offer.output)
    world.warn(f"no stub for {action} (step {step_id}) and no schema of its output: it answers {{}}")
    return {}


def _call_function(function: Callable[[Any], Any], action: str, given: Any) -> Any:
    try:
        output = function(json.loads(json.dumps(given)))
        json.dumps(output, allow_nan=False)
    except ActionFailure as failure:
        known = failure.category if failure.category in _RAISED else Category.ACTION
        raise RunFault(known, failure.message, details=failure.details) from failure
    except RunFault:
        raise
    except Exception as error:
        raise RunFault(
            Category.ACTION, f"the function for {action} failed: {type(error).__name__}: {error}"
        ) from error
    return output


def _version(config: Mapping[str, Any]) -> int:
    version = config.get("version")
    if isinstance(version, float) and version.is_integer():
        version = int(version)
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise RunFault(
            Category.VALIDATION, "config.version must be a whole number from 1 on", code="INVALID_CONFIG"
        )
    return version


def _offered(execution: Execution, action: str, version: int) -> ActionOffer:
    registry = execution.world.registry
    if registry is None:
        return ActionOffer()
    if (action, version) not in registry.actions:
        raise RunFault(
            Category.VALIDATION,
            f"the registry offers no action {action}@{version}",
            code="UNKNOWN_ACTION",
        )
    return registry.actions[action, version]


def _idempotency_key(
    execution: Execution, path: str, action: str, version: int, given: Any, explicit: Any
) -> str:
    """The explicit key, else one of run, step, action and input; under the tenant."""
    tenant = execution.world.options.tenant
    if explicit is not None:
        text = explicit if isinstance(explicit, str) else json.dumps(explicit, ensure_ascii=False)
    else:
        facts = [execution.run_id, path, action, version, given]
        digest = _hash(json.dumps(facts, ensure_ascii=False, separators=(",", ":")))
        text = f"{execution.run_id}:{path}:{action}:{version}:{digest}"
    return text if text.startswith(f"{tenant}:") else f"{tenant}:{text}"


def _hash(text: str) -> str:
    """The 31-multiplier hash of the text's UTF-16 units in 32 bits, its absolute value in base 36."""
    value = 0
    units = text.encode("utf-16-le", "surrogatepass")
    for index in range(0, len(units), 2):
        value = (value * 31 + units[index] + (units[index + 1] << 8)) & 0xFFFFFFFF
    value = abs(value - 2**32 if value >= 2**31 else value)
    digits = ""
    while value:
        value, rest = divmod(value, 36)
        digits = _DIGITS[rest] + digits
    return digits or "0"
