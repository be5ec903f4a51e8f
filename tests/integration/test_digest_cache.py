"""The digest cache on a real server: it saves reading, and never says anything but what reading would."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from sqlalchemy.engine import make_url

from gitsync.errors import ConfigError, GitsyncError
from gitsync.stores.database.fingerprints import MOST_TRANSACTIONS, is_within_reach
from gitsync.stores.database.product import DEFINITION_COLUMNS, VERSION_COLUMNS, needed
from gitsync.workflow.types import Key
from tests.support.editor import Editor
from tests.support.effort import chance, rounds
from tests.support.instance import Instance, make_instance
from tests.support.looks import (
    CALLEE,
    CALLEE_ROW,
    FILLERS,
    LIE,
    SET,
    UNKEYED,
    Watched,
    in_one_transaction,
    look,
    make_watched,
    outside,
    plant,
    remembered,
)
from tests.support.postgres import OwnServer, fresh_database, libpq_url
from tests.support.product import OTHER_TENANT, Generation


@pytest.fixture
def watched(postgres_database: str, tmp_path: Path) -> Watched:
    return make_watched(postgres_database, tmp_path / "git" / "gitsync")


# ---------------------------------------------------------------- what is saved


def test_a_second_look_reads_nothing_and_finds_the_same(watched: Watched) -> None:
    again = watched.check(read=0)

    assert [row.name for row in again.snapshot.unkeyed] == ["Has no key"]
    assert again.snapshot.raw_calls == {"caller": {UNKEYED}}
    assert any(UNKEYED in warning for warning in again.snapshot.warnings)
    assert again.snapshot.ids[Key("callee")] == CALLEE
    (file,) = watched.files
    assert file.parent.name == "gitsync"


OWN_COPY = "CREATE TEMP TABLE kept AS SELECT * FROM"


CHANGES = [
    pytest.param(in_one_transaction(f"{SET} name = 'New' WHERE key = 'twin'"), 1, id="a-column"),
    pytest.param(
        in_one_transaction(
            f"""{SET} draft_definition = draft_definition || '{{"name": "x"}}' WHERE key = 'callee'"""
        ),
        1,
        id="a-draft",
    ),
    pytest.param(in_one_transaction(f"{SET} name = name WHERE key = 'twin'"), 1, id="nothing-in-an-update"),
    pytest.param(
        in_one_transaction(
            f"{SET} name = 'A' WHERE key = 'twin'",
            f"{SET} name = 'B' WHERE key = 'twin'",
            f"{SET} name = 'C' WHERE key = 'twin'",
        ),
        1,
        id="twice-in-a-transaction",
    ),
    pytest.param(
        in_one_transaction(f"{SET} key = 'renamed' WHERE {CALLEE_ROW}"), 3, id="the-key-of-what-two-call"
    ),
    pytest.param(
        in_one_transaction(f"{SET} key = NULL WHERE {CALLEE_ROW}"), 2, id="the-key-taken-from-what-two-call"
    ),
    pytest.param(
        in_one_transaction(f"{SET} key = 'named' WHERE workflow_id = '{UNKEYED}'"),
        2,
        id="a-key-for-what-one-calls",
    ),
    pytest.param(
        in_one_transaction(f"DELETE FROM workflow_definitions WHERE {CALLEE_ROW}"), 2, id="what-two-call-gone"
    ),
    pytest.param(
        in_one_transaction(
            f"{OWN_COPY} workflow_definitions WHERE {CALLEE_ROW}",
            f"DELETE FROM workflow_definitions WHERE {CALLEE_ROW}",
            "INSERT INTO workflow_definitions SELECT * FROM kept",
        ),
        1,
        id="deleted-and-made-again-without-its-versions",
    ),
    pytest.param(
        in_one_transaction(
            f"{OWN_COPY} workflow_definitions WHERE {CALLEE_ROW}",
            f"DELETE FROM workflow_definitions WHERE {CALLEE_ROW}",
            "UPDATE kept SET workflow_id = gen_random_uuid()",
            "INSERT INTO workflow_definitions SELECT * FROM kept",
        ),
        3,
        id="deleted-and-made-again-with-another-id",
    ),
    pytest.param(
        in_one_transaction(
            f"{SET} key = 'x' WHERE key = 'callee'",
            f"{SET} key = 'callee' WHERE key = 'filler-1'",
            f"{SET} key = 'filler-1' WHERE key = 'x'",
        ),
        4,
        id="two-keys-swapped",
    ),
    pytest.param(
        in_one_transaction(
            f"UPDATE workflow_definition_versions SET definition_json = '{{}}' WHERE {CALLEE_ROW} AND version = 2"
        ),
        1,
        id="a-version-rewritten",
    ),
    pytest.param(
        in_one_transaction(f"DELETE FROM workflow_definition_versions WHERE {CALLEE_ROW} AND version = 2"),
        1,
        id="a-version-gone",
    ),
    pytest.param(
        in_one_transaction(
            "UPDATE workflow_definition_versions SET workflow_id = (SELECT workflow_id FROM workflow_definitions"
            f" WHERE key = 'twin') WHERE {CALLEE_ROW} AND version = 2"
        ),
        2,
        id="a-version-moved-to-another",
    ),
    pytest.param(
        in_one_transaction(f"UPDATE workflow_definition_versions SET tenant = NULL WHERE {CALLEE_ROW}"),
        1,
        id="versions-lost-to-no-tenant",
    ),
    pytest.param(
        in_one_transaction(
            "SAVEPOINT a",
            f"{SET} name = 'A' WHERE key = 'twin'",
            "ROLLBACK TO a",
            f"{SET} name = 'B' WHERE key = 'twin'",
            "SAVEPOINT b",
            f"{SET} name = 'C' WHERE key = 'twin'",
            "RELEASE b",
        ),
        1,
        id="in-a-subtransaction",
    ),
    pytest.param(
        outside("BEGIN", f"{SET} name = 'A' WHERE key = 'twin'", "ROLLBACK"), 0, id="an-edit-rolled-back"
    ),
    pytest.param(
        outside("BEGIN", "SELECT * FROM workflow_definitions FOR UPDATE", "COMMIT"), 0, id="a-lock-on-rows"
    ),
    pytest.param(outside("VACUUM FREEZE ANALYZE"), 0, id="vacuum-freeze"),
    pytest.param(
        outside(
            f"{SET} name = 'New' WHERE key = 'twin'", "VACUUM", f"{SET} name = 'Newer' WHERE key = 'twin'"
        ),
        1,
        id="a-place-used-again",
    ),
    pytest.param(
        outside("VACUUM FULL workflow_definitions", "VACUUM FULL workflow_definition_versions"),
        None,
        id="vacuum-full",
    ),
    pytest.param(
        outside(
            f"{SET} name = 'New' WHERE key = 'filler-3'",
            "CLUSTER workflow_definitions USING workflow_definitions_pkey",
            f"{SET} name = 'Newer' WHERE key = 'filler-5'",
        ),
        None,
        id="cluster-between-edits",
    ),
    pytest.param(
        in_one_transaction(
            f"{OWN_COPY} workflow_definitions",
            "CREATE TEMP TABLE kept2 AS SELECT * FROM workflow_definition_versions",
            "TRUNCATE workflow_definitions CASCADE",
            "INSERT INTO workflow_definitions SELECT * FROM kept ORDER BY key",
            "INSERT INTO workflow_definition_versions SELECT * FROM kept2 ORDER BY version DESC",
        ),
        FILLERS + 3,
        id="restored-into-the-same-tables",
    ),
    pytest.param(
        in_one_transaction(
            "ALTER TABLE workflow_definitions DROP COLUMN is_paused",
            "ALTER TABLE workflow_definitions ADD COLUMN is_paused boolean NOT NULL DEFAULT true",
        ),
        FILLERS + 3,
        id="a-column-made-anew-without-touching-rows",
    ),
    pytest.param(
        in_one_transaction(
            "ALTER TABLE workflow_definitions RENAME name TO old_name",
            "ALTER TABLE workflow_definitions RENAME description TO name",
            "ALTER TABLE workflow_definitions RENAME old_name TO description",
        ),
        FILLERS + 3,
        id="two-columns-swapped",
    ),
]


@pytest.mark.parametrize("change, read", CHANGES)
def test_what_changed_is_seen_and_nothing_else_is_read(
    watched: Watched, change: Callable[[Watched], None], read: int | None
) -> None:
    before = watched.look().content

    change(watched)

    after = watched.check(read=read)
    assert (after.content != before) or read in (0, 1, None, FILLERS + 3)
    watched.check(read=0)


@pytest.mark.parametrize("generation", [Generation.SEED, Generation.TENANT_ID, Generation.CURRENT_UNIQUE])
def test_every_shape_of_the_tables_has_fingerprints(
    postgres_database: str, tmp_path: Path, generation: Generation
) -> None:
    watched = Watched(make_instance(postgres_database, generation, has_ledger=False), tmp_path / "gitsync")
    first = watched.editor.insert("first", versions={1: {}})
    for number in range(5):
        watched.editor.insert(f"other-{number}")
    if generation.tenant:
        Editor(postgres_database, tenant=OTHER_TENANT).insert("first", versions={1: {}})
    watched.check(read=6)
    watched.check(read=0)

    watched.editor.insert_version(first, 2, {"steps": []})

    watched.check(read=1)


def test_another_tenant_s_edit_costs_nothing_and_each_tenant_has_a_file(watched: Watched) -> None:
    other = Editor(watched.instance.url, tenant=OTHER_TENANT)
    other.insert("callee", name="The other tenant's")
    watched.check(read=0)

    theirs = watched.check(read=1, tenant=OTHER_TENANT)
    other.edit("callee", name="Edited")

    watched.check(read=0)
    watched.check(read=1, tenant=OTHER_TENANT)
    assert theirs.snapshot.digests.keys() == {"callee"}
    assert len(watched.files) == 2


def test_an_edit_that_is_committed_after_a_look_is_seen_by_the_next(watched: Watched) -> None:
    with psycopg.connect(libpq_url(watched.instance.url)) as connection:
        connection.execute("UPDATE workflow_definitions SET name = 'Late' WHERE key = 'twin'")
        watched.editor.edit("filler-1", name="Early")
        during = watched.check(read=1)
        connection.commit()

    after = watched.check(read=1)
    assert during.snapshot.digests[Key("twin")] != after.snapshot.digests[Key("twin")]


def test_twin_keys_are_found_with_a_warm_cache_and_stay_found(watched: Watched) -> None:
    twin = watched.editor.insert("callee")

    first, again = watched.look(), watched.check(read=0)

    for seen in (first, again):
        assert list(seen.snapshot.unreadable) == ["callee"]
        assert twin in seen.snapshot.unreadable[Key("callee")].ids
        assert Key("callee") not in seen.snapshot.digests


def test_a_tenant_that_has_lost_its_last_workflow_is_told_from_a_mistyped_one(watched: Watched) -> None:
    other = Editor(watched.instance.url, tenant=OTHER_TENANT)
    other.insert("only")
    watched.check(read=1, tenant=OTHER_TENANT)
    other.delete("only")

    with pytest.raises(ConfigError, match="has no workflows"):
        watched.look(tenant=OTHER_TENANT)


MADE = "a0000000-0000-4000-8000-00000000000a"
INSERT = (
    "INSERT INTO workflow_definitions (workflow_id, key, name, payload_schema_ref, tenant, draft_definition)"
)
NONE_MADE = "NOT EXISTS (SELECT FROM workflow_definitions WHERE key = 'made')"


@pytest.mark.fuzz("looks")
def test_any_course_of_edits_looks_the_same_with_a_cache(watched: Watched) -> None:
    """Random edits by the means above, in transactions of one to four, with a look after each."""
    random = chance()
    keys = ["callee", "caller", "twin", "filler-1", "filler-2", "made"]
    for number in rounds(30):
        key, other = random.sample(keys, 2)
        there = f"(SELECT FROM workflow_definitions WHERE key = '{key}')"
        draft = f"(SELECT draft_definition FROM workflow_definitions WHERE key = '{key}' LIMIT 1)"
        row = (
            f"'{random.choice((MADE, CALLEE))}', 'made', 'Made {number % 3}', 'x', '{watched.editor.tenant}'"
        )
        edits = [
            f"{SET} name = 'name {number}' WHERE key = '{key}'",
            f"{SET} key = '{other}-{number}' WHERE key = '{key}'",
            f"{SET} key = '{key}' WHERE key LIKE '{key}-%' AND NOT EXISTS {there}",
            f"DELETE FROM workflow_definitions WHERE key = '{key}'",
            f"{INSERT} SELECT {row}, COALESCE({draft}, '{{}}') WHERE {NONE_MADE} ON CONFLICT DO NOTHING",
            f"UPDATE workflow_definition_versions SET definition_json = '{{\"n\": {number % 4}}}'",
        ]
        chosen = random.choices(edits, k=random.randint(1, 4))
        if random.random() < 0.1:
            outside(random.choice(("VACUUM FULL", "VACUUM FREEZE", "VACUUM")))(watched)
        ending = () if random.random() < 0.8 else ("ROLLBACK",)
        outside("BEGIN", *chosen, *(ending or ("COMMIT",)))(watched)

        watched.check()


# ---------------------------------------------------------------- other databases, other moments


def test_a_copy_of_the_database_shares_no_digest(watched: Watched, postgres_url: str) -> None:
    name = make_url(watched.instance.url).database
    assert name
    with fresh_database(postgres_url, template=name) as url:
        copy = Watched(
            replace(watched.instance, url=url, editor=Editor(url, tenant=Generation.CURRENT.tenant)),
            watched.folder,
        )
        watched.editor.edit("twin", name="Here")
        copy.editor.edit("twin", name="There")

        assert copy.check(read=FILLERS + 3).content != watched.check(read=1).content
        copy.check(read=0)
        watched.check(read=0)


def test_nothing_is_trusted_that_a_crash_may_have_undone(own_server: OwnServer, tmp_path: Path) -> None:
    """A commit that was answered before it was safe is lost, and its number and place are given away again."""
    with fresh_database(own_server.url) as url:
        watched = Watched(make_instance(url, Generation.SEED, has_ledger=False), tmp_path / "gitsync")
        watched.editor.insert("w")
        outside("SET synchronous_commit = on", f"{SET} name = 'Safe'")(watched)
        with psycopg.connect(libpq_url(url)) as connection:
            connection.execute(f"{SET} name = 'Lost'".encode())
            connection.commit()
            watched.check(read=1)
            os.kill(connection.info.backend_pid, signal.SIGKILL)
        wait_for(url)

        outside(f"{SET} name = 'Meant'")(watched)

        watched.check(read=1)
        watched.check(read=0)


def test_a_cold_copy_put_back_is_another_database(own_server: OwnServer, tmp_path: Path) -> None:
    """It has the same names and numbers throughout, and goes on to give the same numbers to other edits."""
    with fresh_database(own_server.url) as url:
        watched = Watched(make_instance(url, Generation.SEED, has_ledger=False), tmp_path / "gitsync")
        watched.editor.insert("w")
        with own_server.stopped() as data:
            subprocess.run(["cp", "-a", data, tmp_path / "copy"], check=True)
        watched.editor.edit("w", name="After the copy was made")
        watched.check(read=1)
        with own_server.stopped() as data:
            subprocess.run(["rm", "-r", data], check=True)
            subprocess.run(["cp", "-a", tmp_path / "copy", data], check=True)

        watched.editor.edit("w", name="After it was put back")

        watched.check(read=1)
        watched.check(read=0)


def test_a_prepared_transaction_is_seen_when_it_is_committed(own_server: OwnServer, tmp_path: Path) -> None:
    with own_server.stopped() as data, (data / "postgresql.conf").open("a") as settings:
        settings.write("max_prepared_transactions = 2\n")
    with fresh_database(own_server.url) as url:
        watched = Watched(make_instance(url, Generation.SEED, has_ledger=False), tmp_path / "gitsync")
        watched.editor.insert("w")
        watched.check(read=1)

        outside("BEGIN", f"{SET} name = 'Prepared'", "PREPARE TRANSACTION 'later'")(watched)
        watched.check(read=0)
        outside("COMMIT PREPARED 'later'")(watched)

        watched.check(read=1)


def wait_for(url: str) -> None:
    """Until the server is back: a connection may still meet the old one's last moments."""
    for _ in range(600):
        try:
            with psycopg.connect(libpq_url(url)) as connection:
                connection.execute("SELECT 1")
            threading.Event().wait(0.1)
            with psycopg.connect(libpq_url(url)) as connection:
                connection.execute("SELECT 1")
                return
        except psycopg.OperationalError:
            threading.Event().wait(0.05)
    pytest.fail("the server did not come back")


@pytest.mark.parametrize(
    "earlier, now, is_near",
    [(100, 100, True), (100, 101, True), (101, 100, False), (5, 5 + MOST_TRANSACTIONS - 1, True), (5, 5 + MOST_TRANSACTIONS, False)],
)  # fmt: skip
def test_a_horizon_of_the_future_or_of_long_ago_is_out_of_reach(
    earlier: int, now: int, is_near: bool
) -> None:
    assert is_within_reach(earlier, now) is is_near


def test_a_planted_digest_would_be_believed(watched: Watched) -> None:
    """That the tests around this one can fail."""
    _, found = remembered(watched)
    plant(watched, digests="\n".join(LIE if digest else "" for digest in found.digests.split("\n")))

    assert set(watched.look().snapshot.digests.values()) == {LIE}


@pytest.mark.parametrize("shift", [1_000_000, -MOST_TRANSACTIONS])
def test_a_file_of_another_time_is_not_believed(watched: Watched, shift: int) -> None:
    _, found = remembered(watched)
    lies = "\n".join(LIE if digest else "" for digest in found.digests.split("\n"))

    plant(watched, digests=lies, horizon=found.horizon + shift)

    watched.check(read=FILLERS + 3)


# ---------------------------------------------------------------- who may look at what


@contextmanager
def role(watched: Watched, *grants: str) -> Iterator[Instance]:
    """The instance as a role sees it that may only read."""
    name = f"gitsync_test_{os.getpid()}"
    url = watched.instance.url
    for statement in (f"CREATE ROLE {name} LOGIN", *grants):
        watched.editor.execute(statement.format(name=name))
    try:
        yield replace(
            watched.instance, url=make_url(url).set(username=name).render_as_string(hide_password=False)
        )
    finally:
        watched.editor.execute(f"DROP OWNED BY {name}")
        watched.editor.execute(f"DROP ROLE {name}")


READ = "GRANT SELECT ON ALL TABLES IN SCHEMA public TO {name}"


def test_a_role_has_a_file_of_its_own(watched: Watched) -> None:
    """What a role sees may be masked for it, so no other's digests are taken."""
    with role(watched, READ) as reader:
        theirs = Watched(reader, watched.folder)
        theirs.check(read=FILLERS + 3)
        theirs.check(read=0)

    assert len(watched.files) == 2


@pytest.mark.parametrize(
    "grants",
    [
        pytest.param(
            (READ, "REVOKE EXECUTE ON FUNCTION pg_control_system() FROM PUBLIC"), id="cannot-tell-the-server"
        ),
        pytest.param(
            (
                f"GRANT SELECT ({', '.join(needed(DEFINITION_COLUMNS))}, tenant) ON workflow_definitions TO {{name}}",
                (
                    f"GRANT SELECT ({', '.join(needed(VERSION_COLUMNS))}, tenant)"
                    " ON workflow_definition_versions TO {name}"
                ),
            ),
            id="sees-columns-and-no-system-columns",
        ),
    ],
)
def test_without_the_right_to_fingerprints_everything_is_read(
    watched: Watched, grants: Sequence[str]
) -> None:
    with role(watched, *grants) as reader:
        for _ in range(2):
            Watched(reader, watched.folder).check(read=FILLERS + 3)

    assert len(watched.files) == 1


def test_a_view_in_the_table_s_place_is_read_whole_each_time(watched: Watched) -> None:
    in_one_transaction(
        "ALTER TABLE workflow_definitions RENAME TO held",
        "CREATE VIEW workflow_definitions AS SELECT * FROM held",
    )(watched)

    for _ in range(2):
        watched.check(read=FILLERS + 3)


def test_a_server_s_statement_that_fails_is_the_server_s_error_and_not_hidden(watched: Watched) -> None:
    """A lock on the table is waited for as without a cache, until the statement's own time is over."""
    url = make_url(watched.instance.url).update_query_dict({"options": "-c statement_timeout=200"})
    hurried = replace(watched.instance, url=url.render_as_string(hide_password=False))
    with psycopg.connect(libpq_url(watched.instance.url)) as connection:
        connection.execute("LOCK TABLE workflow_definitions IN ACCESS EXCLUSIVE MODE")

        with pytest.raises(GitsyncError, match="statement timeout"):
            look(hurried, cache=watched.folder)
