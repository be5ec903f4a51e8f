"""Whether a file may be pushed: everything that is wrong with it, each fault with its place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any, Final

from gitsync.errors import InvalidInput, Problem
from gitsync.rules.calls import check_dependencies, check_references
from gitsync.rules.rule import Fault, Severity
from gitsync.rules.validator import Judge
from gitsync.workflow.canonical import canonical_bytes, digest_of, document_digest, dump_plain
from gitsync.workflow.document import FORMAT, is_key, normalise
from gitsync.workflow.form import action_faults, form_faults, header_faults
from gitsync.workflow.parse import invalid_input, parse_json, parse_plain, scan_bytes
from gitsync.workflow.scan import Path, json_path
from gitsync.workflow.types import Digest, Document, Json, Key

__all__ = [
    "Fault",
    "Inspected",
    "accept_document",
    "check_dependencies",
    "check_references",
    "inspect",
    "locate",
    "more_problems",
    "problems_of",
    "read_stored_document",
    "read_with_digest",
    "read_workflow",
]

_LENIENT: Final = Judge()
_FORMAT: Final = "`gitsync fmt` writes it anew"


@dataclass(frozen=True, slots=True)
class Inspected:
    """What is in a file: its document in normal form, and its problems, sorted.

    document: ``None`` where the file holds no workflow; it may be one that has problems.
    normal: the file itself, where it is canonical and in normal form. order: the versions as the text has them.
    """

    document: Document | None
    problems: tuple[Problem, ...] = ()
    order: Sequence[Any] = ()
    normal: bytes | None = None

    @property
    def digest(self) -> Digest | None:
        """Of the normal form, ``None`` where there is none."""
        if self.normal is not None:
            return digest_of(self.normal)
        return None if self.document is None else document_digest(self.document)

    @property
    def errors(self) -> tuple[Problem, ...]:
        """Those problems that stop a push."""
        return tuple(problem for problem in self.problems if problem.severity == Severity.ERROR)


def read_workflow(data: bytes, *, file: str, key: Key | None = None) -> Document:
    """The workflow in `data`, in normal form, in a form that a database can hold.

    key: what the file's name says; where it is ``None`` it's taken from `file`, if that ends in ``.json``.
    Raises InvalidInput with every fault, each with line, column and JSON path.
    """
    return read_with_digest(data, file=file, key=key)[0]


def read_with_digest(data: bytes, *, file: str, key: Key | None = None) -> tuple[Document, Digest]:
    """`read_workflow` with the digest of what it gives, which is mostly that of `data` itself."""
    found = inspect(data, file=file, key=key, judge=None)
    if found.problems:
        raise invalid_input(found.problems)
    digest = found.digest
    assert found.document is not None
    assert digest is not None
    return found.document, digest


def inspect(data: bytes, *, file: str, key: Key | None, judge: Judge | None) -> Inspected:
    """Everything about one file; without a `judge` only whether a database could hold what it says."""
    expected = key or _key_of(file)
    document = _read_canonical(data, expected)
    if document is not None:
        faults = judge.faults(document) if judge else []
        problems = _place(faults, data, document["publishedVersions"], file=file, key=expected, judge=judge)
        return Inspected(document, problems, document["publishedVersions"], normal=data)
    try:
        value = parse_json(data, file=file)
    except InvalidInput as error:
        return Inspected(None, tuple(replace(one, key=expected or "") for one in error.problems))
    faults = list(header_faults(value))
    if faults or not isinstance(value, dict):
        document = normalise(value) if isinstance(value, dict) and _has_shape(value) else None
        return Inspected(document, _place(faults, data, (), file=file, key=expected, judge=judge))
    return _inspect_messy(value, data, file=file, key=expected, judge=judge)


def _inspect_messy(
    value: Document, data: bytes, *, file: str, key: Key | None, judge: Judge | None
) -> Inspected:
    """A file with a right header that isn't canonical, or not right in all else."""
    declared = value.get("dependencies")
    versions = value.get("publishedVersions")
    order = list(versions) if isinstance(versions, list) else []
    faults = accept_document(value, expected=key)
    has_shape = _has_shape(value)
    if has_shape and judge is not None:
        faults += _in_order(judge.faults(value), value["publishedVersions"], order)
    if has_shape and judge is not None and judge.reads_text and not _is_refused(faults):
        if value["dependencies"] != declared:
            faults.append(_stale(declared, value["dependencies"]))
        if fault := _layout(data, canonical_bytes(value | {"dependencies": declared})):
            faults.append(fault)
    problems = _place(faults, data, order, file=file, key=key, judge=judge)
    return Inspected(value if has_shape else None, problems, order)


def more_problems(
    found: Inspected, faults: Sequence[Fault], data: bytes, *, file: str, judge: Judge
) -> tuple[Problem, ...]:
    """`faults`, found in the document of `found` by other means, as problems of its file."""
    if found.document is None or not faults:
        return ()
    faults = _in_order(faults, found.document["publishedVersions"], found.order)
    return _place(faults, data, found.order, file=file, key=Key(found.document["key"]), judge=judge)


def _is_refused(faults: Sequence[Fault]) -> bool:
    """Whether what is derived says nothing: the fields are not those of a workflow, or the key is not its own."""
    return any(fault.rule in ("SCHEMA_VALIDATION_FAILED", "KEY_MISMATCH") for fault in faults)


def _stale(declared: Any, derived: Any) -> Fault:
    """A STALE_DEPENDENCIES that names what is missing and what is too much."""
    words = []
    for name in ("actions", "nodeTypes", "schemaRefs"):
        there, wanted = ([_shown(item) for item in side[name]] for side in (declared, derived))
        words += [f"lacks {item}" for item in wanted if item not in there]
        words += [f"has {item}, which nothing needs" for item in there if item not in wanted]
    what = "; ".join(words) or "are in another order"
    return Fault(("dependencies",), "STALE_DEPENDENCIES", f"the list {what}", _FORMAT)


def _shown(item: Any) -> str:
    return f"{item['actionId']}@{item['version']}" if isinstance(item, dict) else str(item)


def _layout(data: bytes, expected: bytes) -> Fault | None:
    return (
        None if data == expected else Fault((), "NOT_CANONICAL", _first_difference(data, expected), _FORMAT)
    )


def _first_difference(data: bytes, expected: bytes) -> str:
    if data.rstrip(b"\n") == expected.rstrip(b"\n"):
        return "not in canonical form: the file ends with one LF"
    if data.replace(b"\r\n", b"\n") == expected:
        return "not in canonical form: lines end with LF, not CRLF"
    lines = expected.split(b"\n")
    number = next(
        (n for n, line in enumerate(data.split(b"\n"), start=1) if n > len(lines) or line != lines[n - 1]), 1
    )
    return f"not in canonical form, from line {number} on"


def _in_order(faults: Sequence[Fault], normal: Sequence[Any], order: Sequence[Any]) -> list[Fault]:
    """`faults` of a document in normal form, with the places that its versions have in the text."""
    places = {id(version): index for index, version in enumerate(order)}

    def moved(path: Path) -> Path:
        if len(path) > 1 and path[0] == "publishedVersions" and isinstance(path[1], int):
            return ("publishedVersions", places[id(normal[path[1]])], *path[2:])
        return path

    return [replace(fault, path=moved(fault.path)) for fault in faults]


def _place(
    faults: Sequence[Fault],
    data: bytes,
    versions: Sequence[Any],
    *,
    file: str,
    key: Key | None,
    judge: Judge | None,
) -> tuple[Problem, ...]:
    if not faults:
        return ()
    numbers = [entry.get("version") if isinstance(entry, dict) else None for entry in versions]
    found = scan_bytes(data)
    return tuple((judge or _LENIENT).problems(faults, found, file=file, key=key or "", numbers=numbers))


def _read_canonical(data: bytes, expected: Key | None) -> Document | None:
    """The document of a file that is valid, canonical and normal as it stands; ``None`` for any other."""
    value = parse_plain(data)
    if not _has_shape(value) or next(header_faults(value), None) is not None:
        return None
    assert isinstance(value, dict)
    try:
        if dump_plain(normalise(value)) != data:
            return None
    except TypeError:  # deeper than orjson goes
        return None
    faults = chain(form_faults(value, expected=expected, is_plain=True), action_faults(value))
    return value if next(faults, None) is None else None


def read_stored_document(data: bytes, *, file: str) -> Document:
    """The workflow in `data` in normal form, with no more asked than that it has a workflow's shape.

    For what history holds and for files that fail validation: they must still be compared and shown.
    Raises InvalidInput where `data` holds no workflow.
    """
    value = parse_json(data, file=file)
    if _has_shape(value):
        assert isinstance(value, dict)
        return normalise(value)
    raise invalid_input([Problem(file, 1, 1, "$", "INVALID_WORKFLOW", "this is no workflow file")])


def problems_of(faults: Sequence[Fault], data: bytes, *, file: str, key: str = "") -> list[Problem]:
    """`faults` with their places in `data`."""
    found = scan_bytes(data)
    return [
        Problem(
            file,
            *found.locate(fault.path),
            path=json_path(fault.path),
            rule=fault.rule,
            message=fault.message,
            cure=fault.cure,
            key=key,
        )
        for fault in faults
    ]


def locate(problems: Sequence[Problem], data: bytes) -> list[Problem]:
    """`problems` with the line and column of their JSON path in `data`, or of the nearest thing around it."""
    found = scan_bytes(data)
    places = {json_path(path): path for path in found.offsets}

    def place_of(path: str) -> tuple[int, int]:
        while path not in places and path != "$":
            path = path[: max(path.rfind("."), path.rfind("["))] or "$"
        return found.locate(places.get(path, ()))

    located = []
    for problem in problems:
        line, column = place_of(problem.path or "$")
        located.append(replace(problem, line=line, column=column))
    return located


def accept_document(value: Document, *, expected: Key | None) -> list[Fault]:
    """What of a workflow, whose header is right, a database could not hold; with no fault it's now in normal form.

    expected: the key that it must have.
    """
    faults = list(form_faults(value, expected=expected))
    if _has_shape(value):
        faults += action_faults(normalise(value))
    return faults


def _has_shape(value: Json) -> bool:
    if not isinstance(value, dict) or not is_key(value.get("key")) or value.get("format") != FORMAT:
        return False
    draft, versions = value.get("draft"), value.get("publishedVersions")
    return (
        isinstance(value.get("metadata"), dict)
        and isinstance(draft, dict)
        and "definition" in draft
        and isinstance(versions, list)
        and all(
            isinstance(entry, dict) and isinstance(entry.get("version"), int) and "definition" in entry
            for entry in versions
        )
    )


def _key_of(file: str) -> Key | None:
    name = file.replace("\\", "/").rpartition("/")[2]
    return Key(name.removesuffix(".json")) if name.endswith(".json") else None
