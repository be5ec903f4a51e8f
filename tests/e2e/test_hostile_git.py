"""Repositories and configurations that mislead a careless tool: none of them changes what gitsync does."""

from __future__ import annotations

import json
import os
import re
import stat
import sys
from pathlib import Path

import pytest

from gitsync.stores.git.library import git_version
from gitsync.stores.git.process import PINNED
from tests.support.documents import make_file
from tests.support.editor import Editor
from tests.support.git import TestRepository, clone, make_repository
from tests.support.loop import Loop, gitsync, make_config, make_loop, second_clone
from tests.support.program import run_program


def deploy_and_edit(loop: Loop) -> None:
    """Bring both sides in step, then move each of them: ``a`` in the database, ``b`` in git."""
    loop.commit(a="A1", b="B1")
    loop.push()
    loop.editor.save("a", "A2")
    loop.commit(b="B2")


def check_both_ways(loop: Loop) -> None:
    """Each side's edit arrives on the other, and nothing is left to do."""
    pulled = loop.pull("--commit", "-m", "Edits of the editor")
    pushed = loop.push("--update")

    assert (pulled.changes, pushed.changes) == ({"a": "update"}, {"b": "update"})
    assert loop.repository.git_bytes("show", "HEAD:workflows/a.json") == make_file("a", "A2")
    assert loop.editor.texts() == {"a": "A2", "b": "B2"}
    assert set(loop.states().values()) == {"in-sync"}
    assert not loop.repository.git("status", "--porcelain")


SETTINGS = (
    "core.quotePath=true",
    "tag.gpgSign=true",
    "gpg.program=/nonexistent/gpg",
    "log.showRoot=false",
    "log.showSignature=true",
    "log.decorate=full",
    "log.follow=true",
    "log.date=relative",
    "log.abbrevCommit=true",
    "log.diffMerges=off",
    "log.mailmap=true",
    "format.pretty=oneline",
    "diff.noprefix=true",
    "diff.mnemonicPrefix=true",
    "diff.renames=copies",
    "diff.external=false",
    "diff.orderFile=/nonexistent/order",
    "diff.algorithm=patience",
    "diff.ignoreSubmodules=all",
    "diff.relative=true",
    "status.short=true",
    "status.branch=true",
    "status.showUntrackedFiles=no",
    "status.relativePaths=true",
    "status.renames=copies",
    "color.ui=always",
    "core.pager=false",
    "core.abbrev=4",
    "core.editor=false",
    "core.commentChar=g",
    "core.fsmonitor=true",
    "core.untrackedCache=true",
    "core.ignoreCase=true",
    "core.fileMode=false",
    "core.safecrlf=warn",
    "commit.template=/nonexistent/template",
    "commit.verbose=true",
    "commit.cleanup=verbatim",
    "i18n.commitEncoding=ISO-8859-1",
    "i18n.logOutputEncoding=ISO-8859-1",
    "trailer.separators=%",
    "index.version=4",
    "feature.manyFiles=true",
    "alias.log=!false",
    "alias.status=!false",
    "alias.commit-tree=!false",
    "advice.detachedHead=true",
    "push.default=nothing",
    "receive.denyCurrentBranch=refuse",
    "user.useConfigOnly=true",
)


@pytest.mark.parametrize("setting", SETTINGS)
def test_a_persons_setting_changes_nothing(loop: Loop, setting: str) -> None:
    deploy_and_edit(loop)
    loop.repository.git("config", *setting.split("=", 1))

    pulled = loop.gitsync("pull", "--commit")
    pushed = loop.gitsync("push", "--update")

    loop.repository.git("config", "--unset", setting.split("=", 1)[0])
    assert (pulled.code, pushed.code) == (0, 0), pulled.err + pushed.err
    assert loop.repository.git_bytes("show", "HEAD:workflows/a.json") == make_file("a", "A2")
    assert loop.editor.texts() == {"a": "A2", "b": "B2"}
    assert set(loop.states().values()) == {"in-sync"}


@pytest.mark.parametrize("setting", ["true", "input"])
def test_line_ends_are_never_converted(loop: Loop, setting: str) -> None:
    deploy_and_edit(loop)
    loop.repository.git("config", "core.autocrlf", setting)
    loop.repository.git("config", "core.eol", "crlf")

    check_both_ways(loop)

    assert b"\r" not in loop.path("a").read_bytes()


def test_a_warning_for_each_new_file_does_not_stop_a_pull(loop: Loop) -> None:
    loop.repository.git("config", "core.autocrlf", "true")
    for number in range(300):
        loop.editor.create(f"{number}-{'x' * 150}", "A1")

    pulled = loop.gitsync("pull", "--commit")

    assert pulled.code == 0, pulled.err
    assert loop.repository.git("ls-tree", "--name-only", "HEAD:workflows").count("\n") == 299


def test_a_checkout_that_converted_line_ends_has_no_edit(loop: Loop) -> None:
    loop.commit(a="A1", b="B1")
    loop.push()
    loop.repository.git("config", "core.autocrlf", "true")
    for key in ("a", "b"):
        loop.path(key).unlink()
    loop.repository.git("checkout", "--quiet", "--", "workflows")
    assert b"\r\n" in loop.path("a").read_bytes()
    loop.editor.save("a", "A2")

    pulled = loop.pull("--commit")

    assert pulled.changes == {"a": "update"}
    assert loop.repository.git_bytes("show", "HEAD:workflows/a.json") == make_file("a", "A2")


def test_no_hook_runs_in_a_pull(loop: Loop) -> None:
    deploy_and_edit(loop)
    hooks = loop.repository.path / ".git" / "hooks"
    hooks.mkdir(exist_ok=True)
    for name in HOOKS:
        hook = hooks / name
        hook.write_text("#!/bin/sh\necho ran >> hook-ran\nexit 1\n")
        hook.chmod(hook.stat().st_mode | stat.S_IXUSR)

    to_branch = loop.gitsync("pull", "--branch", "from-dev")
    to_files = loop.gitsync("pull", "--commit")

    assert not (loop.repository.path / "hook-ran").exists()
    assert (to_branch.code, to_files.code) == (0, 0), to_branch.err + to_files.err
    assert loop.repository.git("show", "HEAD:workflows/a.json") == make_file("a", "A2").decode().strip()


HOOKS = (
    "pre-commit", "commit-msg", "prepare-commit-msg", "post-commit", "reference-transaction", "post-index-change",
)  # fmt: skip


@pytest.fixture(params=["git-knows", "older-git"])
def any_git(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Git with safe.bareRepository, and git before 2.38, which ignores it."""
    if request.param == "older-git":
        pinned = [word.replace("explicit", "all") for word in PINNED]
        monkeypatch.setattr("gitsync.stores.git.process.PINNED", pinned)


@pytest.mark.usefixtures("any_git")
@pytest.mark.parametrize("is_bare", [True, False])
@pytest.mark.parametrize("below", ["", "objects", "workflows"])
def test_a_folder_that_poses_as_a_repository_is_refused(loop: Loop, below: str, is_bare: bool) -> None:
    loop.commit(a="A1")
    fake = loop.repository.path / "sub"
    loop.repository.git("clone", "--quiet", "--bare", str(loop.repository.path), str(fake))
    TestRepository(fake, loop.repository.home).git("config", "core.bare", str(is_bare).lower())
    if not is_bare:
        TestRepository(fake, loop.repository.home).git("config", "core.worktree", str(fake))
    loop.repository.write("sub/gitsync.yaml", make_config(loop.editor.url))
    (fake / "workflows").mkdir()
    loop.repository.commit("Pose")
    before = loop.editor.dump()

    ran = [
        gitsync("-C", str(fake / below), "--yes", *words, "-o", "json")
        for words in (("push",), ("status",), ("pull", "--commit"))
    ]

    assert [one.json["code"] for one in ran] == ["EMBEDDED_REPOSITORY"] * 3
    assert str(fake) in ran[0].json["message"]
    assert loop.editor.dump() == before


@pytest.mark.usefixtures("any_git")
def test_a_bare_repository_behind_a_file_is_read_from_both_places(loop: Loop, tmp_path: Path) -> None:
    deploy_and_edit(loop)
    project = tmp_path / "project"
    loop.repository.git("clone", "--quiet", "--bare", str(loop.repository.path), str(project / ".bare"))
    (project / ".git").write_text("gitdir: ./.bare\n")

    for place in (project, project / ".bare", project / ".bare" / "objects"):
        ran = gitsync("-C", str(place), "status", "-o", "json")

        assert ran.code == 0, ran.err
        assert {row["state"] for row in ran.json["workflows"]} == {"database-ahead", "repository-ahead"}


@pytest.mark.usefixtures("any_git")
def test_gits_own_folder_is_no_place_to_work_in(loop: Loop) -> None:
    loop.commit(a="A1")

    ran = gitsync("-C", str(loop.repository.path / ".git"), "init")

    assert ran.code == 1
    assert "git's own folder" in ran.err


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
def test_a_bare_repository_of_another_user_is_not_trusted(loop: Loop, tmp_path: Path) -> None:
    bare = tmp_path / "bare.git"
    loop.repository.git("clone", "--quiet", "--bare", str(loop.repository.path), str(bare))
    os.chown(bare, 65534, 65534)

    ran = gitsync("-C", str(bare), "status", "-o", "json")

    assert ran.json["code"] == "DUBIOUS_OWNERSHIP"


def test_variables_that_point_git_elsewhere_are_dropped(loop: Loop, tmp_path: Path) -> None:
    deploy_and_edit(loop)
    other = make_repository(tmp_path / "other")
    other.commit_file("file", "1")
    variables = {
        "GIT_DIR": str(other.path / ".git"),
        "GIT_WORK_TREE": str(other.path),
        "GIT_INDEX_FILE": str(other.path / "index"),
        "GIT_OBJECT_DIRECTORY": str(other.path / ".git" / "objects"),
        "GIT_NAMESPACE": "other",
        "GIT_SHALLOW_FILE": str(other.path / "shallow"),
    }

    pulled = run_program(loop, "pull", "--commit", variables=variables)
    pushed = run_program(loop, "push", "--update", variables=variables)

    assert (pulled.code, pushed.code) == (0, 0), pulled.err + pushed.err
    assert loop.repository.git_bytes("show", "HEAD:workflows/a.json") == make_file("a", "A2")
    assert loop.editor.texts() == {"a": "A2", "b": "B2"}
    assert other.git("log", "--oneline").count("\n") == 0


def test_settings_that_variables_hand_down_hold(loop: Loop) -> None:
    deploy_and_edit(loop)
    forget_identity(loop)
    settings = {"user.name": "Deploy Bot", "user.email": "bot@example.com"}
    variables = {"GIT_CONFIG_COUNT": str(len(settings))}
    for number, (name, value) in enumerate(settings.items()):
        variables |= {f"GIT_CONFIG_KEY_{number}": name, f"GIT_CONFIG_VALUE_{number}": value}

    ran = run_program(loop, "pull", "--commit", variables=variables)

    assert ran.code == 0, ran.err
    assert loop.repository.git("log", "-1", "--format=%an <%ae>") == "Deploy Bot <bot@example.com>"


def test_settings_of_git_reach_an_alias(loop: Loop) -> None:
    deploy_and_edit(loop)
    forget_identity(loop)
    loop.repository.git("config", "alias.take", f"!{sys.executable} -m gitsync --yes pull --commit")
    who = ("-c", "user.name=By Alias", "-c", "user.email=alias@example.com")

    TestRepository(loop.repository.path / "workflows", loop.repository.home).git(*who, "take")

    assert loop.repository.git("log", "-1", "--format=%an") == "By Alias"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
def test_a_folder_that_variables_call_safe_is_trusted(loop: Loop) -> None:
    loop.commit(a="A1")
    for path in (loop.repository.path, loop.repository.path / ".git"):
        os.chown(path, 65534, 65534)
    safe = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "safe.directory", "GIT_CONFIG_VALUE_0": "*"}

    refused, trusted = run_program(loop, "status"), run_program(loop, "status", variables=safe)

    assert "[DUBIOUS_OWNERSHIP]" in refused.err
    assert trusted.code == 0, trusted.err


def forget_identity(loop: Loop) -> None:
    """Let git not know who commits."""
    loop.repository.git("config", "--unset", "user.name")
    loop.repository.git("config", "--unset", "user.email")
    loop.repository.git("config", "user.useConfigOnly", "true")


@pytest.mark.parametrize("is_bare", [True, False])
def test_a_hook_plans_what_is_being_pushed(loop: Loop, tmp_path: Path, is_bare: bool) -> None:
    loop.commit(a="A1")
    loop.push()
    server = clone(loop.repository, tmp_path / "server", *(["--bare"] if is_bare else ["--no-checkout"]))
    server.git("config", "receive.denyCurrentBranch", "ignore")
    server.git("config", "core.bare", str(is_bare).lower())
    git_dir = server.path if is_bare else server.path / ".git"
    (git_dir / "hooks").mkdir(exist_ok=True)
    hook = git_dir / "hooks" / "pre-receive"
    where = "." if is_bare else ".."
    plan = f"{sys.executable} -m gitsync -C {where} plan --update --ref $new >{tmp_path}/planned 2>&1"
    hook.write_text(
        f"#!/bin/sh\nwhile read old new ref; do GITSYNC_DATABASE_URL={loop.editor.url} {plan}; done\n"
    )
    hook.chmod(hook.stat().st_mode | stat.S_IXUSR)
    loop.commit(a="A2")

    loop.repository.git("push", "--quiet", str(server.path), "main")

    assert "update  a" in (tmp_path / "planned").read_text()


def test_a_push_works_inside_a_hook(loop: Loop) -> None:
    loop.commit(a="A1")
    loop.push()
    hooks = loop.repository.path / ".git" / "hooks"
    hooks.mkdir(exist_ok=True)
    hook = hooks / "post-commit"
    hook.write_text(f"#!/bin/sh\n{sys.executable} -m gitsync --yes push --update >pushed.log 2>&1\n")
    hook.chmod(hook.stat().st_mode | stat.S_IXUSR)

    loop.commit(a="A2")

    log = (loop.repository.path / "pushed.log").read_text()
    assert loop.editor.texts() == {"a": "A2"}, log


def test_a_colourful_and_paged_terminal_changes_nothing(loop: Loop) -> None:
    deploy_and_edit(loop)

    variables = {"GIT_PAGER": "false", "PAGER": "false", "GIT_EDITOR": "false", "GIT_TRACE": "1"}
    ran = run_program(loop, "status", "-o", "json", variables=variables)

    assert ran.code == 0, ran.err
    assert {row["key"]: row["state"] for row in ran.json["workflows"]} == {
        "a": "database-ahead",
        "b": "repository-ahead",
    }


def test_git_that_speaks_another_language_is_understood(loop: Loop, tmp_path: Path) -> None:
    folder = tmp_path / "no-repository"
    folder.mkdir()
    (folder / "gitsync.yaml").write_text(make_config("sqlite:///x.db"))

    ran = run_program(
        Loop(TestRepository(folder, loop.repository.home), loop.editor),
        "status",
        variables={"LANGUAGE": "de"},
    )

    assert ran.code == 1
    assert "not in a git repository" in ran.err


def test_without_an_identity_a_pull_with_commit_writes_nothing(loop: Loop) -> None:
    deploy_and_edit(loop)
    loop.repository.git("config", "--unset", "user.name")
    loop.repository.git("config", "--unset", "user.email")
    loop.repository.git("config", "user.useConfigOnly", "true")

    ran = loop.gitsync("pull", "--commit")

    assert ran.code == 1
    assert "git config user.name" in ran.err
    assert loop.text("a") == "A1"


def test_without_an_identity_a_pull_without_commit_works(loop: Loop) -> None:
    deploy_and_edit(loop)
    loop.repository.git("config", "--unset", "user.name")
    loop.repository.git("config", "--unset", "user.email")
    loop.repository.git("config", "user.useConfigOnly", "true")

    loop.pull()

    assert loop.text("a") == "A2"


def test_a_detached_head_can_be_pushed_and_pulled(loop: Loop) -> None:
    deploy_and_edit(loop)
    loop.repository.git("switch", "--quiet", "--detach", "HEAD")
    main = loop.repository.git("rev-parse", "main")

    check_both_ways(loop)

    assert loop.repository.git("rev-parse", "main") == main


def test_before_the_first_commit_a_pull_makes_it(tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "repository")
    url = f"sqlite:///{tmp_path / 'product.db'}"
    repository.write("gitsync.yaml", make_config(url))
    loop = Loop(repository, Editor(url))
    assert loop.gitsync("db", "init").code == 0
    loop.editor.save("a", "A1")

    status, pushed = loop.states(), loop.gitsync("push")
    loop.pull("--commit", "-m", "First pull")

    assert status == {"a": "new-in-database"}
    assert pushed.code == 6
    assert repository.git("log", "--format=%s") == "First pull"
    assert repository.git("ls-tree", "-r", "--name-only", "HEAD") == "workflows/a.json"
    assert loop.states() == {"a": "in-sync"}


def test_before_the_first_commit_a_push_says_so(tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "repository")
    url = f"sqlite:///{tmp_path / 'product.db'}"
    repository.write("gitsync.yaml", make_config(url))
    loop = Loop(repository, Editor(url))
    assert loop.gitsync("db", "init").code == 0
    loop.write_file("a", "A1")

    pushed = loop.gitsync("push")

    assert pushed.code == 0
    assert "no commit yet" in pushed.err
    assert loop.editor.texts() == {}


def test_a_bare_repository_is_a_source_of_push_and_no_target_of_pull(loop: Loop, tmp_path: Path) -> None:
    deploy_and_edit(loop)
    loop.repository.git("clone", "--quiet", "--bare", str(loop.repository.path), str(tmp_path / "bare.git"))
    bare = Loop(TestRepository(tmp_path / "bare.git", loop.repository.home), loop.editor)

    states = bare.states()
    pushed = bare.push("--update")
    pulled = bare.gitsync("pull")

    assert states == {"a": "database-ahead", "b": "repository-ahead"}
    assert pushed.changes == {"b": "update"}
    assert pulled.code != 0
    assert "bare repository" in pulled.err


def test_a_shallow_clone_that_cannot_say_stops_and_names_the_cure(loop: Loop, tmp_path: Path) -> None:
    deploy_and_edit(loop)
    loop.commit(c="C1")
    loop.commit(c="C2")
    shallow = second_clone(loop, tmp_path / "shallow", "--depth=1")
    before = loop.editor.dump()

    pushed = shallow.gitsync("push", "--update")

    assert pushed.code == 6
    assert "fetch-depth: 0" in pushed.err
    assert loop.editor.dump() == before


def test_a_shallow_clone_knows_everything_after_it_was_deepened(loop: Loop, tmp_path: Path) -> None:
    deploy_and_edit(loop)
    shallow = second_clone(loop, tmp_path / "shallow", "--depth=1")
    shallow.repository.git("fetch", "--quiet", "--unshallow")

    assert shallow.push("--update").changes == {"b": "update"}


def test_a_shallow_clone_in_step_needs_no_history(loop: Loop, tmp_path: Path) -> None:
    loop.commit(a="A1")
    loop.push()
    loop.commit(a="A2")
    loop.push("--update")
    shallow = second_clone(loop, tmp_path / "shallow", "--depth=1")

    assert shallow.states() == {"a": "in-sync"}
    assert shallow.push("--update").changes == {}


def test_a_partial_clone_fetches_no_object_behind_ones_back(loop: Loop, tmp_path: Path) -> None:
    deploy_and_edit(loop)
    loop.repository.git("config", "uploadpack.allowFilter", "true")
    partial = second_clone(loop, tmp_path / "partial", "--filter=blob:none")
    loop.repository.path.rename(tmp_path / "unreachable")

    ran = partial.gitsync("export", "--all", "--from-repo", "--ref", "HEAD~1", "-o", "json")

    assert ran.json["code"] == "MISSING_OBJECT"


@pytest.mark.skipif(git_version()[0] < (2, 36), reason="git fetch knows no --refetch")
@pytest.mark.parametrize("how", ["--bare", "--no-checkout"])
@pytest.mark.parametrize("left_out", ["blob:none", "tree:0"])
def test_the_cure_of_a_partial_clone_cures_it_for_good(
    loop: Loop, tmp_path: Path, left_out: str, how: str
) -> None:
    deploy_and_edit(loop)
    loop.repository.git("config", "uploadpack.allowFilter", "true")
    partial = second_clone(loop, tmp_path / "partial", f"--filter={left_out}", how)
    work = ("diff", "-o", "json")
    url = {"GITSYNC_DATABASE_URL": loop.editor.url}

    before = partial.gitsync(*work, variables=url)
    for command in re.findall("`git (.*?)`", before.json["cure"]):
        partial.repository.git(*command.split())
    after = partial.gitsync(*work, variables=url)
    later = loop.commit(c="C1")
    partial.repository.git("fetch", "--quiet", "origin", "main")
    ahead = partial.gitsync(*work, "--ref", later, variables=url)

    assert before.json["code"] == "MISSING_OBJECT"
    assert (after.code, ahead.code) == (0, 0), after.out + ahead.out
    assert {row["key"] for row in ahead.json["workflows"]} == {"a", "b", "c"}


def test_a_subfolder_of_a_larger_repository_is_a_world_of_its_own(tmp_path: Path) -> None:
    loop = make_loop(tmp_path, prefix="deploy/flows")
    loop.repository.commit_file("workflows/other.json", "not ours")
    loop.repository.write("deploy/notes.txt", "not committed")
    deploy_and_edit_in(loop)

    loop.repository.write("staged.txt", "staged")
    loop.repository.git("add", "staged.txt")
    pulled = loop.pull("--commit")
    pushed = loop.push("--update")

    assert (pulled.changes, pushed.changes) == ({"a": "update"}, {"b": "update"})
    shown = loop.repository.git("show", "--name-only", "--format=", "HEAD")
    assert shown == "deploy/flows/workflows/a.json"
    assert loop.repository.git("status", "--porcelain") == "A  staged.txt"
    assert loop.states() == {"a": "in-sync", "b": "in-sync"}


def deploy_and_edit_in(loop: Loop) -> None:
    """As deploy_and_edit, leaving nothing uncommitted behind."""
    deploy_and_edit(loop)
    assert not loop.repository.git("status", "--porcelain")


def test_the_configuration_is_found_from_a_folder_below(tmp_path: Path) -> None:
    loop = make_loop(tmp_path, prefix="deploy/flows")
    loop.commit(a="A1")

    ran = gitsync("-C", str(loop.folder / "workflows"), "push", "-o", "json")

    assert (ran.code, ran.changes) == (0, {"a": "create"})


def test_a_path_through_a_symlink_finds_the_same_repository(loop: Loop, tmp_path: Path) -> None:
    loop.commit(a="A1")
    link = tmp_path / "link"
    link.symlink_to(loop.repository.path)

    ran = gitsync("-C", str(link), "push", "-o", "json")

    assert (ran.code, ran.changes) == (0, {"a": "create"})


@pytest.mark.parametrize("way", ["../other", "../link/../other", "workflows/../../other"])
def test_a_path_that_leads_out_of_a_repository_finds_nothing_in_it(
    loop: Loop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    loop.commit(a="A1")
    other = make_repository(tmp_path / "other")
    other.commit_file("workflows/b.json", make_file("b", "B1"))
    (tmp_path / "link").symlink_to(tmp_path / "other")
    monkeypatch.chdir(loop.folder)

    at_folder = gitsync("-C", way, "status", "-o", "json")
    at_files = [gitsync(verb, f"{way}/workflows/b.json") for verb in ("validate", "fmt")]

    assert at_folder.json["code"] == "NO_CONFIGURATION"
    assert all("[NO_CONFIGURATION]" in ran.err for ran in at_files)


def test_a_linked_worktree_has_its_own_head(loop: Loop, tmp_path: Path) -> None:
    deploy_and_edit(loop)
    path = tmp_path / "linked"
    loop.repository.git("worktree", "add", "--quiet", "-b", "linked", str(path))
    linked = Loop(TestRepository(path, loop.repository.home), loop.editor)
    main = loop.repository.head

    check_both_ways(linked)

    assert loop.repository.head == main
    assert loop.text("a") == "A1"


def test_a_repository_with_sha_256_is_refused_in_words(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    path = tmp_path / "repository"
    path.mkdir()
    repository = TestRepository(path, home)
    repository.git("init", "--quiet", "--object-format=sha256")
    repository.write("gitsync.yaml", make_config("sqlite:///x.db"))

    ran = gitsync("-C", str(path), "status")

    assert ran.code == 1
    assert "sha256" in ran.err
    assert "SHA-1" in ran.err


def test_in_the_middle_of_a_merge_nothing_is_committed(loop: Loop) -> None:
    deploy_and_edit(loop)
    loop.repository.git("switch", "--quiet", "--create", "side", "HEAD~1")
    loop.commit(b="B3")
    with pytest.raises(AssertionError, match="exit 1"):
        loop.repository.merge("main")
    head = loop.repository.head

    ran = loop.gitsync("pull", "--commit")

    assert ran.code == 1
    assert "git merge --continue" in ran.err
    assert loop.repository.head == head
    assert loop.text("a") == "A1"


def test_in_the_middle_of_a_merge_a_push_sends_the_commit(loop: Loop) -> None:
    deploy_and_edit(loop)
    loop.repository.git("switch", "--quiet", "--create", "side", "HEAD~1")
    loop.commit(b="B3")
    with pytest.raises(AssertionError, match="exit 1"):
        loop.repository.merge("main")

    loop.push("--update")

    assert loop.editor.texts() == {"a": "A2", "b": "B3"}


def test_what_else_is_staged_stays_staged(loop: Loop) -> None:
    deploy_and_edit(loop)
    loop.repository.write("notes.txt", "staged")
    loop.write_file("c", "C1")
    loop.repository.git("add", "notes.txt", "workflows/c.json")
    loop.repository.write("gitsync.yaml", loop.repository.git("show", "HEAD:gitsync.yaml") + "\n# mine\n")
    loop.repository.write("untracked.txt", "untracked")

    loop.pull("--commit", "-m", "Only the pulled")

    assert loop.repository.git("show", "--name-only", "--format=%s", "HEAD").split("\n\n") == [
        "Only the pulled",
        "workflows/a.json",
    ]
    assert loop.repository.git("status", "--porcelain").splitlines() == [
        " M gitsync.yaml",
        "A  notes.txt",
        "A  workflows/c.json",
        "?? untracked.txt",
    ]


def test_a_file_that_never_was_committed_can_be_pruned_with_a_commit(loop: Loop) -> None:
    loop.commit(z="Z")
    loop.push()
    loop.write_file("a", "mine")
    head = loop.repository.head

    pulled = loop.pull("--force", "--prune", "--commit", "a")

    assert pulled.changes == {"a": "delete"}
    assert (loop.text("a"), loop.repository.head) == (None, head)


def test_ignored_workflow_files_are_committed_all_the_same(loop: Loop) -> None:
    loop.repository.commit_file(".gitignore", "*.json\n")
    loop.editor.save("a", "A1")

    loop.pull("--commit")

    assert loop.repository.git("ls-files", "workflows") == "workflows/a.json"
    assert loop.states() == {"a": "in-sync"}


def test_files_that_git_is_told_not_to_look_at_are_not_overwritten_unseen(loop: Loop) -> None:
    deploy_and_edit(loop)
    loop.write_file("a", "mine")
    loop.repository.git("update-index", "--assume-unchanged", "workflows/a.json")

    ran = loop.gitsync("pull")

    assert (ran.code, loop.text("a")) == (3, "mine")


def test_a_file_that_git_is_told_not_to_look_at_is_committed_when_it_was_pulled(loop: Loop) -> None:
    deploy_and_edit(loop)
    loop.repository.git("update-index", "--assume-unchanged", "workflows/a.json")

    check_both_ways(loop)


def test_a_sparse_checkout_has_no_edits_in_what_it_leaves_out(loop: Loop) -> None:
    deploy_and_edit(loop)
    loop.repository.git("sparse-checkout", "set", "--no-cone", "/gitsync.yaml", "/workflows/b.json")
    assert loop.text("a") is None

    status = loop.gitsync("status", "-o", "json").json
    check_both_ways(loop)

    assert status["uncommitted"] == []


def test_a_replaced_object_changes_nothing(loop: Loop) -> None:
    loop.commit(a="A1")
    first = loop.repository.git("rev-parse", "HEAD:workflows/a.json")
    other = loop.repository.git("hash-object", "-w", "--stdin", stdin=make_file("a", "other"))
    loop.repository.git("replace", first, other)

    loop.push()

    assert loop.editor.texts() == {"a": "A1"}


def test_a_grafted_history_is_read_as_it_was_made(loop: Loop) -> None:
    deploy_and_edit(loop)
    loop.repository.git("replace", "--graft", "HEAD")

    assert loop.states() == {"a": "database-ahead", "b": "repository-ahead"}


def test_symbolic_links_and_folders_in_the_folder_are_no_workflows(loop: Loop, tmp_path: Path) -> None:
    outside = tmp_path / "outside.json"
    outside.write_bytes(make_file("link", "outside"))
    loop.write_file("a", "A1")
    loop.path("link").symlink_to(outside)
    loop.repository.write("workflows/folder.json/file", "1")
    loop.repository.commit("Odd things")

    pushed = loop.gitsync("push", "-o", "json")

    assert pushed.code == 4
    files = [problem["file"] for problem in pushed.json["details"]["problems"]]
    assert files == ["workflows/folder.json", "workflows/link.json"]
    assert loop.editor.texts() == {}


def test_a_pull_replaces_a_symbolic_link_and_not_what_it_points_to(loop: Loop, tmp_path: Path) -> None:
    outside = tmp_path / "outside.json"
    outside.write_text("precious")
    loop.commit(z="Z")
    loop.push()
    loop.path("a").symlink_to(outside)
    loop.editor.save("a", "A1")

    loop.gitsync("pull", "--force", "a")

    assert outside.read_text() == "precious"


@pytest.mark.parametrize("name", ["ä", "a b", "A", "-x", "..", "a\nb", 'a"b', "x" * 201])
def test_a_file_whose_name_is_no_key_is_named_with_the_cure(loop: Loop, name: str) -> None:
    loop.write_file("a", "A1")
    loop.repository.write(f"workflows/{name}.json", "{}")
    loop.repository.commit("Odd name")

    pushed = loop.gitsync("push", "-o", "json")

    assert pushed.code == 4
    problem = pushed.json["details"]["problems"][0]
    assert problem["rule"] == "INVALID_KEY"
    assert problem["cure"]


def test_a_branch_called_like_an_option_is_a_branch(loop: Loop) -> None:
    commit = loop.commit(a="A1")
    loop.repository.git("update-ref", "refs/heads/--force", commit)

    ran = loop.gitsync("push", "--ref=--force", "-o", "json")

    assert ran.code == 0, ran.err
    assert json.loads(ran.out)["commit"] == commit


@pytest.mark.parametrize(
    "named, refs",
    [
        pytest.param("release", ("refs/heads/release", "refs/tags/release"), id="branch-and-tag"),
        pytest.param("release~0", ("refs/heads/release", "refs/tags/release"), id="with-a-suffix"),
        pytest.param("origin/main", ("refs/heads/origin/main", "refs/remotes/origin/main"), id="remote"),
        pytest.param("odd", ("refs/odd", "refs/remotes/odd/HEAD"), id="odd-places"),
    ],
)
def test_a_name_that_stands_for_two_commits_is_refused(loop: Loop, named: str, refs: tuple[str, str]) -> None:
    old, new = loop.commit(a="A1"), loop.commit(a="A2")
    for ref, commit in zip(refs, (new, old), strict=True):
        loop.repository.git("update-ref", ref, commit)
    loop.repository.git("config", "core.warnAmbiguousRefs", "false")

    ran = [loop.gitsync(verb, "--ref", named, "-o", "json") for verb in ("status", "plan", "diff", "push")]
    in_full = [loop.gitsync("plan", "--ref", ref, "-o", "json") for ref in refs]

    assert [one.json["code"] for one in ran] == ["AMBIGUOUS_REVISION"] * 4
    assert all(ref in ran[0].json["message"] for ref in refs)
    assert [one.json["commit"] for one in in_full] == [new, old]
    assert loop.editor.texts() == {}


def test_a_branch_called_like_a_commits_short_id_is_refused_and_one_like_a_whole_id_is_not_taken(
    loop: Loop,
) -> None:
    old, new = loop.commit(a="A1"), loop.commit(a="A2")
    for name in (new[:9], new, "HEAD"):
        loop.repository.git("update-ref", f"refs/heads/{name}", old)

    short = loop.gitsync("plan", "--ref", new[:9], "-o", "json")
    others = [loop.gitsync("plan", "--ref", name, "-o", "json") for name in (new, "HEAD")]

    assert short.json["code"] == "AMBIGUOUS_REVISION"
    assert f"refs/heads/{new[:9]}" in short.json["message"]
    assert [one.json["commit"] for one in others] == [new, new]


def test_a_revision_that_is_not_there_is_named(loop: Loop) -> None:
    ran = loop.gitsync("push", "--ref", "nowhere")

    assert ran.code == 1
    assert "nowhere" in ran.err
    assert "git fetch" in ran.err


def test_a_clone_with_alternates_reads_like_any_other(loop: Loop, tmp_path: Path) -> None:
    deploy_and_edit(loop)
    shared = clone(loop.repository, tmp_path / "shared", "--shared")

    assert Loop(shared, loop.editor).states() == {"a": "database-ahead", "b": "repository-ahead"}
