from __future__ import annotations

import copy
import json
import uuid
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from gitsync.workflow.bundle import make_bundle, offline_id, read_bundle
from gitsync.workflow.canonical import canonical_bytes, digest_of, document_digest
from gitsync.workflow.document import iter_definitions, normalise
from gitsync.workflow.reading import read_stored_document, read_workflow
from gitsync.workflow.references import called_keys, iter_calls, raw_calls, to_ids, to_references
from gitsync.workflow.types import Document, Key
from tests.support.strategies import definitions, documents, texts

AT = "2026-01-01T00:00:00Z"
CALLED = st.one_of(
    st.sampled_from(["key:a", "key:b", "key:c"]), texts.filter(lambda text: "key:" not in text)
)


@given(documents())
def test_a_canonical_file_reads_back_as_the_same_bytes(document: Document) -> None:
    data = canonical_bytes(document)

    assert canonical_bytes(read_workflow(data, file=f"workflows/{document['key']}.json")) == data
    assert canonical_bytes(read_stored_document(data, file="blob")) == data
    assert document_digest(document) == digest_of(data)


@given(documents())
def test_normalising_twice_is_normalising_once(document: Document) -> None:
    once = canonical_bytes(document)

    assert canonical_bytes(normalise(normalise(document))) == once


@given(documents(), st.randoms())
def test_a_digest_ignores_layout_key_order_and_derived_fields(document: Document, random: Any) -> None:
    messy = json.loads(json.dumps(document))
    messy["dependencies"] = {"actions": [], "nodeTypes": ["stale"], "schemaRefs": []}
    messy["draft"]["definition"]["id"] = str(uuid.uuid4())
    random.shuffle(messy["publishedVersions"])
    items = list(messy.items())
    random.shuffle(items)

    read = read_workflow(json.dumps(dict(items)).encode(), file="-")

    assert document_digest(read) == document_digest(document)


@given(definitions(CALLED))
def test_references_and_ids_undo_each_other(definition: Any) -> None:
    ids = {Key(name): str(uuid.uuid5(uuid.NAMESPACE_DNS, name)) for name in "abc"}
    to_references(definition, key=Key("a"), keys_by_id={})
    before = copy.deepcopy(definition)

    to_ids(definition, own_id=ids[Key("a")], ids_by_key=ids)
    stored = copy.deepcopy(definition)
    left = to_references(definition, key=Key("a"), keys_by_id={i: key for key, i in ids.items()})

    assert definition == before
    assert stored["id"] == ids[Key("a")]
    assert not any(called.startswith("key:") for called in left)
    assert not [step for _, step in iter_calls(stored) if str(step.get("workflowId")).startswith("key:")]


@given(
    st.lists(
        documents(key=st.sampled_from("abc"), called=CALLED),
        min_size=1,
        max_size=3,
        unique_by=lambda d: d["key"],
    )
)
def test_files_become_a_bundle_and_files_again(originals: list[Document]) -> None:
    before = {document["key"]: canonical_bytes(document) for document in originals}

    bundle = make_bundle(originals, exported_at=AT, id_of=offline_id)
    read = read_bundle(canonical_bytes(bundle), file="bundle.json")

    assert {document["key"]: canonical_bytes(document) for document in originals} == before  # untouched
    for key, document in read.documents.items():
        original = next(item for item in originals if item["key"] == key)
        for called in called_keys(original) - before.keys():  # leads out of the bundle: an id, and a warning
            assert offline_id(called) in raw_calls(document)
        for definition in iter_definitions(document):
            to_references(
                definition, key=key, keys_by_id={offline_id(Key(name)): Key(name) for name in "abc"}
            )
        assert canonical_bytes(document) == before[key]
