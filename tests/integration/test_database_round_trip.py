"""File → database → file is byte-identical, whatever the database and its generation."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gitsync.sync.model import Snapshot
from gitsync.workflow.canonical import canonical_bytes, document_digest
from gitsync.workflow.types import Document, Key
from tests.support.documents import call, make_workflow, steps
from tests.support.editor import Editor
from tests.support.instance import Instance, Kind, make_instance
from tests.support.product import OTHER_TENANT, Generation
from tests.support.strategies import documents

EVERY = [Kind(database, generation) for database in ("sqlite", "postgresql") for generation in Generation]


def contents(instance: Instance) -> dict[Key, bytes]:
    with instance.open(new_tenant=True) as database:
        snapshot = database.snapshot()
        loaded = dict(database.load(list(snapshot.digests)))
    assert {key: document_digest(document) for key, document in loaded.items()} == snapshot.digests
    return {key: canonical_bytes(document) for key, document in loaded.items()}


def snapshot_of(instance: Instance) -> Snapshot:
    with instance.open(new_tenant=True) as database:
        return database.snapshot()


versions_of_one = documents(key=st.just("w"))


@pytest.mark.parametrize("instance", EVERY, ids=str, indirect=True)
@settings(max_examples=15, suppress_health_check=list(HealthCheck))
@given(first=versions_of_one, second=versions_of_one, in_place=st.booleans())
def test_every_document_comes_back_as_the_same_bytes(
    instance: Instance, first: Document, second: Document, in_place: bool
) -> None:
    for document in (first, second):
        content = canonical_bytes(document)

        if document_digest(document) != instance.digests().get(Key("w")):
            instance.push(document, in_place=in_place)

        assert contents(instance) == {"w": content}
    instance.push(delete=["w"])
    assert contents(instance) == {}


def test_numbers_of_the_product_read_as_their_canonical_form(instance: Instance) -> None:
    spellings = {
        "0": "0",
        "1.0": "1",
        "-0.0": "0",
        "5e-324": "5e-324",
        "1e-7": "1e-7",
        "0.10": "0.1",
        "1e3": "1000",
    }
    listed = ", ".join(spellings)
    instance.editor.insert("numbers", draft_definition=f'{{"steps": [], "n": [{listed}]}}')

    content = contents(instance)[Key("numbers")].decode()

    between = content.partition('"n": [')[2].partition("]")[0]
    assert between.split() == ", ".join(spellings.values()).split()


@pytest.mark.parametrize("number", ["12345678901234567890", "0.1234567890123456789012345"])
def test_a_number_that_no_double_holds_is_kept_digit_for_digit(instance: Instance, number: str) -> None:
    instance.editor.insert("big", draft_definition=f'{{"steps": [], "n": {number}}}')

    assert number.encode() in contents(instance)[Key("big")]


@pytest.mark.parametrize(
    "column,field,expected",
    [("0.50", "0.5", 0.5), ("2.00", "2", 2), (None, "null", None), ("999.99", "999.99", 999.99)],
)
def test_the_threshold_is_a_number_whatever_the_driver_gives(
    instance: Instance, column: str | None, field: str, expected: float | None
) -> None:
    instance.editor.insert("w", failure_rate_threshold=column)

    content = contents(instance)[Key("w")]

    assert f'"failureRateThreshold": {field},'.encode() in content
    assert json.loads(content)["metadata"]["failureRateThreshold"] == expected


def test_json_null_and_sql_null_read_alike(instance: Instance) -> None:
    instance.editor.insert("sql", workflow_id="00000000-0000-0000-0000-00000000000a")
    instance.editor.insert("json", trigger="null", retention_policy_override="null")

    held = contents(instance)

    assert json.loads(held[Key("sql")])["metadata"]["trigger"] is None
    assert json.loads(held[Key("json")])["metadata"]["trigger"] is None


def test_a_new_row_holds_sql_null_where_the_file_says_null(instance: Instance) -> None:
    nothing = {"failureRateThreshold": None, "failureRateMinRuns": None}
    instance.push(make_workflow("w", versions={1: {}}, **nothing))

    row = instance.editor.row("w")

    nullable = ("trigger", "retention_policy_override", "description", "concurrency_limit")
    assert [row[name] for name in nullable] == [None] * len(nullable)
    assert (row["failure_rate_threshold"], row["failure_rate_min_runs"]) == (None, None)
    instance.editor.execute(
        "UPDATE workflow_definitions SET description = 'sql null' WHERE \"trigger\" IS NULL AND status = 'published'"
    )
    assert instance.editor.row("w")["description"] == "sql null"
    (version,) = instance.editor.rows("workflow_definition_versions")
    assert version["payload_schema_json"] is None


def test_calls_become_references_and_ids_again(instance: Instance) -> None:
    instance.push(
        make_workflow("caller", draft=steps(call("key:called"), call("key:caller", step_id="self"))),
        make_workflow("called", draft=steps(call("key:caller")), versions={3: steps(call("key:caller"))}),
    )

    with instance.open() as database:
        snapshot = database.snapshot()
        ids = dict(snapshot.ids)
    draft = instance.editor.row("caller")["draft_definition"]
    text = draft if isinstance(draft, str) else json.dumps(draft)
    assert [ids[Key("called")] in text, text.count(ids[Key("caller")]), "key:" in text] == [True, 2, False]
    assert snapshot.warnings == ()


def test_a_call_of_an_unknown_id_stays_and_is_warned_of(instance: Instance) -> None:
    unkeyed = instance.editor.insert(None, name="No key")
    instance.editor.insert("caller", definition=steps(call(unkeyed), call("gone", step_id="b")))

    with instance.open() as database:
        snapshot = database.snapshot()

    assert snapshot.raw_calls == {"caller": {unkeyed, "gone"}}
    assert len(snapshot.warnings) == 1
    assert "caller" in snapshot.warnings[0]
    assert unkeyed in snapshot.warnings[0]


def test_rows_that_cannot_be_files_are_listed_with_the_reason(instance: Instance) -> None:
    instance.editor.insert(None, name="B")
    instance.editor.insert("Upper Case", name="A")
    instance.editor.insert("newline\n", name="C")
    instance.editor.insert("good", versions={1: {}})

    snapshot = snapshot_of(instance)

    assert list(snapshot.digests) == ["good"]
    assert [(row.name, "no key" in row.reason) for row in snapshot.unkeyed] == [
        ("A", False),
        ("B", True),
        ("C", False),
    ]
    assert "'Upper Case'" in snapshot.unkeyed[0].reason


def test_version_gaps_and_a_status_at_odds_with_the_versions_are_read(instance: Instance) -> None:
    instance.editor.insert(
        "system.email-processing", versions={2: {}, 7: {}}, status="draft", draft_version=2
    )

    document = json.loads(contents(instance)[Key("system.email-processing")])

    assert [version["version"] for version in document["publishedVersions"]] == [2, 7]


def test_the_same_documents_in_two_databases_give_the_same_bytes(instance: Instance, tmp_path: Path) -> None:
    other = make_instance(f"sqlite:///{tmp_path}/other.db", Generation.CURRENT)
    pushed = [
        make_workflow("a", draft=steps(call("key:b")), versions={1: {}}, failureRateThreshold=0.25),
        make_workflow("b", draft=steps(call("key:a")), description="Größe 🎈"),
    ]

    instance.push(*pushed)
    other.push(*pushed)

    assert contents(instance) == contents(other)


def test_another_tenant_is_neither_read_nor_written(instance: Instance) -> None:
    if instance.generation is Generation.SEED:
        pytest.skip("the seed era has no tenants")
    foreign = Editor(instance.url, tenant=OTHER_TENANT)
    foreign.insert("shared", name="Theirs", versions={1: {}})
    before = instance.editor.rows()

    instance.push(make_workflow("shared", versions={1: {}, 2: {}}))
    instance.push(make_workflow("shared", name="Ours"), in_place=True)
    instance.push(delete=["shared"])

    assert instance.editor.rows() == before
    assert contents(instance) == {}
    column = instance.generation.tenant_column or ""
    assert {row[column] for row in instance.editor.rows()} == {OTHER_TENANT}


def test_progress_ends_at_the_total(instance: Instance) -> None:
    instance.push(*(make_workflow(f"w{number}") for number in range(3)))
    told: list[tuple[int, int]] = []

    with instance.open() as database:
        database.snapshot(progress=lambda done, total: told.append((done, total)))

    assert told == [(3, 3)]


def test_load_gives_only_the_keys_asked_for_in_their_order(instance: Instance) -> None:
    instance.push(
        *(make_workflow(key, versions={1: {}, 2: {}}) for key in ("b", "a-b", "a.b", "a_b", "a", "z"))
    )

    with instance.open() as database:
        loaded = list(database.load([Key(key) for key in ("z", "a_b", "a-b", "a.b", "a", "missing")]))

    assert [key for key, _ in loaded] == ["a", "a-b", "a.b", "a_b", "z"]
    assert {len(document["publishedVersions"]) for _, document in loaded} == {2}
