"""GitHistory over random graphs of commits, against the same graphs in memory."""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitsync.stores.git import ZERO, GitRepository
from gitsync.stores.git.history import MOST_PATHS, GitHistory
from gitsync.sync.states import CommitSet, History
from gitsync.workflow.canonical import digest_of
from gitsync.workflow.types import Digest, Key
from tests.support.git import TestRepository, clone, make_repository
from tests.support.memory_history import MemoryCommit, MemoryHistory

KEYS = (Key("a"), Key("b.c"))
CONTENTS = ("A", "B", "C", "a")
"""What a file may hold; ``a`` is another spelling of ``A``, as an unformatted file is of a canonical one."""
FOLDER = "workflows"


@dataclass(frozen=True, slots=True)
class Drawn:
    """One commit as drawn: places of its parents, and what each key's file holds."""

    parents: tuple[int, ...]
    contents: tuple[str | None, ...]


@st.composite
def graphs(draw: st.DrawFn) -> list[Drawn]:
    """Commits with their parents before them: forks, merges, octopuses, and several roots."""
    content = st.sampled_from((None, *CONTENTS))
    commits: list[Drawn] = []
    for place in range(draw(st.integers(1, 12))):
        recent = st.integers(max(0, place - 4), place - 1) if place else st.nothing()
        parents = draw(st.lists(recent, unique=True, min_size=min(place, 1), max_size=3)) if place else []
        if place and draw(st.integers(0, 9)) == 0:
            parents = []
        inherited = st.sampled_from([commits[parent].contents for parent in parents]) if parents else None
        fresh = st.tuples(*(content for _ in KEYS))
        commits.append(Drawn(tuple(parents), draw(fresh if inherited is None else inherited | fresh)))
    return commits


def digest(content: str | None) -> Digest | None:
    """The digest of a content's normal form."""
    return None if content is None else digest_of(content.upper().encode())


def normalise(oids: Collection[str]) -> Mapping[str, Digest]:
    """What the workflow files' own normaliser does, for these contents."""
    known = {digest_of(content.encode()): digest_of(content.upper().encode()) for content in CONTENTS}
    return {oid: known[Digest(oid)] for oid in oids}


@contextmanager
def written(commits: Sequence[Drawn]) -> Iterator[tuple[TestRepository, list[str]]]:
    """A repository that holds `commits`, a branch on each, and their ids in order."""
    with tempfile.TemporaryDirectory() as folder:
        repository = make_repository(Path(folder) / "repository")
        yield repository, write_commits(repository, commits)


def write_commits(repository: TestRepository, commits: Sequence[Drawn]) -> list[str]:
    """The ids of `commits`, written by one ``git fast-import``."""
    lines = []
    for number, content in enumerate(CONTENTS, start=1):
        lines += ["blob", f"mark :{number}", f"data {len(content)}", content]
    for place, commit in enumerate(commits):
        message = f"commit {place}"
        lines += [f"commit refs/heads/c{place}", f"mark :{100 + place}"]
        lines += [f"committer A <a@b> {1_700_000_000 + 60 * place} +0000", f"data {len(message)}", message]
        for index, parent in enumerate(commit.parents):
            lines.append(f"{'merge' if index else 'from'} :{100 + parent}")
        lines.append("deleteall")
        for key, content_or_none in zip(KEYS, commit.contents, strict=True):
            if content_or_none is not None:
                mark = CONTENTS.index(content_or_none) + 1
                lines.append(f"M 100644 :{mark} {FOLDER}/{key}.json")
        lines.append("")
    repository.git("fast-import", "--quiet", stdin="\n".join(lines) + "\n")
    shown = repository.git("for-each-ref", "--format=%(refname:lstrip=2) %(objectname)", "refs/heads")
    ids = dict(line.split(" ") for line in shown.splitlines())
    return [ids[f"c{place}"] for place in range(len(commits))]


def in_memory(commits: Sequence[Drawn], ids: Sequence[str], index: int) -> dict[str, MemoryCommit]:
    """The same commits for the key at `index`."""
    return {
        ids[place]: MemoryCommit(
            tuple(ids[parent] for parent in commit.parents), digest(commit.contents[index])
        )
        for place, commit in enumerate(commits)
    }


def git_history(
    repository: TestRepository, commit: str, marked: Collection[str], *, contained: Sequence[str] = ()
) -> GitHistory:
    """The history behind `commit`, in doubt about every key."""
    return GitHistory(
        GitRepository.open(repository.path),
        commit,
        folder=FOLDER,
        keys=KEYS,
        marked=marked,
        normalise=normalise,
        contained=contained,
    )


def names(history: History, found: CommitSet, ids: Sequence[str]) -> set[str]:
    """The ids of the commits in a set, however the history numbers them."""
    return {commit for commit in ids if history.position(commit) & found}


def answers(history: History, key: Key, ids: Sequence[str]) -> dict[str, object]:
    """All that the reconciler can ask of a history, in a form that two histories answer alike."""
    found: dict[str, object] = {
        "commit": history.commit,
        "all": names(history, history.all, ids),
        "existed": history.existed(key),
        "deleting": names(history, history.introducing(key, None), ids),
    }
    for content in ("A", "B", "C"):
        wanted = digest_of(content.encode())
        found[f"introducing {content}"] = names(history, history.introducing(key, wanted), ids)
        found[f"stood {content}"] = history.stood(key, wanted)
        found[f"commits with {content}"] = list(history.commits_with(key, wanted))
    for commit in ids:
        found[f"has {commit}"] = history.has(commit)
        found[f"digest at {commit}"] = history.digest_at(commit, key)
        found[f"ancestors of {commit}"] = names(history, history.ancestors(commit), ids)
        found[f"commits since {commit}"] = history.commits_since(commit)
    return found


@given(graphs(), st.data())
def test_git_and_memory_answer_every_question_alike(commits: list[Drawn], data: st.DataObject) -> None:
    tip = data.draw(st.integers(0, len(commits) - 1), label="tip")

    with written(commits) as (repository, ids):
        real = git_history(repository, ids[tip], ids)

        for index, key in enumerate(KEYS):
            memory = MemoryHistory(in_memory(commits, ids, index), ids[tip])
            assert answers(real, key, ids) == answers(memory, key, ids)
            for commit in ids:
                assert set(real.merge_bases(commit)) == set(memory.merge_bases(commit))


@given(graphs(), st.data())
def test_changes_hold_each_commit_that_differs_from_all_its_parents(
    commits: list[Drawn], data: st.DataObject
) -> None:
    tip = data.draw(st.integers(0, len(commits) - 1), label="tip")

    with written(commits) as (repository, ids):
        real = git_history(repository, ids[tip], ids)
        behind = names(real, real.all, ids)

        for index, key in enumerate(KEYS):
            expected = set()
            for place, commit in enumerate(commits):
                held = commit.contents[index]
                before = [commits[parent].contents[index] for parent in commit.parents]
                if ids[place] in behind and (held not in before if before else held is not None):
                    expected.add(ids[place])
            assert names(real, real.changes(key), ids) == expected


@given(graphs(), st.data())
def test_what_all_marked_commits_contain_may_be_left_out(commits: list[Drawn], data: st.DataObject) -> None:
    places = st.integers(0, len(commits) - 1)
    tip = data.draw(places, label="tip")
    marked = data.draw(st.lists(places, min_size=1, max_size=3, unique=True), label="marked")

    with written(commits) as (repository, ids):
        contained = sorted({ids[place] for place in marked})
        whole = git_history(repository, ids[tip], ids)
        part = git_history(repository, ids[tip], ids, contained=contained)

        for key in KEYS:
            for commit in contained:
                since = names(whole, whole.all & ~whole.ancestors(commit), ids)
                assert names(part, part.changes(key), ids) & since == (
                    names(whole, whole.changes(key), ids) & since
                )


@given(graphs(), st.integers(1, 4))
def test_a_shallow_clone_answers_as_far_as_it_sees(commits: list[Drawn], depth: int) -> None:
    with written(commits) as (origin, ids):
        branch = f"c{len(commits) - 1}"
        shallow = clone(origin, origin.path.parent / "shallow", f"--depth={depth}", f"--branch={branch}")
        real = git_history(shallow, ids[-1], ids)
        visible = [commit for commit in ids if real.has(commit)]
        cut = names(real, real.boundary, ids)

        for index, key in enumerate(KEYS):
            held = {name: c for name, c in in_memory(commits, ids, index).items() if name in visible}
            memory = MemoryHistory(held, ids[-1], boundary=cut)
            assert answers(real, key, visible) == answers(memory, key, visible)


def test_one_question_about_many_keys_is_asked_of_the_folder(repository: TestRepository) -> None:
    commits = [Drawn((), ("A", None)), Drawn((0,), ("B", "C"))]
    ids = write_commits(repository, commits)
    many = [Key(f"key-{number}") for number in range(MOST_PATHS)]

    history = GitHistory(
        GitRepository.open(repository.path),
        ids[1],
        folder=FOLDER,
        keys=[*KEYS, *many],
        marked=(),
        normalise=normalise,
    )

    assert names(history, history.changes(KEYS[0]), ids) == set(ids)
    assert names(history, history.changes(KEYS[1]), ids) == {ids[1]}
    assert not history.changes(many[0])
    assert history.existed(KEYS[0])


def test_a_marked_commit_that_is_not_in_the_clone_is_not_had(repository: TestRepository) -> None:
    commit = repository.commit_file("workflows/a.json", "A")
    missing = "1234567890" * 4

    history = git_history(repository, commit, [commit, missing])

    assert history.has(commit)
    assert not history.has(missing)
    assert not history.ancestors(missing)


def test_before_the_first_commit_nothing_has_ever_stood(repository: TestRepository) -> None:
    history = git_history(repository, ZERO, [])

    assert history.all == 0
    assert not history.existed(KEYS[0])
    assert history.digest_at(ZERO, KEYS[0]) is None
    assert not history.trailers(KEYS[0], 0)


@pytest.mark.parametrize(
    "setting", ["log.showRoot=false", "log.follow=true", "diff.renames=copies", "core.quotePath=true"]
)
def test_a_persons_settings_change_no_answer(repository: TestRepository, setting: str) -> None:
    commits = [
        Drawn((), ("A", "A")),
        Drawn((0,), ("B", None)),
        Drawn((0,), ("A", "C")),
        Drawn((1, 2), ("C", "C")),
    ]
    ids = write_commits(repository, commits)
    name, _, value = setting.partition("=")
    repository.git("config", name, value)

    history = git_history(repository, ids[3], ids)

    for index, key in enumerate(KEYS):
        memory = MemoryHistory(in_memory(commits, ids, index), ids[3])
        assert answers(history, key, ids) == answers(memory, key, ids)
        for commit in ids:
            assert set(history.merge_bases(commit)) == set(memory.merge_bases(commit))
