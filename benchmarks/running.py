"""Running steps, and its floor: the same expressions evaluated alone, with nothing around them.

Run as a program (``python -m benchmarks.running steps`` or ``expressions``); both evaluate the same number of times.
"""

from __future__ import annotations

import sys
from typing import Any, Final

from gitsync.runtime.interpreter import run_workflow
from gitsync.runtime.model import Budget, Options, Run
from gitsync.runtime.start import Start
from gitsync.runtime.stubs import Answer, Outside, Stub
from gitsync.workflow.document import make_document
from gitsync.workflow.expressions import ExpressionLimits, compile_expression
from gitsync.workflow.types import Document, Key

RUNS: Final = 100
ITEMS: Final = 40
NOW: Final = "2026-01-01T00:00:00.000Z"
CONDITION: Final = "it.n >= 0"
INPUT: Final = '"number " & toString(it.n)'
SUM: Final = "coalesce(vars.total, 0) + vars.it.n"
ITEMS_OF: Final = "payload.items"
PAYLOAD: Final[dict[str, Any]] = {
    "items": [{"n": number, "name": f"item {number}"} for number in range(ITEMS)]
}


def document() -> Document:
    """A workflow of a loop with a condition, a call and an assignment inside."""
    call: Any = {
        "actionId": "x.do",
        "version": 1,
        "inputMapping": {"text": {"$expr": INPUT}},
        "saveAs": "answer",
    }
    assign: Any = {
        "id": "sum",
        "type": "transform.assign",
        "config": {"assign": {"vars.total": {"$expr": SUM}}},
    }
    body: Any = [
        {
            "id": "if",
            "type": "control.if",
            "condition": {"$expr": CONDITION},
            "then": [{"id": "call", "type": "action.call", "config": call}],
        },
        assign,
    ]
    loop = {
        "id": "loop",
        "type": "control.forEach",
        "items": {"$expr": ITEMS_OF},
        "itemVar": "it",
        "body": body,
    }
    definition: Any = {
        "name": "Bench",
        "version": 1,
        "payloadSchemaRef": "payload.Bench.v1",
        "steps": [loop],
    }
    return make_document(
        key=Key("bench"), metadata={}, draft_definition=definition, draft_version=1, versions=()
    )


def run_steps(runs: int = RUNS) -> Run:
    """The last of `runs` runs, of ITEMS × 3 + 1 steps each."""
    bench = document()
    stubs = {"x.do": Stub((Answer(returns={"id": 1}),))}
    for _ in range(runs):
        done = run_workflow(
            bench,
            Start(payload=PAYLOAD),
            library=lambda _key: None,
            outside=Outside(stubs),
            options=Options(budget=Budget(steps=100_000)),
        )
    return done


def evaluate_alone(runs: int = RUNS) -> int:
    """How many expressions were evaluated: those of as many runs, over values of the same shape."""
    items, *inner = [compile_expression(text) for text in (ITEMS_OF, CONDITION, INPUT, SUM)]
    limits, count = ExpressionLimits(), 0
    for _ in range(runs):
        for item in items.evaluate({"payload": PAYLOAD}, limits, now=NOW):
            bindings = {"payload": PAYLOAD, "vars": {"it": item, "total": 1, "answer": {"id": 1}}, "it": item}
            for expression in inner:
                expression.evaluate(bindings, limits, now=NOW)
                count += 1
        count += 1
    return count


if __name__ == "__main__":
    {"steps": run_steps, "expressions": evaluate_alone}[sys.argv[1]]()
