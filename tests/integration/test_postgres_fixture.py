from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

import psycopg
import pytest
import sqlalchemy as sa

from tests.support.postgres import (
    PostgresUnavailable,
    fresh_database,
    libpq_url,
    needed,
    own_postgres,
    running_postgres,
)


def test_the_server_is_one_that_gitsync_supports(postgres_url: str) -> None:
    with psycopg.connect(libpq_url(postgres_url)) as connection:
        assert connection.info.server_version >= 130_000


def test_a_database_of_a_test_is_empty_and_speaks_utf_8(postgres_database: str) -> None:
    engine = sa.create_engine(postgres_database)

    with engine.connect() as connection:
        tables = sa.inspect(connection).get_table_names()
        encoding = connection.scalar(sa.text("SHOW server_encoding"))
    engine.dispose()

    assert (tables, encoding) == ([], "UTF8")


def test_a_database_can_be_a_copy_of_another_and_is_gone_afterwards(
    postgres_url: str, postgres_database: str
) -> None:
    with psycopg.connect(libpq_url(postgres_database), autocommit=True) as connection:
        connection.execute("CREATE TABLE thing AS SELECT 'ä'::text AS name")
        template = connection.info.dbname

    with fresh_database(postgres_url, template=template) as url, psycopg.connect(libpq_url(url)) as copy:
        name = copy.info.dbname
        assert copy.execute("SELECT name FROM thing").fetchall() == [("ä",)]

    with psycopg.connect(libpq_url(postgres_url)) as connection:
        found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name])
        assert found.fetchone() is None


@pytest.mark.parametrize("server", [running_postgres, own_postgres])
def test_without_postgresql_a_test_is_skipped_and_fails_where_ci_is_set(
    server: Callable[[str], AbstractContextManager[object]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CI", raising=False)
    with (
        pytest.raises(pytest.skip.Exception, match="expected system, embedded or a URL"),
        needed(server("no")),
    ):
        pass

    monkeypatch.setenv("CI", "true")
    with pytest.raises(PostgresUnavailable, match="expected system, embedded or a URL"), needed(server("no")):
        pass


def test_what_goes_wrong_with_a_server_later_is_no_reason_to_skip() -> None:
    with pytest.raises(PostgresUnavailable), needed(nullcontext()):
        raise PostgresUnavailable("it did not start again")
