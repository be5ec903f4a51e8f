"""Databases whose encoding is none, or not that of files."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from tests.support.editor import Editor
from tests.support.loop import Loop, make_loop
from tests.support.postgres import execute, fresh_database, libpq_url
from tests.support.product import TENANT


@pytest.fixture
def loop(request: pytest.FixtureRequest, postgres_url: str, tmp_path: Path) -> Iterator[Loop]:
    """A repository and a database of the encoding that the test names."""
    name = f"gitsync_template_{uuid.uuid4().hex}"
    template = sql.Identifier(name)
    made = "CREATE DATABASE {} TEMPLATE template0 ENCODING {} LC_COLLATE 'C' LC_CTYPE 'C'"
    execute(postgres_url, sql.SQL(made).format(template, request.param))
    try:
        with fresh_database(postgres_url, template=name) as url:
            loop = make_loop(tmp_path, url=url, tenant=TENANT)
            yield replace(loop, editor=Editor(f"{url}&client_encoding=utf8", tenant=TENANT))
    finally:
        execute(postgres_url, sql.SQL("DROP DATABASE {}").format(template))


def write_raw(loop: Loop, statement: str) -> None:
    """SQL whose bytes go to the server as they are."""
    with psycopg.connect(
        libpq_url(loop.editor.url), client_encoding="SQL_ASCII", autocommit=True
    ) as connection:
        connection.pgconn.exec_(statement.encode("latin-1"))


@pytest.mark.parametrize("loop", ["SQL_ASCII"], indirect=True)
@pytest.mark.parametrize("place", ["description", "name", "draft_definition"])
def test_a_row_that_is_no_utf_8_is_named_and_stops_no_other(loop: Loop, place: str) -> None:
    loop.commit(a="A1", b="Gr\N{LATIN SMALL LETTER U WITH DIAERESIS}\N{SNOWMAN}e")
    loop.push()
    assert loop.states() == {"a": "in-sync", "b": "in-sync"}
    new = "'\N{LATIN SMALL LETTER U WITH DIAERESIS}'"
    if place == "draft_definition":
        new = """'{"id": "\N{LATIN SMALL LETTER U WITH DIAERESIS}"}'"""
    write_raw(loop, f"UPDATE workflow_definitions SET {place} = {new} WHERE key = 'a'")
    loop.editor.save("b", "B2")

    ran = loop.gitsync("pull", "-o", "json")

    assert (ran.code, ran.json["error"]["code"], ran.changes) == (1, "UNREADABLE_WORKFLOW", {"b": "update"})
    assert "workflow a " in ran.json["error"]["message"]
    assert "SQL_ASCII" in ran.json["error"]["message"]
    assert (loop.text("a"), loop.text("b")) == ("A1", "B2")
    assert "both sides" in loop.gitsync("doctor").out


@pytest.mark.parametrize("loop", ["LATIN1"], indirect=True)
def test_a_character_that_the_encoding_has_not_is_told_with_its_workflow(loop: Loop) -> None:
    loop.commit(a="Gr\N{LATIN SMALL LETTER U WITH DIAERESIS}", b="\N{SNOWMAN}", c="C1")

    ran = loop.gitsync("push", "-o", "json")
    loop.push("a", "c")

    assert (ran.code, ran.json["code"], ran.json["details"]) == (1, "NOT_IN_ENCODING", {"keys": ["b"]})
    assert "LATIN1" in ran.json["message"]
    assert loop.states() == {"a": "in-sync", "b": "new-in-repository", "c": "in-sync"}
