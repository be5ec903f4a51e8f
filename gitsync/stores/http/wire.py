"""What a server sends of one workflow, and the document that it makes: from an export, or from rows."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from gitsync.workflow.bundle import BUNDLE_FORMAT
from gitsync.workflow.document import METADATA_FIELDS, NULL_READS_AS, make_document
from gitsync.workflow.types import Document, Json, Key

COLUMNS: Final = {
    name: re.sub(r"([A-Z])", lambda found: f"_{found[1].lower()}", name) for name in METADATA_FIELDS
}
"""Metadata field → the column of the product's row."""


class Malformed(ValueError):
    """An answer that lacks something, or has something else in its place; the message says what."""


def rows_of(body: Json) -> list[dict[str, Any]]:
    """The rows of a list of workflows, each with an id, and a key and a name that are text or missing."""
    rows = [_mapping(row, "a workflow") for row in _list(body, "a list of workflows")]
    for row in rows:
        _text(row, "workflow_id")
        if not isinstance(row.get("key"), str | None):
            raise Malformed("a key that is no text")
    return rows


def document_of_export(body: Json, *, key: Key) -> Document:
    """The document of the one workflow in an export; its ids are the server's."""
    return documents_of_export(body, keys=[key])[0]


def documents_of_export(body: Json, *, keys: Sequence[Key]) -> list[Document]:
    """The documents of exactly the workflows of `keys` in an export, in that order; their ids are the server's."""
    bundle = _mapping(body, "a bundle")
    if bundle.get("format") != BUNDLE_FORMAT:
        raise Malformed(f"the format {bundle.get('format')!r} instead of a bundle's")
    entries = _list(bundle.get("workflows"), "a list of workflows")
    if len(entries) != len(keys):
        expected = "one" if len(keys) == 1 else str(len(keys))
        raise Malformed(f"{len(entries)} workflows instead of {expected}")
    found = {entry.get("key"): entry for entry in (_mapping(entry, "a workflow") for entry in entries)}
    for key in keys:
        if key not in found:
            others = next((other for other in found if other not in keys), None)
            raise Malformed(f"the workflow {others!r} instead of {key!r}")
    return [_document_of_entry(found[key], key) for key in keys]


def _document_of_entry(entry: Mapping[str, Json], key: Key) -> Document:
    metadata, draft = _mapping(entry.get("metadata"), "metadata"), _mapping(entry.get("draft"), "a draft")
    return make_document(
        key=key,
        metadata={name: _member(metadata, name) for name in METADATA_FIELDS},
        draft_definition=_member(draft, "definition"),
        draft_version=_number(draft, "draftVersion"),
        versions=[
            (_number(version, "version"), _member(version, "definition"), version.get("payloadSchemaJson"))
            for version in map(_version, _list(entry.get("publishedVersions"), "published versions"))
        ],
    )


def document_of_row(row: Mapping[str, Any], versions: Sequence[tuple[int, Json, Json]]) -> Document:
    """The document of a workflow's row and its version rows; its ids are the server's."""
    values = {name: _member(row, column) for name, column in COLUMNS.items()}
    return make_document(
        key=Key(row["key"]),
        metadata={
            name: NULL_READS_AS.get(name) if value is None else value for name, value in values.items()
        },
        draft_definition=_member(row, "draft_definition"),
        draft_version=_number(row, "draft_version"),
        versions=versions,
    )


def numbers_of(body: Json, *, newest: Any) -> list[int]:
    """The numbers of a workflow's published versions; `newest` is the one that its row names, if any."""
    listed = _list(_mapping(body, "versions").get("versions"), "a list of versions")
    numbers = [_number(_version(version), "version") for version in listed]
    if isinstance(newest, int) and newest not in numbers:
        raise Malformed(f"versions without {newest}, the newest")
    return numbers


def version_of_row(body: Json, *, number: int) -> tuple[int, Json, Json]:
    """A published version's number, definition and payload schema."""
    row = _version(body)
    if row.get("is_draft") is True or row.get("version") != number:
        raise Malformed(f"something else than the published version {number}")
    return number, _member(row, "definition_json"), row.get("payload_schema_json")


def _version(value: Json) -> dict[str, Any]:
    return _mapping(value, "a version")


def _mapping(value: Any, what: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Malformed(f"no {what.removeprefix('a ')}")
    return value


def _list(value: Any, what: str) -> list[Any]:
    if not isinstance(value, list):
        raise Malformed(f"no {what.removeprefix('a ')}")
    return value


def _member(value: Mapping[str, Any], name: str) -> Any:
    if name not in value:
        raise Malformed(f"no {name}")
    return value[name]


def _text(value: Mapping[str, Any], name: str) -> str:
    if not isinstance(text := value.get(name), str) or not text:
        raise Malformed(f"no {name}")
    return text


def _number(value: Mapping[str, Any], name: str) -> int:
    if type(number := value.get(name)) is not int:
        raise Malformed(f"no {name}")
    return number
