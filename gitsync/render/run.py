"""A run, for people: the tree of its steps as they happen, and what came of it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from gitsync.errors import plural
from gitsync.render.text import say
from gitsync.runtime.model import StepStatus, StepTrace
from gitsync.workflow.references import CALL
from gitsync.workflow.steps import BRANCHES

if TYPE_CHECKING:
    from rich.console import Console

    from gitsync.commands.run import RunReport

_BLOCKS: Final = frozenset({*BRANCHES, CALL})
_LONGEST: Final = 100


class Tree:
    """Turns the telling of steps into the lines of a tree: a block when it begins, any other step when it ends."""

    def __init__(self) -> None:
        self._open: list[StepTrace] = []

    def lines(self, step: StepTrace) -> Iterator[str]:
        """The lines to write for one telling; ``StepTrace.status`` says whether it begins or ends."""
        begins = not any(known is step for known in self._open)
        if begins:
            self._open.append(step)
            if step.type in _BLOCKS:
                yield f"{self._indent()}{step.step_id}  {step.type}"
            return
        depth = next(index for index, known in enumerate(self._open) if known is step)
        del self._open[depth + 1 :]
        if step.type not in _BLOCKS or step.status is StepStatus.FAILED:
            yield f"{self._indent()}{_sign(step)} {step.step_id}  {step.type}{_note(step)}"
        self._open.pop()

    def _indent(self) -> str:
        return "  " * (len(self._open) - 1)


def _sign(step: StepTrace) -> str:
    match step.status:
        case StepStatus.SUCCEEDED:
            return "ok"
        case StepStatus.STARTED:
            return ".."
        case StepStatus.CANCELED:
            return "--"
        case _:
            return "XX"


def _note(step: StepTrace) -> str:
    notes = []
    if step.attempts > 1:
        notes.append(f"{step.attempts} attempts")
    if step.is_replayed:
        notes.append("not called again: same idempotency key")
    if step.error is not None and (step.error["nodePath"] == step.path or step.handled):
        after = f", went on ({step.handled})" if step.handled else ""
        notes.append(f"{step.error['category']}: {step.error['message']}{after}")
    if step.status is StepStatus.STARTED:
        notes.append("waits")
    return f"  ({'; '.join(notes)})" if notes else ""


def text_lines(run: Mapping[str, Any]) -> Iterator[str]:
    """The lines of a run's JSON, already redacted, as text: status, calls, variables, warnings."""
    yield headline(run)
    if run["error"]:
        where = f" at {run['error']['nodePath']}" if run["error"]["nodePath"] else ""
        yield f"error: {run['error']['category']}{where}: {run['error']['message']}"
    if run["waitingFor"]:
        yield f"waits for {waits_for(run['waitingFor'])}"
        yield f"  answer it in the script of --stubs: {answer_hint(run['waitingFor'])}"
    if run["calls"]:
        yield "calls:"
        for call in run["calls"]:
            attempt = f" (attempt {call['attempt']})" if call["attempt"] > 1 else ""
            yield f"  {call['stepId']}  {call['action']}{attempt}  {short(call['input'])} -> {answer(call)}"
    if run["vars"]:
        yield "variables:"
        for name, value in sorted(run["vars"].items()):
            yield f"  {name}: {short(value)}"
    for warning in run["warnings"]:
        yield f"warning: {warning}"


def markdown_lines(run: Mapping[str, Any]) -> Iterator[str]:
    """The lines of a run's JSON, already redacted, as Markdown."""
    yield f"## {headline(run)}"
    yield ""
    if run["error"]:
        yield f"**{run['error']['category']}** at {_code(run['error']['nodePath'] or 'the start')}: {_cell(run['error']['message'])}"
        yield ""
    if run["waitingFor"]:
        yield f"Waits for {_cell(waits_for(run['waitingFor']))}."
        yield ""
    yield from _table(
        "step",
        ("step", "type", "status", "note"),
        [
            (
                _code(step["stepId"]),
                step["type"],
                step["status"],
                _cell((step["error"] or {}).get("message", "")),
            )
            for step in run["trace"]
        ],
    )
    yield from _table(
        "call",
        ("step", "action", "input", "answer"),
        [
            (_code(call["stepId"]), call["action"], _code(short(call["input"])), _code(answer(call)))
            for call in run["calls"]
        ],
    )
    yield from _table(
        "variable",
        ("variable", "value"),
        [(_code(name), _code(short(value))) for name, value in sorted((run["vars"] or {}).items())],
    )
    for warning in run["warnings"]:
        yield f"- warning: {_cell(warning)}"


def headline(run: Mapping[str, Any]) -> str:
    """Such as ``billing.dunning, version 3: SUCCEEDED, state DONE``."""
    version = "draft" if run["version"] == "draft" else f"version {run['version']}"
    state = f", state {run['state']}" if run["state"] else ""
    return f"{run['workflow']}, {version}: {run['status']}{state}"


def waits_for(wait: Mapping[str, Any]) -> str:
    """What a waiting run waits for, in words."""
    at = f" (step {wait['stepId']})"
    match wait["type"]:
        case "event":
            key = f" with the correlation key {wait['correlationKey']}" if wait["correlationKey"] else ""
            return f"the event {wait['name']}{key}{at}"
        case "human":
            return f"a person's answer to the task {wait['name']}{at}"
        case _:
            return f"{wait['dueAt']}{at}"


def answer_hint(wait: Mapping[str, Any]) -> str:
    """The line of a script that would answer a wait."""
    match wait["type"]:
        case "event":
            key = f", correlationKey: {json.dumps(wait['correlationKey'])}" if wait["correlationKey"] else ""
            return f"- {{ event: {wait['name']}{key}, payload: {{}} }}"
        case "human":
            return f"- {{ task: {wait['name']}, returns: {{}} }}"
        case _:
            return f"- {{ time: {wait['stepId']} }}"


def answer(call: Mapping[str, Any]) -> str:
    """A call's output, or its error, in short."""
    error = call["error"]
    return f"{error['category']}: {error['message']}" if error else short(call["output"])


def short(value: Any) -> str:
    """The value as JSON on one line, cut where it is long."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def _table(title: str, head: tuple[str, ...], rows: list[tuple[str, ...]]) -> Iterator[str]:
    if not rows:
        return
    yield f"<details><summary>{plural(len(rows), title)}</summary>"
    yield ""
    yield f"| {' | '.join(head)} |"
    yield f"|{' --- |' * len(head)}"
    for row in rows:
        yield f"| {' | '.join(row)} |"
    yield ""
    yield "</details>"
    yield ""


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ").replace("<", "&lt;")


def _code(text: str) -> str:
    return f"`{_cell(text).replace('`', chr(39)).replace('&lt;', '<')}`"


def print_text(report: RunReport, console: Console, **_: object) -> None:
    """Print status, calls, variables, warnings."""
    for line in text_lines(report.value):
        say(console, line)


def as_json(report: RunReport, **_: object) -> dict[str, Any]:
    """Return the result as ``-o json`` prints it."""
    return {"format": "gitsync.run", "formatVersion": 1, "source": report.source, **report.value}


def render_markdown(report: RunReport, **_: object) -> str:
    """Return the page of a comment or a job's summary."""
    return "".join(f"{line}\n" for line in markdown_lines(report.value))
