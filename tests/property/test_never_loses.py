"""No edit is ever lost: random histories over a real git repository and a real database.

People edit both sides, save files in the middle of a pull, have git ignore some, move files out of their place, branch,
merge and squash, deploy one branch to two databases, restore backups of them, lose their ledgers, and run gitsync in
every way that it has. Beside it a
record of the truth is kept (who made which content, and which commits and databases have seen it), by which each
write of gitsync's is judged. It knows nothing of marks, bases or trailers. Triggers in the databases keep every content
that a workflow ever had there: they see what a run writes on its way, and whether all that it replaced is kept.
"""

from __future__ import annotations

import contextlib
import copy
import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test
from psycopg import sql
from sqlalchemy.engine import make_url

from gitsync.workflow.canonical import digest_of
from gitsync.workflow.types import Digest
from tests.support import audit, figures
from tests.support.documents import make_file
from tests.support.editor import Backup, Editor
from tests.support.effort import IS_FUZZING, rounds
from tests.support.git import TestRepository, make_repository
from tests.support.loop import Loop, Ran
from tests.support.meanwhile import meanwhile, save
from tests.support.postgres import execute, fresh_database
from tests.support.product import TENANT

pytestmark = pytest.mark.fuzz("histories")

KEYS = ("a", "b")
GUARD = "z"
"""A workflow that nobody touches, so that neither side is ever empty."""
TEXTS = ("1", "2", "3")
BRANCHES = ("main", "side")
SUBFOLDER = "workflows/sub"
"""Where files are moved to, and are out of their place."""
ENVIRONMENTS = ("first", "second")
"""Two databases that the one repository is deployed to."""
TENANT_VARIABLE = "GITSYNC_LOOP_TENANT"

keys = st.sampled_from((*KEYS, "a", "a"))  # histories of one key are where edits meet
texts = st.sampled_from((*TEXTS, "1", "2"))
environments = st.sampled_from(("first", "first", "second"))
selections = st.sampled_from(((), (), *((key,) for key in KEYS)))


@dataclass(frozen=True, slots=True)
class Content:
    """What one key holds, and the act that made it so; an act is a number, 0 before all of them."""

    text: str | None = None
    act: int = 0


@dataclass(frozen=True, slots=True)
class Saved:
    """What somebody saves in the middle of a pull, before its step number `at`."""

    key: str
    content: Content
    at: int
    in_place: bool


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit with what each key holds in it."""

    parents: tuple[str, ...]
    contents: dict[str, Content]


@dataclass(slots=True)
class Row:
    """What is true of one key in the database.

    writer: ``editor``, the commit that was pushed, or ``None`` for nobody yet.
    seen: commits in step with the present content. deployed: commits ever in step with it.
    known: acts that the database has held. last: the text when last in step, or pulled.
    is_marked: a run of gitsync's has met the key.
    """

    content: Content = field(default_factory=Content)
    writer: str | None = None
    seen: set[str] = field(default_factory=set)
    deployed: set[str] = field(default_factory=set)
    known: set[int] = field(default_factory=lambda: {0})
    last: tuple[str | None] | None = None
    is_marked: bool = False


class Truth:
    """All commits and rows with the acts that made them."""

    def __init__(self) -> None:
        self.commits: dict[str, Commit] = {}
        self.databases = {name: {key: Row() for key in KEYS} for name in ENVIRONMENTS}
        self.environment = ENVIRONMENTS[0]
        self.acts = 0
        self._behind: dict[str, frozenset[str]] = {}

    @property
    def rows(self) -> dict[str, Row]:
        """What is true of the database that is being worked on."""
        return self.databases[self.environment]

    def act(self) -> int:
        """The number of a new act."""
        self.acts += 1
        return self.acts

    def behind(self, commit: str) -> frozenset[str]:
        """The ancestors of a commit, itself included."""
        if commit not in self._behind:
            parents = self.commits[commit].parents
            self._behind[commit] = frozenset({commit}).union(*map(self.behind, parents))
        return self._behind[commit]

    def at(self, commit: str, key: str) -> Content:
        """What `key` holds in a commit."""
        return self.commits[commit].contents[key]

    def introduced(self, commits: frozenset[str], key: str) -> set[str | None]:
        """The texts with which commits differ from each of their parents."""
        found = set()
        for commit in commits:
            before = {self.at(parent, key).text for parent in self.commits[commit].parents}
            if self.at(commit, key).text not in before:
                found.add(self.at(commit, key).text)
        return found

    def base_texts(self, one: str, other: str, key: str) -> set[str | None]:
        """What the best common ancestors of two commits hold."""
        common = self.behind(one) & self.behind(other)
        best = {c for c in common if not any(c != d and c in self.behind(d) for d in common)}
        return {self.at(commit, key).text for commit in best}

    def has_seen_row(self, commit: str, key: str) -> bool:
        """Whether the branch behind `commit` has seen the database's present content."""
        row, behind = self.rows[key], self.behind(commit)
        if row.content.act == 0 or any(self.at(c, key).act == row.content.act for c in behind):
            return True
        if any(q in behind or self.base_texts(q, commit, key) == {row.content.text} for q in row.seen):
            return True
        past: frozenset[str] = frozenset().union(*map(self.behind, row.deployed))
        return row.content.text in self.introduced(behind - past, key)

    def has_seen_act(self, act: int, key: str) -> bool:
        """Whether the database has held what `act` made, or been in step with a commit behind which it is."""
        row = self.rows[key]
        return act in row.known or any(
            self.at(c, key).act == act for q in row.deployed for c in self.behind(q)
        )

    def observe(self, commit: str, key: str) -> None:
        """The database and `commit` were seen in step."""
        row = self.rows[key]
        row.known.add(self.at(commit, key).act)
        row.seen.add(commit)
        row.deployed.add(commit)
        row.last = (row.content.text,)

    # ---------------------------------------------------------------- judging

    def check_push(self, commit: str, key: str) -> None:
        """Fail where a push of `commit` may not have written over what the database holds."""
        row, behind = self.rows[key], self.behind(commit)
        held = row.content.text
        place = f"a push of {commit[:8]} wrote over {key}={held}"
        if held is not None:
            kept = any(self.at(c, key).text == held for c in self.commits)
            assert kept, f"{place}, which is nowhere else"
        if row.writer is None or not row.is_marked:
            return
        if row.writer == "editor":
            never_met = held is None and not any(self.at(q, key).text for q in row.deployed)
            moved_back = row.last == (held,)
            assert never_met or moved_back or self.has_seen_row(commit, key), (
                f"{place}, made in the editor, which nothing behind it has seen"
            )
        elif row.writer not in behind:
            assert commit not in self.behind(row.writer), (
                f"{place}, pushed from {row.writer[:8]}, a newer one"
            )
            taken_in = held in self.introduced(behind - self.behind(row.writer), key)
            assert taken_in or self.base_texts(row.writer, commit, key) == {held}, (
                f"{place}, pushed from {row.writer[:8]} on another branch"
            )

    def check_pull(self, head: str, key: str, file: Content) -> None:
        """Fail where a pull may not have written over what the file held."""
        row, behind = self.rows[key], self.behind(head)
        if file.text is None and not any(self.at(c, key).text for c in behind):
            return
        met = {c for c in behind if c in row.deployed or self.at(c, key).act in row.known - {0}}
        tops = {c for c in met if not any(c != d and c in self.behind(d) for d in met)}
        net_unmoved = any(self.at(c, key).text == file.text for c in tops)
        merged = any(self.base_texts(q, head, key) == {file.text} for q in row.deployed)
        assert net_unmoved or merged or row.last == (file.text,) or self.has_seen_act(file.act, key), (
            f"a pull at {head[:8]} wrote over {key}={file.text}, which the database has never held"
        )


class World:
    """A repository and a database of one example, and the truth about them."""

    def __init__(
        self, folder: Path, urls: Mapping[str, str], template: Path, *, guest: str | None = None
    ) -> None:
        shutil.copytree(template / "repository", folder / "repository")
        shutil.copytree(template / ".home-of-repository", folder / ".home-of-repository")
        repository = TestRepository(folder / "repository", folder / ".home-of-repository")
        self.loops = make_loops(repository, urls)
        self.guest = guest
        self.truth = Truth()
        self.backups: dict[str, tuple[Backup, dict[str, Row]]] = {}
        self.overlay: dict[str, Content] = {}
        self.witnesses = {name: audit.Witness(loop.editor) for name, loop in self.loops.items()}
        self.note_head()

    def note_files(self) -> None:
        """Take the files into the truth: what is unlike HEAD is an edit, by a new act where it is news."""
        for key in KEYS:
            text = self.loop.text(key)
            if text == self.truth.at(self.head, key).text:
                self.overlay.pop(key, None)
            elif key not in self.overlay or self.overlay[key].text != text:
                self.overlay[key] = Content(text, self.truth.act())

    @property
    def loop(self) -> Loop:
        """The repository, and the database that is being worked on."""
        return self.loops[self.truth.environment]

    @property
    def repository(self) -> TestRepository:
        """The one clone."""
        return self.loop.repository

    @property
    def head(self) -> str:
        """The commit that is checked out."""
        return self.repository.head

    def gitsync(self, *arguments: str) -> Ran:
        """Run one command line; it may succeed, or stop at a conflict, and nothing else.

        Where a file is out of its place, nothing is pruned.
        """
        witness = self.witnesses[self.truth.environment]
        witness.news()  # of people
        ran = self.loop.gitsync(*arguments, "-e", self.truth.environment, variables=variables_of(self.loops))
        self._check_writes(arguments[0], ran, witness.news())
        is_refused = "--prune" in arguments and arguments[0] != "plan" and self._is_out_of_place(arguments)
        allowed = {6} if is_refused else {0, 3}
        assert ran.code in allowed, f"gitsync {' '.join(arguments)}: exit {ran.code}\n{ran.out}{ran.err}"
        assert not is_refused or ran.json["code"] == "FILE_OUT_OF_PLACE"
        return ran

    def gitsync_as_guest(self, *arguments: str) -> None:
        """Run one command line as a role from which policies hide every row but the guard's: nothing may come of it."""
        witness = self.witnesses[self.truth.environment]
        witness.news()
        before = self._everything()
        variables = variables_of(self.loops, user=self.guest)
        ran = self.loop.gitsync(*arguments, "-e", self.truth.environment, variables=variables)
        assert ran.code in {0, 3, 6}, f"gitsync {' '.join(arguments)}: exit {ran.code}\n{ran.out}{ran.err}"
        assert self._everything() == before, f"gitsync {' '.join(arguments)}:\n{ran.out}{ran.err}"
        assert not witness.news()

    def _everything(self) -> object:
        """What the repository and the database hold, the ledger included, but for marks of the guard."""
        git = self.repository.git
        marks = [row for row in self.loop.editor.dump("gitsync_deployment_items") if GUARD not in row]
        return git("rev-parse", "HEAD"), git("status", "--porcelain"), self.database(), marks

    def _check_writes(self, command: str, ran: Ran, writes: Sequence[audit.Write]) -> None:
        """Fail where the database has seen a write that gitsync doesn't tell, or that cannot be undone."""
        if not writes:
            return
        assert (command, ran.code in {0, 3}) == ("push", True), f"{command}, exit {ran.code}, wrote {writes}"
        replaced, held = self.loop.editor.replaced_texts(), self.database()
        for write in writes:
            assert write.key in ran.changes, f"a push wrote {write}, and doesn't say so"
            assert write.before in {None, replaced.get(write.key)}, (
                f"{write} is lost: the ledger has {replaced}"
            )
            assert write.after in {None, held[write.key]}, f"{write} was never meant: {held}"

    def _is_out_of_place(self, arguments: Sequence[str]) -> bool:
        if "--ref" in arguments:  # what the work tree holds is none of this commit's business
            commit = arguments[arguments.index("--ref") + 1]
            return bool(self.repository.git("ls-tree", commit, f"{SUBFOLDER}/"))
        return any((self.repository.path / SUBFOLDER).glob("*")) or bool(
            self.repository.git("ls-tree", self.head, f"{SUBFOLDER}/")
        )

    def note_head(self) -> None:
        """Take the commit at HEAD into the truth: contents that a parent has keep the act that made them."""
        head, *parents = self.repository.git("log", "-1", "--format=%H %P").split()
        if head in self.truth.commits:
            return
        held = self._texts_at(head)
        contents = {}
        for key in KEYS:
            inherited = [self.truth.at(parent, key) for parent in parents]
            given = [self.overlay[key]] if key in self.overlay else []
            same = [content for content in (*given, *inherited) if content.text == held[key]]
            first = Content(None) if held[key] is None and not parents else None
            contents[key] = same[0] if same else first or Content(held[key], self.truth.act())
        self.truth.commits[head] = Commit(tuple(parents), contents)

    def _texts_at(self, commit: str) -> dict[str, str | None]:
        found: dict[str, str | None] = dict.fromkeys(KEYS)
        for line in self.repository.git("ls-tree", commit, "workflows/").splitlines():
            facts, path = line.split("\t")
            key = Path(path).name.removesuffix(".json")
            if key in KEYS:
                known = {digest_of(make_file(key, text)): text for text in TEXTS}
                found[key] = known[Digest(facts.split(" ")[2])]
        return found

    def database(self) -> dict[str, str | None]:
        """What the database holds, by key."""
        held = self.loop.editor.texts()
        assert held[GUARD] == "guard"
        return {key: held.get(key) for key in KEYS}

    def file(self, key: str) -> Content:
        """What the work tree holds."""
        return self.overlay.get(key) or self.truth.at(self.head, key)


class NeverLoses(RuleBasedStateMachine):
    """People and gitsync at work; `make_world` is set by the test that runs the machine."""

    make_world: ClassVar[Any]

    def __init__(self) -> None:
        super().__init__()
        figures.count("histories")
        self.stack = contextlib.ExitStack()
        self.world: World = self.stack.enter_context(type(self).make_world())
        self.repository, self.truth = self.world.repository, self.world.truth

    def teardown(self) -> None:
        self.stack.close()

    # ---------------------------------------------------------------- databases

    @rule(environment=environments)
    def turn_to(self, environment: str) -> None:
        """Go on with the other database."""
        self.truth.environment = environment

    @rule()
    def back_up(self) -> None:
        rows = copy.deepcopy(self.truth.rows)
        self.world.backups[self.truth.environment] = (self.world.loop.editor.backup(), rows)

    @precondition(lambda self: self.truth.environment in self.world.backups)
    @rule()
    def restore_everything(self) -> None:
        """The ledger goes back as well, so nothing in the database knows of what came later."""
        backup, rows = self.world.backups[self.truth.environment]
        self.world.loop.editor.restore(backup, has_ledger=True)
        for key, row in copy.deepcopy(rows).items():
            row.writer, row.is_marked = None, False
            self.truth.rows[key] = row

    @precondition(lambda self: self.truth.environment in self.world.backups)
    @rule()
    def restore_the_product_s_tables(self) -> None:
        """To gitsync the same as editors who have put everything back."""
        backup, rows = self.world.backups[self.truth.environment]
        self.world.loop.editor.restore(backup, has_ledger=False)
        for key, row in rows.items():
            self._note_edit(key, row.content.text)

    @rule()
    def lose_the_ledger(self) -> None:
        self.world.loop.editor.forget()
        for row in self.truth.rows.values():
            row.writer, row.is_marked = None, False

    # ---------------------------------------------------------------- people

    @rule(key=keys, text=texts | st.none())
    def commit_an_edit(self, key: str, text: str | None) -> None:
        self.discard()
        self._write(key, text)
        self._commit("Edit")

    @rule(key=keys, text=texts | st.none())
    def leave_an_edit_uncommitted(self, key: str, text: str | None) -> None:
        self._write(key, text)
        if self.truth.at(self.world.head, key).text == text:
            self.world.overlay.pop(key, None)
        else:
            self.world.overlay[key] = Content(text, self.truth.act())

    @rule(key=keys, is_committed=st.booleans())
    def move_to_a_subfolder(self, key: str, is_committed: bool) -> None:
        self.discard()
        path, aside = self.world.loop.path(key), self.repository.path / SUBFOLDER / f"{key}.json"
        if path.exists():
            aside.parent.mkdir(exist_ok=True)
            path.replace(aside)
            self.world.overlay[key] = Content(None, self.truth.act())
            if is_committed:
                self._commit("Move to a subfolder")

    @rule()
    def move_back(self) -> None:
        """Put each file to its place, and drop it where another has come there."""
        self.discard()
        for aside in (self.repository.path / SUBFOLDER).glob("*"):
            path = self.world.loop.path(aside.stem)
            aside.unlink() if path.exists() else aside.rename(path)
        self._commit("Move back")

    @precondition(lambda self: self.world.overlay)
    @rule()
    def commit_what_is_there(self) -> None:
        self._commit("Commit what is there")

    @precondition(lambda self: self.world.overlay)
    @rule()
    def discard(self) -> None:
        self.repository.git("reset", "--quiet", "--hard")
        self.repository.git("clean", "--quiet", "--force", "-d")
        self.world.note_files()

    @rule(ignored=st.sampled_from(("", "workflows/a.json\n", "workflows/b.json\n")))
    def ignore(self, ignored: str) -> None:
        """Let git leave out a file that it doesn't track; `discard` then keeps it."""
        self.repository.write(".git/info/exclude", ignored)

    @rule(key=keys, text=texts)
    def save_in_the_editor(self, key: str, text: str) -> None:
        self._edit_row(key, text)

    @rule(key=keys)
    def delete_in_the_editor(self, key: str) -> None:
        self._edit_row(key, None)

    @rule(branch=st.sampled_from(BRANCHES), back=st.integers(0, 3), is_new=st.booleans())
    def switch(self, branch: str, back: int, is_new: bool) -> None:
        self.discard()
        known = self.repository.git("branch", "--format=%(refname:short)").split()
        if branch not in known:
            start = self._commits_of_head()[-1 - back :][0]
            self.repository.git("switch", "--quiet", "--create", branch, start)
        else:
            self.repository.git("switch", "--quiet", branch)
        self.world.note_files()

    @precondition(lambda self: len(self.truth.commits) > 2)
    @rule(how=st.sampled_from(("-Xours", "-Xtheirs", "--squash", "cherry-pick")))
    def merge(self, how: str) -> None:
        self.discard()
        here = self.repository.git("branch", "--show-current")
        there = next(branch for branch in BRANCHES if branch != here)
        if there not in self.repository.git("branch", "--format=%(refname:short)").split():
            return
        try:
            if how == "cherry-pick":
                self.repository.git("cherry-pick", "-Xtheirs", "--no-commit", there)
                self._commit("Pick")
            elif how == "--squash":
                self.repository.git("merge", "--quiet", "-Xtheirs", "--squash", there)
                self._commit("Squash")
            else:
                self.repository.merge(there, "--no-ff", how)
        except AssertionError:
            self.repository.git(
                "reset", "--quiet", "--hard"
            )  # deleted here and changed there: nobody decides
        self.world.note_head()
        self.world.note_files()

    # ---------------------------------------------------------------- gitsync

    @rule()
    def deploy(self) -> None:
        self._push(self.world.head, ["--update"])

    @rule(
        policy=st.sampled_from(((), ("--update",), ("--update",), ("--force",))),
        prune=st.booleans(),
        back=st.integers(0, 6),
        is_old=st.booleans(),
        select=selections,
        is_planned=st.booleans(),
    )
    def push(  # each of a push's options
        self,
        policy: Sequence[str],
        prune: bool,
        back: int,
        is_old: bool,
        select: Sequence[str],
        is_planned: bool,
    ) -> None:
        commit = list(self.truth.commits)[-1 - back :][0] if is_old else self.world.head
        select = self._known(select, lambda key: self.truth.at(commit, key).text)
        options = [*policy, *(["--prune"] if prune else []), "--ref", commit, *select]
        planned = self.world.gitsync("plan", "-o", "json", *options) if is_planned else None

        ran = self._push(commit, options, select=select, is_forced="--force" in policy)

        if planned is not None and ran.code == 0:
            assert planned.json["changes"] == ran.json["changes"]
            assert planned.json["wouldFail"] is None
        elif planned is not None:
            assert planned.json["wouldFail"]["code"] == ran.json["code"]
        if "--force" in policy:
            assert ran.code in {0, 6}

    @rule(
        commit=st.booleans(),
        prune=st.booleans(),
        force=st.sampled_from((False, False, True)),
        select=selections,
    )
    def pull(self, commit: bool, prune: bool, force: bool, select: Sequence[str]) -> None:
        options = [name for name, on in (("--commit", commit), ("--prune", prune), ("--force", force)) if on]

        self._pull([*options, *self._known(select, self.world.loop.text)], is_forced=force)

    @rule(
        key=keys,
        text=texts,
        at=st.integers(0, 40),
        in_place=st.booleans(),
        commit=st.booleans(),
        force=st.sampled_from((False, False, True)),
    )
    def save_while_a_pull_runs(
        self, key: str, text: str, at: int, in_place: bool, commit: bool, force: bool
    ) -> None:
        options = [name for name, on in (("--commit", commit), ("--force", force)) if on]
        saved = Saved(key, Content(text, self.truth.act()), at, in_place)

        self._pull([*options, "--prune"], is_forced=force, saved=saved)

    @precondition(lambda self: self.world.guest is not None)
    @rule(
        command=st.sampled_from(("push --update", "push --force", "pull", "pull --force", "pull --commit")),
        prune=st.booleans(),
    )
    def work_with_hidden_rows(self, command: str, prune: bool) -> None:
        self.world.gitsync_as_guest(*command.split(), *(["--prune"] if prune else []))

    @rule()
    def settle(self) -> None:
        """Both ways with everything: whatever is in no conflict is in step, and stays so."""
        self.ignore("")
        self.move_back()
        for is_second in (False, True):
            pulled = self._pull(["--commit", "--prune"], is_forced=False)
            pushed = self._push(self.world.head, ["--update", "--prune", "--skip-conflicts"])
            rows = self.world.gitsync("status", "-o", "json").json["workflows"]

            assert {row["state"] for row in rows} <= {"in-sync", "diverged"}
            if is_second:
                assert (pulled.changes, pushed.changes) == ({}, {})

    # ---------------------------------------------------------------- how

    def _push(
        self, commit: str, options: Sequence[str], *, select: Sequence[str] = (), is_forced: bool = False
    ) -> Ran:
        before = self.world.database()
        ran = self.world.gitsync("push", "-o", "json", *options)
        after = self.world.database()

        moved = {key for key in KEYS if before[key] != after[key]}
        if ran.code and "--skip-conflicts" not in options:
            assert not moved
            return ran
        assert moved == ran.changes.keys()
        is_create_only = not {"--update", "--force", "--prune"} & set(options)
        for key in KEYS:
            row = self.truth.rows[key]
            if key in moved:
                assert not (is_create_only and before[key] is not None)
                if not is_forced:
                    self.truth.check_push(commit, key)
                content = self.truth.at(commit, key)
                assert content.text == after[key]
                row.content, row.writer, row.seen = content, commit, set()
                row.is_marked = True
            if (not select or key in select) and after[key] == self.truth.at(commit, key).text:
                if after[key] is not None or row.is_marked:
                    row.writer, row.is_marked = commit, True
                self.truth.observe(commit, key)
        return ran

    def _pull(self, options: Sequence[str], *, is_forced: bool, saved: Saved | None = None) -> Ran:
        head, held = self.world.head, self.world.database()
        before = {key: self.world.file(key) for key in KEYS}
        dirty = set(self.world.overlay)
        ran, is_saved = self._run_pull(options, saved)

        assert self.world.database() == held
        typed: dict[str, Content] = {}  # since the plan was made
        if saved is not None and is_saved:
            if self._was_seen(ran, saved):
                before[saved.key] = saved.content
                is_clean = saved.content.text == self.truth.at(head, saved.key).text
                dirty = dirty - {saved.key} if is_clean else dirty | {saved.key}
            else:
                typed[saved.key] = saved.content
        for key in KEYS:
            now, row = self.world.loop.text(key), self.truth.rows[key]
            if key in typed:
                assert now == typed[key].text, f"what was saved in {key} while a pull ran is gone"
            if ran.code != 6 and key in ran.changes:
                assert key in typed or now == held[key]
                if not is_forced:
                    assert key not in dirty
                    self.truth.check_pull(head, key, before[key])
                self.world.overlay[key] = row.content
                row.known.add(row.content.act)
                row.last, row.is_marked = (held[key],), True
            else:
                assert key in typed or now == before[key].text
        if ran.code != 6:
            self._note_pull(ran, head, held, typed)
        self.world.overlay |= typed
        self.world.note_files()
        return ran

    def _note_pull(
        self, ran: Ran, head: str, held: Mapping[str, str | None], typed: Mapping[str, Content]
    ) -> None:
        """Take into the truth what a pull has seen in step, and its commit."""
        committed = {key for key in KEYS if self.truth.at(head, key).text == self.world.loop.text(key)}
        for key in committed - typed.keys():
            self.world.overlay.pop(key, None)
            if self.truth.at(head, key).text == held[key]:
                self.truth.observe(head, key)
        self.world.note_head()
        if self.world.head != head:
            for key in KEYS:  # what was written, and what an earlier pull had left uncommitted
                if held[key] == self.truth.at(self.world.head, key).text and (
                    key in ran.changes or key in self.world.overlay
                ):
                    self.world.overlay.pop(key, None)
                    self.truth.observe(self.world.head, key)

    def _run_pull(self, options: Sequence[str], saved: Saved | None) -> tuple[Ran, bool]:
        """The pull, and whether something was saved while it ran."""
        if saved is None:
            return self.world.gitsync("pull", "-o", "json", *options), False
        path = self.world.loop.path(saved.key)

        def type_it() -> None:
            path.parent.mkdir(exist_ok=True)
            save(path, make_file(saved.key, saved.content.text or ""), in_place=saved.in_place)

        with meanwhile(path.parent, type_it, at=saved.at) as hook:
            ran = self.world.gitsync("pull", "-o", "json", *options)
        return ran, hook.steps > saved.at

    @staticmethod
    def _was_seen(ran: Ran, saved: Saved) -> bool:
        """Whether the plan of a pull has seen what was saved, and changes it."""
        digest = digest_of(make_file(saved.key, saved.content.text or ""))
        changes = ran.json.get("changes", ())
        return any(change["key"] == saved.key and change["before"] == digest for change in changes)

    def _known(self, select: Sequence[str], held: Callable[[str], str | None]) -> list[str]:
        """Those of `select` that a side holds: gitsync refuses a name that it has never heard."""
        there = self.world.database()
        return [key for key in select if there[key] or held(key)]

    def _write(self, key: str, text: str | None) -> None:
        path = self.world.loop.path(key)
        if text is None:
            path.unlink(missing_ok=True)
        else:
            self.world.loop.write_file(key, text)

    def _commit(self, message: str) -> None:
        if self.repository.git("status", "--porcelain"):
            self.repository.commit(message)
        self.world.note_head()
        self.world.note_files()

    def _edit_row(self, key: str, text: str | None) -> None:
        if self.truth.rows[key].content.text == text:
            return
        if text is None:
            self.world.loop.editor.delete(key)
        else:
            self.world.loop.editor.save(key, text)
        self._note_edit(key, text)

    def _note_edit(self, key: str, text: str | None) -> None:
        row = self.truth.rows[key]
        if row.content.text == text:
            return
        row.content, row.writer, row.seen = Content(text, self.truth.act()), "editor", set()

    def _commits_of_head(self) -> list[str]:
        return list(reversed(self.repository.git("rev-list", "HEAD").split()))


def make_loops(repository: TestRepository, urls: Mapping[str, str]) -> dict[str, Loop]:
    """Environment → the repository with that database."""
    return {
        name: Loop(repository, Editor(url, tenant=TENANT if url.startswith("postgresql") else None))
        for name, url in urls.items()
    }


def variables_of(loops: Mapping[str, Loop], *, user: str | None = None) -> dict[str, str]:
    """The variables that the configuration asks for; user: who connects, where it isn't the editor's own role."""
    urls = {f"GITSYNC_LOOP_{name}": loop.editor.url for name, loop in loops.items()}
    if user is not None:
        urls = {
            name: make_url(url).set(username=user).render_as_string(hide_password=False)
            for name, url in urls.items()
        }
    return urls | {TENANT_VARIABLE: next(iter(loops.values())).editor.tenant or ""}


def make_template(folder: Path) -> Path:
    """A repository whose one commit has a configuration and the guard, to be copied for each example."""
    repository = make_repository(folder / "repository")
    lines = [
        f"  {name}: {{ database: '${{GITSYNC_LOOP_{name}}}', tenant: '${{{TENANT_VARIABLE}}}' }}"
        for name in ENVIRONMENTS
    ]
    repository.write("gitsync.yaml", "\n".join(["version: 1", "environments:", *lines, ""]))
    repository.write("workflows/z.json", make_file(GUARD, "guard"))
    repository.commit("Begin")
    return folder


def prepare_databases(folder: Path, urls: Mapping[str, str]) -> None:
    """Make the tables, and the guard in them."""
    loops = make_loops(TestRepository(folder / "repository", folder / ".home-of-repository"), urls)
    for name, loop in loops.items():
        for command in (["db", "init"], ["push"]):
            ran = loop.gitsync(*command, "-e", name, variables=variables_of(loops))
            assert ran.code == 0, ran.err
        audit.install(loop.editor)


@contextlib.contextmanager
def hidden_from_a_guest(server: str, urls: Mapping[str, str]) -> Iterator[str]:
    """The name of a role that may read and write everything in the databases, and sees the guard's row alone."""
    guest = f"guest_{uuid.uuid4().hex}"
    execute(server, sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(guest)))
    try:
        for url in urls.values():
            for statement in (
                "GRANT ALL ON ALL TABLES IN SCHEMA public TO {}",
                "ALTER TABLE workflow_definitions ENABLE ROW LEVEL SECURITY",
                "CREATE POLICY guard_alone ON workflow_definitions TO {} USING (key = 'z') WITH CHECK (true)",
            ):
                execute(url, sql.SQL(statement).format(sql.Identifier(guest)))
        yield guest
    finally:
        for url in urls.values():
            execute(url, sql.SQL("DROP OWNED BY {}").format(sql.Identifier(guest)))
        execute(server, sql.SQL("DROP ROLE {}").format(sql.Identifier(guest)))


def test_no_edit_is_lost_between_git_and_sqlite(tmp_path: Path) -> None:
    template = make_template(tmp_path)
    prepare_databases(template, {name: f"sqlite:///{template / name}.db" for name in ENVIRONMENTS})

    @contextlib.contextmanager
    def make_world() -> Iterator[World]:
        with tempfile.TemporaryDirectory() as folder:
            for name in ENVIRONMENTS:
                shutil.copy(template / f"{name}.db", folder)
            yield World(
                Path(folder), {name: f"sqlite:///{folder}/{name}.db" for name in ENVIRONMENTS}, template
            )

    run(make_world, share=0.6)


def test_no_edit_is_lost_between_git_and_postgresql(tmp_path: Path, postgres_url: str) -> None:
    template = make_template(tmp_path)
    with contextlib.ExitStack() as cleanup:
        prepared = {name: cleanup.enter_context(fresh_database(postgres_url)) for name in ENVIRONMENTS}
        prepare_databases(template, prepared)
        guest = cleanup.enter_context(hidden_from_a_guest(postgres_url, prepared))

        @contextlib.contextmanager
        def make_world() -> Iterator[World]:
            with contextlib.ExitStack() as stack:
                folder = stack.enter_context(tempfile.TemporaryDirectory())
                copies = {
                    name: stack.enter_context(
                        fresh_database(postgres_url, template=make_url(url).database or "")
                    )
                    for name, url in prepared.items()
                }
                yield World(Path(folder), copies, template, guest=guest)

        run(make_world, share=0.1)


def run(make_world: Any, *, share: float) -> None:
    """Run the machine for a share of the profile's examples; in `make fuzz` for a few, again and again."""
    machine = type("Machine", (NeverLoses,), {"make_world": staticmethod(make_world)})
    examples = 3 if IS_FUZZING else round(settings().max_examples * share)
    with figures.tried("histories", 0):
        for _ in rounds(1):
            run_state_machine_as_test(machine, settings=settings(max_examples=examples))
