"""The bundle as a side, in memory and in a file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gitsync.errors import PlanStale, Refused
from gitsync.stores.bundle import BundleSide
from gitsync.stores.folder import Folder
from gitsync.sync.exports import export_workflows
from gitsync.sync.model import Action, Change, Deployment, MarkKind
from gitsync.workflow.bundle import Bundle, offline_id
from gitsync.workflow.canonical import document_digest
from gitsync.workflow.types import Digest, Document, Key
from tests.support.documents import action, document

AT = "2026-01-31T12:00:00Z"
PULLED = Deployment(MarkKind.PULL, None)


def bundle_of(*documents: Document) -> tuple[bytes, BundleSide]:
    written: list[bytes] = []
    new = BundleSide(Bundle("new"), write=written.append, exported_at=AT)
    export_workflows(source_of(*documents).load, new, [Key(item["key"]) for item in documents])
    (data,) = written
    return data, BundleSide.read(data, file="bundle.json")


def source_of(*documents: Document) -> BundleSide:
    return BundleSide(Bundle("source", {Key(item["key"]): item for item in documents}))


def test_what_was_exported_is_what_is_read() -> None:
    a, b = document("a", action()), document("b", versions=((2, document("b")["draft"]["definition"], None),))

    _, side = bundle_of(b, a)

    snapshot = side.snapshot()
    assert snapshot.digests == {"a": document_digest(a), "b": document_digest(b)}
    assert list(side.load([Key("b"), Key("a"), Key("c")])) == [("a", a), ("b", b)]


def test_changes_are_made_all_together_or_not_at_all() -> None:
    a, b, new = document("a"), document("b"), document("a", action())
    written: list[bytes] = []
    _, read = bundle_of(a, b)
    side = BundleSide(read.content, write=written.append, exported_at=AT)
    changes = [
        Change(Key("a"), Action.UPDATE, document_digest(a), document_digest(new)),
        Change(Key("b"), Action.DELETE, document_digest(b), None),
    ]

    with pytest.raises(PlanStale):
        side.apply([Change(Key("a"), Action.UPDATE, Digest("0" * 40), None)], [], PULLED)
    applied = side.apply(changes, [(Key("a"), new)], PULLED)

    assert applied.created == {"a": offline_id(Key("a"))}
    assert side.snapshot().digests == {"a": document_digest(new)}
    assert [entry["key"] for entry in json.loads(written[0])["workflows"]] == ["a"]
    assert len(written) == 1


def test_an_export_says_what_an_import_will_refuse() -> None:
    written: list[bytes] = []
    side = BundleSide(Bundle("new"), write=written.append, exported_at=AT)

    _, applied = export_workflows(source_of(document("a", name="")).load, side, [Key("a")])

    assert written
    assert applied.warnings == ["an import will refuse it: /workflows/0/metadata/name: must not be empty"]


def test_an_export_of_what_has_gone_writes_nothing() -> None:
    written: list[bytes] = []
    side = BundleSide(Bundle("new"), write=written.append, exported_at=AT)

    with pytest.raises(PlanStale, match="b: gone"):
        export_workflows(source_of(document("a")).load, side, [Key("a"), Key("b")])
    with pytest.raises(Refused):
        export_workflows(source_of(document("a")).load, side, [])

    assert not written


def test_a_folder_of_files_is_a_side_too(tmp_path: Path) -> None:
    a, b = document("a"), document("b")
    folder = Folder(tmp_path / "workflows")
    changes = [Change(Key(d["key"]), Action.CREATE, None, document_digest(d)) for d in (a, b)]

    folder.apply(changes, [(Key("a"), a), (Key("b"), b)], PULLED)
    again = Folder(tmp_path / "workflows")

    assert again.snapshot().digests == {"a": document_digest(a), "b": document_digest(b)}
    assert dict(again.load([Key("b")])) == {"b": b}
    with pytest.raises(PlanStale):
        again.apply(changes[:1], [(Key("a"), a)], PULLED)
    again.apply([Change(Key("a"), Action.DELETE, document_digest(a), None)], [], PULLED)
    assert Folder(tmp_path / "workflows").keys == ["b"]
