"""Workflow bundles, version 1: files put together, and taken apart again.

The checks stand in the product's own order, under its codes and with its details.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any, Final

from gitsync.errors import InvalidInput, Problem
from gitsync.workflow.canonical import canonical_bytes
from gitsync.workflow.document import FORMAT, FORMAT_VERSION, REFERENCE, iter_definitions
from gitsync.workflow.faults import Fault, locate, problems_of
from gitsync.workflow.form import accept_document
from gitsync.workflow.parse import invalid_input, parse_json, parse_stored
from gitsync.workflow.references import called_keys, raw_calls, to_ids, to_references
from gitsync.workflow.scan import MAX_FAULTS
from gitsync.workflow.schema import accepts, iter_faults, type_name
from gitsync.workflow.types import Document, Json, Key

BUNDLE_FORMAT: Final = "alga-psa.workflow-bundle"
BUNDLE_VERSION: Final = 1

_NAMESPACE: Final = uuid.uuid5(uuid.NAMESPACE_URL, "https://gitsync.invalid/workflows")
_ENTRY_FIELDS: Final = ("dependencies", "draft", "key", "metadata", "publishedVersions")


@dataclass(frozen=True, slots=True)
class Bundle:
    """What a bundle holds, its workflows in its own order and in normal form.

    declared: key → the dependencies that its entry declares, be they what its definitions need or not.
    warnings: what a person should know of it. data: the bytes that it was read from.
    """

    file: str
    documents: Mapping[Key, Document] = field(default_factory=dict)
    declared: Mapping[Key, Mapping[str, Any]] = field(default_factory=dict)
    warnings: Sequence[str] = ()
    data: bytes = b""

    def place(self, problems: Iterable[Problem]) -> list[Problem]:
        """`problems` of its documents, each with its path, line and column in the bundle."""
        entries = {key: index for index, key in enumerate(self.documents)}
        inside = [
            replace(
                problem, file=self.file, path=f"$.workflows[{entries[Key(problem.key)]}]{problem.path[1:]}"
            )
            for problem in problems
        ]
        return locate(inside, self.data) if inside else []


def read_bundle(data: bytes, *, file: str) -> Bundle:
    """The bundle in `data`; calls between its entries become references, unless two entries share an id.

    Raises InvalidInput (INVALID_BUNDLE, UNSUPPORTED_FORMAT, UNSUPPORTED_FORMAT_VERSION,
    SCHEMA_VALIDATION_FAILED, …): of the first check that fails, with all that it found.
    """
    try:
        bundle = parse_json(data, file=file)
    except InvalidInput as error:
        raise InvalidInput(error.message, problems=error.problems, code="INVALID_BUNDLE") from None
    if not isinstance(bundle, dict):
        message = f"{file}: a bundle is an object, this is {type_name(bundle)}"
        raise InvalidInput(message, code="INVALID_BUNDLE")
    _check_header(bundle, file)
    _check_schema(bundle, data, file)
    parts: Any = bundle["workflows"]
    declared = [part["dependencies"] for part in parts]  # normalising puts the derived ones in their place
    entries: list[Document] = [
        {name: part[name] for name in _ENTRY_FIELDS} | {"format": FORMAT, "formatVersion": FORMAT_VERSION}
        for part in parts
    ]
    keys_by_id, warnings = _owners(entries)  # before normalising, which overwrites the ids
    if faults := _accept(entries):
        raise invalid_input(problems_of(faults, data, file=file))
    documents = {Key(entry["key"]): entry for entry in entries}
    link_calls(documents, keys_by_id)
    return Bundle(file, documents, dict(zip(documents, declared, strict=True)), warnings, data)


def link_calls(documents: Mapping[Key, Document], keys_by_id: Mapping[str, Key]) -> None:
    """Make references of the calls in `documents` by ids in `keys_by_id`, which are in lower case."""
    for key, document in documents.items():
        for definition in iter_definitions(document):
            to_references(definition, key=key, keys_by_id=keys_by_id)


def iter_loose_calls(documents: Mapping[Key, Document], *, where: str) -> Iterator[str]:
    """A warning for each call by an id that stayed one; `where` says where it was looked for."""
    for key, document in documents.items():
        for called in sorted(raw_calls(document)):
            yield f"{key} calls the workflow {called}, which is not in {where}"


def make_bundle(
    documents: Iterable[Document], *, exported_at: str, id_of: Callable[[Key], str]
) -> dict[str, Json]:
    """The bundle of `documents`, which stay as they are, ordered by key.

    exported_at: a date-time with offset. id_of: the id that stands for a key, `offline_id` where
    there is no database.
    """
    entries: list[Json] = []
    for document in sorted(documents, key=lambda document: str(document["key"])):
        entry: Any = parse_stored(canonical_bytes({name: document[name] for name in _ENTRY_FIELDS}))
        ids_by_key = {key: id_of(key) for key in called_keys(document)}
        own_id = id_of(Key(entry["key"]))
        for definition in iter_definitions(entry):
            to_ids(definition, own_id=own_id, ids_by_key=ids_by_key)
        entries.append(entry)
    return {
        "format": BUNDLE_FORMAT,
        "formatVersion": BUNDLE_VERSION,
        "exportedAt": exported_at,
        "workflows": entries,
    }


def offline_id(key: Key) -> str:
    """The id of `key` in a bundle made without a database: the same every time."""
    return str(uuid.uuid5(_NAMESPACE, key))


def _check_header(bundle: dict[str, Json], file: str) -> None:
    received = bundle.get("format")
    if received != BUNDLE_FORMAT:
        raise InvalidInput(
            f'{file}: this is no workflow bundle: its format is {received!r}, not "{BUNDLE_FORMAT}"',
            code="UNSUPPORTED_FORMAT",
            details={"expectedFormat": BUNDLE_FORMAT, "receivedFormat": received},
        )
    version = bundle.get("formatVersion")
    if type(version) not in (int, float) or version != BUNDLE_VERSION:
        raise InvalidInput(
            f"{file}: bundles of version {version!r} cannot be read, only of version {BUNDLE_VERSION}",
            code="UNSUPPORTED_FORMAT_VERSION",
            details={"expectedFormatVersion": BUNDLE_VERSION, "receivedFormatVersion": version},
        )


def _check_schema(bundle: dict[str, Json], data: bytes, file: str) -> None:
    if accepts("bundle.v1", bundle):
        return
    faults = list(islice(iter_faults("bundle.v1", bundle), MAX_FAULTS))
    problems = problems_of(
        [Fault(fault.at, "SCHEMA_VALIDATION_FAILED", fault.message) for fault in faults], data, file=file
    )
    error = invalid_input(problems)
    raise InvalidInput(
        error.message,
        code="SCHEMA_VALIDATION_FAILED",
        problems=problems,
        details={"errors": [fault.as_json() for fault in faults]},
    )


def _accept(entries: list[Document]) -> list[Fault]:
    """What the schema lets pass and a database would not, or not as it was meant; else all become normal."""
    faults: list[Fault] = []
    seen: dict[str, int] = {}
    for index, entry in enumerate(entries):
        place = ("workflows", index)
        faults += [
            replace(fault, path=(*place, *fault.path)) for fault in accept_document(entry, expected=None)
        ]
        first = seen.setdefault(entry["key"], index)
        if first != index:
            message = f'the key "{entry["key"]}" is there twice, first in workflows[{first}]'
            faults.append(Fault((*place, "key"), "DUPLICATE_KEY", message, "keep one of them"))
    return faults


def _owners(entries: list[Document]) -> tuple[dict[str, Key], list[str]]:
    """Lower-case id → key, of the ids that one entry alone has, and a warning for each of the others."""
    owners: dict[str, set[Key]] = {}
    for entry in entries:
        for definition in iter_definitions(entry):
            own_id = definition.get("id")
            if isinstance(own_id, str) and own_id and not own_id.startswith(REFERENCE):
                owners.setdefault(own_id.lower(), set()).add(Key(entry["key"]))
    warnings = [
        f"the id {own_id} is shared by {', '.join(sorted(keys))}; calls of it stay as they are"
        for own_id, keys in sorted(owners.items())
        if len(keys) > 1
    ]
    return {own_id: next(iter(keys)) for own_id, keys in owners.items() if len(keys) == 1}, warnings
