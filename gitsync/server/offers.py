"""The registry in the product's shape; what `registry.yaml` cannot say is null."""

from __future__ import annotations

from collections.abc import Callable

from gitsync.server.answers import HttpError
from gitsync.server.service import not_found
from gitsync.workflow.registry import Registry
from gitsync.workflow.types import Json

ReadRegistry = Callable[[], Registry | None]


def list_actions(read: ReadRegistry) -> Json:
    """Return every action, by id and version."""
    registry = _registry(read)
    return [
        {
            "id": action_id,
            "version": version,
            "inputSchema": offer.input,
            "outputSchema": offer.output,
            "sideEffectful": None,
            "retryHint": None,
            "idempotency": None,
            "ui": None,
            "examples": None,
        }
        for (action_id, version), offer in sorted(registry.actions.items())
    ]


def list_nodes(read: ReadRegistry) -> Json:
    """Return every node type, by name."""
    registry = _registry(read)
    unknown = dict.fromkeys(("ui", "configSchema", "examples", "defaultRetry"))
    return [{"id": name, **unknown} for name in sorted(registry.node_types)]


def find_schema(read: ReadRegistry, ref: str) -> Json:
    """Return the payload schema of `ref`; raises HttpError 404."""
    registry = _registry(read)
    if ref not in registry.schemas:
        raise not_found("Schema not found")
    return {"ref": ref, "schema": registry.schemas[ref]}


def _registry(read: ReadRegistry) -> Registry:
    registry = read()
    if registry is None:
        raise HttpError(
            404, "MISSING_REGISTRY", "this server knows no registry: gitsync.yaml names none beside it"
        )
    return registry
