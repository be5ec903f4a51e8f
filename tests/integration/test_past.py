"""Where a branch may start, over random graphs of commits, against looking at each commit."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from hypothesis import given
from hypothesis import strategies as st

from gitsync.stores.git import GitRepository
from gitsync.stores.git.commit import CommitSide
from gitsync.stores.git.past import Past
from gitsync.sync.pull import Need
from gitsync.workflow.types import Digest
from tests.integration.test_history import FOLDER, KEYS, Drawn, digest, graphs, normalise, written

NEEDS = st.builds(
    Need,
    st.frozensets(
        st.sampled_from([digest(content) for content in (None, "A", "B", "C")]), min_size=1, max_size=2
    ),
    st.booleans(),
)


class Letters(CommitSide):
    """A commit whose files hold letters instead of workflows."""

    def normalise(self, oids: Collection[str]) -> Mapping[str, Digest]:
        return normalise(oids)


def places_behind(commits: Sequence[Drawn], tip: int) -> set[int]:
    """The commit and all its ancestors."""
    found, todo = set[int](), [tip]
    while todo:
        place = todo.pop()
        if place not in found:
            found.add(place)
            todo += commits[place].parents
    return found


@given(graphs(), st.tuples(NEEDS, NEEDS), st.data())
def test_the_newest_commit_that_holds_what_all_keys_need_is_found(
    commits: list[Drawn], needs: tuple[Need, Need], data: st.DataObject
) -> None:
    tip = data.draw(st.integers(0, len(commits) - 1), label="tip")

    def is_fit(place: int) -> bool:
        contents = commits[place].contents
        return all(need(digest(content)) for need, content in zip(needs, contents, strict=True))

    with written(commits) as (repository, ids):
        side = Letters(GitRepository.open(repository.path), folder=FOLDER, commit=ids[tip])
        past = Past(side, dict(zip(KEYS, needs, strict=True)))
        found = past.newest()

        behind = places_behind(commits, tip)
        fitting = {place for place in behind if is_fit(place)}
        assert (found is None) is (not fitting)
        if found is not None:
            place = ids.index(found)
            assert place in fitting
            is_canonical = not any("a" in commits[place].contents for place in behind)
            later = {other for other in fitting - {place} if place in places_behind(commits, other)}
            assert not later or not is_canonical
        assert all(past.fits(ids[place]) is (place in fitting) for place in behind)


@given(graphs(), st.tuples(NEEDS, NEEDS), st.data())
def test_each_key_is_grouped_at_a_commit_that_holds_what_it_needs(
    commits: list[Drawn], needs: tuple[Need, Need], data: st.DataObject
) -> None:
    tip = data.draw(st.integers(0, len(commits) - 1), label="tip")
    by_key = dict(zip(KEYS, needs, strict=True))

    with written(commits) as (repository, ids):
        side = Letters(GitRepository.open(repository.path), folder=FOLDER, commit=ids[tip])
        past = Past(side, by_key)
        past.newest()
        groups = past.groups()

        assert sorted(key for _, keys in groups for key in keys) == sorted(KEYS)
        for commit, keys in groups:
            for index, key in enumerate(KEYS):
                if key not in keys:
                    continue
                held = {
                    place: digest(commits[place].contents[index]) for place in places_behind(commits, tip)
                }
                if commit is None:
                    assert not any(by_key[key](content) for content in held.values())
                else:
                    assert by_key[key](held[ids.index(commit)])
