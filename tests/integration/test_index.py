from __future__ import annotations

import os
from pathlib import Path

import pytest

from gitsync.errors import GitError, InvalidInput
from gitsync.stores.git import Index
from tests.support.git import TestRepository


def test_deletions_are_told_as_paths_renames_included(repository: TestRepository) -> None:
    for name in ("a.json", "sub/b.json", "sub/ü \n.json", "stays.json"):
        repository.write(name, "{}" + name)
    repository.git("add", "-A")
    repository.git("commit", "-q", "-m", "First")

    repository.git("rm", "-q", "--cached", "a.json")
    repository.git("mv", "sub/b.json", "sub/c.json")
    repository.git("rm", "-q", "--", "sub/ü \n.json")
    (repository.path / "stays.json").unlink()

    top = repository.path
    index = Index(top)
    assert sorted(index.deleted) == sorted(
        [top / "a.json", top / "sub" / "b.json", top / "sub" / "ü \n.json"]
    )
    assert index.staged == [top / "sub" / "c.json"]


def test_before_the_first_commit_all_is_staged_and_nothing_deleted(repository: TestRepository) -> None:
    repository.write("a.json", "{}")
    repository.git("add", "-A")

    index = Index(repository.path)

    assert (index.deleted, index.staged) == ([], [repository.path / "a.json"])


def test_the_content_is_that_of_the_index_and_not_of_the_disk(repository: TestRepository) -> None:
    file = repository.write("sub/a.json", "staged")
    repository.git("add", "-A")
    file.write_text("edited")
    repository.write("sub/new.json", "not staged")

    index = Index(repository.path)

    assert index.read(file) == b"staged"
    assert index.names(repository.path / "sub") == {"a.json": True}
    assert index.names(repository.path) == {"sub": False}
    assert index.walk(repository.path) == {"sub/a.json": True}
    with pytest.raises(FileNotFoundError):
        index.read(repository.path / "sub" / "new.json")
    with pytest.raises(InvalidInput) as caught:
        index.read(file, most=5)
    assert caught.value.problems[0].message == "has 6 bytes, and the limit is 5"


def test_a_link_is_no_file_and_no_folder(repository: TestRepository, tmp_path: Path) -> None:
    (repository.path / "link.json").symlink_to("a.json")
    (repository.path / "folder").symlink_to(tmp_path)
    repository.git("add", "-A")

    index = Index(repository.path)

    for path in ("link.json", "folder", "folder/a.json"):
        with pytest.raises(InvalidInput, match="not read as it stands") as caught:
            index.read(repository.path / path)
        assert caught.value.code == "INVALID_FILE"
    with pytest.raises(InvalidInput, match="not read as it stands"):
        index.names(repository.path / "folder")


def test_outside_of_a_repository_there_is_no_index(tmp_path: Path) -> None:
    with pytest.raises(GitError) as caught:
        Index(tmp_path)

    assert caught.value.code == "NOT_A_REPOSITORY"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_in_a_folder_of_another_owner_the_error_is_one_line_with_the_cure(
    repository: TestRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(repository.home))
    for path in (repository.path, repository.path / ".git"):
        os.chown(path, 12345, 12345)

    with pytest.raises(GitError) as caught:
        Index(repository.path)

    assert caught.value.code == "DUBIOUS_OWNERSHIP"
    assert "safe.directory" in (caught.value.cure or "")
