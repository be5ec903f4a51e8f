"""The product's HTTP API over a real database, on loopback: its routes, its rights and its quirks.

It says and does what the product does, odd things included: ``isSystem`` is always false, the failure
threshold is text, a session's tenant is its user's, whoever is no administrator sees no hidden workflow,
errors have no code, nothing keeps a key from being there twice.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import random
import re
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import sqlalchemy as sa
from sqlalchemy.pool import NullPool

SESSION = "session=administrator-of-tests"
READER_SESSION = "session=reader-of-tests"
RENEWED = "session=renewed-by-the-server"
"""What a session's cookie would be from now on; the old one stays good."""
API_KEY = "key-of-the-tests"
BASE = "/api/workflow-definitions"
BOOLEANS = {"is_system", "is_visible", "is_paused", "auto_pause_on_failure"}
JSON_COLUMNS = {
    "trigger",
    "draft_definition",
    "retention_policy_override",
    "definition_json",
    "payload_schema_json",
    "validation_errors",
    "validation_warnings",
    "validation_context_json",
}
METADATA = {
    "name": "name",
    "description": "description",
    "payloadSchemaRef": "payload_schema_ref",
    "payloadSchemaMode": "payload_schema_mode",
    "pinnedPayloadSchemaRef": "pinned_payload_schema_ref",
    "trigger": "trigger",
    "isVisible": "is_visible",
    "isPaused": "is_paused",
    "concurrencyLimit": "concurrency_limit",
    "autoPauseOnFailure": "auto_pause_on_failure",
    "failureRateThreshold": "failure_rate_threshold",
    "failureRateMinRuns": "failure_rate_min_runs",
    "retentionPolicyOverride": "retention_policy_override",
}
SCHEMAS: dict[str, Any] = {
    "payload.Ticket.v1": {"type": "object", "properties": {"ticketId": {"type": "string"}}},
    "payload.Empty.v1": {"type": "object", "properties": {}},
    "payload.A.v1": {"type": "object"},
    "payload.TicketClosed.v1": {"type": "object", "required": ["ticketId"]},
}
ACTIONS = [
    {
        "id": "tickets.create",
        "version": 1,
        "sideEffectful": True,
        "inputSchema": {"type": "object", "properties": {"title": {"type": "string"}}, "required": ["title"]},
        "outputSchema": {"type": "object", "properties": {"id": {"type": "string"}}},
    },
    {"id": "email.send", "version": 2, "inputSchema": {"type": "object"}, "outputSchema": None},
    {"id": "email.send", "version": 1, "inputSchema": {"type": "object"}, "outputSchema": None},
]
NODES = [{"id": "state.set", "configSchema": {}}, {"id": "action.call", "configSchema": {}}]
EVENTS: list[dict[str, Any]] = [
    {"event_type": "TICKET_CLOSED", "payload_schema_ref": "payload.TicketClosed.v1"},
    {"event_type": "OLD", "payload_schema_ref": "payload.Gone.v1"},
    {"event_type": "BARE", "payload_schema_ref": None},
]


@dataclass(frozen=True, slots=True)
class User:
    """Whoever a request comes from."""

    tenant: str | None
    is_admin: bool
    has_session: bool


@dataclass(frozen=True, slots=True)
class Asked:
    """One request that arrived."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]


class Refuse(Exception):
    """An answer that is no success."""

    def __init__(self, status: int, error: str, details: Any = None) -> None:
        super().__init__(error)
        self.status = status
        self.body = {"error": error} | ({"details": details} if details else {})


@dataclass
class ProductApi:
    """The server's state: whose rows it serves, what was asked, and what is to go wrong.

    faults: looked at in order for each request; the first whose pattern fits the path is used, and used up.
    deletes_on_force: as the first release did, a forced import deletes and creates.
    """

    database: str
    tenant: str | None
    address: str = ""
    asked: list[Asked] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    deletes_on_force: bool = False
    before_import: Callable[[], None] | None = None
    events: list[dict[str, Any]] = field(default_factory=lambda: list(EVENTS))
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.engine = sa.create_engine(self.database, poolclass=NullPool)
        if self.engine.dialect.name == "sqlite":

            @sa.event.listens_for(self.engine, "connect")
            def connect(connection: Any, record: object) -> None:
                connection.execute("PRAGMA foreign_keys = ON")

    def paths(self, method: str = "GET") -> list[str]:
        """The paths that were asked for."""
        return [asked.path for asked in self.asked if asked.method == method]

    def fail(
        self, pattern: str, how: str = "status", *, status: int = 503, times: int = 1, **more: Any
    ) -> None:
        """Let the next `times` requests whose path fits `pattern` go wrong."""
        self.faults += [Fault(pattern, how, status=status, **more)] * times

    def take_fault(self, path: str) -> Fault | None:
        """The next fault that fits, which is then used up."""
        with self.lock:
            for index, fault in enumerate(self.faults):
                if re.search(fault.pattern, path):
                    return self.faults.pop(index)
        return None

    # ---------------------------------------------------------------- who asks

    def user(self, headers: Mapping[str, str]) -> User:
        """Whose request it is; a session's tenant is its user's, an API key's is asked for."""
        cookie = headers.get("cookie", "")
        if key := headers.get("x-api-key"):
            tenant = headers.get("x-tenant-id") or self.tenant
            if key != API_KEY or tenant != self.tenant:
                raise Refuse(401, "Unauthorized: Invalid API key")
            return User(tenant, is_admin=False, has_session=False)
        if SESSION in cookie:
            return User(self.tenant, is_admin=True, has_session=True)
        if READER_SESSION in cookie:
            return User(self.tenant, is_admin=False, has_session=True)
        raise Refuse(401, "Unauthorized")

    # ---------------------------------------------------------------- routes

    def answer(
        self, method: str, path: str, query: Mapping[str, str], headers: Mapping[str, str], body: bytes
    ) -> Any:
        """The JSON value to send; raises Refuse."""
        parts = [unquote(part) for part in path.removeprefix("/api/").split("/")]
        user = self.user(headers)
        match (method, parts):
            case ("GET", ["workflow-definitions"]):
                return self.listing(user)
            case ("GET", ["workflow-definitions", workflow_id, "versions"]):
                return self.versions(user, workflow_id)
            case ("GET", ["workflow-definitions", workflow_id, "export"]):
                self.need_admin(user)
                return self.export(user, workflow_id)
            case ("POST", ["workflow-definitions", "import"]):
                self.need_admin(user)
                if self.before_import:
                    self.before_import()
                return self.import_bundle(user, body, force=query.get("force") in ("1", "true"))
            case ("GET", ["workflow-definitions", workflow_id, number]):
                return self.version(user, workflow_id, number)
            case ("GET", ["workflow", "registry", "actions"]):
                return ACTIONS
            case ("GET", ["workflow", "registry", "nodes"]):
                return NODES
            case ("GET", ["workflow", "registry", "events"]):
                return {"events": self.events[: int(query.get("limit", "500"))]}
            case ("GET", ["workflow", "registry", "schemas", ref]):
                if ref not in SCHEMAS:
                    raise Refuse(404, "Schema not found")
                return {"ref": ref, "schema": SCHEMAS[ref]}
        raise Refuse(404, "Not found")

    def need_admin(self, user: User) -> None:
        """Imports and exports are for sessions of administrators."""
        if not user.has_session:
            raise Refuse(401, "Unauthorized")
        if not user.is_admin:
            raise Refuse(403, "Forbidden: workflow:admin is required")

    def listing(self, user: User) -> list[dict[str, Any]]:
        """Full rows in no order; hidden ones for administrators alone."""
        with self.engine.begin() as connection:
            rows = self.select(connection, "workflow_definitions", user)
            newest: dict[Any, int] = dict(
                connection.execute(
                    sa.text("SELECT workflow_id, max(version) FROM workflow_definition_versions GROUP BY 1")
                ).all()
            )
        shown = [row for row in rows if user.is_admin or row["is_visible"]]
        random.shuffle(shown)
        by_id = {str(workflow_id): number for workflow_id, number in newest.items()}
        extra = {"schedule_state": {"checkedAt": time.time()}}
        return [row | {"published_version": by_id.get(row["workflow_id"])} | extra for row in shown]

    def versions(self, user: User, workflow_id: str) -> dict[str, Any]:
        """The published versions, newest first."""
        with self.engine.begin() as connection:
            self.one(connection, user, workflow_id)
            rows = self.version_rows(connection, workflow_id)
        names = ("version", "published_at", "created_at")
        return {"versions": [{name: row[name] for name in names} for row in reversed(rows)]}

    def version(self, user: User, workflow_id: str, number: str) -> dict[str, Any]:
        """One version's row, or the draft where its number is asked for."""
        with self.engine.begin() as connection:
            row = self.one(connection, user, workflow_id)
            for version in self.version_rows(connection, workflow_id):
                if str(version["version"]) == number:
                    return version
        if str(row["draft_version"]) != number:
            raise Refuse(404, "Workflow version not found")
        return {
            "workflow_id": workflow_id,
            "version": row["draft_version"],
            "definition_json": row["draft_definition"],
            "draft_version": row["draft_version"],
            "is_draft": True,
            "published_at": None,
        }

    def export(self, user: User, workflow_id: str) -> dict[str, Any]:
        """The bundle of one workflow."""
        with self.engine.begin() as connection:
            row = self.one(connection, user, workflow_id)
            versions = self.version_rows(connection, workflow_id)
        if not row["key"] or not re.fullmatch(r"[a-z0-9][a-z0-9._-]*", row["key"]):
            raise Refuse(500, "Workflow has no valid key")
        metadata = {name: row[column] for name, column in METADATA.items()} | {"isSystem": False}
        entry = {
            "key": row["key"],
            "metadata": metadata,
            "dependencies": {"actions": [], "nodeTypes": [], "schemaRefs": []},
            "draft": {"draftVersion": row["draft_version"], "definition": row["draft_definition"]},
            "publishedVersions": [
                {
                    "version": version["version"],
                    "definition": version["definition_json"],
                    "payloadSchemaJson": version["payload_schema_json"],
                }
                for version in versions
            ],
        }
        head = {
            "format": "alga-psa.workflow-bundle",
            "formatVersion": 1,
            "exportedAt": "2026-08-22T00:00:00Z",
        }
        return head | {"workflows": [entry]}

    def import_bundle(self, user: User, body: bytes, *, force: bool) -> dict[str, Any]:
        """All entries in one transaction."""
        try:
            bundle = json.loads(body)
        except ValueError:
            raise Refuse(500, "Unexpected end of JSON input") from None
        expected = "alga-psa.workflow-bundle"
        if bundle.get("format") != expected:
            facts = {"expectedFormat": expected, "receivedFormat": bundle.get("format")}
            raise Refuse(400, "Unsupported bundle format", facts)
        missing = [
            {
                "workflowKey": entry["key"],
                "missingActions": [],
                "missingNodeTypes": [],
                "missingSchemaRefs": refs,
            }
            for entry in bundle["workflows"]
            if (refs := [ref for ref in entry["dependencies"]["schemaRefs"] if ref not in SCHEMAS])
        ]
        if missing:
            raise Refuse(400, "Missing workflow dependencies", {"missingByWorkflow": missing})
        summary: dict[str, list[Any]] = {
            "createdWorkflows": [],
            "deletedWorkflows": [],
            "createdPublishedVersions": [],
        }
        with self.lock, self.engine.begin() as connection:
            for entry in bundle["workflows"]:
                self.import_entry(connection, user, entry, summary, force=force)
        return summary

    def import_entry(
        self,
        connection: sa.Connection,
        user: User,
        entry: Mapping[str, Any],
        summary: dict[str, list[Any]],
        *,
        force: bool,
    ) -> None:
        """One entry; its definitions get the id of its row."""
        key, rows = entry["key"], self.select(connection, "workflow_definitions", user)
        twin = next((row["workflow_id"] for row in rows if row["key"] == key), None)
        if twin and not force:
            facts = {"workflowKey": key, "existingWorkflowId": twin}
            raise Refuse(409, f'Workflow key "{key}" already exists. Use force to overwrite.', facts)
        own_id = twin if twin and not self.deletes_on_force else str(uuid.uuid4())
        values: dict[str, Any] = {column: entry["metadata"][name] for name, column in METADATA.items()}
        values |= {
            "draft_definition": {**entry["draft"]["definition"], "id": own_id},
            "draft_version": entry["draft"]["draftVersion"],
            "status": "published" if entry["publishedVersions"] else "draft",
            "is_system": False,
        }
        if twin:
            connection.execute(
                sa.text("DELETE FROM workflow_definition_versions WHERE workflow_id = :id"), {"id": twin}
            )
        if twin and self.deletes_on_force:
            connection.execute(
                sa.text("DELETE FROM workflow_definitions WHERE workflow_id = :id"), {"id": twin}
            )
            summary["deletedWorkflows"].append({"key": key, "workflowId": twin})
        tenant = {"tenant": user.tenant} if user.tenant else {}
        if twin and not self.deletes_on_force:
            self.update(connection, own_id, values)
        else:
            self.insert(
                connection, "workflow_definitions", {"workflow_id": own_id, "key": key} | values | tenant
            )
        for version in entry["publishedVersions"]:
            row = {
                "version_id": str(uuid.uuid4()),
                "workflow_id": own_id,
                "version": version["version"],
                "definition_json": {**version["definition"], "id": own_id},
                "payload_schema_json": version["payloadSchemaJson"],
            }
            self.insert(connection, "workflow_definition_versions", row | tenant)
        summary["createdWorkflows"].append({"key": key, "workflowId": own_id})
        if numbers := [version["version"] for version in entry["publishedVersions"]]:
            facts = {"key": key, "workflowId": own_id, "versions": numbers}
            summary["createdPublishedVersions"].append(facts)

    # ---------------------------------------------------------------- rows

    def select(self, connection: sa.Connection, table: str, user: User) -> list[dict[str, Any]]:
        """The tenant's rows, as the product's driver gives them."""
        found = connection.execute(sa.text(f"SELECT * FROM {table}")).mappings()
        rows = [{name: _from_database(name, value) for name, value in row.items()} for row in found]
        return [row for row in rows if user.tenant is None or row.get("tenant") == user.tenant]

    def one(self, connection: sa.Connection, user: User, workflow_id: str) -> dict[str, Any]:
        """The row of an id."""
        try:
            uuid.UUID(workflow_id)
        except ValueError:
            raise Refuse(500, f'invalid input syntax for type uuid: "{workflow_id}"') from None
        for row in self.select(connection, "workflow_definitions", user):
            if row["workflow_id"] == workflow_id and (user.is_admin or row["is_visible"]):
                return row
        raise Refuse(404, "Workflow not found")

    def version_rows(self, connection: sa.Connection, workflow_id: str) -> list[dict[str, Any]]:
        """The version rows of an id, oldest first."""
        rows = self.select(
            connection, "workflow_definition_versions", User(None, is_admin=True, has_session=True)
        )
        own = [row for row in rows if row["workflow_id"] == workflow_id]
        return sorted(own, key=lambda row: int(row["version"]))

    def insert(self, connection: sa.Connection, table: str, values: Mapping[str, Any]) -> None:
        """A new row."""
        names = ", ".join(f'"{name}"' for name in values)
        marks = ", ".join(self.mark(name) for name in values)
        connection.execute(sa.text(f"INSERT INTO {table} ({names}) VALUES ({marks})"), _to_database(values))

    def update(self, connection: sa.Connection, workflow_id: str, values: Mapping[str, Any]) -> None:
        """An overwritten row."""
        sets = ", ".join(f'"{name}" = {self.mark(name)}' for name in values)
        statement = f"UPDATE workflow_definitions SET {sets} WHERE workflow_id = :own_id"
        connection.execute(sa.text(statement), _to_database(values) | {"own_id": workflow_id})

    def mark(self, name: str) -> str:
        """The parameter of a column, as JSON where it is."""
        is_json = name in JSON_COLUMNS and self.engine.dialect.name == "postgresql"
        return f"CAST(:{name} AS jsonb)" if is_json else f":{name}"


@dataclass(frozen=True, slots=True)
class Fault:
    """How one request goes wrong.

    how: ``status`` (an answer with `status` and `body`), ``drop`` (no answer), ``cut`` (half an answer),
    ``late`` (the work is done, and the connection dropped).
    """

    pattern: str
    how: str
    status: int = 503
    body: str = '{"error": "not now"}'
    headers: Mapping[str, str] = dataclasses.field(default_factory=dict)


def _from_database(name: str, value: Any) -> Any:
    if isinstance(value, uuid.UUID) or hasattr(value, "isoformat"):
        return str(value)
    if name in BOOLEANS and value is not None:
        return bool(value)
    if name == "failure_rate_threshold" and value is not None:
        return f"{float(value):.2f}"
    if name in JSON_COLUMNS and isinstance(value, str):
        return json.loads(value)
    return value


def _to_database(values: Mapping[str, Any]) -> dict[str, Any]:
    is_json = {name: name in JSON_COLUMNS and value is not None for name, value in values.items()}
    return {name: json.dumps(value) if is_json[name] else value for name, value in values.items()}


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, api: ProductApi) -> None:
        self.api = api
        super().__init__(("127.0.0.1", 0), _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that has gone is its own affair; all else is a fault of the tests."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        self.respond()

    def do_POST(self) -> None:
        self.respond()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        pass

    def respond(self) -> None:
        """Answer one request, or fail at it as was asked for."""
        api, parts = self.server.api, urlsplit(self.path)
        query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        headers = {name.lower(): value for name, value in self.headers.items()}
        body = self.rfile.read(int(headers.get("content-length", "0")))
        api.asked.append(Asked(self.command, parts.path, parts.query, headers))
        fault = api.take_fault(parts.path)
        how = fault.how if fault else "well"
        if fault and how == "status":
            self.send(fault.status, fault.body.encode(), fault.headers)
        elif how == "drop":
            self.close_connection = True
        else:
            try:
                status, value = 200, api.answer(self.command, parts.path, query, headers, body)
            except Refuse as error:
                status, value = error.status, error.body
            if how == "late":
                self.close_connection = True
            else:
                self.send(status, json.dumps(value).encode(), {}, is_cut=how == "cut")

    def send(self, status: int, data: bytes, more: Mapping[str, str], *, is_cut: bool = False) -> None:
        """Send an answer, or its first half."""
        self.send_response(status)
        for name, value in ({"content-type": "application/json; charset=utf-8"} | dict(more)).items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(data)))
        self.send_header("set-cookie", f"{RENEWED}; Path=/; HttpOnly")
        self.end_headers()
        self.wfile.write(data[: len(data) // 2] if is_cut else data)
        self.close_connection = self.close_connection or is_cut


@contextlib.contextmanager
def product_api(database: str, *, tenant: str | None = None) -> Iterator[ProductApi]:
    """The product's API over `database`, on a free port of loopback, until the block ends."""
    api = ProductApi(database, tenant)
    server = _Server(api)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    api.address = f"http://127.0.0.1:{server.server_port}"
    try:
        yield api
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
        api.engine.dispose()
