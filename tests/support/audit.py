"""A witness inside the database: triggers that keep every content a workflow ever had, whoever wrote it.

It knows nothing of gitsync, and gitsync nothing of it. What a transaction takes back, it has not seen either.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

import sqlalchemy as sa

from tests.support.editor import Editor

_EVENTS = {
    "insert": ("new.key", "NULL", "new.draft_definition"),
    "update": ("old.key", "old.draft_definition", "new.draft_definition"),
    "delete": ("old.key", "old.draft_definition", "NULL"),
}
_TABLE = "CREATE TABLE witnessed (number {number}, key text, before text, after text)"
_NUMBER = {
    "sqlite": "integer PRIMARY KEY AUTOINCREMENT",
    "postgresql": "bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY",
}
_NOTE = "INSERT INTO witnessed (key, before, after) VALUES ({}, {}, {});"
_SQLITE = "CREATE TRIGGER witness_{event} AFTER {event} ON workflow_definitions BEGIN {note} END"
_POSTGRES = """
    CREATE FUNCTION witness_{event}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
        AS $$ BEGIN {note} RETURN NULL; END $$;
    CREATE TRIGGER witness_{event} AFTER {event} ON workflow_definitions
        FOR EACH ROW EXECUTE FUNCTION witness_{event}()
"""


def install(editor: Editor) -> None:
    """Let the database of `editor` keep whatever its workflows hold from now on."""
    with editor.connection() as connection:
        kind = connection.dialect.name
        connection.exec_driver_sql(_TABLE.format(number=_NUMBER[kind]))
        for event, values in _EVENTS.items():
            trigger = _SQLITE if kind == "sqlite" else _POSTGRES
            connection.exec_driver_sql(trigger.format(event=event, note=_NOTE.format(*values)))


@dataclass(frozen=True, slots=True)
class Write:
    """One row that was written: its text before and after, ``None`` where there is no row."""

    key: str
    before: str | None
    after: str | None


@dataclass(slots=True)
class Witness:
    """What the triggers of one database have seen, from number `read` on."""

    editor: Editor
    read: int = 0

    def news(self) -> list[Write]:
        """What was written since the last time, in that order, but for writes that left the text as it was."""
        query = sa.text(
            "SELECT number, key, before, after FROM witnessed WHERE number > :read ORDER BY number"
        )
        with self.editor.connection() as connection:
            rows = connection.execute(query, {"read": self.read}).all()
        found = [Write(key, _text(before), _text(after)) for _, key, before, after in rows]
        self.read = rows[-1][0] if rows else self.read
        return [write for write in found if write.before != write.after]


def _text(definition: str | None) -> str | None:
    return None if definition is None else str(json.loads(definition)["description"])
