"""What the product's tables are: their names, their columns and what each holds. Stated here, and nowhere else."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

DEFINITIONS: Final = "workflow_definitions"
VERSIONS: Final = "workflow_definition_versions"
RUNS: Final = "workflow_runs"
WAITS: Final = "workflow_run_waits"
SCHEDULES: Final = "tenant_workflow_schedule"
WEBHOOKS: Final = "inbound_webhooks"
USERS: Final = "users"

TENANT_COLUMNS: Final = ("tenant", "tenant_id")
"""The column of the tenant, in the order of preference: a uuid today, text in older products, or none of them."""


class Kind(enum.Enum):
    """What a column holds; each kind of database has a type of its own for it."""

    TEXT = enum.auto()
    ID = enum.auto()
    JSON = enum.auto()
    NUMBER = enum.auto()
    FLAG = enum.auto()
    SHARE = enum.auto()
    TIME = enum.auto()


@dataclass(frozen=True, slots=True)
class ProductColumn:
    """One column of the product's tables.

    field: the member of a document's metadata that it holds. is_needed: gitsync cannot do without it.
    has_value: it is never NULL. default: what the embedded database puts in where a row has nothing, but for ids and
    times of its own making.
    """

    name: str
    kind: Kind = Kind.TEXT
    field: str | None = None
    is_needed: bool = False
    has_value: bool = False
    default: str | None = None


def _needed(
    name: str, kind: Kind = Kind.TEXT, *, has_value: bool = False, default: str | None = None
) -> ProductColumn:
    return ProductColumn(name, kind, is_needed=True, has_value=has_value, default=default)


def _metadata(
    name: str, field: str, kind: Kind = Kind.TEXT, *, has_value: bool = False, default: str | None = None
) -> ProductColumn:
    return ProductColumn(name, kind, field, is_needed=True, has_value=has_value, default=default)


_VERDICT: Final = (
    ProductColumn("validation_status"),
    ProductColumn("validation_errors", Kind.JSON),
    ProductColumn("validation_warnings", Kind.JSON),
    ProductColumn("validated_at", Kind.TIME),
)
_VERDICT_ON_DRAFT: Final = (
    *_VERDICT,
    ProductColumn("validation_context_json", Kind.JSON),
    ProductColumn("validation_payload_schema_hash"),
)
_ROW_TIMES: Final = (
    ProductColumn("created_at", Kind.TIME, has_value=True),
    ProductColumn("updated_at", Kind.TIME, has_value=True),
)

DEFINITION_COLUMNS: Final = (
    _needed("workflow_id", Kind.ID, has_value=True),
    _needed("key"),
    _metadata("name", "name", has_value=True),
    _metadata("description", "description"),
    _metadata("payload_schema_ref", "payloadSchemaRef", has_value=True),
    _metadata("payload_schema_mode", "payloadSchemaMode", has_value=True, default="pinned"),
    _metadata("pinned_payload_schema_ref", "pinnedPayloadSchemaRef"),
    ProductColumn("payload_schema_provenance"),
    _metadata("trigger", "trigger", Kind.JSON),
    _needed("draft_definition", Kind.JSON, has_value=True),
    _needed("draft_version", Kind.NUMBER, has_value=True, default="1"),
    _needed("status", has_value=True, default="draft"),
    _metadata("is_system", "isSystem", Kind.FLAG, has_value=True, default="false"),
    _metadata("is_visible", "isVisible", Kind.FLAG, has_value=True, default="true"),
    _metadata("is_paused", "isPaused", Kind.FLAG, has_value=True, default="false"),
    _metadata("concurrency_limit", "concurrencyLimit", Kind.NUMBER),
    _metadata("auto_pause_on_failure", "autoPauseOnFailure", Kind.FLAG, has_value=True, default="false"),
    _metadata("failure_rate_threshold", "failureRateThreshold", Kind.SHARE, default="0.5"),
    _metadata("failure_rate_min_runs", "failureRateMinRuns", Kind.NUMBER, default="10"),
    _metadata("retention_policy_override", "retentionPolicyOverride", Kind.JSON),
    *_VERDICT_ON_DRAFT,
    ProductColumn("created_by", Kind.ID),
    ProductColumn("updated_by", Kind.ID),
    *_ROW_TIMES,
)
VERSION_COLUMNS: Final = (
    _needed("version_id", Kind.ID, has_value=True),
    _needed("workflow_id", Kind.ID, has_value=True),
    _needed("version", Kind.NUMBER, has_value=True),
    _needed("definition_json", Kind.JSON, has_value=True),
    _needed("payload_schema_json", Kind.JSON),
    *_VERDICT,
    ProductColumn("published_by", Kind.ID),
    ProductColumn("published_at", Kind.TIME),
    *_ROW_TIMES,
)
USERS_OF_IDS: Final[Mapping[str, tuple[ProductColumn, ...]]] = {
    RUNS: (
        _needed("workflow_id", Kind.ID),
        _needed("workflow_version", Kind.NUMBER),
        _needed("status"),
        ProductColumn("run_id"),
        ProductColumn("node_path"),
        ProductColumn("engine"),
    ),
    SCHEDULES: (_needed("workflow_id", Kind.ID), _needed("status")),
    WEBHOOKS: (_needed("handler_config", Kind.JSON),),
}
"""Tables of the product that name workflows by their ids, with the columns that say so; none has to be there."""
WAIT_COLUMNS: Final = tuple(
    _needed(name) for name in ("run_id", "step_path", "wait_type", "event_name", "key", "status")
)

METADATA_COLUMNS: Final[Mapping[str, str]] = {
    column.field: column.name for column in DEFINITION_COLUMNS if column.field is not None
}
"""Member of a document's metadata → column of the definitions."""
VALIDATION_COLUMNS: Final = tuple(column.name for column in _VERDICT_ON_DRAFT)

_KINDS: Final[Mapping[str, Kind]] = {
    column.name: column.kind
    for columns in (DEFINITION_COLUMNS, VERSION_COLUMNS, *USERS_OF_IDS.values())
    for column in columns
} | {"tenant": Kind.ID}


def kind_of(column: str) -> Kind:
    """Return what a column of any of the product's tables holds; one that is new to gitsync is read as text."""
    return _KINDS.get(column) or (Kind.FLAG if column.startswith("is_") else Kind.TEXT)


def needed(columns: Iterable[ProductColumn]) -> list[str]:
    """Return the names of those of `columns` that gitsync cannot do without."""
    return [column.name for column in columns if column.is_needed]


def tenant_column_of(columns: Iterable[str]) -> str | None:
    """Return the column of the tenant among `columns`, ``None`` where rows belong to nobody in particular."""
    present = set(columns)
    return next((name for name in TENANT_COLUMNS if name in present), None)
