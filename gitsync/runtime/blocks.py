"""The blocks: a condition, a loop, a try."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from gitsync.runtime.model import UNCATCHABLE, Category, RunFault, StepStatus, iso
from gitsync.runtime.state import text_field

if TYPE_CHECKING:
    from gitsync.runtime.interpreter import Execution

LOOPS = "__forEach"
"""The variable in which the product keeps the books of its loops."""


def branch(execution: Execution, step: Mapping[str, Any], path: str) -> None:
    """The step control.if."""
    condition = execution.evaluator.expression(
        step.get("condition"), execution.state.context(), where="condition"
    )
    if not isinstance(condition, bool):
        raise RunFault(
            Category.EXPRESSION,
            f"condition must give true or false, not {_show(condition)}",
            code="NOT_BOOLEAN",
        )
    execution.branch(step, path, "then" if condition else "else")


def for_each(execution: Execution, step: Mapping[str, Any], path: str) -> None:
    """The step control.forEach; on an error that leaves the loop its variables stay as they are."""
    state, step_id = execution.state, str(step["id"])
    name = text_field(step, "itemVar", where="step")
    items = execution.evaluator.expression(step.get("items"), state.context(), where="items")
    if not isinstance(items, list):
        raise RunFault(Category.EXPRESSION, f"items must give a list, not {_show(items)}", code="NOT_A_LIST")
    most = execution.world.options.budget.items
    if len(items) > most:
        raise RunFault(
            Category.BUDGET, f"the loop {step_id} has {len(items)} items, more than {most}", code="ITEMS"
        )
    before = {name: state.vars[name]} if name in state.vars else {}
    execution.loops.append("continue" if step.get("onItemError") == "continue" else "fail")
    try:
        for index, item in enumerate(items):
            _enter(execution, step_id, name, item, (index, len(items)))
            try:
                execution.branch(step, path, "body")
            finally:
                state.scopes.pop()
    finally:
        execution.loops.pop()
    books = {other: value for other, value in _books(execution).items() if other != step_id}
    kept = {other: value for other, value in state.vars.items() if other not in {name, LOOPS}}
    state.vars = kept | before | ({LOOPS: books} if books else {})


def try_catch(execution: Execution, step: Mapping[str, Any], path: str) -> None:
    """The step control.tryCatch; an error in the catch goes on outwards."""
    state, world = execution.state, execution.world
    first = len(world.run.trace)
    execution.tries += 1
    try:
        execution.branch(step, path, "try")
    except RunFault as fault:
        if fault.category in UNCATCHABLE:
            raise
        error = fault.as_error(path=path, at=iso(world.now))
    else:
        return
    finally:
        execution.tries -= 1
    for trace in world.run.trace[first:]:
        if trace.path == error["nodePath"] and trace.status is StepStatus.FAILED:
            trace.handled = "tryCatch"
    state.error = error
    name = step.get("captureErrorAs")
    if isinstance(name, str) and name:
        state.vars = {**state.vars, name: error}
    execution.branch(step, path, "catch")


def _enter(execution: Execution, step_id: str, name: str, item: Any, place: tuple[int, int]) -> None:
    """Begin one iteration; place: index and length."""
    index, length = place
    state = execution.state
    books = {**_books(execution), step_id: {"index": index, "length": length}}
    state.vars = {**state.vars, name: item, LOOPS: books}
    state.scopes.append(
        {
            name: item,
            "item": item,
            "index": index,
            "length": length,
            "isFirst": index == 0,
            "isLast": index == length - 1,
        }
    )


def _books(execution: Execution) -> dict[str, Any]:
    books = execution.state.vars.get(LOOPS)
    return books if isinstance(books, dict) else {}


def _show(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)[:80]
