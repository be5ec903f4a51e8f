"""The digest cache beside a repository: where it lies, how it is switched off, and that no write believes it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import orjson
import pytest

from gitsync.stores.database.cache import DigestCache
from tests.support.documents import text_of
from tests.support.loop import Loop, make_loop
from tests.support.loop import gitsync as run_gitsync
from tests.support.postgres import fresh_database

LIE = "f" * 40


@pytest.fixture
def loop(postgres_database: str, tmp_path: Path) -> Loop:
    """Two workflows in step, the cache warm."""
    loop = make_loop(tmp_path, url=postgres_database)
    loop.commit(a="a1", b="b1")
    loop.push()
    assert set(loop.states().values()) == {"in-sync"}
    return loop


def files(loop: Loop) -> list[Path]:
    return sorted((loop.repository.path / ".git" / "gitsync").glob("*.digests"))


def plant(loop: Loop, **digests: str) -> None:
    """Make the cache say other digests, with all its seals whole."""
    (file,) = files(loop)
    cache = DigestCache(file.parent)
    binding = orjson.loads(file.read_bytes().split(b"\n")[2])["binding"]
    found = cache.read(binding)
    assert found is not None
    pairs = zip(found.keys.split("\n"), found.digests.split("\n"), strict=True)
    lies = [digests.get(key, digest) for key, digest in pairs]
    cache.write(binding, replace(found, digests="\n".join(lies)))


def test_status_keeps_digests_in_the_git_directory_and_git_sees_none_of_it(loop: Loop) -> None:
    assert len(files(loop)) == 1
    assert loop.repository.git("status", "--porcelain") == ""


def test_a_lie_is_believed_by_status_alone_and_no_cache_tells_the_truth(loop: Loop) -> None:
    plant(loop, a=LIE)

    assert loop.states()["a"] == "database-ahead"
    assert loop.states("--no-cache") == {"a": "in-sync", "b": "in-sync"}


@pytest.mark.parametrize("command", ["status", "diff", "plan", "pull", "push"])
def test_each_command_that_compares_can_do_without(loop: Loop, command: str) -> None:
    plant(loop, a=LIE)
    before = files(loop)[0].read_bytes()

    ran = loop.gitsync(command, "--no-cache", "-o", "json")

    assert ran.code == 0, ran.err
    assert LIE not in ran.out
    assert files(loop)[0].read_bytes() == before


def test_a_push_that_was_lied_to_writes_nothing(loop: Loop) -> None:
    """The cache says that the database still holds what git held; in truth an editor has been there."""
    in_step = loop.repository.git("rev-parse", "HEAD:workflows/a.json")
    loop.editor.save("a", "edited in the product")
    loop.states()
    plant(loop, a=in_step)
    loop.commit(a="a2")
    before = loop.editor.dump()

    ran = loop.gitsync("push", "--update")

    assert (ran.code, "PLAN_STALE" in ran.err) == (5, True)
    assert loop.editor.dump() == before
    assert loop.states("--no-cache")["a"] == "diverged"


def test_a_push_that_creates_or_deletes_by_a_lie_writes_nothing(loop: Loop) -> None:
    in_step = loop.repository.git("rev-parse", "HEAD:workflows/b.json")
    loop.editor.save("b", "edited in the product")
    loop.states()
    plant(loop, b=in_step)
    loop.commit(b=None)
    before = loop.editor.dump()

    ran = loop.gitsync("push", "--update", "--prune")

    assert (ran.code, "PLAN_STALE" in ran.err) == (5, True)
    assert loop.editor.dump() == before


def test_a_saved_plan_is_stale_whatever_the_cache_says(loop: Loop) -> None:
    in_step = loop.repository.git("rev-parse", "HEAD:workflows/a.json")
    loop.commit(a="a2")
    plan = loop.folder / "plan.json"
    assert loop.gitsync("plan", "--update", "--out", str(plan)).code == 0
    loop.editor.save("a", "edited in the product")
    loop.states()
    plant(loop, a=in_step)
    before = loop.editor.dump()

    ran = loop.gitsync("apply", str(plan))

    assert (ran.code, "PLAN_STALE" in ran.err) == (5, True)
    assert loop.editor.dump() == before


def test_a_pull_that_was_lied_to_writes_no_file(loop: Loop) -> None:
    plant(loop, a=LIE)

    ran = loop.gitsync("pull")

    assert (ran.code, "PLAN_STALE" in ran.err) == (5, True)
    assert loop.text("a") == "a1"
    assert loop.repository.git("status", "--porcelain") == ""


def test_a_pull_that_misses_an_edit_by_a_lie_overwrites_nothing_and_the_next_brings_it(loop: Loop) -> None:
    in_step = loop.repository.git("rev-parse", "HEAD:workflows/a.json")
    loop.editor.save("a", "edited in the product")
    loop.states()
    plant(loop, a=in_step)

    loop.pull()
    assert loop.editor.text("a") == "edited in the product"
    loop.pull("--no-cache")

    assert loop.text("a") == "edited in the product"


def test_after_a_push_and_a_pull_the_cache_is_right_again(loop: Loop) -> None:
    loop.commit(a="a2")
    loop.push("--update")
    assert loop.states() == {"a": "in-sync", "b": "in-sync"}
    loop.editor.save("b", "b2")
    loop.pull("--commit", "-m", "Pull")

    assert loop.states() == loop.states("--no-cache") == {"a": "in-sync", "b": "in-sync"}


def test_linked_work_trees_share_the_cache(loop: Loop, tmp_path: Path) -> None:
    loop.repository.git("worktree", "add", "-q", str(tmp_path / "linked"), "-b", "other")
    plant(loop, a=LIE)

    ran = run_gitsync("-C", str(tmp_path / "linked"), "status", "-o", "json")

    assert {row["key"]: row["state"] for row in ran.json["workflows"]}["a"] == "database-ahead"
    assert len(files(loop)) == 1
    assert not list((loop.repository.path / ".git" / "worktrees").rglob("gitsync"))


def test_a_bare_repository_has_a_cache_too(loop: Loop, tmp_path: Path) -> None:
    loop.repository.git("clone", "-q", "--bare", ".", str(tmp_path / "bare.git"))

    ran = run_gitsync("-C", str(tmp_path / "bare.git"), "status", "-o", "json")

    assert ran.code == 0, ran.err
    assert len(list((tmp_path / "bare.git" / "gitsync").glob("*.digests"))) == 1


def test_two_environments_of_one_repository_have_a_file_each(
    loop: Loop, tmp_path: Path, postgres_url: str
) -> None:
    with fresh_database(postgres_url) as url:
        variables = {"GITSYNC_DATABASE_URL": url}
        for words in (("db", "init"), ("push",), ("status",)):
            ran = loop.gitsync(*words, variables=variables)
            assert ran.code == 0, ran.err

    assert len(files(loop)) == 2
    assert set(loop.states().values()) == {"in-sync"}


def test_sqlite_needs_none(tmp_path: Path) -> None:
    loop = make_loop(tmp_path)
    loop.commit(a="a1")
    loop.push()

    assert loop.states() == {"a": "in-sync"}
    assert not (loop.repository.path / ".git" / "gitsync").exists()


def test_the_cached_text_reads_as_the_file(loop: Loop) -> None:
    loop.editor.save("a", "a2", calls="00000000-0000-4000-8000-000000000000")
    first, again = (loop.gitsync("status") for _ in range(2))

    assert first == again
    assert "warning: a calls 00000000-0000-4000-8000-000000000000" in again.err
    assert text_of(loop.path("a").read_bytes()) == "a1"
