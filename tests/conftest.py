"""What all tests stand on: an environment with nothing of the caller's in it, and real git and PostgreSQL."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from tests.support import figures
from tests.support.git import TestRepository, make_repository
from tests.support.loop import TENANT, Loop, make_loop
from tests.support.postgres import PostgresUnavailable, fresh_database, running_postgres

settings.register_profile(
    "ci",
    max_examples=60,
    stateful_step_count=20,
    deadline=None,
    derandomize=True,
    database=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
settings.register_profile(
    "fuzz",
    max_examples=5_000,
    stateful_step_count=60,
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
settings.load_profile("ci")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Every property test belongs to `make fuzz`."""
    for item in items:
        if "property" in item.path.parts:
            item.add_marker("fuzz")


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Hand what a worker of pytest-xdist has counted to the process that prints it."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["figures"] = figures.counted()


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take a worker's figures in; one that died has none."""
    figures.add(getattr(node, "workeroutput", {}).get("figures", {}))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print how much was tried, and that nothing was lost."""
    if rows := figures.lines():
        terminalreporter.section("reliability")
        for row in rows:
            terminalreporter.write_line(row)


_DROPPED = ("GIT_", "GITSYNC_", "PG", "XDG_", "SSH_", "CLICOLOR")
_DROPPED_NAMES = {"EMAIL", "EDITOR", "VISUAL", "PAGER", "NO_COLOR", "FORCE_COLOR", "COLUMNS", "LANGUAGE"}
_DROPPED_NAMES |= {"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"}


@pytest.fixture(scope="session", autouse=True)
def heeded_interrupts() -> None:
    """Programs that the tests start heed Ctrl-C, though the tests run in the background, where a shell ignores it."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def isolated_environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The empty folder that is HOME for the whole run; the caller's git, gitsync and libpq settings are gone.

    A test that leaves something in HOME fails the run: it would have written into a person's own.
    """
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        for name in os.environ:
            is_ours = name.startswith("GITSYNC_TEST_")
            if not is_ours and (name.startswith(_DROPPED) or name in _DROPPED_NAMES):
                patch.delenv(name)
        patch.setenv("HOME", str(home))
        patch.setenv("LC_ALL", "C.UTF-8")
        patch.setenv("GIT_CONFIG_NOSYSTEM", "1")
        patch.setenv("GIT_TERMINAL_PROMPT", "0")
        yield home
    assert not list(home.iterdir()), "a test wrote into HOME"


@pytest.fixture(scope="session")
def postgres_url(isolated_environment: Path) -> Iterator[str]:
    """The URL of the maintenance database of a server that lives for this run (with xdist, this worker)."""
    server = running_postgres(os.environ.get("GITSYNC_TEST_POSTGRES") or None)
    try:
        url = server.__enter__()
    except PostgresUnavailable as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))
    try:
        yield url
    finally:
        server.__exit__(None, None, None)


@pytest.fixture
def postgres_database(postgres_url: str) -> Iterator[str]:
    """The URL of a database of this test's own, empty, UTF-8; dropped afterwards, whoever is connected."""
    with fresh_database(postgres_url) as url:
        yield url


@pytest.fixture
def repository(tmp_path: Path) -> TestRepository:
    """An empty repository with a work tree, on branch ``main``, without a commit."""
    return make_repository(tmp_path / "repository")


@pytest.fixture
def loop(tmp_path: Path) -> Loop:
    """A repository and a SQLite database."""
    return make_loop(tmp_path)


@pytest.fixture(params=["sqlite", "postgresql"])
def either(request: pytest.FixtureRequest, tmp_path: Path) -> Loop:
    """A repository and a database of each kind; PostgreSQL's tables have a tenant."""
    if request.param == "sqlite":
        return make_loop(tmp_path)
    return make_loop(tmp_path, url=request.getfixturevalue("postgres_database"), tenant=TENANT)
