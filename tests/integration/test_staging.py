from __future__ import annotations

from pathlib import Path

from gitsync.staging import staged_deletions
from tests.support.git import TestRepository


def test_staged_deletions_are_told_as_paths_renames_included(repository: TestRepository) -> None:
    for name in ("a.json", "sub/b.json", "sub/ü \n.json", "stays.json"):
        repository.write(name, "{}" + name)
    repository.git("add", "-A")
    repository.git("commit", "-q", "-m", "First")

    repository.git("rm", "-q", "--cached", "a.json")
    repository.git("mv", "sub/b.json", "sub/c.json")
    repository.git("rm", "-q", "--", "sub/ü \n.json")
    (repository.path / "stays.json").unlink()

    top = repository.path
    assert sorted(staged_deletions(top / "sub")) == sorted(
        [top / "a.json", top / "sub" / "b.json", top / "sub" / "ü \n.json"]
    )


def test_before_the_first_commit_and_outside_of_a_repository_nothing_is_deleted(
    repository: TestRepository, tmp_path: Path
) -> None:
    repository.write("a.json", "{}")
    repository.git("add", "-A")
    outside = tmp_path / "outside"
    outside.mkdir()

    assert staged_deletions(repository.path) == []
    assert staged_deletions(outside) == []
