"""What `gitsync pull --commit` puts into a commit, and when it makes none."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from tests.support import figures
from tests.support.documents import make_file
from tests.support.effort import effort
from tests.support.loop import Loop
from tests.support.meanwhile import meanwhile, save

PROGRAMS = effort(short=2, long=1)
"""Something happens before each program that a pull starts, or before every other."""


def start(loop: Loop) -> str:
    """The commit that is deployed; the editor has changed, deleted and made a workflow since."""
    deployed = loop.commit(changed="1", gone="1")
    loop.push()
    loop.editor.save("changed", "2")
    loop.editor.save("new", "2")
    loop.editor.delete("gone")
    return deployed


def held_at(loop: Loop, revision: str) -> dict[str, bytes]:
    """Key → content of each file of the commit."""
    names = loop.repository.git("ls-tree", "--name-only", f"{revision}:workflows").split()
    return {
        name.removesuffix(".json"): loop.repository.git_bytes("show", f"{revision}:workflows/{name}")
        for name in names
    }


PULLED = {key: make_file(key, "2") for key in ("changed", "new")}


# ---------------------------------------------------------------- commits of others


@pytest.mark.fuzz("saves")
def test_a_commit_made_at_any_step_of_a_pull_stays_below_its_own(loop: Loop) -> None:
    start(loop)
    before = loop.repository.head
    for step in itertools.count(0, PROGRAMS):
        loop.repository.git("reset", "--quiet", "--hard", before)

        def commit_something(step: int = step) -> None:
            loop.repository.write("notes.txt", f"{step}")
            loop.repository.git("add", "notes.txt")
            loop.repository.git("commit", "--quiet", "-m", "Notes", "notes.txt")

        with figures.tried("saves"), meanwhile(Path("/nowhere"), commit_something, at=step) as hook:
            ran = loop.gitsync("pull", "--commit", "--prune")
            if hook.steps <= step:
                break
        assert ran.code == 0, f"step {step}: {ran.err}"
        subjects = loop.repository.git("log", "--format=%s", f"{before}..").split("\n")
        assert sorted(subjects) == ["Notes", "Pull 3 workflows from dev"], f"step {step}"
        assert held_at(loop, "HEAD") == PULLED
        assert not loop.repository.git("status", "--porcelain")
    assert step > 5


def test_a_commit_of_the_same_workflow_meanwhile_is_kept_and_the_rest_is_committed(loop: Loop) -> None:
    start(loop)

    def commit_the_same() -> None:
        loop.write_file("changed", "theirs")
        loop.repository.git("commit", "--quiet", "--message=Theirs", "workflows/changed.json")

    with meanwhile(loop.path("new"), commit_the_same, only_files=True):
        ran = loop.gitsync("pull", "--commit", "--prune")

    assert ran.code == 3
    assert "kept: changed [UNCOMMITTED_CHANGES]" in ran.err
    assert held_at(loop, "HEAD") == PULLED | {"changed": make_file("changed", "theirs")}
    assert not loop.repository.git("status", "--porcelain")


@pytest.mark.parametrize("place", ["changed", "new"])
def test_a_commit_of_the_same_workflow_that_left_the_file_alone_is_not_covered(
    loop: Loop, place: str
) -> None:
    start(loop)
    theirs = loop.repository.git("hash-object", "-w", "--stdin", stdin=make_file("changed", "theirs"))

    def commit_the_same() -> None:
        loop.repository.git("update-index", "--cacheinfo", f"100644,{theirs},workflows/changed.json")
        loop.repository.git("commit", "--quiet", "-m", "Theirs")

    with meanwhile(loop.path(place), commit_the_same, only_files=True):
        ran = loop.gitsync("pull", "--commit", "--prune")

    assert ran.code == 5
    assert "workflows/changed.json was committed by somebody else meanwhile" in ran.err
    assert loop.repository.git("log", "-1", "--format=%s") == "Theirs"
    assert held_at(loop, "HEAD")["changed"] == make_file("changed", "theirs")


@pytest.mark.fuzz("saves")
def test_a_pull_that_somebody_else_commits_at_any_step_is_committed_once(loop: Loop) -> None:
    start(loop)
    before = loop.repository.head

    def sweep() -> None:
        loop.repository.git("add", "--all", "*.json")
        loop.repository.git("commit", "--quiet", "--allow-empty", "--message=Sweep")

    for step in itertools.count(0, PROGRAMS + 1):
        loop.repository.git("reset", "--quiet", "--hard", before)
        with figures.tried("saves"), meanwhile(Path("/nowhere"), sweep, at=step) as hook:
            ran = loop.gitsync("pull", "--commit", "--prune")
            if hook.steps <= step:
                break
        assert ran.code == 0, f"step {step}: {ran.err}"
        assert held_at(loop, "HEAD") == PULLED
        assert "Sweep" in loop.repository.git("log", "--format=%s", f"{before}..")
        assert not loop.repository.git("status", "--porcelain")
        assert set(loop.states().values()) == {"in-sync"}


def test_a_merge_made_meanwhile_makes_the_plan_stale(loop: Loop) -> None:
    start(loop)
    loop.repository.git("switch", "--quiet", "--create", "side")
    loop.repository.commit_file("side.txt", "1")
    loop.repository.git("switch", "--quiet", "main")

    def merge() -> None:
        loop.repository.merge("side")

    with meanwhile(loop.path("changed").parent, merge, only_files=True):
        ran = loop.gitsync("pull", "--commit")

    assert ran.code == 5
    assert "by more than plain commits" in ran.err
    assert loop.repository.git("log", "-1", "--format=%s") == "Merge side"


# ---------------------------------------------------------------- edits of others


@pytest.mark.fuzz("saves")
def test_what_is_saved_at_any_step_is_in_no_commit_of_a_pull(loop: Loop) -> None:
    start(loop)
    head, before = loop.repository.head, held_at(loop, "HEAD")
    keys = ("changed", "gone", "new")

    def type_something() -> None:
        for key in keys:
            save(loop.path(key), make_file(key, "typed"), in_place=False)

    for step in itertools.count(0, PROGRAMS + 2):
        loop.repository.git("reset", "--quiet", "--hard", head)
        loop.repository.git("clean", "--quiet", "-fdx", "workflows")
        with figures.tried("saves"), meanwhile(loop.path("x").parent, type_something, at=step) as hook:
            ran = loop.gitsync("pull", "--commit", "--prune")
            if hook.steps <= step:
                break
        told = f"step {step}: exit {ran.code}\n{ran.out}{ran.err}"
        assert ran.code in {0, 3}, told
        assert {loop.text(key) for key in keys} == {"typed"}, told
        committed = held_at(loop, "HEAD")
        for key in keys:
            assert committed.get(key) in (before.get(key), PULLED.get(key)), told


def test_the_index_of_somebody_else_is_waited_for(loop: Loop) -> None:
    start(loop)
    lock = loop.repository.path / ".git" / "index.lock"
    lock.touch()

    with meanwhile(Path("/nowhere"), lambda: lock.unlink(missing_ok=True), at=8):
        ran = loop.gitsync("pull", "--commit", "--prune")

    assert ran.code == 0, ran.err
    assert held_at(loop, "HEAD") == PULLED


# ---------------------------------------------------------------- what git would change


@pytest.mark.parametrize(
    "attribute, setting, text",
    [
        ("filter=loud", ("filter.loud.clean", "sed s/quiet/LOUD/"), "quiet"),
        ("ident", ("core.abbrev", "12"), "$Id: typed by somebody $"),
    ],
    ids=["clean filter", "ident"],
)
def test_a_commit_that_would_hold_something_else_is_not_made(
    loop: Loop, attribute: str, setting: tuple[str, str], text: str
) -> None:
    start(loop)
    loop.editor.save("changed", text)
    loop.repository.git("config", *setting)
    loop.repository.write(".git/info/attributes", f"*.json {attribute}\n")
    head = loop.repository.head

    ran = loop.gitsync("pull", "--commit", "changed")

    assert ran.code == 1
    assert "workflows/changed.json" in ran.err
    assert attribute.split("=", maxsplit=1)[0] in ran.err
    assert "[FILTERED_FILES]" in ran.err
    assert loop.repository.head == head
    assert loop.text("changed") == text


def test_the_cure_for_a_filter_cures(loop: Loop) -> None:
    start(loop)
    loop.editor.save("changed", "quiet")
    loop.repository.git("config", "filter.loud.clean", "sed s/quiet/LOUD/")
    loop.repository.write("workflows/.gitattributes", "*.json filter=loud\n")
    failed = loop.gitsync("pull", "--commit", "changed")
    cure = failed.err.split("`")[1].removeprefix("echo ").split("'")[1]

    with (loop.path("x").parent / ".gitattributes").open("a") as file:
        file.write(f"{cure}\n")
    ran = loop.gitsync("pull", "--commit", "changed")

    assert ran.code == 0, ran.err
    assert held_at(loop, "HEAD")["changed"] == make_file("changed", "quiet")


def test_what_a_filter_makes_of_a_file_in_the_work_tree_is_no_edit(loop: Loop) -> None:
    start(loop)
    loop.editor.save("changed", "$Id$")
    loop.pull("--commit", "changed")
    loop.repository.write(".git/info/attributes", "*.json ident\n")
    loop.path("changed").unlink()
    loop.repository.git("checkout", "--quiet", "--", "workflows/changed.json")
    assert "$Id: " in (loop.text("changed") or "")
    loop.editor.save("changed", "3")

    ran = loop.pull("--commit", "changed")

    assert ran.changes == {"changed": "update"}
    assert held_at(loop, "HEAD")["changed"] == make_file("changed", "3")


# ---------------------------------------------------------------- signatures


@pytest.fixture
def signing(loop: Loop) -> Loop:
    """The loop, where commits are signed by a program that git starts as it would start gpg."""
    program = loop.repository.write(
        "../gpg",
        "#!/bin/sh\ncat >/dev/null\necho '[GNUPG:] SIG_CREATED ' >&2\n"
        "printf -- '-----BEGIN PGP SIGNATURE-----\\n\\nsigned\\n-----END PGP SIGNATURE-----\\n'\n",
    )
    program.chmod(0o755)
    loop.repository.git("config", "commit.gpgSign", "true")
    loop.repository.git("config", "gpg.program", str(program))
    return loop


def signature(loop: Loop, revision: str) -> bool:
    return "gpgsig -----BEGIN PGP SIGNATURE-----" in loop.repository.git("cat-file", "commit", revision)


def test_a_pull_signs_its_commit_where_git_would(signing: Loop) -> None:
    start(signing)

    signing.pull("--commit", "changed")
    signed = signature(signing, "HEAD")
    signing.pull("--commit", "--no-gpg-sign", "new")

    assert (signed, signature(signing, "HEAD")) == (True, False)


def test_a_pull_onto_a_branch_signs_likewise(signing: Loop) -> None:
    start(signing)

    signing.pull("--branch", "signed")
    signing.pull("--branch", "plain", "--no-gpg-sign")

    assert (signature(signing, "signed"), signature(signing, "plain")) == (True, False)


def test_a_pull_that_cannot_sign_commits_nothing_and_the_cure_works(signing: Loop) -> None:
    start(signing)
    signing.repository.git("config", "gpg.program", "/nonexistent/gpg")
    head = signing.repository.head

    failed = signing.gitsync("pull", "--commit", "--prune")
    kept = signing.repository.head
    cured = signing.gitsync("pull", "--commit", "--prune", "--no-gpg-sign")

    assert (failed.code, kept) == (1, head)
    assert "[CANNOT_SIGN]" in failed.err
    assert "--no-gpg-sign" in failed.err
    assert cured.code == 0, cured.err
    assert held_at(signing, "HEAD") == PULLED
    assert not signing.repository.git("status", "--porcelain")


# ---------------------------------------------------------------- where HEAD is


def test_a_commit_that_no_branch_holds_is_told_with_what_keeps_it(loop: Loop) -> None:
    start(loop)
    loop.repository.git("switch", "--quiet", "--detach")

    ran = loop.gitsync("pull", "--commit", "--prune")
    cure = ran.err.split("`")[1]
    loop.repository.git(*cure.removeprefix("git ").replace("NAME", "kept").split())

    assert ran.code == 0
    assert "HEAD is detached" in ran.err
    assert loop.repository.git("rev-parse", "kept") == loop.repository.head


@pytest.mark.parametrize("what", ["merge", "cherry-pick", "revert", "rebase", "rebase --apply", "am"])
def test_a_pull_commits_into_nothing_that_is_in_progress(loop: Loop, what: str) -> None:
    start(loop)
    for text in ("1", "2"):
        loop.repository.commit_file("file", text)
    loop.repository.git("switch", "--quiet", "--create", "side", "HEAD^")
    loop.repository.commit_file("file", "3")
    patch = loop.repository.git("format-patch", "--stdout", "-1", "main")
    verb, *options = what.split()
    target = {"am": [], "revert": ["main^"]}.get(verb, ["main"])
    with pytest.raises(AssertionError, match="exit"):
        loop.repository.git(verb, *options, *target, stdin=patch + "\n" if verb == "am" else None)
    head = loop.repository.head

    ran = loop.gitsync("pull", "--commit")
    cure = ran.err.split("`")[3]
    loop.repository.git(*cure.removeprefix("git ").split())

    assert ran.code == 1
    assert f"a {verb} is in progress" in ran.err or f"an {verb} is in progress" in ran.err
    assert "[MERGE_IN_PROGRESS]" in ran.err
    assert loop.repository.head == (
        head if "rebase" not in what else loop.repository.git("rev-parse", "side")
    )
    assert loop.pull("--commit", "changed").changes == {"changed": "update"}
