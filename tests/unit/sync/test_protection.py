from __future__ import annotations

from typing import Any

import pytest

from gitsync.errors import Refused
from gitsync.sync.model import Action, Change
from gitsync.sync.protection import check_obstacles, find_obstacles, find_rewritten
from gitsync.sync.usage import Call, Protection, Surroundings, Usage
from gitsync.workflow.types import Digest, Document, Key
from tests.support.documents import make_workflow

A, B = Digest("a" * 40), Digest("b" * 40)
CREATE = Change(Key("w"), Action.CREATE, None, B)
UPDATE = Change(Key("w"), Action.UPDATE, A, B)
DELETE = Change(Key("w"), Action.DELETE, A, None)
RUNNING = Usage({"RUNNING": 2, "SUCCEEDED": 5}, {1: 2})
ENDED = Usage({"FAILED": 1})
SCHEDULED = Usage(schedules=1)
HOOKED = Usage(webhooks=2)
NOTHING = Usage()


def codes(
    change: Change, usage: Usage = NOTHING, *calls: Call, in_place: bool = False, **protection: Any
) -> list[str]:
    rewritten = {Key("w"): frozenset(protection.pop("rewritten", ()))}
    around = Surroundings({Key("w"): "id-w"}, {"id-w": usage, "id-caller": RUNNING}, calls)
    found = find_obstacles([change], around, Protection(rewritten, **protection), in_place=in_place)
    return [obstacle.code for obstacle in found]


@pytest.mark.parametrize(
    "change,usage,in_place,options,expected",
    [
        (CREATE, RUNNING, False, {}, []),
        (UPDATE, NOTHING, False, {}, []),
        (UPDATE, RUNNING, False, {}, ["RUNS_WOULD_BE_LOST"]),
        (UPDATE, ENDED, False, {}, ["RUNS_WOULD_BE_LOST"]),
        (UPDATE, SCHEDULED, False, {}, ["RUNS_WOULD_BE_LOST"]),
        (UPDATE, HOOKED, False, {}, ["RUNS_WOULD_BE_LOST"]),
        (UPDATE, RUNNING, False, {"force": True}, ["RUNS_WOULD_BE_LOST"]),
        (UPDATE, RUNNING, False, {"discard_runs": True}, []),
        (UPDATE, RUNNING, True, {}, []),
        (UPDATE, RUNNING, True, {"rewritten": [2], "force": True}, []),
        (UPDATE, RUNNING, True, {"rewritten": [1], "force": True}, ["VERSION_IN_USE"]),
        (UPDATE, RUNNING, True, {"rewritten": [1]}, ["VERSION_IN_USE", "VERSION_REWRITTEN"]),
        (UPDATE, RUNNING, True, {"rewritten": [1], "force": True, "discard_runs": True}, []),
        (UPDATE, NOTHING, True, {"rewritten": [1]}, ["VERSION_REWRITTEN"]),
        (UPDATE, NOTHING, False, {"rewritten": [1]}, ["VERSION_REWRITTEN"]),
        (UPDATE, NOTHING, False, {"rewritten": [1], "discard_runs": True}, ["VERSION_REWRITTEN"]),
        (DELETE, NOTHING, True, {}, []),
        (DELETE, RUNNING, True, {}, ["RUNS_WOULD_BE_LOST"]),
        (DELETE, RUNNING, True, {"force": True}, ["RUNS_WOULD_BE_LOST"]),
        (DELETE, SCHEDULED, False, {"discard_runs": True}, []),
    ],
)
def test_what_speaks_against_a_change(
    change: Change, usage: Usage, in_place: bool, options: dict[str, Any], expected: list[str]
) -> None:
    assert codes(change, usage, in_place=in_place, **options) == expected


def call(version: int | None) -> Call:
    return Call("id-w", "row", "id-caller", "caller", "Caller", version)


@pytest.mark.parametrize("options", [{}, {"force": True}, {"discard_runs": True}])
def test_a_workflow_that_is_called_is_not_deleted_whatever_the_policy(options: dict[str, Any]) -> None:
    assert codes(DELETE, NOTHING, call(None), **options) == ["STILL_CALLED"]


@pytest.mark.parametrize(
    "version,options,expected",
    [
        (None, {}, []),
        (2, {}, []),
        (1, {}, ["VERSION_IN_USE"]),
        (1, {"force": True}, ["VERSION_IN_USE"]),
        (1, {"discard_runs": True}, []),
    ],
)
def test_a_callers_version_that_runs_is_not_changed_by_a_new_id(
    version: int | None, options: dict[str, Any], expected: list[str]
) -> None:
    assert codes(UPDATE, NOTHING, call(version), **options) == expected


def test_all_obstacles_stand_in_one_error_with_counts_per_key_and_the_ways_on() -> None:
    ids = {Key("w"): "1", Key("v"): "2"}
    around = Surroundings(ids, {"1": Usage({"RUNNING": 2, "SUCCEEDED": 5}, {1: 2}, 1, 2), "2": ENDED})
    changes = [Change(Key("v"), Action.UPDATE, A, B), UPDATE]
    protection = Protection({Key("w"): frozenset({1, 3})})

    with pytest.raises(Refused) as caught:
        check_obstacles(find_obstacles(changes, around, protection, in_place=False))

    error = caught.value
    assert (error.code, error.exit_code) == ("RUNS_WOULD_BE_LOST", 6)
    assert error.lines == (
        "v: 1 FAILED [RUNS_WOULD_BE_LOST]",
        "w: 2 RUNNING, 5 SUCCEEDED, 1 schedule, 2 webhooks [RUNS_WOULD_BE_LOST]",
        "w: published versions 1, 3 would change or go [VERSION_REWRITTEN]",
    )
    assert [row["workflow"] for row in error.details["obstacles"]] == ["v", "w", "w"]
    assert error.details["obstacles"][1]["runs"] == {"RUNNING": 2, "SUCCEEDED": 5}
    for way in ("--in-place", "--discard-runs", "--force"):
        assert way in (error.cure or "")


def pairs(**versions: dict[int, dict[str, Any]]) -> list[tuple[Key, Document]]:
    return [(Key(key), make_workflow(key, versions=held)) for key, held in sorted(versions.items())]


def test_versions_that_change_or_go_are_found_and_new_ones_are_no_rewriting() -> None:
    before = pairs(a={1: {}, 2: {}, 3: {}}, b={1: {}}, c={1: {}}, e={}, f={1: {"n": 1}})
    after = pairs(a={1: {}, 3: {"n": 1}, 4: {}}, b={1: {}}, d={1: {}}, e={1: {}}, f={1: {"n": 1.0}})

    assert find_rewritten(before, after) == {"a": {2, 3}}


def test_true_and_one_are_not_the_same_published_content() -> None:
    assert find_rewritten(pairs(w={1: {"n": 1}}), pairs(w={1: {"n": True}})) == {"w": {1}}


def test_a_number_spelt_otherwise_is_the_same_published_content() -> None:
    assert find_rewritten(pairs(w={1: {"n": [1.0, 2e3]}}), pairs(w={1: {"n": [1, 2000]}})) == {}
