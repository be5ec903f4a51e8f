"""The document of a workflow: what its file holds, and the laws of its normal form."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any, Final

from gitsync.workflow.dependencies import derive_dependencies
from gitsync.workflow.types import Document, Json, Key

FORMAT: Final = "gitsync.workflow"
FORMAT_VERSION: Final = 1
REFERENCE: Final = "key:"
"""What stands before a key where a database has a workflow's id."""

METADATA_FIELDS: Final = (
    "autoPauseOnFailure",
    "concurrencyLimit",
    "description",
    "failureRateMinRuns",
    "failureRateThreshold",
    "isPaused",
    "isSystem",
    "isVisible",
    "name",
    "payloadSchemaMode",
    "payloadSchemaRef",
    "pinnedPayloadSchemaRef",
    "retentionPolicyOverride",
    "trigger",
)

NULL_READS_AS: Final = {"isVisible": True, "isSystem": False, "isPaused": False, "autoPauseOnFailure": False}
"""What the product's exporter makes of a metadata column that is NULL; of the others, null."""

_KEY: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,199}")
_AMOUNT: Final = re.compile(r"[+-]?[0-9]{1,100}(?:\.[0-9]{1,100})?")


def is_key(text: object) -> bool:
    """Whether `text` can name a workflow: ``[a-z0-9][a-z0-9._-]*``, at most 200 characters."""
    return isinstance(text, str) and _KEY.fullmatch(text) is not None


def make_document(
    *,
    key: Key,
    metadata: dict[str, Json],
    draft_definition: Json,
    draft_version: int,
    versions: Sequence[tuple[int, Json, Json]],
) -> Document:
    """The document in normal form, made of its parts, which it takes over and may change.

    metadata: the 14 fields. versions: number, definition and payload schema of each published version.
    Calls of other workflows are left as they are; `references.to_references` turns ids into keys.
    """
    return normalise(
        {
            "format": FORMAT,
            "formatVersion": FORMAT_VERSION,
            "key": key,
            "metadata": metadata,
            "draft": {"definition": draft_definition, "draftVersion": draft_version},
            "publishedVersions": [
                {"version": version, "definition": definition, "payloadSchemaJson": schema}
                for version, definition, schema in versions
            ],
        }
    )


def normalise(document: Document) -> Document:
    """`document`, changed in place, in the form in which equal workflows have equal bytes.

    Dependencies are derived, each definition's ``id`` is a reference to the workflow itself, the failure
    threshold is a number, and versions ascend. What is normal already stays as it is.
    """
    metadata = document["metadata"]
    reference = REFERENCE + document["key"]
    for definition in iter_definitions(document):
        if isinstance(definition, dict):
            definition["id"] = reference
    threshold = metadata.get("failureRateThreshold")
    if type(threshold) is not int and type(threshold) is not float:
        metadata["failureRateThreshold"] = _to_number(threshold)
    versions = document["publishedVersions"]
    if len(versions) > 1:
        versions.sort(key=_version)
    document["dependencies"] = derive_dependencies(
        metadata.get("pinnedPayloadSchemaRef"), iter_definitions(document)
    )
    return document


def iter_definitions(document: Document) -> Iterator[Any]:
    """The definition of the draft, then those of the published versions."""
    yield document["draft"]["definition"]
    for version in document["publishedVersions"]:
        yield version["definition"]


def _version(version: dict[str, Any]) -> int:
    number: int = version["version"]
    return number


def as_amount(threshold: float | str | Decimal) -> Decimal | None:
    """A threshold as drivers, bundles and files give it, exactly; ``None`` where it is no number."""
    if isinstance(threshold, str):
        return Decimal(threshold) if _AMOUNT.fullmatch(threshold) else None
    amount = threshold if isinstance(threshold, Decimal) else Decimal(repr(threshold))
    return amount if amount.is_finite() else None


def _to_number(threshold: Any) -> Any:
    """A threshold that is text or a Decimal as a JSON number; all else unchanged."""
    if not isinstance(threshold, (str, Decimal)):
        return threshold
    amount = as_amount(threshold)
    if amount is None:
        return str(threshold)
    if abs(amount) < 10**15 and amount == amount.to_integral_value():
        return int(amount)
    number = float(amount)
    return number if Decimal(repr(number)) == amount else amount
