"""Whether a file may be pushed: everything that is wrong with it, each fault with its place."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import chain
from typing import Any, Final

from gitsync.errors import InvalidInput, Problem
from gitsync.workflow import canonical
from gitsync.workflow.canonical import MAX_SAFE_INTEGER, digest_of, document_digest, dump_plain
from gitsync.workflow.document import (
    FORMAT,
    FORMAT_VERSION,
    as_amount,
    is_key,
    normalise,
)
from gitsync.workflow.parse import invalid_input, parse_json, parse_plain, scan_bytes
from gitsync.workflow.resolve import check_dependencies, check_references
from gitsync.workflow.scan import Path, json_path
from gitsync.workflow.schema import accepts, iter_faults, type_name
from gitsync.workflow.types import Digest, Document, Json, Key

__all__ = [
    "Fault",
    "accept_document",
    "check_dependencies",
    "check_references",
    "locate",
    "problems_of",
    "read_stored_document",
    "read_with_digest",
    "read_workflow",
]

_THRESHOLD: Final = ("metadata", "failureRateThreshold")


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong in a value, at `path`; a Problem once file, line and column are known."""

    path: Path
    rule: str
    message: str
    cure: str = ""


def read_workflow(data: bytes, *, file: str, key: Key | None = None) -> Document:
    """The workflow in `data`, in normal form, fit to be written to a database.

    key: what the file's name says; where it is ``None`` it's taken from `file`, if that ends in ``.json``.
    Raises InvalidInput with every fault, each with line, column and JSON path.
    """
    return read_with_digest(data, file=file, key=key)[0]


def read_with_digest(data: bytes, *, file: str, key: Key | None = None) -> tuple[Document, Digest]:
    """`read_workflow` with the digest of what it gives, which is mostly that of `data` itself."""
    expected = key or _key_of(file)
    if (document := _read_canonical(data, expected)) is not None:
        return document, digest_of(data)
    try:
        value = parse_json(data, file=file)
    except InvalidInput as error:
        raise invalid_input([replace(problem, key=expected or "") for problem in error.problems]) from None
    faults = list(_header_faults(value))
    if not faults:
        assert isinstance(value, dict)
        faults = accept_document(value, expected=expected)
        if not faults:
            return value, document_digest(value)
    raise invalid_input(problems_of(faults, data, file=file, key=expected or ""))


def _read_canonical(data: bytes, expected: Key | None) -> Document | None:
    """The document of a file that is valid, canonical and normal as it stands; ``None`` for any other."""
    value = parse_plain(data)
    if not _has_shape(value) or next(_header_faults(value), None) is not None:
        return None
    assert isinstance(value, dict)
    try:
        if dump_plain(normalise(value)) != data:
            return None
    except TypeError:  # deeper than orjson goes
        return None
    faults = chain(_iter_faults(value, expected=expected, is_plain=True), _action_faults(value))
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


def accept_document(value: Document, *, expected: Key | None, is_plain: bool = False) -> list[Fault]:
    """All that is wrong with a workflow whose header is right; with nothing wrong it's now in normal form.

    expected: the key that it must have. is_plain: its numbers are known to be portable.
    """
    faults = list(_iter_faults(value, expected=expected, is_plain=is_plain))
    if _has_shape(value):
        faults += _action_faults(normalise(value))
    return faults


def _iter_faults(value: Document, *, expected: Key | None, is_plain: bool) -> Iterator[Fault]:
    is_accepted = accepts("workflow", value)
    yield from _key_faults(value, expected)
    unportable: list[Fault] = [] if is_plain or canonical.is_plain(value) else list(_number_faults(value))
    yield from unportable
    places = {fault.path for fault in unportable}
    if not is_accepted:
        for fault in iter_faults("workflow", value):
            if fault.at not in places and fault.at != ("key",):
                yield Fault(fault.at, "SCHEMA_VALIDATION_FAILED", fault.message)
    if _THRESHOLD not in places:
        yield from _threshold_faults(value)
    yield from _version_faults(value)


def _header_faults(value: Json) -> Iterator[Fault]:
    if not isinstance(value, dict):
        message = f"a workflow file holds an object, this one {type_name(value)}"
        yield Fault((), "INVALID_WORKFLOW", message)
        return
    if value.get("format") != FORMAT:
        cure = "import a bundle with `gitsync import`" if "workflows" in value else ""
        message = f'the field "format" must be "{FORMAT}"'
        yield Fault(("format",), "UNSUPPORTED_FORMAT", message, cure)
        return
    version = value.get("formatVersion")
    if type(version) not in (int, float) or version != FORMAT_VERSION:
        message = f'the field "formatVersion" must be {FORMAT_VERSION}'
        cure = "a newer gitsync may read it" if isinstance(version, int) and version > FORMAT_VERSION else ""
        yield Fault(("formatVersion",), "UNSUPPORTED_FORMAT_VERSION", message, cure)


def _key_faults(value: dict[str, Any], expected: Key | None) -> Iterator[Fault]:
    key = value.get("key")
    if "key" not in value:
        return  # the schema says so
    if not is_key(key):
        message = f"{key!r} cannot name a workflow"
        cure = "use a-z, 0-9, '.', '_' and '-', at most 200 characters, first a letter or a digit"
        yield Fault(("key",), "INVALID_KEY", message, cure)
    elif expected is not None and key != expected:
        message = f'the key is "{key}", the file\'s name says "{expected}"'
        yield Fault(("key",), "KEY_MISMATCH", message, f"rename the file to {key}.json, or change the key")


def _number_faults(value: Json) -> Iterator[Fault]:
    stack: list[tuple[Path, Any]] = [((), value)]
    while stack:
        path, item = stack.pop()
        if isinstance(item, dict):
            stack.extend(((*path, key), child) for key, child in item.items())
        elif isinstance(item, list):
            stack.extend(((*path, index), child) for index, child in enumerate(item))
        elif not is_portable(item):
            what = (
                f"{item} is beyond ±(2^53−1)" if _is_whole(item) else f"{item} has more digits than a double"
            )
            shown = what if len(what) < 120 else "a number that no double holds"
            yield Fault(path, "NUMBER_NOT_PORTABLE", shown, "write it as a string, or with fewer digits")


def is_portable(item: Json) -> bool:
    """Whether a scalar reads back as itself from every database and every JavaScript engine."""
    if isinstance(item, Decimal):
        return False
    if isinstance(item, (int, float)):
        return -MAX_SAFE_INTEGER <= item <= MAX_SAFE_INTEGER or not _is_whole(item)
    return True


def _is_whole(number: Any) -> bool:
    return (
        bool(number == number.to_integral_value()) if isinstance(number, Decimal) else number == int(number)
    )


def _threshold_faults(value: dict[str, Any]) -> Iterator[Fault]:
    metadata = value.get("metadata")
    threshold = metadata.get("failureRateThreshold") if isinstance(metadata, dict) else None
    if not isinstance(threshold, (int, float, str)) or isinstance(threshold, bool):
        return
    amount = as_amount(threshold)
    if amount is None:
        yield Fault(_THRESHOLD, "SCHEMA_VALIDATION_FAILED", f"{threshold!r} is no number")
    elif abs(amount) >= 1000:
        yield Fault(_THRESHOLD, "NUMBER_NOT_PORTABLE", f"{threshold} is out of range: must be below 1000")
    elif amount != round(amount, 2):
        message = f"{threshold} has more than two decimals, the column would round it"
        yield Fault(_THRESHOLD, "NUMBER_NOT_PORTABLE", message)


def _action_faults(value: Document) -> Iterator[Fault]:
    """Versions of actions that no runtime offers: the derived dependencies would break the schema."""
    for action in value["dependencies"]["actions"]:
        if not isinstance(action["version"], int):
            message = f"the action {action['actionId']} is called in version {action['version']}"
            yield Fault(
                ("draft", "definition"), "SCHEMA_VALIDATION_FAILED", message, "versions are whole numbers"
            )


def _version_faults(value: dict[str, Any]) -> Iterator[Fault]:
    versions = value.get("publishedVersions")
    seen: set[int] = set()
    for index, entry in enumerate(versions if isinstance(versions, list) else ()):
        number = entry.get("version") if isinstance(entry, dict) else None
        if not isinstance(number, int):
            continue
        if number in seen:
            message = f"version {number} is published twice"
            yield Fault(
                ("publishedVersions", index, "version"), "DUPLICATE_VERSION", message, "keep one of them"
            )
        seen.add(number)


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
