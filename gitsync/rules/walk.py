"""One walk over the steps of a definition, which all rules about steps share.

It knows what has been set, what can be read, and which steps can be reached at each place. Places are kept
as objects, not as paths: a path is found only for what turns out to be wrong.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar, Final

from gitsync.rules import secrets
from gitsync.rules.expression_reads import ExpressionFacts, is_harmless, read_expression, roots_of
from gitsync.rules.inputs import check_inputs
from gitsync.rules.paths import SCOPED, assigned_name, path_fault
from gitsync.rules.rule import Spot
from gitsync.workflow.dependencies import action_of
from gitsync.workflow.references import CALL
from gitsync.workflow.registry import Registry
from gitsync.workflow.types import Json

_NARROW: Final = frozenset({"payload", "vars", "meta", "error"})
_WIDE: Final = _NARROW | {"local", "system"}
_AFTER_CALL: Final = _WIDE | {"childRun"}
_OF_TRIGGER: Final = frozenset({"event"})
_OF_LOOP: Final = ("item", "index", "length", "isFirst", "isLast")
_CONFIGURED: Final = frozenset({"action.call", "human.task", "state.set", "transform.assign"})
_SETS: Final[Mapping[str, tuple[str, ...]]] = {
    "event.wait": ("event", "eventName"),
    "human.task": ("event", "eventName"),
    "time.wait": ("timeWait",),
}

_Read = tuple[str, int, bool, Any, bool]
"""Name, offset, whether as ``vars.name``, the expression's object, whether bare variables can be read there."""


class Walk:
    """Walks one definition; what it found is in `spots`."""

    def __init__(self, registry: Registry | None) -> None:
        self.spots: list[Spot] = []
        self._registry = registry
        self._ids: set[str] = set()
        self._set: set[str] = set()  # variables that may have been set before this place
        self._all: set[str] = set()  # variables that anything sets
        self._loop: list[str] = []
        self._open: list[_Read] = []  # what is read, and not known to be set

    def definition(self, definition: Mapping[str, Any]) -> None:
        """Walk a definition: its trigger, then its steps."""
        trigger = definition.get("trigger")
        if type(trigger) is dict:
            self.trigger(trigger)
        steps = definition.get("steps")
        if type(steps) is list:
            if not steps:
                self._note(definition, "steps", "EMPTY_STEPS", "there is no step: a run of it fails")
            self._steps(steps)
        self._settle()

    def trigger(self, trigger: Mapping[str, Any]) -> None:
        """Walk a trigger's mapping, where the event alone can be read."""
        mapping = trigger.get("payloadMapping")
        if type(mapping) is dict:
            self._values(mapping, _OF_TRIGGER)

    # ------------------------------------------------------------ steps

    def _steps(self, steps: Any) -> bool:
        """Walk a list of steps; whether the run surely ends inside it."""
        if type(steps) is not list:
            return False
        ended: str | None = None
        is_told = False
        ids = self._ids
        for index, step in enumerate(steps):
            if type(step) is not dict:
                continue
            own_id, kind = step.get("id"), step.get("type")
            if type(own_id) is str:
                if own_id in ids:
                    message = f'another step has the id "{own_id}" too'
                    self._note(
                        step, "id", "DUPLICATE_STEP_ID", message, "ids are unique in the whole definition"
                    )
                ids.add(own_id)
            if type(kind) is not str:
                continue
            if ended is not None and not is_told:
                message = f'is never reached: the run has ended in "{ended}"'
                self._note(steps, index, "UNREACHABLE_STEP", message)
                is_told = True  # so are all that follow
            config = step.get("config")
            if config is None and kind in _CONFIGURED:
                self._note(
                    step, None, "MISSING_CONFIG", f"a step of type {kind} does nothing without a config"
                )
            handler = self._HANDLERS.get(kind)
            if handler is not None and handler(self, step, config):
                ended = str(own_id)
        return ended is not None

    def _if(self, step: Any, _config: Any) -> bool:
        self._expression(step.get("condition"), _WIDE)
        otherwise = step.get("else")
        if not otherwise:
            self._steps(step.get("then"))
            return False
        before = set(self._set)
        ends = self._steps(step.get("then"))
        after, self._set = self._set, before
        ends = self._steps(otherwise) and ends
        self._set |= after
        return ends

    def _each(self, step: Any, _config: Any) -> bool:
        self._expression(step.get("items"), _WIDE)
        loop, given = self._loop, step.get("itemVar")
        name = given if type(given) is str else ""
        added = (*_OF_LOOP, name)
        loop.extend(added)
        was_set = name in self._set
        self._put(name)
        first = len(self._open)
        self._steps(step.get("body"))
        # what an earlier round has set can be read in a later one
        self._open[first:] = [read for read in self._open[first:] if not self._is_set(read)]
        del loop[-len(added) :]
        if not was_set:
            self._set.discard(name)  # the product takes it away after the loop
        return False

    def _is_set(self, read: _Read) -> bool:
        name, _, is_member, _, sees_variables = read
        return name in self._set and (is_member or sees_variables)

    def _try(self, step: Any, _config: Any) -> bool:
        ends = self._steps(step.get("try"))
        name = step.get("captureErrorAs")
        if type(name) is str:
            self._put(name)
        return self._steps(step.get("catch")) and ends

    def _call(self, step: Any, _config: Any) -> bool:
        self._expressions(step.get("inputMapping"), _WIDE)
        outputs = step.get("outputMapping")
        self._expressions(outputs, _AFTER_CALL)
        self._targets(outputs)
        return False

    def _action(self, step: Any, config: Any) -> bool:
        if type(config) is not dict:
            return False
        mapping = config.get("inputMapping")
        if type(mapping) is dict:
            self._values(mapping, _WIDE)
        self._expression(config.get("idempotencyKey"), _WIDE)
        if self._registry is not None and (action := action_of(step)):
            offer = self._registry.actions.get((action[0], int(action[1])))
            if offer is not None and isinstance(offer.input, dict):
                given = mapping if type(mapping) is dict else {}
                container = given if given is mapping else config
                self.spots += check_inputs(f"{action[0]}@{action[1]}", offer.input, given, container)
        if "saveAs" in config:
            self._target(config, "saveAs", config["saveAs"])
        return False

    def _assign(self, _step: Any, config: Any) -> bool:
        targets = config.get("assign") if type(config) is dict else None
        if type(targets) is not dict:
            return False
        for path, value in targets.items():  # each sees what those before it have set
            self._expression(value, _NARROW)
            self._target(targets, path, path, is_strict=True)
        return False

    def _wait(self, step: Any, config: Any) -> bool:
        if type(config) is dict:
            for name in ("correlationKey", "until", "title", "description"):
                if name in config:
                    self._expression(config[name], _WIDE)
            self._expressions(config.get("contextData"), _WIDE)
        for name in _SETS[step["type"]]:
            self._put(name)
        if type(config) is dict:
            self._expressions(config.get("assign"), _WIDE)
            self._targets(config.get("assign"))
        return False

    def _email(self, _step: Any, config: Any) -> bool:
        if type(config) is dict:
            self._expression(config.get("text"), _NARROW)
            self._expression(config.get("html"), _NARROW)
            if "saveAs" in config:
                self._target(config, "saveAs", config["saveAs"], is_strict=True)
        return False

    # ------------------------------------------------------------ what is set

    def _put(self, name: str) -> None:
        self._set.add(name)
        self._all.add(name)

    def _targets(self, targets: Any) -> None:
        if type(targets) is dict:
            for path in targets:
                self._target(targets, path, path)

    def _target(self, container: Any, member: str, path: Any, *, is_strict: bool = False) -> None:
        if type(path) is not str:
            return
        message = path_fault(path, is_strict=is_strict)
        if message:
            cure = f"begin it with {SCOPED}" if is_strict else ""
            self._note(container, member, "INVALID_ASSIGN_PATH", message, cure)
        elif name := assigned_name(path, is_strict=is_strict):
            self._put(name)

    # ------------------------------------------------------------ what is read

    def _values(self, mapping: Mapping[str, Any], names: frozenset[str]) -> None:
        """Walk the values of an input mapping: expressions, secrets, and literals that may hold more of them."""
        is_wide = names is not _OF_TRIGGER
        for name, value in mapping.items():
            kind = type(value)
            if kind is dict:
                text = value.get("$expr")
                if not (is_wide and type(text) is str and len(value) == 1 and is_harmless(text)):
                    self._nested(mapping, name, value, names)
            elif kind is str:
                if secrets.is_candidate(name, value):
                    self.spots += secrets.find(mapping, name, value)
            elif kind is list:
                self._nested(mapping, name, value, names)

    def _nested(self, container: Any, member: Any, value: Any, names: frozenset[str]) -> None:
        queue: list[tuple[Any, Any, Any]] = [(container, member, value)]
        for container, member, value in queue:  # noqa: PLR1704 (grows while it is walked)
            kind = type(value)
            if kind is dict:
                if "$expr" in value:
                    self._expression(value, names)
                elif len(value) == 1 and "$secret" in value:
                    continue
                else:
                    queue.extend((value, name, item) for name, item in value.items())
                    for name in value:
                        if name.startswith("$"):
                            self._special(value, name)
            elif kind is list:
                queue.extend((value, index, item) for index, item in enumerate(value))
            elif kind is str and secrets.is_candidate(member, value):
                self.spots += secrets.find(container, member, value)

    def _special(self, container: Any, name: str) -> None:
        near = difflib.get_close_matches(name, ("$expr", "$secret"), n=1, cutoff=0.5)
        message = f'"{name}" means nothing to the runtime, and is handed on as it is'
        if name == "$secret":
            message = 'beside other fields "$secret" is no reference, and is handed on as it is'
            near = []
        cure = f"did you mean {near[0]}?" if near else ""
        self._note(container, name, "UNKNOWN_SPECIAL_KEY", message, cure)

    def _expressions(self, mapping: Any, names: frozenset[str]) -> None:
        if type(mapping) is dict:
            for value in mapping.values():
                self._expression(value, names)

    def _expression(self, holder: Any, names: frozenset[str]) -> None:
        """Walk one expression where `names` and, if these are not the narrow ones, variables can be read."""
        if type(holder) is not dict:
            return
        text = holder.get("$expr")
        if type(text) is not str or (len(holder) == 1 and names is not _OF_TRIGGER and is_harmless(text)):
            return
        if len(holder) > 1:
            extra = ", ".join(sorted(f'"{name}"' for name in holder if name != "$expr"))
            self._note(holder, None, "EXTRA_FIELD", f"the product drops what stands beside $expr: {extra}")
        if not text.strip():
            self._note(holder, "$expr", "EMPTY_EXPRESSION", "the expression is empty: evaluating it fails")
            return
        reading = read_expression(text)
        if reading is not None and reading.may_be_secret:
            self.spots += secrets.find(holder, "$expr", text)
        if reading is not None and reading.fault is not None:
            rule, message, offset = reading.fault
            self._note(holder, "$expr", rule, message, offset=offset)
        elif names is _OF_TRIGGER:
            self._roots_of_trigger(holder, text)
        elif reading is not None:
            self._names(holder, reading, names)

    def _names(self, holder: Any, reading: ExpressionFacts, names: frozenset[str]) -> None:
        """Note what an expression reads that is not known to be there."""
        sees_variables = names is not _NARROW
        for name, offset, is_member in reading.free:
            if is_member:
                is_known = name in self._set
            else:
                is_known = name in names or (sees_variables and (name in self._loop or name in self._set))
            if not is_known:
                self._open.append((name, offset, is_member, holder, sees_variables))

    def _roots_of_trigger(self, holder: Any, text: str) -> None:
        for name, offset in roots_of(text):
            if name not in _OF_TRIGGER:
                message = f'"{name}" does not exist here: the mapping of a trigger reads the event alone'
                cure = f"event.payload.{name}" if name not in _WIDE else "event.payload"
                self._note(holder, "$expr", "UNKNOWN_NAME", message, f"did you mean {cure}?", offset)

    def _settle(self) -> None:
        """Judge what was read before anything was seen to set it."""
        for name, offset, is_member, holder, sees_variables in self._open:
            shown = f"vars.{name}" if is_member else f'"{name}"'
            if name in self._all and (is_member or sees_variables):
                message = f"{shown} is read before any step has set it"
                self._note(holder, "$expr", "VARIABLE_NOT_SET", message, offset=offset)
            elif is_member:
                near = difflib.get_close_matches(name, sorted(self._all), n=1)
                cure = f"did you mean vars.{near[0]}?" if near else ""
                self._note(holder, "$expr", "VARIABLE_NOT_SET", f"no step sets {shown}", cure, offset)
            else:
                self._unknown(name, offset, holder, sees_variables=sees_variables)

    def _unknown(self, name: str, offset: int, holder: Any, *, sees_variables: bool) -> None:
        if sees_variables:
            known: Iterable[str] = sorted(_WIDE | self._all)
            message = f'"{name}" does not exist here: it is neither a scope nor a variable that a step sets'
        else:
            known = sorted(_NARROW)
            message = (
                f'"{name}" does not exist here: only {", ".join(known)} can be read in this type of step'
            )
        near = difflib.get_close_matches(name, list(known), n=1)
        cure = f"did you mean {near[0]}?" if near else ""
        if name in self._all or (name in self._loop and not sees_variables):
            cure = f"did you mean vars.{name}?"
        self._note(holder, "$expr", "UNKNOWN_NAME", message, cure, offset)

    def _note(
        self, container: Any, member: str | int | None, rule: str, message: str, cure: str = "",
        offset: int | None = None,
    ) -> None:  # fmt: skip
        self.spots.append(Spot(container, member, rule, message, cure, offset))

    _HANDLERS: ClassVar[Mapping[str, Callable[[Walk, Any, Any], bool]]] = {
        "control.if": _if,
        "control.forEach": _each,
        "control.tryCatch": _try,
        CALL: _call,
        "control.return": lambda _walk, _step, _config: True,
        "action.call": _action,
        "transform.assign": _assign,
        "event.wait": _wait,
        "time.wait": _wait,
        "human.task": _wait,
        "email.parseBody": _email,
        "email.renderCommentBlocks": _email,
    }
    """Type of step → what walks it, and says whether the run surely ends there.

    Of the class, not of its objects: these would refer to themselves, and never be freed.
    """


def walk_definition(definition: Json, registry: Registry | None) -> list[Spot]:
    """Return what is wrong with the steps and the trigger's mapping of `definition`."""
    if not isinstance(definition, dict):
        return []
    walk = Walk(registry)
    walk.definition(definition)
    return walk.spots


def walk_trigger(trigger: Mapping[str, Any]) -> list[Spot]:
    """Return what is wrong with the mapping of a trigger outside of any definition."""
    walk = Walk(None)
    walk.trigger(trigger)
    return walk.spots
