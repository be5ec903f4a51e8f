"""What a file must be before anything else can be said of it: its text, its header, its fields."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any, Final

from gitsync.workflow import canonical
from gitsync.workflow.canonical import MAX_SAFE_INTEGER
from gitsync.workflow.document import FORMAT, FORMAT_VERSION, as_amount, is_key, normalise
from gitsync.workflow.faults import Fault
from gitsync.workflow.scan import Path
from gitsync.workflow.schema import accepts, iter_faults, type_name
from gitsync.workflow.types import Document, Json, Key

_THRESHOLD: Final = ("metadata", "failureRateThreshold")


def accept_document(value: Document, *, expected: Key | None) -> list[Fault]:
    """Return what of a workflow, whose header is right, a database could not hold; without a fault it's normal then.

    expected: the key that it must have.
    """
    faults = list(form_faults(value, expected=expected))
    if has_shape(value):
        faults += action_faults(normalise(value))
    return faults


def has_shape(value: Json) -> bool:
    """Return whether `value` has the parts of a workflow, whatever is in them, so that it can be compared and shown."""
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


def form_faults(value: Document, *, expected: Key | None, is_plain: bool = False) -> Iterator[Fault]:
    """Yield what of a workflow, whose header is right, a database could not hold as it is meant.

    expected: the key that it must have. is_plain: its numbers are known to be portable.
    """
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


def header_faults(value: Json) -> Iterator[Fault]:
    """Yield why `value` is no workflow that this gitsync reads."""
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
    """Return whether a scalar reads back as itself from every database and every JavaScript engine."""
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


def action_faults(value: Document) -> Iterator[Fault]:
    """Yield versions of actions that no runtime offers: the derived dependencies would break the schema."""
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
