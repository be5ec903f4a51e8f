"""A fault at each statement of every command that writes: nothing is written, and the next run just works.

``make test`` takes each statement on SQLite and some of them on PostgreSQL, ``make fuzz`` all.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gitsync.workflow.bundle import make_bundle, offline_id
from tests.support import figures
from tests.support.documents import make_file
from tests.support.effort import effort
from tests.support.faults import MOST_STATEMENTS, Failure, everything, fail_at_each_statement, failing_at
from tests.support.loop import Loop, make_loop
from tests.support.product import TENANT, Generation, make_product_tables

pytestmark = [
    pytest.mark.fuzz("faults"),
    # psycopg complains of server-side cursors that nobody closed; here their connection was taken away
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


CASES = [
    ("sqlite", Failure.REFUSED),
    ("postgresql", Failure.REFUSED),
    ("postgresql", Failure.CONNECTION_GONE),
]


@pytest.fixture(params=CASES, ids="-".join)
def case(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, Failure]:
    """The URL of a new database, and how it fails."""
    kind, how = request.param
    is_file = kind == "sqlite"
    url = f"sqlite:///{tmp_path}/product.db" if is_file else request.getfixturevalue("postgres_database")
    return url, how


def start(folder: Path, url: str, *, init: bool = True) -> Loop:
    return make_loop(folder, url=url, tenant=TENANT if url.startswith("postgresql") else None, init=init)


def prepare_push(loop: Loop) -> None:
    """A workflow that will be overwritten, one that calls it, one that will be deleted, one that is new."""
    loop.write_file("called", "C1")
    loop.write_file("caller", "D1", calls="key:called")
    loop.commit(gone="G1")
    loop.push()
    loop.editor.publish("called", 1)
    loop.pull("--commit")
    loop.commit(new="N1", gone=None)
    loop.repository.commit_file("workflows/called.json", make_file("called", "C2", versions=[1]))


@pytest.mark.parametrize("place", ["--recreate", "--in-place"])
def test_a_push_that_fails_at_any_statement_writes_nothing(
    tmp_path: Path, case: tuple[str, Failure], place: str
) -> None:
    database, how = case
    loop = start(tmp_path, database)
    prepare_push(loop)

    sent = fail_at_each_statement(
        lambda: loop.gitsync("push", "--update", "--prune", place), lambda: everything(database), how
    )

    assert sent > 20
    assert loop.editor.texts() == {"called": "C2", "caller": "D1", "new": "N1"}
    assert set(loop.states().values()) == {"in-sync"}


def test_an_apply_that_fails_at_any_statement_writes_nothing(
    tmp_path: Path, case: tuple[str, Failure]
) -> None:
    database, how = case
    loop = start(tmp_path, database)
    prepare_push(loop)
    plan = str(tmp_path / "plan.json")
    made = loop.gitsync("plan", "--update", "--prune", "--in-place", "--out", plan)
    assert made.code == 0, made.err

    fail_at_each_statement(lambda: loop.gitsync("apply", plan), lambda: everything(database), how)

    assert loop.editor.texts() == {"called": "C2", "caller": "D1", "new": "N1"}


def test_an_adopt_that_fails_at_any_statement_writes_nothing(
    tmp_path: Path, case: tuple[str, Failure]
) -> None:
    database, how = case
    loop = start(tmp_path, database)
    prepare_push(loop)
    unnamed = loop.editor.create(None, "U1")
    loop.editor.save("caller", "D2", calls=unnamed)

    fail_at_each_statement(
        lambda: loop.gitsync("adopt", unnamed, "adopted"), lambda: everything(database), how
    )

    assert loop.editor.id_of("adopted") == unnamed


def test_an_import_that_fails_at_any_statement_writes_nothing(
    tmp_path: Path, case: tuple[str, Failure]
) -> None:
    database, how = case
    loop = start(tmp_path, database)
    prepare_push(loop)
    documents = [json.loads(make_file(key, "from a bundle", versions=[1])) for key in ("called", "other")]
    bundle = make_bundle(documents, exported_at="2026-01-25T12:00:00.000Z", id_of=offline_id)
    (tmp_path / "bundle.json").write_text(json.dumps(bundle))
    words = ["import", "--force", "--new-tenant", str(tmp_path / "bundle.json")]

    fail_at_each_statement(lambda: loop.gitsync(*words), lambda: everything(database), how)

    assert loop.editor.text("called") == loop.editor.text("other") == "from a bundle"


@pytest.mark.parametrize("has_product", [False, True])
def test_a_db_init_that_fails_at_any_statement_makes_nothing(
    tmp_path: Path, case: tuple[str, Failure], has_product: bool
) -> None:
    database, how = case
    loop = start(tmp_path, database, init=False)
    if has_product:
        make_product_tables(database, Generation.CURRENT if loop.editor.tenant else Generation.SEED)

    fail_at_each_statement(lambda: loop.gitsync("db", "init"), lambda: everything(database), how)

    assert loop.gitsync("db", "check").code == 0
    assert "nothing to create" in loop.gitsync("db", "init").out


def test_a_pull_that_fails_at_any_statement_is_made_good_by_the_next(
    tmp_path: Path, case: tuple[str, Failure]
) -> None:
    database, how = case
    loop = start(tmp_path, database)
    loop.commit(a="0", b="0", gone="0")
    loop.push()
    last, text = "gone", "0"

    for number in range(1, MOST_STATEMENTS, effort(short=4, long=1)):
        before, text = text, str(number)
        loop.editor.save("a", text)
        loop.editor.save("b", text)
        loop.editor.save(f"new-{number}", text)
        loop.editor.delete(last)
        last = f"new-{number}"
        head = loop.repository.head
        with failing_at(number, how) as countdown:
            ran = loop.gitsync("pull", "--commit", "--prune")
        if not countdown.has_failed:
            break
        with figures.tried("faults"):
            told = f"statement {number} {how}: exit {ran.code}\n{ran.err}{countdown.at}"
            assert ran.code == 1, told
            assert "internal error" not in ran.err, told
            assert {loop.text(key) for key in ("a", "b")} <= {text, before}, told
            assert not list(loop.folder.rglob("*.tmp")), told
            if loop.repository.head == head:
                loop.pull("--commit", "--prune")
            committed = loop.repository.git("ls-tree", "--name-only", "HEAD", "workflows/").split()
            assert committed == [f"workflows/{key}.json" for key in ("a", "b", last)], told
            assert not loop.repository.git("status", "--porcelain"), told
            assert set(loop.states().values()) == {"in-sync"}, told
    assert number > 8
