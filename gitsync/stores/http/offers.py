"""What a server's runtime offers: its actions and node types, and of schema refs those that it knows.

No route lists the schema refs. Each one that anybody names is looked up: events, workflows, the repository.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final, TypeGuard
from urllib.parse import quote

from gitsync.errors import Refused
from gitsync.stores.http.client import Client
from gitsync.workflow.dependencies import derive_dependencies
from gitsync.workflow.registry import ActionOffer, Registry
from gitsync.workflow.types import Json

_ROOT: Final = "/api/workflow/registry"
_AT_ONCE: Final = 8
_MOST_EVENTS: Final = 2000
"""More the product does not tell at once."""
_NAME: Final = re.compile(r"\S(?:.*\S)?")


@dataclass(frozen=True, slots=True)
class Offers:
    """A registry, the schema refs that somebody names and the server does not know, and what else to know."""

    registry: Registry
    unknown_refs: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def read_offers(client: Client, *, refs: Collection[str], rows: Iterable[Mapping[str, Any]]) -> Offers:
    """What the server offers.

    refs: schema refs that the repository names. rows: of the server's workflows, as it lists them.
    Raises Refused (EMPTY_SOURCE) where it offers nothing at all, ServerError, AccessDenied.
    """
    actions = dict(_actions(client))
    nodes = frozenset(_names(client, "nodes"))
    if not actions and not nodes:
        raise Refused(
            f"{client.address} offers neither actions nor node types; nothing was written",
            code="EMPTY_SOURCE",
            cure="is this the right server, and is its runtime up?",
        )
    events, notes = _event_refs(client)
    named = sorted({*refs, *events, *_row_refs(rows)})
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="gitsync-read") as pool:
        found = dict(zip(named, pool.map(lambda ref: _schema(client, ref), named), strict=True))
    known = {ref: schema for ref, (is_known, schema) in found.items() if is_known}
    return Offers(Registry(actions, nodes, known), tuple(ref for ref in named if ref not in known), notes)


def _actions(client: Client) -> Iterable[tuple[tuple[str, int], ActionOffer]]:
    path = f"{_ROOT}/actions"
    for item in _list(client, path, client.get(path)):
        name, version = item.get("id"), item.get("version")
        if not _is_name(name) or type(version) is not int or version < 1:
            raise client.unexpected(path, "an action that has no id or no version")
        yield (
            (name, version),
            ActionOffer(_as_schema(item.get("inputSchema")), _as_schema(item.get("outputSchema"))),
        )


def _names(client: Client, kind: str) -> Iterable[str]:
    path = f"{_ROOT}/{kind}"
    for item in _list(client, path, client.get(path)):
        if not _is_name(name := item.get("id")):
            raise client.unexpected(path, "an item that has no id")
        yield name


def _event_refs(client: Client) -> tuple[set[str], tuple[str, ...]]:
    """The schema refs of the events, and a note where not all of them are known to be there."""
    path = f"{_ROOT}/events"
    answer = client.ask(path, limit=str(_MOST_EVENTS))
    if answer.status == 404:
        return set(), ("this server lists no events; schema refs come from its workflows and from git alone",)
    if answer.status != 200:
        raise client.refusal(answer, f"GET {path}")
    body = answer.body.get("events") if isinstance(answer.body, dict) else None
    events = _list(client, path, body)
    refs = {ref for event in events if _is_name(ref := event.get("payload_schema_ref"))}
    is_whole = len(events) < _MOST_EVENTS
    note = f"the server tells {_MOST_EVENTS} events at most; schemas of others are known where a workflow names them"
    return refs, () if is_whole else (note,)


def _row_refs(rows: Iterable[Mapping[str, Any]]) -> set[str]:
    """The schema refs that workflows name in their settings and drafts."""
    found: set[str] = set()
    for row in rows:
        found.update(
            derive_dependencies(row.get("pinned_payload_schema_ref"), [row.get("draft_definition")])[
                "schemaRefs"
            ]
        )
        found.add(str(row.get("payload_schema_ref") or "").strip())
    return {ref for ref in found if _is_name(ref)}


def _schema(client: Client, ref: str) -> tuple[bool, Json]:
    """Whether the server knows `ref`, and its schema."""
    path = f"{_ROOT}/schemas/{quote(ref, safe='')}"
    answer = client.ask(path)
    if answer.status == 404:
        return False, None
    if answer.status != 200:
        raise client.refusal(answer, f"the schema {ref}")
    if not isinstance(answer.body, dict) or answer.body.get("ref") != ref:
        raise client.unexpected(path, "another schema, or none")
    return True, _as_schema(answer.body.get("schema"))


def _list(client: Client, path: str, body: Json) -> list[dict[str, Any]]:
    if not isinstance(body, list) or not all(isinstance(item, dict) for item in body):
        raise client.unexpected(path, "no list")
    return body  # type: ignore[return-value]


def _is_name(value: Any) -> TypeGuard[str]:
    return isinstance(value, str) and _NAME.fullmatch(value) is not None


def _as_schema(value: Json) -> Json | None:
    """A JSON Schema; what is none, such as the ``true`` that allows everything, says nothing."""
    return value if isinstance(value, dict) and value else None
