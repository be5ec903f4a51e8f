"""What all tests stand on: an environment with nothing of the caller's in it, and real git and PostgreSQL."""

from __future__ import annotations

import inspect
import os
import signal
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, is_hypothesis_test, settings

from tests.support import effort, figures
from tests.support.git import TestRepository, make_repository
from tests.support.loop import Loop, make_loop
from tests.support.postgres import OwnServer, fresh_database, needed, own_postgres, running_postgres
from tests.support.product import TENANT

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
    max_examples=60,  # again and again, until the test's share of the time is over
    stateful_step_count=60,
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
settings.load_profile("fuzz" if effort.IS_FUZZING else "ci")

SHARES = pytest.StashKey[effort.Shares]()
KIND = "kind"
CHOICE = os.environ.get("GITSYNC_TEST_POSTGRES") or None


@pytest.hookimpl(wrapper=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> Iterator[None]:
    """Give what is heavy its kind, every property test too; in `make fuzz` each worker takes its part of each kind."""
    for item in items:
        if "property" in item.path.parts and not item.get_closest_marker("fuzz"):
            item.add_marker("fuzz")
        if mark := item.get_closest_marker("fuzz"):
            kind = mark.args[0] if mark.args else "examples"
            assert kind in figures.KINDS, item.nodeid
            item.user_properties.append((KIND, kind))
            if isinstance(item, pytest.Function) and is_hypothesis_test(item.obj):
                figures.count_calls(item.obj, kind)
    yield  # what -m and -k leave out goes, and the order becomes a random one
    if effort.IS_FUZZING:
        items.sort(key=lambda item: kind_of(item.user_properties) or "")
        worker = getattr(config, "workerinput", {"workerid": "gw0", "workercount": 1})
        # pytest takes a run for an empty one where a worker has nothing to do
        items[:] = items[int(worker["workerid"].removeprefix("gw")) :: worker["workercount"]] or items[:1]


def pytest_collection_finish(session: pytest.Session) -> None:
    """Deal the time of `make fuzz` out among the tests of this process."""
    if effort.IS_FUZZING:
        kinds = [kind for item in session.items if (kind := kind_of(item.user_properties))]
        session.config.stash[SHARES] = effort.Shares(kinds, end=time.monotonic() + effort.MINUTES * 60)


def kind_of(properties: Iterable[tuple[str, object]]) -> str | None:
    """The kind of a heavy test, from what its item or its report carries along."""
    return next((str(value) for name, value in properties if name == KIND), None)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Let a heavy test of `make fuzz` know when its share of the time is over."""
    shares, kind = item.config.stash.get(SHARES, None), kind_of(item.user_properties)
    if shares and kind:
        if (end := shares.deal(kind, time.monotonic())) is None:
            pytest.skip("the time for tests of its kind is over")
        effort.begin(end)


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Try a property test again with other examples, until its share of the time is over."""
    if not effort.IS_FUZZING or not is_hypothesis_test(pyfuncitem.obj):
        return None
    wanted = {name: pyfuncitem.funcargs[name] for name in inspect.signature(pyfuncitem.obj).parameters}
    for _ in effort.rounds(1):
        pyfuncitem.obj(**wanted)
    return True


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Count the tests of a kind by their outcome, and how long they took."""
    if kind := kind_of(report.user_properties):
        figures.note(
            kind, report.outcome if report.when == "call" or not report.passed else "", report.duration
        )


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Hand what a worker of pytest-xdist has counted to the process that prints it."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["figures"] = figures.counted()


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take a worker's figures in; one that died has none."""
    figures.add(getattr(node, "workeroutput", {}).get("figures", {}))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print how much was tried of each kind, and what was found, as docs/reliability.md has it."""
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
    with needed(running_postgres(CHOICE)) as url:
        yield url


@pytest.fixture
def own_server(isolated_environment: Path) -> Iterator[OwnServer]:
    """A PostgreSQL server of this test's own, which it may stop, crash, and put another's data into."""
    with needed(own_postgres(CHOICE)) as server:
        yield server


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
