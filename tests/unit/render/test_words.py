"""A change of one workflow, told in one line."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from gitsync.render.words import describe
from gitsync.workflow.types import Document


def make() -> Document:
    """The parts of a document that the words look at."""
    return {
        "draft": {"definition": {"steps": []}, "draftVersion": 3},
        "metadata": {
            "name": "Refund",
            "isPaused": False,
            "trigger": None,
            "payloadSchemaRef": "payload.Empty.v1",
        },
        "publishedVersions": [
            {"definition": {"steps": []}, "payloadSchemaJson": None, "version": 1},
            {"definition": {"steps": []}, "payloadSchemaJson": None, "version": 2},
        ],
    }


def change_draft(document: Document) -> None:
    document["draft"]["draftVersion"] = 4


def publish(document: Document) -> None:
    document["publishedVersions"].append({"definition": {}, "payloadSchemaJson": None, "version": 5})


def rewrite(document: Document) -> None:
    document["publishedVersions"][0]["definition"] = {"steps": [1]}
    document["publishedVersions"].pop()


def pause(document: Document) -> None:
    document["metadata"] |= {"isPaused": True, "payloadSchemaRef": "payload.Other.v1"}


@pytest.mark.parametrize(
    "change,words",
    [
        (change_draft, "draft"),
        (publish, "version 5 (new)"),
        (rewrite, "versions 1 (changed), 2 (removed)"),
        (pause, "settings is paused, payload schema ref"),
        (dict.copy, "the form alone"),
    ],
)
def test_a_change_is_told_in_words(change: Callable[[dict[str, Any]], None], words: str) -> None:
    after = copy.deepcopy(make())
    change(after)

    assert describe(make(), after) == words


def test_several_changes_stand_in_one_line() -> None:
    after = make()
    change_draft(after)
    publish(after)
    pause(after)

    assert describe(make(), after) == "draft; version 5 (new); settings is paused, payload schema ref"


def test_a_workflow_that_comes_or_goes_is_named() -> None:
    assert describe(None, make()) == "new: 'Refund', 2 published versions"
    assert describe(make(), None) == "deleted: 'Refund', 2 published versions"
