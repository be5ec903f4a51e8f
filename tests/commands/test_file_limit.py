"""The limit on the size of a file: who refuses what is larger, and who only warns."""

from __future__ import annotations

import pytest

from gitsync.sync.limits import LARGEST
from tests.support.loop import Loop, gitsync

SMALL, LARGE = "A", "A" * 3000


@pytest.fixture
def limited(loop: Loop) -> Loop:
    """Two small workflows in step, under a limit of 2 KiB."""
    configuration = loop.folder / "gitsync.yaml"
    configuration.write_text(configuration.read_text() + "limits: { file: 2KiB }\n")
    loop.commit(a=SMALL, b=SMALL)
    loop.push()
    return loop


def test_whoever_reads_the_file_refuses_it(limited: Loop) -> None:
    limited.commit(a=LARGE, b="B2")
    out = str(limited.repository.home / "bundle.json")

    for words in (
        ["validate"],
        ["validate", str(limited.path("a"))],
        ["validate", "--staged", str(limited.path("a"))],
        ["fmt", "--check"],
        ["push", "--update"],
        ["export", "--all", "--from-repo", "--out", out],
        ["bundle", "join", "--out", out],
        ["run", "a", "--draft"],
    ):
        ran = limited.gitsync(*words)
        assert ran.code == 4, (words, ran.out, ran.err)
        assert "bytes, and the limit is 2,048" in ran.out + ran.err, words

    assert limited.editor.texts() == {"a": SMALL, "b": SMALL}
    assert limited.push("--update", "b").changes == {"b": "update"}
    assert limited.states() == {"a": "repository-ahead", "b": "in-sync"}
    assert limited.gitsync("diff").code == 0


@pytest.mark.parametrize("options", [(), ("--branch", "drift")], ids=["work tree", "branch"])
def test_a_pull_writes_it_and_warns(limited: Loop, options: tuple[str, ...]) -> None:
    limited.editor.save("a", LARGE)

    ran = limited.gitsync("pull", *options)

    assert ran.code == 0, ran.err
    assert "warning: workflows/a.json: has" in ran.err
    assert "[FILE_TOO_LARGE]" in ran.err
    if not options:
        assert limited.text("a") == LARGE
        assert limited.pull().changes == {}
        limited.repository.commit("Take it")
        assert limited.states() == {"a": "in-sync", "b": "in-sync"}


def test_what_takes_minutes_to_read_is_refused_by_default_before_it_is_read(loop: Loop) -> None:
    """A value of which every byte is work: read, it keeps a processor busy for a minute."""
    hostile = b"[" + b"[]," * (LARGEST // 3) + b"[]]"
    loop.repository.write("workflows/a.json", hostile)
    loop.repository.commit("Keep a processor busy")

    for words in (["validate"], ["status"], ["push"], ["plan"], ["fmt", "--check"], ["doctor"]):
        ran = gitsync("-C", str(loop.folder), *words)
        assert "Traceback" not in ran.err
        if words[0] in ("validate", "push", "fmt"):
            assert (ran.code, "FILE_TOO_LARGE" in ran.out + ran.err) == (4, True), words


def test_a_limit_may_be_raised(limited: Loop) -> None:
    configuration = limited.folder / "gitsync.yaml"
    configuration.write_text(configuration.read_text().replace("2KiB", "1MiB"))
    limited.commit(a=LARGE)

    assert limited.push("--update").changes == {"a": "update"}
