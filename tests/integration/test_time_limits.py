"""Time limits: each transaction begins with its own, so that they hold whatever stands before the server."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from psycopg import sql
from sqlalchemy import Connection, Engine

from gitsync.errors import LockNotAcquired
from gitsync.stores.database.connect import make_engine, reading, writing
from gitsync.stores.database.faults import translated
from tests.support.postgres import execute

SHOWN = sa.text("SELECT current_setting('lock_timeout'), current_setting('statement_timeout')")


@pytest.fixture
def engine(postgres_database: str) -> Iterator[Engine]:
    made = make_engine(postgres_database, command="tests", lock_timeout=0.0501, statement_timeout=2)
    yield made
    made.dispose()


def limits_of(connection: Connection) -> tuple[str, str]:
    lock, statement = connection.execute(SHOWN).one()
    return lock, statement


def test_each_transaction_has_its_time_limits_and_they_end_with_it(engine: Engine) -> None:
    for begin in (reading, writing):
        with begin(engine) as connection:
            assert limits_of(connection) == ("51ms", "2s")

    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        assert limits_of(connection) == ("0", "0")


def test_a_reader_waits_no_longer_than_it_may_for_a_table_that_is_being_changed(
    engine: Engine, postgres_database: str
) -> None:
    execute(postgres_database, sql.SQL("CREATE TABLE held (n int)"))
    changing = sa.create_engine(postgres_database, poolclass=sa.pool.NullPool)
    with changing.begin() as other:
        other.exec_driver_sql("ALTER TABLE held ADD COLUMN m int")

        with pytest.raises(LockNotAcquired), translated("here"), reading(engine) as connection:
            connection.exec_driver_sql("SELECT * FROM held")


def test_limits_are_handed_on_to_the_nodes_of_a_citus_cluster(engine: Engine, postgres_database: str) -> None:
    with sa.create_engine(postgres_database, poolclass=sa.pool.NullPool).begin() as catalogue:
        catalogue.exec_driver_sql("SET LOCAL allow_system_table_mods = on")
        catalogue.exec_driver_sql("""
            INSERT INTO pg_extension (oid, extname, extowner, extnamespace, extrelocatable, extversion)
            SELECT 99999, 'citus', extowner, extnamespace, false, '12.1' FROM pg_extension LIMIT 1
        """)
    said: list[str] = []
    sa.event.listen(engine, "before_cursor_execute", lambda *call: said.append(call[2]))

    with writing(engine) as connection:
        limits = limits_of(connection)

    assert limits == ("51ms", "2s")
    assert said[1:-1] == [
        "SET LOCAL citus.propagate_set_commands TO 'local'",
        "SET LOCAL lock_timeout = 51",
        "SET LOCAL statement_timeout = 2000",
    ]
