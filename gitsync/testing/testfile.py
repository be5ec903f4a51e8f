"""Test files: YAML beside the workflows, read with every problem at once."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from gitsync.errors import Problem
from gitsync.runtime.matching import ABSENT, EXACT, MATCHES
from gitsync.runtime.model import START
from gitsync.runtime.start import Start
from gitsync.runtime.stubs import Answer, ScriptEntry, ScriptKind, Stub
from gitsync.workflow.expressions import ExpressionFault, compile_expression
from gitsync.workflow.scan import Path
from gitsync.workflow.schema import accepts, iter_faults
from gitsync.workflow.types import Key
from gitsync.workflow.values import MISSING
from gitsync.workflow.yaml_reader import Located, read_located

RULE: Final = "INVALID_TEST"
SUFFIXES: Final = (".yaml", ".yml")
_KINDS: Final = tuple(str(kind) for kind in ScriptKind)
_OUTSIDE: Final = ("stubs", "script", "secrets", "now")


@dataclass(frozen=True, slots=True)
class Setting:
    """What stands for the world outside, as a file says it."""

    stubs: Mapping[str, Stub] = field(default_factory=dict)
    script: tuple[ScriptEntry, ...] = ()
    secrets: Mapping[str, str] = field(default_factory=dict)
    now: datetime = START


@dataclass(frozen=True, slots=True)
class Case:
    """One case. budget: what it says of its own, by the names of `Budget`. line: where it stands in its file."""

    file: str
    line: int
    workflow: Key
    name: str
    start: Start
    setting: Setting
    expect: Mapping[str, Any]
    budget: Mapping[str, Any] = field(default_factory=dict)
    skip: str | None = None

    @property
    def title(self) -> str:
        """Such as ``billing.dunning::a first reminder is sent``."""
        return f"{self.workflow}::{self.name}"


@dataclass(frozen=True, slots=True)
class TestFile:
    """The cases of one file, in its order; none where it has problems."""

    __test__ = False  # pytest would take it for a class of tests

    file: str
    workflow: Key | None
    cases: tuple[Case, ...]
    problems: tuple[Problem, ...] = ()


def read_test_file(data: bytes, *, file: str) -> TestFile:
    """The file's cases, or all of its problems, sorted."""
    located = read_located(data, file=file, rule=RULE)
    if not located.problems:
        _check(located, located.value)
    value = located.value
    key = value.get("workflow") if isinstance(value, dict) else None
    workflow = Key(key) if isinstance(key, str) else None
    if located.problems or workflow is None:
        return TestFile(file, workflow, (), tuple(sorted(set(located.problems))))
    shared = _setting(value)
    cases = tuple(
        _case(located, workflow, value, shared, index, item) for index, item in enumerate(value["cases"])
    )
    return TestFile(file, workflow, cases)


def read_outside(data: bytes, *, file: str) -> tuple[Setting, tuple[Problem, ...]]:
    """What a stubs file says, and its problems.

    Either stubs by their names, or ``stubs``, ``script``, ``secrets`` and ``now`` as in a test file.
    """
    located = read_located(data, file=file, rule="INVALID_STUBS")
    value = located.value
    if value is None and not located.problems:
        return Setting(), ()
    if isinstance(value, dict) and not set(value) <= set(_OUTSIDE):
        value = {"stubs": value}
        located.places = {("stubs", *path): place for path, place in located.places.items()}
    if not located.problems:
        if isinstance(value, dict):
            least = {"workflow": "a", "cases": [{"name": "a", "expect": {"status": "SUCCEEDED"}}]}
            _check(located, least | value)
        else:
            located.fault((), "must be stubs by their names")
    if located.problems:
        return Setting(), tuple(sorted(set(located.problems)))
    return _setting(value), ()


def _check(located: Located, value: Any) -> None:
    if not accepts("test", value):
        for fault in iter_faults("test", value):
            located.fault(fault.at, fault.message)
    if located.problems or not isinstance(value, dict):
        return
    _check_setting(located, value, ())
    seen: set[str] = set()
    for index, case in enumerate(value["cases"]):
        path: Path = ("cases", index)
        if case["name"] in seen:
            located.fault((*path, "name"), f"there are two cases named {case['name']!r}")
        seen.add(case["name"])
        if "payload" in case and "event" in case:
            located.fault((*path, "event"), "a case has a payload or an event, not both")
        _check_setting(located, case, path)
        for place, text in _iter_patterns(case["expect"], (*path, "expect")):
            try:
                re.compile(text)
            except re.error as error:
                located.fault(place, f"{text!r} is no regular expression: {error}")


def _check_setting(located: Located, value: Mapping[str, Any], path: Path) -> None:
    for name, stub in value.get("stubs", {}).items():
        answers = stub if isinstance(stub, list) else [stub]
        for index, answer in enumerate(answers):
            place: Path = (*path, "stubs", name, index) if isinstance(stub, list) else (*path, "stubs", name)
            if ("returns" in answer) == ("error" in answer):
                located.fault(place, "an answer has either `returns` or `error`")
            if isinstance(answer.get("when"), str):
                try:
                    compile_expression(answer["when"])
                except ExpressionFault as fault:
                    located.fault((*place, "when"), f"the expression fails: {fault.message}")
    for index, entry in enumerate(value.get("script", ())):
        kinds = [kind for kind in _KINDS if kind in entry]
        if len(kinds) != 1:
            located.fault((*path, "script", index), f"must have exactly one of {', '.join(_KINDS)}")
        elif ("payload" in entry or "correlationKey" in entry) and kinds != ["event"]:
            located.fault((*path, "script", index), "payload and correlationKey are an event's")
        elif "returns" in entry and kinds != ["task"]:
            located.fault((*path, "script", index), "returns is a task's answer")
    if "now" in value:
        try:
            _instant(value["now"])
        except ValueError as error:
            located.fault((*path, "now"), f"{value['now']!r} is no instant: {error}")


def _iter_patterns(value: Any, path: Path) -> Iterator[tuple[Path, str]]:
    if isinstance(value, dict):
        if set(value) == {MATCHES}:
            yield (*path, MATCHES), str(value[MATCHES])
        for name, item in value.items():
            yield from _iter_patterns(item, (*path, name))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _iter_patterns(item, (*path, index))


def _setting(value: Mapping[str, Any], shared: Setting | None = None) -> Setting:
    """The world outside of a file or a case; a case's stubs and secrets add to the file's, its script replaces it."""
    base = shared or Setting()
    return Setting(
        stubs={**base.stubs, **{name: read_stub(stub) for name, stub in value.get("stubs", {}).items()}},
        script=tuple(map(_entry, value["script"])) if "script" in value else base.script,
        secrets={**base.secrets, **value.get("secrets", {})},
        now=_instant(value["now"]) if "now" in value else base.now,
    )


def read_stub(value: Any) -> Stub:
    """The stub that a checked value describes."""
    answers = value if isinstance(value, list) else [value]
    return Stub(
        tuple(
            Answer(item.get("returns"), item.get("error"), item.get("delayMs", 0), item.get("when"))
            for item in answers
        ),
        is_sequence=isinstance(value, list),
    )


def _entry(value: Mapping[str, Any]) -> ScriptEntry:
    kind = next(kind for kind in ScriptKind if str(kind) in value)
    payload = value.get("returns") if kind is ScriptKind.TASK else value.get("payload")
    return ScriptEntry(kind, value[str(kind)], payload, value.get("correlationKey"), value.get("afterMs", 0))


def _case(
    located: Located, workflow: Key, value: Mapping[str, Any], shared: Setting, index: int, case: Any
) -> Case:
    start = Start(
        version=case.get("version", value.get("version")),
        payload=case.get("payload", MISSING),
        event=case.get("event"),
    )
    return Case(
        file=located.file,
        line=located.places["cases", index][0],
        workflow=workflow,
        name=case["name"],
        start=start,
        setting=_setting(case, shared),
        expect=case["expect"],
        budget=case.get("budget", {}),
        skip=case.get("skip"),
    )


def _instant(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


OPERATORS: Final = (EXACT, ABSENT, MATCHES)
"""What may stand in an expected value in place of one."""
