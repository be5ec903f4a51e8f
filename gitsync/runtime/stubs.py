"""What stands for the world outside a run: stubs for actions and called workflows, a script for waits."""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from gitsync.runtime.matching import matches, show
from gitsync.runtime.model import Category, RunFault
from gitsync.workflow.expressions import ExpressionFault, ExpressionLimits, compile_expression

ActionFunction = Callable[[Any], Any]
"""A Python callable that stands for an action: the input in, the output out; JSON both."""


class ActionFailure(Exception):
    """What a Python action raises to fail in one of the runtime's categories."""

    def __init__(self, message: str, category: str = Category.ACTION, *, details: Any = None) -> None:
        super().__init__(message)
        self.message, self.category, self.details = message, category, details


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer of a stub: a value or an error, after a delay, perhaps only to some inputs.

    error: mapping of message, category, code and details. when: what the input must match, or an expression
    over ``input``.
    """

    returns: Any = None
    error: Mapping[str, Any] | None = None
    delay_ms: int = 0
    when: Any = None

    def applies_to(self, value: Any) -> bool:
        """Whether the answer is for this input."""
        if self.when is None:
            return True
        if isinstance(self.when, str):
            try:
                result = compile_expression(self.when).evaluate({"input": value}, ExpressionLimits(), now="")
            except ExpressionFault as fault:
                raise RunFault(
                    Category.STUB, f"the stub's `when` fails: {self.when}: {fault.message}"
                ) from fault
            return result is True
        return matches(self.when, value)

    def give(self) -> Any:
        """The value; raises RunFault where the answer is an error."""
        if self.error is None:
            return self.returns
        raise RunFault(
            str(self.error.get("category") or Category.ACTION),
            str(self.error.get("message") or "the stub fails"),
            code=self.error.get("code"),
            details=self.error.get("details"),
        )


@dataclass(frozen=True, slots=True)
class Stub:
    """The answers under one name: one for all calls, or a sequence."""

    answers: tuple[Answer, ...]
    is_sequence: bool = False


class ScriptKind(enum.StrEnum):
    """What a line of the script is about."""

    EVENT = "event"
    TASK = "task"
    TIME = "time"
    TIMEOUT = "timeout"
    CANCEL = "cancel"


@dataclass(frozen=True, slots=True)
class ScriptEntry:
    """What happens to a run from outside.

    name: of the event; step id or task type; step id or ``*`` (time), step id (timeout, cancel).
    payload: the event's, or the person's answer. after_ms: how long it is in coming.
    """

    kind: ScriptKind
    name: str
    payload: Any = None
    correlation_key: Any = None
    after_ms: int = 0

    def as_json(self) -> dict[str, Any]:
        """The entry as it stands in a test file."""
        entry: dict[str, Any] = {str(self.kind): self.name}
        if self.kind is ScriptKind.EVENT:
            if self.correlation_key is not None:
                entry["correlationKey"] = self.correlation_key
            entry["payload"] = self.payload
        elif self.kind is ScriptKind.TASK:
            entry["returns"] = self.payload
        if self.after_ms:
            entry["afterMs"] = self.after_ms
        return entry


@dataclass(slots=True)
class Outside:
    """The world outside, used up as a run goes on; make one for each run."""

    stubs: Mapping[str, Stub] = field(default_factory=dict)
    functions: Mapping[str, ActionFunction] = field(default_factory=dict)
    script: Sequence[ScriptEntry] = ()
    _used: dict[str, int] = field(default_factory=dict)
    _left: list[ScriptEntry] | None = None

    def find(self, names: Sequence[str], value: Any) -> Answer | None:
        """The answer of the first of `names` that has a stub, ``None`` where none has.

        In a sequence an answer with `when` is for each call that matches it, any other for one call.
        Raises RunFault (StubError) where the stub has no answer to this input, or none left.
        """
        name = next((name for name in names if name in self.stubs), None)
        if name is None:
            return None
        stub = self.stubs[name]
        conditional = [answer for answer in stub.answers if answer.when is not None]
        for answer in conditional:
            if answer.applies_to(value):
                return answer
        plain = [answer for answer in stub.answers if answer.when is None]
        if plain and not stub.is_sequence:
            return plain[0]
        used = self._used.get(name, 0)
        if used >= len(plain):
            reason = f"after {used} calls" if used else f"to the input {show(value)}"
            raise RunFault(Category.STUB, f"the stub {name!r} has no answer {reason}", code="NO_ANSWER")
        self._used[name] = used + 1
        return plain[used]

    @property
    def left(self) -> list[ScriptEntry]:
        """The entries of the script that nothing has used yet."""
        if self._left is None:
            self._left = list(self.script)
        return self._left

    def take(self, fits: Callable[[ScriptEntry], bool]) -> ScriptEntry | None:
        """Return the first entry left that `fits`, which is then used up unless its name is ``*``."""
        for index, entry in enumerate(self.left):
            if fits(entry):
                if entry.name != "*":
                    del self.left[index]
                return entry
        return None
