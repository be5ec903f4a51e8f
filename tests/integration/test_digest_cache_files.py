"""The digest cache's files: whatever is wrong with one costs time, and never correctness."""

from __future__ import annotations

import os
import resource
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gitsync.stores.database import cache as cache_module
from gitsync.stores.database.cache import MOST_FILES, DigestCache, Remembered
from tests.support import figures
from tests.support.editor import Editor
from tests.support.effort import chance, rounds
from tests.support.instance import make_instance
from tests.support.looks import CALLEE_ROW, FILLERS, SET, Watched, make_watched, remembered
from tests.support.product import OTHER_TENANT, Generation


@pytest.fixture
def watched(postgres_database: str, tmp_path: Path) -> Watched:
    return make_watched(postgres_database, tmp_path / "git" / "gitsync")


DAMAGES: Sequence[Callable[[bytes], bytes]] = (
    lambda _: b"",
    lambda data: data + b"x",
    lambda data: data.replace(b"digests 1", b"digests 2"),
    lambda data: data.replace(b"filler", b"fuller"),
    lambda data: os.urandom(len(data)),
    *(lambda data, part=part: data[:part] for part in (1, 17, 18, 50, 83, 84, 100, -1, -40)),
)


def test_a_damaged_file_costs_time_alone(watched: Watched) -> None:
    (file,) = watched.files
    whole = file.read_bytes()
    for damage in DAMAGES:
        file.write_bytes(damage(whole))

        watched.check(read=FILLERS + 3)
        watched.check(read=0)


@pytest.mark.fuzz("looks")
def test_no_flipped_bit_is_believed(watched: Watched) -> None:
    (file,) = watched.files
    binding, found = remembered(watched)
    data = file.read_bytes()
    random = chance()
    for number in rounds(520):
        place = number if number < 120 else random.randrange(len(data))
        flipped = bytearray(data)
        flipped[place] ^= 1 << random.randrange(8)
        file.write_bytes(flipped)
        figures.count("looks")
        assert DigestCache(watched.folder).read(binding) is None, place

    file.write_bytes(data)
    assert DigestCache(watched.folder).read(binding) == found


def test_the_file_of_another_database_under_this_name_is_not_believed(watched: Watched) -> None:
    other = Editor(watched.instance.url, tenant=OTHER_TENANT)
    other.insert("callee")
    (own,) = watched.files
    watched.look(tenant=OTHER_TENANT)
    (theirs,) = set(watched.files) - {own}

    theirs.replace(own)

    watched.check(read=FILLERS + 3)


def obstacles() -> Iterator[Any]:
    def folder(file: Path) -> None:
        file.unlink()
        file.mkdir()

    def pipe(file: Path) -> None:
        file.unlink()
        os.mkfifo(file)

    def link(file: Path) -> None:
        file.rename(file.with_name("elsewhere"))
        file.symlink_to(file.with_name("elsewhere"))

    def huge(file: Path) -> None:
        with file.open("r+b") as opened:
            opened.truncate(cache_module.MOST_BYTES + 1)

    for make in (folder, pipe, link, huge):
        yield pytest.param(make, id=make.__name__)


@pytest.mark.parametrize("put", list(obstacles()))
def test_what_is_no_plain_file_is_passed_over(watched: Watched, put: Callable[[Path], None]) -> None:
    (file,) = watched.files
    put(file)

    watched.check(read=FILLERS + 3)
    watched.check()


def test_a_file_where_the_folder_should_be_is_left_alone(postgres_database: str, tmp_path: Path) -> None:
    (tmp_path / "gitsync").write_text("mine")
    watched = Watched(
        make_instance(postgres_database, Generation.SEED, has_ledger=False), tmp_path / "gitsync"
    )
    watched.editor.insert("w")

    for _ in range(2):
        watched.check(read=1)

    assert (tmp_path / "gitsync").read_text() == "mine"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become two users")
def test_another_user_s_files_are_neither_read_nor_written_without_the_right(tmp_path: Path) -> None:
    folder = tmp_path / "gitsync"
    one = Remembered(7, "id 1 (0,1)", "a", "d" * 40, "")
    DigestCache(folder).write("b" * 64, one)
    (file,) = folder.iterdir()
    file.chmod(0o600)
    os.seteuid(65534)
    try:
        assert DigestCache(folder).read("b" * 64) is None
        DigestCache(folder).write("b" * 64, replace(one, horizon=8))
        DigestCache(folder).write("c" * 64, one)
    finally:
        os.seteuid(0)

    assert [path.name for path in folder.iterdir()] == [file.name]
    assert DigestCache(folder).read("b" * 64) == one


def test_a_full_disk_leaves_no_file_behind(watched: Watched) -> None:
    (file,) = watched.files
    file.unlink()
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, old[1]))
    try:
        watched.check(read=FILLERS + 3)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)
        signal.signal(signal.SIGXFSZ, ignored)

    assert watched.files == []


def test_only_the_files_used_last_are_kept(tmp_path: Path) -> None:
    cache = DigestCache(tmp_path)
    one = Remembered(7, "id 1 (0,1)", "a", "d" * 40, "")
    names = [f"{number:064x}"[::-1] for number in range(MOST_FILES + 3)]
    for number, name in enumerate(names):
        cache.write(name, one)
        os.utime(tmp_path / f"{name[:32]}.digests", (number, number))
        if number == 3:
            (tmp_path / "notes.txt").write_text("not ours")
    cache.read(names[4])

    cache.write("e" * 64, one)

    kept = [name for name in names if cache.read(name)]
    assert names[4] in kept
    assert len(kept) == MOST_FILES - 1
    assert (tmp_path / "notes.txt").exists()


def test_a_file_that_would_be_too_large_is_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache_module, "MOST_BYTES", 1000)
    cache = DigestCache(tmp_path)

    cache.write("a" * 64, Remembered(7, "x" * 1000, "a", "d" * 40, ""))
    cache.write("b" * 64, Remembered(7, "x" * 100, "a", "d" * 40, ""))

    assert cache.read("a" * 64) is None
    assert cache.read("b" * 64) is not None


@pytest.mark.fuzz("looks")
def test_looks_and_edits_at_the_same_time_never_leave_a_wrong_file(watched: Watched) -> None:
    """Four that look and write the file, while an editor goes on."""
    wrong: list[str] = []
    is_over = threading.Event()

    def look_again() -> None:
        try:
            while not is_over.is_set():
                seen = watched.look().snapshot.digests
                if len(seen) != FILLERS + 3:
                    wrong.append(f"{len(seen)} digests")
        except Exception as error:  # noqa: BLE001 - told by the test
            wrong.append(repr(error))

    threads = [threading.Thread(target=look_again) for _ in range(4)]
    for thread in threads:
        thread.start()
    for number in rounds(40):
        key = "callee" if number % 2 else "renamed"
        watched.editor.execute(f"{SET} key = '{key}', name = 'Edit {number}' WHERE {CALLEE_ROW}")
    is_over.set()
    for thread in threads:
        thread.join()

    assert not wrong
    watched.check()
    watched.check(read=0)
    assert [path.suffix for path in watched.files] == [".digests"]
