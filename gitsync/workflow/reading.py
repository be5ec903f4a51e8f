"""A workflow's file, read without judging it: what it says in normal form, and what of it no database could hold."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

from gitsync.errors import InvalidInput, Problem
from gitsync.workflow.canonical import digest_of, document_digest, dump_plain
from gitsync.workflow.document import normalise
from gitsync.workflow.faults import Fault, part_of, problem_of
from gitsync.workflow.form import accept_document, action_faults, form_faults, has_shape, header_faults
from gitsync.workflow.parse import invalid_input, parse_json, parse_plain, scan_bytes
from gitsync.workflow.scan import Path
from gitsync.workflow.types import Digest, Document, Json, Key


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkflowFile:
    """What is in a file.

    name: for messages. key: that its name says. unreadable: why it is no JSON that every program reads alike.
    document: in normal form, ``None`` where the file holds no workflow; it may be one that has faults.
    faults: why no database could hold what it says. has_header: it says that it is a workflow of this format.
    versions: the published ones, in the order of the text. declared: the dependencies that the text has.
    is_normal: the text is canonical and in normal form as it stands.
    """

    name: str
    key: Key | None
    data: bytes = b""
    unreadable: tuple[Problem, ...] = ()
    document: Document | None = None
    faults: tuple[Fault, ...] = ()
    has_header: bool = False
    versions: Sequence[Any] = ()
    declared: Json = None
    is_normal: bool = False

    @property
    def digest(self) -> Digest | None:
        """Of the normal form, ``None`` where there is none."""
        if self.is_normal:
            return digest_of(self.data)
        return None if self.document is None else document_digest(self.document)

    @property
    def version_numbers(self) -> list[Any]:
        """The numbers of the published versions, in the order of the text."""
        return [entry.get("version") if isinstance(entry, dict) else None for entry in self.versions]

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Why it is no workflow that a database could hold, each with its place, sorted."""
        if self.unreadable or not self.faults:
            return self.unreadable
        text, numbers = scan_bytes(self.data), self.version_numbers
        problems = {
            replace(
                problem_of(fault, text, file=self.name, key=self.key or ""), part=part_of(fault.path, numbers)
            )
            for fault in self.faults
        }
        return tuple(sorted(problems))

    def in_order_of_text(self, faults: Iterable[Fault]) -> list[Fault]:
        """Return faults of the document, with the places that its versions have in the text."""
        if self.document is None or self.is_normal:
            return list(faults)
        normal = self.document["publishedVersions"]
        places = {id(version): index for index, version in enumerate(self.versions)}

        def moved(path: Path) -> Path:
            if len(path) > 1 and path[0] == "publishedVersions" and isinstance(path[1], int):
                return ("publishedVersions", places[id(normal[path[1]])], *path[2:])
            return path

        return [replace(fault, path=moved(fault.path)) for fault in faults]


def parse_workflow(data: bytes, *, file: str, key: Key | None = None) -> WorkflowFile:
    """Return what is in a file.

    key: what the file's name says; where it is ``None`` it's taken from `file`, if that ends in ``.json``.
    """
    expected = key or _key_of(file)
    document = _read_normal(data, expected)
    if document is not None:
        return WorkflowFile(
            name=file,
            key=expected,
            data=data,
            document=document,
            has_header=True,
            versions=document["publishedVersions"],
            declared=document["dependencies"],
            is_normal=True,
        )
    try:
        value = parse_json(data, file=file)
    except InvalidInput as error:
        unreadable = tuple(replace(problem, key=expected or "") for problem in error.problems)
        return WorkflowFile(name=file, key=expected, data=data, unreadable=unreadable)
    faults = list(header_faults(value))
    if not isinstance(value, dict):
        return WorkflowFile(name=file, key=expected, data=data, faults=tuple(faults))
    declared, versions = value.get("dependencies"), value.get("publishedVersions")
    order = list(versions) if isinstance(versions, list) else []  # normalising sorts them
    has_header = not faults
    if has_header:
        faults = accept_document(value, expected=expected)
    elif has_shape(value):
        normalise(value)
    return WorkflowFile(
        name=file,
        key=expected,
        data=data,
        document=value if has_shape(value) else None,
        faults=tuple(faults),
        has_header=has_header,
        versions=order,
        declared=declared,
    )


def read_workflow(data: bytes, *, file: str, key: Key | None = None) -> Document:
    """Return the workflow in `data`, in normal form, in a form that a database can hold.

    key: see `parse_workflow`. Raises InvalidInput with every fault, each with line, column and JSON path.
    """
    return read_with_digest(data, file=file, key=key)[0]


def read_with_digest(data: bytes, *, file: str, key: Key | None = None) -> tuple[Document, Digest]:
    """Do as `read_workflow`, and return the digest as well, which is mostly that of `data` itself."""
    workflow = parse_workflow(data, file=file, key=key)
    if problems := workflow.problems:
        raise invalid_input(problems)
    digest = workflow.digest
    assert workflow.document is not None
    assert digest is not None
    return workflow.document, digest


def read_stored_document(data: bytes, *, file: str) -> Document:
    """Return the workflow in `data` in normal form, with no more asked than that it has a workflow's shape.

    For what history holds and for files that fail validation: they must still be compared and shown.
    Raises InvalidInput where `data` holds no workflow.
    """
    value = parse_json(data, file=file)
    if has_shape(value):
        assert isinstance(value, dict)
        return normalise(value)
    raise invalid_input([Problem(file, 1, 1, "$", "INVALID_WORKFLOW", "this is no workflow file")])


def _read_normal(data: bytes, expected: Key | None) -> Document | None:
    """Return the document of a file that is valid, canonical and normal as it stands; ``None`` for any other.

    What gives `data` again when it is dumped in normal form needs no strict parse: its numbers are plain, and neither
    a duplicate key nor another spelling would come back.
    """
    value = parse_plain(data)
    if not has_shape(value) or next(header_faults(value), None) is not None:
        return None
    assert isinstance(value, dict)
    try:
        if dump_plain(normalise(value)) != data:
            return None
    except TypeError:  # deeper than orjson goes
        return None
    faults = chain(form_faults(value, expected=expected, is_plain=True), action_faults(value))
    return value if next(faults, None) is None else None


def _key_of(file: str) -> Key | None:
    name = file.replace("\\", "/").rpartition("/")[2]
    return Key(name.removesuffix(".json")) if name.endswith(".json") else None
