"""Looks at a database through the digest cache, each beside one without, and what a test does in between."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import orjson
import psycopg
from sqlalchemy import text

from gitsync.stores.database.cache import DigestCache, Remembered
from gitsync.sync.model import Snapshot
from tests.support import figures
from tests.support.documents import call, steps
from tests.support.editor import Editor
from tests.support.instance import Instance, make_instance
from tests.support.postgres import libpq_url
from tests.support.product import Generation, connected

FILLERS = 40
"""Workflows that nobody touches, so that a change is one among many."""


@dataclass(frozen=True, slots=True)
class Look:
    """What a snapshot gave, and how many documents it read."""

    snapshot: Snapshot
    read: int

    @property
    def content(self) -> tuple[object, ...]:
        """All but the effort."""
        return self.snapshot, dict(self.snapshot.ids)


@dataclass(frozen=True, slots=True)
class Watched:
    """An instance that is looked at with a cache."""

    instance: Instance
    folder: Path

    @property
    def editor(self) -> Editor:
        """Writes the instance's rows."""
        return self.instance.editor

    @property
    def files(self) -> list[Path]:
        """What lies in the cache's folder."""
        return sorted(self.folder.iterdir()) if self.folder.is_dir() else []

    def look(self, **options: Any) -> Look:
        """Through the cache."""
        return look(self.instance, **({"cache": self.folder} | options))

    def check(self, *, read: int | None = None, **options: Any) -> Look:
        """A look through the cache, which must be like one without, having read so many documents."""
        figures.count("looks")
        cached = self.look(**options)
        assert cached.content == look(self.instance, **options).content
        assert read is None or cached.read == read
        return cached


def look(instance: Instance, **options: Any) -> Look:
    """A look with the options of `Instance.open`."""
    read = [0]
    with instance.open(**options) as database:
        snapshot = database.snapshot(progress=lambda _, total: read.append(total))
        return Look(snapshot, read[-1])


CALLEE = "c0000000-0000-4000-8000-00000000000c"
UNKEYED = "d0000000-0000-4000-8000-00000000000d"


def make_watched(url: str, folder: Path) -> Watched:
    """Twin calls callee, caller as well (in draft and version), and calls what has no key; all looked at once."""
    instance = make_instance(url, Generation.CURRENT, has_ledger=False)
    watched = Watched(instance, folder)
    with connected(url) as connection:
        connection.execute(
            text("""
            INSERT INTO workflow_definitions (name, key, payload_schema_ref, draft_definition, tenant)
            SELECT 'Filler', 'filler-' || n, 'payload.Empty.v1', '{"steps": []}', :tenant
              FROM generate_series(1, :count) AS n
            """),
            {"tenant": watched.instance.generation.tenant, "count": FILLERS},
        )
    editor = watched.editor
    unkeyed = editor.insert(None, name="Has no key", workflow_id=UNKEYED)
    callee = editor.insert("callee", workflow_id=CALLEE, versions={1: {}, 2: {"name": "second"}})
    calls = steps(call(callee, step_id="s1"), call(unkeyed, step_id="s2"))
    editor.insert("caller", definition=calls, versions={1: steps(call(callee.upper()))})
    editor.insert("twin", definition=steps(call(callee)))
    assert watched.look().read == FILLERS + 3
    return watched


SET = "UPDATE workflow_definitions SET"
CALLEE_ROW = f"workflow_id = '{CALLEE}'"


def in_one_transaction(*statements: str) -> Callable[[Watched], None]:
    """What runs `statements` together."""

    def act(watched: Watched) -> None:
        with psycopg.connect(libpq_url(watched.instance.url)) as connection:
            for statement in statements:
                connection.execute(statement.encode())

    return act


def outside(*statements: str) -> Callable[[Watched], None]:
    """What runs each of `statements` by itself, or in the transactions that they begin."""

    def act(watched: Watched) -> None:
        with psycopg.connect(libpq_url(watched.instance.url), autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement.encode())

    return act


def remembered(watched: Watched) -> tuple[str, Remembered]:
    """The binding and content of the one file."""
    (file,) = watched.files
    binding: str = orjson.loads(file.read_bytes().split(b"\n")[2])["binding"]
    found = DigestCache(watched.folder).read(binding)
    assert found is not None
    return binding, found


def plant(watched: Watched, **changed: Any) -> None:
    """Write another content for the same binding."""
    binding, found = remembered(watched)
    DigestCache(watched.folder).write(binding, replace(found, **changed))


LIE = "f" * 40
