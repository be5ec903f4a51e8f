"""What a run holds, and what its expressions see of it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from gitsync.runtime.model import Category, Library, Options, Run, RunFault, iso
from gitsync.runtime.paths import output_path, put, scoped_path
from gitsync.runtime.redact import placeholder
from gitsync.runtime.stubs import Outside
from gitsync.workflow.expressions import ExpressionFault, compile_expression
from gitsync.workflow.registry import Registry
from gitsync.workflow.types import Document, Key

_SECRET_NAME: Final = re.compile(r"[A-Z][A-Z0-9_]{0,254}")
_LATEST: Final = datetime(9999, 1, 1, tzinfo=UTC)


@dataclass(slots=True)
class World:
    """What a run shares with all that it calls: the clock, the budget spent, the world outside, the record."""

    options: Options
    registry: Registry | None
    library: Library
    outside: Outside
    run: Run
    now: datetime
    steps: int = 0
    invocations: dict[tuple[str, int, str], Any] = field(default_factory=dict)
    documents: dict[Key, Document | None] = field(default_factory=dict)
    deadline: float | None = None

    def spend_step(self) -> None:
        """Count one step; raises RunFault (BudgetExceeded) where the run may go no further."""
        self.steps += 1
        budget = self.options.budget
        if self.steps > budget.steps:
            raise RunFault(Category.BUDGET, f"the run took more than {budget.steps} steps", code="STEPS")
        self.check_time()

    def check_time(self) -> None:
        """Raise RunFault (BudgetExceeded) where the run has taken too long."""
        clock = self.options.clock
        if clock is not None and self.deadline is not None and clock() > self.deadline:
            raise RunFault(
                Category.BUDGET,
                f"the run took longer than {self.options.budget.seconds:g} seconds",
                code="SECONDS",
            )

    def advance(self, milliseconds: float) -> None:
        """Move the virtual clock."""
        self.now = later(self.now, milliseconds)

    def warn(self, text: str) -> None:
        """Note what a person should know, once."""
        if text not in self.run.warnings:
            self.run.warnings.append(text)

    def document(self, key: Key) -> Document | None:
        """The workflow's document, read once."""
        if key not in self.documents:
            self.documents[key] = self.library(key)
        return self.documents[key]


def later(moment: datetime, milliseconds: float) -> datetime:
    """`moment` moved on, at most to the end of the calendar."""
    try:
        return min(moment + timedelta(milliseconds=max(milliseconds, 0)), _LATEST)
    except OverflowError:
        return _LATEST


@dataclass(slots=True)
class RunState:
    """The values of one run: payload, vars, meta, error, and the scopes of the loops it is in."""

    payload: Any
    system: Mapping[str, Any]
    vars: Any = field(default_factory=dict)
    meta: Any = field(default_factory=dict)
    error: Any = None
    scopes: list[dict[str, Any]] = field(default_factory=list)

    def context(self) -> dict[str, Any]:
        """The roots of conditions, items, mappings and waits; every variable and loop local also by its bare name."""
        ids = {name: self.system[name] for name in ("runId", "workflowId", "workflowVersion")}
        bare = dict(self.vars) if isinstance(self.vars, dict) else {}
        for scope in self.scopes:
            bare |= scope
        return bare | {
            "payload": self.payload,
            "vars": self.vars,
            "local": self.scopes[-1] if self.scopes else {},
            "system": self.system,
            "meta": ids | self.meta if isinstance(self.meta, dict) else self.meta,
            "error": self.error,
        }

    def node_context(self) -> dict[str, Any]:
        """The roots of transform.assign and the e-mail nodes: four, and nothing by its bare name."""
        roots = {"payload": self.payload, "vars": self.vars, "meta": self.meta}
        return roots if self.error is None else roots | {"error": self.error}

    def assign(self, path: str, value: Any) -> None:
        """Write by the rule of transform.assign."""
        scope, segments = scoped_path(path)
        setattr(self, scope, put(getattr(self, scope), segments, value))

    def store(self, path: str, value: Any) -> None:
        """Write by the rule of saveAs, a wait's assign and outputMapping."""
        scope, segments = output_path(path)
        if scope == "local" and self.scopes:
            self.scopes[-1] = put(self.scopes[-1], segments, value)
        elif scope == "payload":
            self.payload = put(self.payload, segments, value)
        else:
            self.vars = put(self.vars, segments, value)


def doubles(value: Any) -> Any:
    """A copy of a JSON value with the numbers that a JavaScript program would see."""
    if isinstance(value, dict):
        return {name: doubles(item) for name, item in value.items()}
    if isinstance(value, list):
        return [doubles(item) for item in value]
    if isinstance(value, Decimal) or (type(value) is int and abs(value) > 2**53):
        try:
            return float(value)
        except OverflowError:
            return None  # JSON has no infinity
    return value


class Evaluator:
    """Evaluates the expressions and mappings of a run."""

    def __init__(self, world: World) -> None:
        self._world = world

    def expression(self, value: Any, context: Mapping[str, Any], *, where: str) -> Any:
        """The value of an ``{$expr: …}`` over `context`.

        where: the field, for messages. Raises RunFault: ValidationError for what is no expression,
        ExpressionError for one that fails.
        """
        if not isinstance(value, dict) or not isinstance(value.get("$expr"), str):
            raise RunFault(
                Category.VALIDATION,
                f'{where} must be an expression, {{"$expr": "…"}}',
                code="INVALID_EXPR",
            )
        world = self._world
        text: str = value["$expr"]
        try:
            return compile_expression(text).evaluate(context, world.options.limits, now=iso(world.now))
        except ExpressionFault as fault:
            at = f" (at character {fault.offset + 1})" if fault.offset else ""
            raise RunFault(
                Category.EXPRESSION,
                f"{where}: {_shorten(text)!r} {_predicate(fault.message)}{at}",
                code=fault.code or None,
            ) from fault
        finally:
            world.check_time()

    def mapped(self, value: Any, context: Mapping[str, Any], *, where: str) -> Any:
        """The value of a mapping's entry: an expression, a secret, or a literal with such inside."""
        if isinstance(value, list):
            return [self.mapped(item, context, where=f"{where}[{index}]") for index, item in enumerate(value)]
        if not isinstance(value, dict):
            return value
        if "$expr" in value:
            return self.expression(value, context, where=where)
        if len(value) == 1 and "$secret" in value:
            return self._secret(value["$secret"], where)
        return {name: self.mapped(item, context, where=f"{where}.{name}") for name, item in value.items()}

    def mapping(self, value: Any, context: Mapping[str, Any], *, where: str) -> dict[str, Any]:
        """A map of names to mapping values, evaluated; ``{}`` where it is absent."""
        return {
            name: self.mapped(item, context, where=f"{where}.{name}")
            for name, item in members(value, where).items()
        }

    def assigned(
        self,
        value: Any,
        context: Callable[[], Mapping[str, Any]],
        write: Callable[[str, Any], None],
        *,
        where: str,
    ) -> None:
        """Write each entry of a map path → expression in order; a later entry sees those before it."""
        for path, item in members(value, where).items():
            write(path, self.expression(item, context(), where=f"{where}.{path}"))

    def _secret(self, name: Any, where: str) -> str:
        if not isinstance(name, str) or not _SECRET_NAME.fullmatch(name):
            raise RunFault(
                Category.VALIDATION, f"{where}: {name!r} is no name of a secret", code="INVALID_SECRET_NAME"
            )
        value = self._world.options.secrets.get(name)
        if value is None:
            self._world.warn(f"the secret {name} has no value here; a placeholder stands for it")
            return placeholder(name)
        return value


def members(value: Any, where: str) -> dict[str, Any]:
    """The members of an optional object; raises RunFault where it is something else."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise RunFault(Category.VALIDATION, f"{where} must be an object", code="INVALID_CONFIG")
    return value


def text_field(config: Mapping[str, Any], name: str, *, where: str = "config") -> str:
    """A text that must be there; raises RunFault where it isn't."""
    value = config.get(name)
    if not isinstance(value, str) or not value:
        raise RunFault(Category.VALIDATION, f"{where}.{name} must be a text", code="INVALID_CONFIG")
    return value


def size_of(value: Any) -> int:
    """Bytes of the value's JSON."""
    return len(json.dumps(value, ensure_ascii=False, default=str).encode("utf-8", "surrogatepass"))


def _shorten(text: str) -> str:
    return text if len(text) <= 120 else text[:119] + "…"


def _predicate(message: str) -> str:
    """The fault as the rest of a sentence."""
    return message if message.startswith(("gives ", "cannot ")) else f"fails: {message}"
