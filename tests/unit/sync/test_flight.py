"""What a plan would do to runs in flight, and to those who call a version that goes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from gitsync.sync.flight import (
    find_broken_calls,
    find_fates,
    removed_versions,
    step_at,
)
from gitsync.sync.model import Action, Change
from gitsync.sync.usage import UnfinishedRun
from gitsync.workflow.types import Digest, Document, Key
from tests.support.documents import call, make_workflow

A, B = Digest("a" * 40), Digest("b" * 40)
PAUSE: dict[str, Any] = {"id": "pause", "type": "time.wait", "config": {"mode": "duration", "durationMs": 5}}
DONE: dict[str, Any] = {"id": "done", "type": "state.set", "config": {"state": "DONE"}}
IF: dict[str, Any] = {"id": "if", "type": "control.if", "condition": {"$expr": "true"}, "then": [PAUSE]}
RUN = UnfinishedRun(Key("w"), 1, "r-1", "WAITING", "root.steps[0]", "a time")


def document(*steps: Any, version: int = 1, key: str = "w") -> Document:
    return make_workflow(key, versions={version: {"steps": list(steps)}})


def outcome(
    before: Document, after: Document | None, run: UnfinishedRun = RUN, *, in_place: bool = True
) -> str | None:
    action = Action.DELETE if after is None else Action.UPDATE
    fates = find_fates(
        [Change(Key("w"), action, A, None if after is None else B)],
        [run],
        before={Key("w"): before},
        after={} if after is None else {Key("w"): after},
        in_place=in_place,
    )
    return str(fates[0]) if fates else None


HEAD = "w, version 1: run r-1 is WAITING at pause, waiting for a time; "


@pytest.mark.parametrize(
    "after, in_place, told",
    [
        (document(PAUSE), True, None),
        (document(PAUSE), False, "it would be deleted with the workflow's row"),
        (None, True, "it would be deleted with the workflow's row"),
        (document(PAUSE, version=2), True, "its version would be gone, and it could not go on"),
        (document(), True, "there would be no step where it stands, and it could not go on"),
        (document(DONE, PAUSE), True, "it would go on at another step, done"),
        (document({**PAUSE, "name": "Nap"}), True, "its step would change under it"),
        (document(PAUSE, DONE), True, "its step stays, what comes before or after it would change"),
    ],
)
def test_a_plan_says_what_becomes_of_a_run(after: Document | None, in_place: bool, told: str | None) -> None:
    assert outcome(document(PAUSE), after, in_place=in_place) == (None if told is None else HEAD + told)


def test_a_run_that_is_bound_to_its_content_would_break() -> None:
    told = outcome(document(PAUSE), document(PAUSE, DONE), replace(RUN, is_pinned=True))

    assert told is not None
    assert told.endswith("it is bound to the content of its version, which would change: it would break")


def test_a_run_whose_place_is_not_known_is_told_too() -> None:
    told = outcome(document(PAUSE), document(DONE), UnfinishedRun(Key("w"), 1, "r-1", "RUNNING"))

    assert told == "w, version 1: run r-1 is RUNNING; its version would change under it"


@pytest.mark.parametrize(
    "path, step",
    [
        ("root.steps[0]", "if"),
        ("root.steps[0].then.steps[0]", "pause"),
        ("root.steps[1]", "done"),
        ("root.steps[2]", None),
        ("root.steps[0].else.steps[0]", None),
        ("root", None),
        ("elsewhere", None),
        ("root.steps[0].body.then", None),
    ],
)
def test_a_path_leads_to_a_step(path: str, step: str | None) -> None:
    found = step_at({"steps": [IF, DONE]}, path)

    assert (None if found is None else found["id"]) == step


def test_a_call_of_a_version_that_goes_is_told() -> None:
    before = {Key("w"): make_workflow("w", versions={1: {}, 2: {}})}
    after = {Key("w"): make_workflow("w", versions={2: {}})}
    caller = make_workflow(
        "c", draft={"steps": [call("key:w", version=2)]}, versions={3: {"steps": [call("key:w")]}}
    )

    removed = removed_versions(before, after)
    (broken,) = find_broken_calls([(Key("c"), caller)], removed)

    assert removed == {"w": {1}}
    assert str(broken) == (
        "c: the step call of version 3 calls version 1 of w, which would go; it would fail"
    )
