"""Engines: how gitsync reaches PostgreSQL and SQLite, and how it begins to read and to write.

SQLite's driver begins transactions late and in the wrong mode, so that two writers lose updates without an
error; here every transaction begins by its own statement, a writing one with BEGIN IMMEDIATE.
"""

from __future__ import annotations

import logging
import math
import re
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, unquote

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from gitsync.errors import AccessDenied, ConfigError, DatabaseError

CONNECT_TIMEOUT: Final = 10
"""Seconds to wait for a server, where the URL has no ``connect_timeout`` of its own."""

_SECRET: Final = re.compile(r"pass|secret|token|key$", re.IGNORECASE)
_POSTGRES: Final = {"postgresql", "postgres", "postgresql+psycopg"}
_SQLITE: Final = {"sqlite", "sqlite+pysqlite"}
_HOSTS: Final = re.compile(
    r"(?P<start>postgres(?:ql)?(?:\+psycopg)?://(?:[^@/?]*@)?)(?P<hosts>[^@/?]*[,%][^@/?]*)(?P<rest>(?:[/?].*)?)"
)
_HOST: Final = re.compile(r"(\[[^\]]*\]|[^:\[\]]*)(?::(\d*))?")
_WRITING: Final = "gitsync_writing"

# What they log of a connection that broke, tracebacks among it, follows an error that is told in words: `-v` shows it.
for _library in ("sqlalchemy", "psycopg"):
    logging.getLogger(_library).addHandler(logging.NullHandler())


def parse_url(url: str) -> URL:
    """The URL with gitsync's own driver in it; raises ConfigError for one that cannot be used."""
    try:
        parsed = _read_url(url)
        name = parsed.drivername
    except (ArgumentError, ValueError, AttributeError):
        raise _invalid_url("it isn't of the form `scheme://user:password@host/name`") from None
    if "@" in (parsed.host or ""):
        raise _invalid_url("there are two @ before the host: write the one in the password as %40")
    if name in _POSTGRES:
        return parsed.set(drivername="postgresql+psycopg")
    if name not in _SQLITE:
        raise _invalid_url(f"`{name}` is not supported")
    if parsed.host:
        raise _invalid_url("an absolute SQLite path needs four slashes: `sqlite:////var/lib/file.db`")
    if parsed.database in (None, "", ":memory:"):
        raise _invalid_url("a database in memory is gone when the command ends; name a file")
    return parsed.set(drivername="sqlite")


def _read_url(url: str) -> URL:
    """The URL, with hosts in its query that psql knows and SQLAlchemy doesn't: several, and a socket's folder.

    Source: PostgreSQL manual, "Connection URIs".
    """
    found = _HOSTS.fullmatch(url)
    if found is None:
        return make_url(url)
    hosts, ports = [], []
    for place in found["hosts"].split(","):
        named = _HOST.fullmatch(place)
        if named is None:
            raise ValueError(place)
        hosts.append(unquote(named[1].strip("[]")))
        ports.append(named[2] or "")
    parsed = make_url(f"{found['start']}{found['rest']}")
    query = {"host": ",".join(hosts)} | ({"port": ",".join(ports)} if any(ports) else {})
    return parsed.set(query=query | dict(parsed.query))


def mask_url(url: str) -> str:
    """The URL as it may be shown: no password, no secret in its query."""
    try:
        parsed = _read_url(url)
    except (ArgumentError, ValueError, AttributeError):
        return "the database's URL"
    if "@" in (parsed.host or ""):  # the tail of a password
        parsed = parsed.set(host=str(parsed.host).rpartition("@")[2])
    if parsed.drivername in _POSTGRES:
        parsed = parsed.set(drivername="postgresql")
    secrets = {
        name: "***"
        for name, value in parsed.query.items()
        if _SECRET.search(name) or "password" in str(value).lower()
    }
    shown = parsed.update_query_dict(secrets).render_as_string(hide_password=True)
    return shown.replace("%2A", "*").replace("%2C", ",").replace("%2F", "/")


def make_engine(
    url: str,
    *,
    command: str,
    lock_timeout: float,
    statement_timeout: float | None = None,
    create: bool = False,
    pool_size: int | None = None,
) -> Engine:
    """An engine that connects on first use.

    command: what `application_name` says after ``gitsync``. lock_timeout: seconds to wait for any lock, above 0;
    rounded up to whole milliseconds. statement_timeout: seconds that PostgreSQL gives a statement. create: make the SQLite file if there is none; reading never does. pool_size: connections that a server keeps
    open, each tested before it is used again.
    Raises ConfigError for a URL that cannot be used.
    """
    parsed = parse_url(url)
    if parsed.drivername == "sqlite":
        return _sqlite_engine(parsed, lock_timeout=lock_timeout, create=create, pool_size=pool_size)
    defaults: dict[str, Any] = {"connect_timeout": CONNECT_TIMEOUT, "client_encoding": "utf8"}
    arguments = {name: value for name, value in defaults.items() if name not in parsed.query}
    arguments["application_name"] = f"gitsync {command}"[:63]
    arguments["prepare_threshold"] = None  # a pooler lends the next client the same server connection
    try:
        engine = create_engine(parsed, connect_args=arguments, **_pool(pool_size))
    except (SQLAlchemyError, ValueError) as error:
        raise _invalid_url(str(error).splitlines()[0]) from None
    _read_any_bytes(engine)
    _limit(engine, {"lock_timeout": lock_timeout, "statement_timeout": statement_timeout})
    return engine


def _read_any_bytes(engine: Engine) -> None:
    """Let text come as it is from a database without an encoding: the server checks it as a whole, or not at all.

    Bytes that are no UTF-8 become lone surrogates, which tell the row that they stand in, and stop no other.
    """

    @event.listens_for(engine, "connect")
    def connect(connection: Any, _: object) -> None:
        encoding = (connection.info.parameter_status("server_encoding") or "").lower()
        if encoding != "sql_ascii":
            return
        from psycopg.adapt import Loader

        class AnyText(Loader):
            def load(self, data: bytes | bytearray | memoryview) -> str:
                return bytes(data).decode(errors="surrogateescape")

        for name in ("text", "varchar", "bpchar", "name"):
            connection.adapters.register_loader(name, AnyText)
        connection.autocommit = True
        connection.execute("SET client_encoding TO sql_ascii")
        connection.autocommit = False


def _limit(engine: Engine, limits: Mapping[str, float | None]) -> None:
    """Begin each transaction of PostgreSQL's with `limits`, by name in seconds, which end with the transaction.

    On Citus they hold on every node: there a setting travels only by SET LOCAL, and only if told to.
    Source: Citus, "citus.propagate_set_commands".
    """
    milliseconds = {name: max(1, math.ceil(value * 1000)) for name, value in limits.items() if value}
    settings = [f"set_config('{name}', '{value}', true)" for name, value in milliseconds.items()]
    once = f"SELECT EXISTS (SELECT FROM pg_extension WHERE extname = 'citus'), {', '.join(settings)}"  # noqa: S608 - numbers
    everywhere = [f"SET LOCAL {name} = {value}" for name, value in milliseconds.items()]

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        is_citus = connection.exec_driver_sql(once).scalar_one()
        if is_citus:
            for statement in ("SET LOCAL citus.propagate_set_commands TO 'local'", *everywhere):
                connection.exec_driver_sql(statement)


def _pool(size: int | None) -> dict[str, Any]:
    """The pool of an engine; by default SQLAlchemy's own."""
    return {} if size is None else {"pool_pre_ping": True, "pool_size": size, "max_overflow": size}


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """A connection whose statements all see one moment, and which cannot write."""
    if engine.dialect.name == "sqlite":
        with engine.connect() as connection, connection.begin():
            yield connection
        return
    with engine.connect() as plain:
        connection = plain.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        with connection.begin():
            yield connection


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """A connection in a transaction that is committed at the end, or rolled back if anything is raised."""
    with engine.connect() as plain:
        options: dict[str, Any] = {_WRITING: True}
        if engine.dialect.name == "postgresql":
            options["isolation_level"] = "READ COMMITTED"
        connection = plain.execution_options(**options)
        with connection.begin():
            yield connection


def _sqlite_engine(url: URL, *, lock_timeout: float, create: bool, pool_size: int | None) -> Engine:
    address = mask_url(url.render_as_string())
    path = str(url.database)

    def connect() -> sqlite3.Connection:
        if not path.startswith("file:"):
            _check_file(Path(path), address, create=create)
        mode = "rwc" if create else "rw"
        target = path if path.startswith("file:") else f"file:{quote(str(Path(path).absolute()))}?mode={mode}"
        opened = sqlite3.connect(
            target, uri=True, timeout=lock_timeout, isolation_level=None, check_same_thread=False
        )
        opened.execute(f"PRAGMA busy_timeout = {max(1, round(lock_timeout * 1000))}")
        opened.execute("PRAGMA foreign_keys = ON")
        return opened

    engine = create_engine(url, creator=connect, **_pool(pool_size))

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        if connection.get_execution_options().get(_WRITING):
            connection.exec_driver_sql("PRAGMA journal_mode = WAL")
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        else:
            connection.exec_driver_sql("BEGIN")

    return engine


def _check_file(path: Path, address: str, *, create: bool) -> None:
    try:
        exists, is_folder, has_folder = path.exists(), path.is_dir(), path.parent.is_dir()
    except OSError as error:
        raise AccessDenied(f"{address}: {error.strerror}", cure="check the rights of its folder") from error
    if is_folder:
        raise DatabaseError(f"{address} is a folder", code="NOT_A_DATABASE", cure="name a file in it")
    if not exists and (not create or not has_folder):
        raise DatabaseError(
            f"{address}: there is no such file" + ("" if has_folder else ", nor its folder"),
            code="MISSING_DATABASE",
            cure="`gitsync db init` makes the database" if has_folder else f"`mkdir -p {path.parent}`",
        )


def _invalid_url(reason: str) -> ConfigError:
    return ConfigError(
        f"the database's URL cannot be used: {reason}",
        code="INVALID_DATABASE_URL",
        cure="write `postgresql://user@host/name` or `sqlite:///file.db`",
    )
