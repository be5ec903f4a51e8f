from __future__ import annotations

from statistics import mean

from benchmarks.generate import edit_workflow, iter_workflows, key_of, make_workflow
from gitsync.rules.validator import Validator
from gitsync.workflow.canonical import canonical_bytes
from gitsync.workflow.document import REFERENCE
from gitsync.workflow.reading import parse_workflow
from gitsync.workflow.references import called_keys

SIZE = 600


def test_the_generated_workflows_are_valid_and_in_normal_form() -> None:
    for document in iter_workflows(40):
        data = canonical_bytes(document)

        file = parse_workflow(data, file=f"{document['key']}.json")

        assert Validator(reads_text=True).check(file) == ()
        assert canonical_bytes(file.document) == data


def test_the_generated_workflows_are_as_large_as_real_ones() -> None:
    documents = list(iter_workflows(SIZE))

    sizes = [len(canonical_bytes(document)) for document in documents]

    assert 15_000 < mean(sizes) < 20_000
    assert max(sizes) > 150_000
    assert {len(document["publishedVersions"]) for document in documents} == {0, 1, 2, 3, 4, 5}


def test_the_same_number_gives_the_same_workflow_each_time() -> None:
    assert canonical_bytes(make_workflow(7, size=SIZE)) == canonical_bytes(make_workflow(7, size=SIZE))


def test_generated_workflows_call_only_each_other() -> None:
    keys = {key_of(number) for number in range(50)}

    called = frozenset[str]().union(*(called_keys(document) for document in iter_workflows(50)))

    assert called
    assert called <= keys


def test_an_edit_changes_the_draft_and_publishes_it_where_something_was_published() -> None:
    published = next(number for number in range(50) if make_workflow(number, size=50)["publishedVersions"])
    before = make_workflow(published, size=50)

    after = edit_workflow(make_workflow(published, size=50), edition="x")

    assert after["draft"]["definition"]["steps"][-1]["id"] == "edit-x"
    assert after["draft"]["definition"]["id"] == REFERENCE + after["key"]
    assert len(after["publishedVersions"]) == len(before["publishedVersions"]) + 1
    assert after["publishedVersions"][:-1] == before["publishedVersions"]
