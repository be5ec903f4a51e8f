"""Definitions in short, and running them: for the tests of the interpreter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gitsync.runtime.interpreter import run_workflow
from gitsync.runtime.model import Options, Run
from gitsync.runtime.start import Start
from gitsync.runtime.stubs import Answer, Outside, ScriptEntry, ScriptKind, Stub
from gitsync.workflow.document import make_document
from gitsync.workflow.registry import Registry
from gitsync.workflow.types import Document, Key
from tests.support.documents import call, metadata

Steps = Sequence[Mapping[str, Any]]


def e(text: str) -> dict[str, str]:
    """An expression."""
    return {"$expr": text}


def maps(**values: str) -> dict[str, dict[str, str]]:
    """A map of names to expressions."""
    return {name: e(text) for name, text in values.items()}


def assign(values: Mapping[str, str], id: str = "assign") -> dict[str, Any]:  # noqa: A002
    """A step transform.assign of paths to expressions."""
    return {
        "id": id,
        "type": "transform.assign",
        "config": {"assign": {p: e(x) for p, x in values.items()}},
    }


def act(id: str = "act", action: str = "x.do", **config: Any) -> dict[str, Any]:  # noqa: A002
    """A step action.call; retry and onError of the step are taken out of the config."""
    outer = {name: config.pop(name) for name in ("retry", "onErrorOfStep") if name in config}
    step = {"id": id, "type": "action.call", "config": {"actionId": action, "version": 1} | config}
    if "retry" in outer:
        step["retry"] = outer["retry"]
    if "onErrorOfStep" in outer:
        step["onError"] = {"policy": outer["onErrorOfStep"]}
    return step


def node(type: str, id: str = "node", **config: Any) -> dict[str, Any]:  # noqa: A002
    """A step of any node type."""
    return {"id": id, "type": type, "config": config}


def when(condition: str, then: Steps, otherwise: Steps | None = None, id: str = "if") -> dict[str, Any]:  # noqa: A002
    """A step control.if."""
    step: dict[str, Any] = {"id": id, "type": "control.if", "condition": e(condition), "then": list(then)}
    return step if otherwise is None else step | {"else": list(otherwise)}


def loop(items: str, body: Steps, id: str = "loop", var: str = "it", **more: Any) -> dict[str, Any]:  # noqa: A002
    """A step control.forEach."""
    return {
        "id": id,
        "type": "control.forEach",
        "items": e(items),
        "itemVar": var,
        "body": list(body),
        **more,
    }


def attempt(body: Steps, catch: Steps = (), id: str = "try", **more: Any) -> dict[str, Any]:  # noqa: A002
    """A step control.tryCatch."""
    return {"id": id, "type": "control.tryCatch", "try": list(body), "catch": list(catch), **more}


def calling(key: str, version: int = 1, id: str = "call", **more: Any) -> dict[str, Any]:  # noqa: A002
    """A step control.callWorkflow."""
    return call(f"key:{key}", step_id=id, version=version) | more


END = {"id": "end", "type": "control.return"}


def fails(category: str = "ActionError", message: str = "no", **more: Any) -> Stub:
    """A stub that always fails."""
    return Stub((Answer(error={"category": category, "message": message, **more}),))


def returns(value: Any, *more: Any) -> Stub:
    """A stub that answers, with several values one after the other."""
    answers = tuple(v if isinstance(v, Answer) else Answer(returns=v) for v in (value, *more))
    return Stub(answers, is_sequence=len(answers) > 1)


def says(kind: str, name: str, payload: Any = None, key: Any = None, after: int = 0) -> ScriptEntry:
    """A line of a script."""
    return ScriptEntry(ScriptKind(kind), name, payload, key, after)


def workflow(key: str, steps: Any, *, version: int = 1, **definition: Any) -> Document:
    """A document with one published version of these steps."""
    fields = {"name": key, "payloadSchemaRef": "payload.A.v1", "version": version, "steps": steps}
    return make_document(
        key=Key(key),
        metadata=metadata(),
        draft_definition={**fields, **definition},
        draft_version=version + 1,
        versions=[(version, {**fields, **definition}, None)],
    )


def run(
    steps: Any,
    *,
    payload: Any = None,
    stubs: Mapping[str, Stub] | None = None,
    script: Sequence[ScriptEntry] = (),
    others: Mapping[str, Any] | None = None,
    registry: Registry | None = None,
    options: Options | None = None,
    event: Mapping[str, Any] | None = None,
    functions: Mapping[str, Any] | None = None,
    **definition: Any,
) -> Run:
    """The run of a workflow ``main`` with these steps; others: key → steps of the workflows it may call."""
    documents = {"main": workflow("main", steps, **definition)}
    documents |= {key: workflow(key, inner) for key, inner in (others or {}).items()}
    start = Start(payload={} if payload is None else payload) if event is None else Start(event=event)
    return run_workflow(
        documents["main"],
        start,
        library=documents.get,
        registry=registry,
        outside=Outside(stubs or {}, functions or {}, script),
        options=options or Options(),
    )
