"""The whole loop in a few lines: a repository, a database, the command line, and the product's editor.

A workflow here is told by one text, the description in its draft: ``write_file("a", "X1")`` and
``editor.save("a", "X1")`` hold the same content, so that a test reads like the history that it is about.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from gitsync.cli.main import run
from gitsync.workflow.canonical import canonical_bytes
from gitsync.workflow.document import normalise
from tests.support.git import TestRepository, clone, make_repository

SCHEMA_REF = "payload.Ticket.v1"
TENANT = "11111111-1111-4111-8111-111111111111"
METADATA: Mapping[str, Any] = {
    "autoPauseOnFailure": False,
    "concurrencyLimit": None,
    "description": None,
    "failureRateMinRuns": 10,
    "failureRateThreshold": 0.5,
    "isPaused": False,
    "isSystem": False,
    "isVisible": True,
    "payloadSchemaMode": "pinned",
    "payloadSchemaRef": SCHEMA_REF,
    "pinnedPayloadSchemaRef": SCHEMA_REF,
    "retentionPolicyOverride": None,
    "trigger": None,
}


def make_definition(key: str, text: str, *, own_id: str, calls: str | None = None) -> dict[str, Any]:
    """A valid definition whose description is `text`; `calls` is what a ``control.callWorkflow`` names."""
    steps: list[dict[str, Any]] = [{"id": "s1", "type": "state.set", "config": {"state": "DONE"}}]
    if calls is not None:
        steps.append({"id": "s2", "type": "control.callWorkflow", "workflowId": calls, "workflowVersion": 1})
    return {
        "id": own_id,
        "version": 1,
        "name": f"Workflow {key}",
        "description": text,
        "payloadSchemaRef": SCHEMA_REF,
        "steps": steps,
    }


def make_file(key: str, text: str, *, calls: str | None = None, versions: Sequence[int] = ()) -> bytes:
    """The canonical file of the workflow `key` whose draft says `text`."""
    document = {
        "format": "gitsync.workflow",
        "formatVersion": 1,
        "key": key,
        "metadata": {**METADATA, "name": f"Workflow {key}"},
        "draft": {
            "definition": make_definition(key, text, own_id=f"key:{key}", calls=calls),
            "draftVersion": 1,
        },
        "publishedVersions": [
            {
                "version": version,
                "definition": make_definition(key, f"version {version}", own_id=f"key:{key}"),
                "payloadSchemaJson": None,
            }
            for version in versions
        ],
    }
    return canonical_bytes(normalise(document))


def text_of(data: bytes) -> str:
    """The text that a workflow's file holds."""
    text: str = json.loads(data)["draft"]["definition"]["description"]
    return text


_PRODUCT = ("workflow_definitions", "workflow_definition_versions")
_LEDGER = ("gitsync_deployments", "gitsync_deployment_items")
Backup = Mapping[str, Sequence[Mapping[str, Any]]]
"""Table → rows."""


@dataclass(frozen=True, slots=True)
class Ran:
    """What one command line left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """The result, of ``-o json``."""
        value: dict[str, Any] = json.JSONDecoder().raw_decode(self.out)[0]
        return value

    @property
    def changes(self) -> dict[str, str]:
        """Key → action, of ``-o json``."""
        return {change["key"]: change["action"] for change in self.json["changes"]}


def gitsync(*arguments: str, variables: Mapping[str, str] | None = None) -> Ran:
    """Run one command line in this process, with `variables` added to its environment."""
    out = io.TextIOWrapper(io.BytesIO(), "utf-8", newline="", write_through=True)  # as real: bytes below text
    err = io.StringIO()
    before = dict(os.environ)
    os.environ.update(variables or {})
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = run(list(arguments))
    finally:
        os.environ.clear()
        os.environ.update(before)
    written = out.detach()
    assert isinstance(written, io.BytesIO)
    return Ran(code, written.getvalue().decode(), err.getvalue())


class Editor:
    """The product's editor: it writes the database directly and knows nothing of gitsync."""

    def __init__(self, url: str, *, tenant: str | None = None) -> None:
        self._engine = sa.create_engine(url, poolclass=sa.pool.NullPool)
        self.url = url
        self.tenant = tenant

    @contextlib.contextmanager
    def connection(self) -> Iterator[sa.Connection]:
        """A connection whose transaction is committed at the end."""
        with self._engine.begin() as connection:
            if self._engine.dialect.name == "sqlite":
                connection.exec_driver_sql("PRAGMA foreign_keys = ON")
            yield connection

    @cached_property
    def tenant_column(self) -> str | None:
        """The column that says whose a workflow is, if there is one."""
        columns = {column["name"] for column in sa.inspect(self._engine).get_columns("workflow_definitions")}
        return next((name for name in ("tenant", "tenant_id") if name in columns), None)

    def texts(self) -> dict[str, str]:
        """Key → text of each workflow that has a key."""
        query = "SELECT key, CAST(draft_definition AS text) FROM workflow_definitions WHERE key IS NOT NULL"
        with self.connection() as connection:
            rows = connection.execute(sa.text(query)).all()
        return {key: json.loads(definition)["description"] for key, definition in sorted(rows)}

    def keys(self) -> set[str]:
        """The keys of all workflows, whatever is in them."""
        with self.connection() as connection:
            return set(connection.execute(sa.text("SELECT key FROM workflow_definitions")).scalars())

    def text(self, key: str) -> str | None:
        """What the workflow `key` says, ``None`` where there is none."""
        return self.texts().get(key)

    def id_of(self, key: str) -> str:
        """The workflow's id."""
        with self.connection() as connection:
            found = connection.execute(
                sa.text("SELECT workflow_id FROM workflow_definitions WHERE key = :key"), {"key": key}
            ).scalar_one()
        return str(found)

    def save(self, key: str, text: str, *, calls: str | None = None) -> None:
        """Make the draft of the workflow `key` say `text`; the workflow is made if there is none."""
        if key in self.keys():
            self._write_draft(key, make_definition(key, text, own_id=self.id_of(key), calls=calls))
        else:
            self.create(key, text, calls=calls)

    def create(
        self, key: str | None, text: str, *, workflow_id: str | None = None, calls: str | None = None
    ) -> str:
        """The id of a new workflow, by default a random one; a `key` of ``None`` is what the editor gives."""
        own_id = workflow_id or str(uuid.uuid4())
        name = key or "unnamed"
        values = {
            "workflow_id": own_id,
            "key": key,
            "name": f"Workflow {name}",
            "payload_schema_ref": SCHEMA_REF,
            "payload_schema_mode": "pinned",
            "pinned_payload_schema_ref": SCHEMA_REF,
            "draft_definition": json.dumps(make_definition(name, text, own_id=own_id, calls=calls)),
            "draft_version": 1,
            "status": "draft",
            "failure_rate_threshold": 0.5,
            "failure_rate_min_runs": 10,
        }
        if self.tenant_column:
            values[self.tenant_column] = self.tenant
        marks = {name: f":{name}" for name in values} | {"draft_definition": self._json("draft_definition")}
        columns, places = ", ".join(marks), ", ".join(marks.values())
        self._execute(f"INSERT INTO workflow_definitions ({columns}) VALUES ({places})", values)
        return own_id

    def delete(self, key: str) -> None:
        """Delete the workflow, as the product does it: its versions go with it."""
        self._execute("DELETE FROM workflow_definitions WHERE key = :key", {"key": key})

    def rename(self, workflow_id: str, key: str) -> None:
        """Give a workflow a key, all that adopting one does."""
        statement = "UPDATE workflow_definitions SET key = :key WHERE workflow_id = :workflow_id"
        self._execute(statement, {"key": key, "workflow_id": workflow_id})
        self._write_draft(key, make_definition(key, self.texts()[key], own_id=workflow_id))

    def publish(self, key: str, version: int) -> None:
        """Add a published version."""
        own_id = self.id_of(key)
        values = {
            "version_id": str(uuid.uuid4()),
            "workflow_id": own_id,
            "version": version,
            "definition_json": json.dumps(make_definition(key, f"version {version}", own_id=own_id)),
        }
        if self.tenant_column == "tenant":
            values["tenant"] = self.tenant
        marks = {name: f":{name}" for name in values} | {"definition_json": self._json("definition_json")}
        columns, places = ", ".join(marks), ", ".join(marks.values())
        self._execute(f"INSERT INTO workflow_definition_versions ({columns}) VALUES ({places})", values)

    def dump(self, *beginnings: str) -> list[tuple[Any, ...]]:
        """Every row of the product's two tables and of the ledger, to compare a database with itself.

        beginnings: of the names of the tables, where not all of these are meant.
        """
        rows: list[tuple[Any, ...]] = []
        with self.connection() as connection:
            names = set(sa.inspect(connection).get_table_names())
            for name in sorted(names):
                if name.startswith(beginnings or ("workflow_definition", "gitsync_deployment")):
                    found = connection.execute(sa.text(f"SELECT * FROM {name}"))
                    rows += sorted(((name, *map(str, row)) for row in found), key=repr)
        return rows

    def backup(self) -> Backup:
        """All rows of the product's two tables and of the ledger."""
        with self.connection() as connection:
            tables = sa.MetaData()
            tables.reflect(connection, only=[*_PRODUCT, *_LEDGER])
            return {
                name: [dict(row) for row in connection.execute(tables.tables[name].select()).mappings()]
                for name in (*_PRODUCT, *_LEDGER)
            }

    def restore(self, backup: Backup, *, has_ledger: bool) -> None:
        """Bring back what a backup holds, with the ledger or without, in one transaction."""
        names = (*_PRODUCT, *_LEDGER) if has_ledger else _PRODUCT
        with self.connection() as connection:
            tables = sa.MetaData()
            tables.reflect(connection, only=names)
            for name in reversed(names):
                connection.execute(tables.tables[name].delete())
            for name in names:
                if backup[name]:
                    connection.execute(tables.tables[name].insert(), backup[name])

    def replaced_texts(self) -> dict[str, str]:
        """Key → text of what the newest deployment has replaced, as the ledger keeps it."""
        query = """SELECT key, replaced_document FROM gitsync_deployment_items WHERE replaced_document IS NOT NULL
                      AND number = (SELECT max(number) FROM gitsync_deployments)"""
        with self.connection() as connection:
            rows = connection.execute(sa.text(query)).all()
        return {key: text_of(document.encode()) for key, document in rows}

    def connections(self) -> int:
        """How many others are connected to a server's database; 0 for a file."""
        if self._engine.dialect.name == "sqlite":
            return 0
        query = """SELECT count(*) FROM pg_stat_activity
                    WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()"""
        with self.connection() as connection:
            return int(connection.execute(sa.text(query)).scalar_one())

    def forget(self) -> None:
        """Lose the ledger, as a restore of the product's tables alone does."""
        for name in ("gitsync_deployment_items", "gitsync_deployments"):
            self._execute(f"DELETE FROM {name}", {})

    def write_text(self, key: str, definition: str) -> None:
        """Put any text in the place of a draft, JSON or not; for a file, whose columns take everything."""
        statement = "UPDATE workflow_definitions SET draft_definition = :new WHERE key = :key"
        self._execute(statement, {"new": definition, "key": key})

    def _write_draft(self, key: str, definition: Mapping[str, Any]) -> None:
        statement = f"UPDATE workflow_definitions SET draft_definition = {self._json('new')} WHERE key = :key"
        self._execute(statement, {"new": json.dumps(definition), "key": key})

    def _json(self, name: str) -> str:
        return f"CAST(:{name} AS jsonb)" if self._engine.dialect.name == "postgresql" else f":{name}"

    def _execute(self, statement: str, values: Mapping[str, Any]) -> None:
        with self.connection() as connection:
            connection.execute(sa.text(statement), dict(values))


@dataclass(frozen=True)
class Loop:
    """One clone with its ``gitsync.yaml``, and a database that both it and the editor write.

    prefix: the folder of ``gitsync.yaml`` from the clone's top, empty for the top itself.
    """

    repository: TestRepository
    editor: Editor
    prefix: str = ""

    @property
    def folder(self) -> Path:
        """The folder of ``gitsync.yaml``."""
        return self.repository.path / self.prefix

    def gitsync(self, *arguments: str, variables: Mapping[str, str] | None = None) -> Ran:
        """Run one command line in the loop's folder; what is asked is answered with yes."""
        new = ["--new-tenant"] if self.editor.tenant and arguments[0] in {"push", "plan"} else []
        return gitsync("-C", str(self.folder), "--yes", *arguments, *new, variables=variables)

    def push(self, *arguments: str) -> Ran:
        """``gitsync push -o json`` with `arguments`, which must succeed."""
        return _succeeded(self.gitsync("push", "-o", "json", *arguments))

    def pull(self, *arguments: str) -> Ran:
        """``gitsync pull -o json`` with `arguments`, which must succeed."""
        return _succeeded(self.gitsync("pull", "-o", "json", *arguments))

    def states(self, *arguments: str) -> dict[str, str]:
        """Key → state word, of ``gitsync status``."""
        status = _succeeded(self.gitsync("status", "-o", "json", *arguments))
        return {row["key"]: row["state"] for row in status.json["workflows"]}

    def path(self, key: str) -> Path:
        """The file of the workflow `key`."""
        return self.folder / "workflows" / f"{key}.json"

    def write_file(self, key: str, text: str, *, calls: str | None = None) -> Path:
        """Write the workflow's file, and no commit."""
        path = self.path(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(make_file(key, text, calls=calls))
        return path

    def commit(self, **texts: str | None) -> str:
        """The id of a commit in which each key says its text, or has no file (``None``)."""
        for key, text in texts.items():
            if text is None:
                self.path(key).unlink()
            else:
                self.write_file(key, text)
        return self.repository.commit(f"Set {texts}", allow_empty=True)

    def text(self, key: str) -> str | None:
        """What the file in the work tree says, ``None`` where there is none."""
        path = self.path(key)
        return text_of(path.read_bytes()) if path.exists() else None


def make_loop(
    folder: Path, *, url: str | None = None, tenant: str | None = None, prefix: str = "", init: bool = True
) -> Loop:
    """A repository in `folder` whose first commit is its configuration, with an initialised database.

    url: of the database, by default a new SQLite file beside the repository.
    """
    repository = make_repository(folder / "repository")
    address = url or f"sqlite:///{folder / 'product.db'}"
    loop = Loop(repository, Editor(address, tenant=tenant), prefix)
    repository.write(
        f"{prefix}/gitsync.yaml" if prefix else "gitsync.yaml", make_config(address, tenant=tenant)
    )
    repository.commit("Configure gitsync")
    if init:
        _succeeded(loop.gitsync("db", "init"))
    return loop


def make_config(url: str, *, tenant: str | None = None) -> str:
    """A ``gitsync.yaml`` whose one environment is the database at `url`."""
    facts = {"database": url} | ({"tenant": tenant} if tenant else {})
    return f"version: 1\ndefault: dev\nenvironments:\n  dev: {json.dumps(facts)}\n"


def second_clone(loop: Loop, folder: Path, *options: str) -> Loop:
    """Another clone of the loop's repository, at the same database."""
    return Loop(clone(loop.repository, folder, *options), loop.editor, loop.prefix)


def _succeeded(ran: Ran) -> Ran:
    assert ran.code == 0, f"exit {ran.code}\n{ran.out}{ran.err}"
    return ran
