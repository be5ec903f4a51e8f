"""What gitsync stands on fails: disks, servers, networks, objects. Nothing is lost, and the next run just works."""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.engine import make_url

from tests.support import figures
from tests.support.documents import make_file
from tests.support.effort import chance, rounds
from tests.support.faults import everything
from tests.support.gates import gate, remove_gates
from tests.support.loop import Loop, make_loop
from tests.support.postgres import OwnServer, fresh_database
from tests.support.product import TENANT, connected
from tests.support.program import PATIENCE, run_program, start_program, wait_until_alone
from tests.support.proxy import relayed

pytestmark = [
    pytest.mark.fuzz("faults"),
    # psycopg complains of server-side cursors that nobody closed; here their connection was taken away
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

KEYS = tuple(f"w{number:02}" for number in range(12))
PUSH = ("push", "--update", "--max-overwrites", "99")
PULL = ("pull", "--commit")
NOBODY = 65534


def start(folder: Path, url: str, *, where: Path | None = None) -> Loop:
    """A loop in step, whose repository is in `where`."""
    loop = make_loop(where or folder, url=url, tenant=TENANT if url.startswith("postgresql") else None)
    loop.commit(**dict.fromkeys(KEYS, "0"))
    loop.push()
    return loop


def files(loop: Loop) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (loop.folder / "workflows").iterdir()}


def edit(loop: Loop, text: str) -> dict[str, bytes]:
    """What the files are to be after the editor has changed every workflow."""
    for key in KEYS:
        loop.editor.save(key, text)
    return {f"{key}.json": make_file(key, text) for key in KEYS}


# ---------------------------------------------------------------- disks


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of two megabytes."""
    disk = tmp_path / "disk"
    disk.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", "size=2m,mode=755", "tmpfs", str(disk)]
    mounted = (
        subprocess.run(words, capture_output=True, text=True, check=False) if shutil.which("mount") else None
    )
    if mounted is None or mounted.returncode:
        pytest.skip("no file system can be mounted here; the limit on files' sizes is tried all the same")
    try:
        yield disk
    finally:
        subprocess.run(["umount", "--lazy", str(disk)], check=True)


def fill(disk: Path, *, but: int) -> Path:
    """A file that takes all of the disk but so many bytes."""
    filler = disk / "filler"
    room = shutil.disk_usage(disk).free - but
    filler.write_bytes(b"\0" * max(0, room))
    return filler


def check_failed_pull(
    loop: Loop, ran: Any, held: dict[str, bytes], wanted: dict[str, bytes], head: str
) -> None:
    told = f"exit {ran.code}\n{ran.out}{ran.err}"
    assert ran.code in {0, 1}, told
    assert "internal error" not in ran.err, told
    assert "Traceback" not in ran.err, told
    for name, content in files(loop).items():
        assert content in (held[name], wanted[name]), f"{name} is neither old nor new; {told}"
    assert ran.code == 0 or loop.repository.head == head, told
    loop.repository.git("fsck", "--strict", "--no-dangling")


def check_finished_pull(loop: Loop, wanted: dict[str, bytes]) -> None:
    loop.pull(*PULL[1:])
    assert files(loop) == wanted
    assert not loop.repository.git("status", "--porcelain")


def test_a_full_disk_in_a_pull_leaves_whole_files(tmp_path: Path, small_disk: Path) -> None:
    loop = start(tmp_path, f"sqlite:///{tmp_path}/product.db", where=small_disk)
    random = chance()
    failed = 0
    for number in rounds(5):
        held, wanted, head = files(loop), edit(loop, f"T{number} {'x' * 2000}"), loop.repository.head
        loop.repository.git("gc", "--quiet", "--prune=now")
        filler = fill(small_disk, but=0 if number == 0 else random.randrange(150_000))

        ran = loop.gitsync(*PULL)

        failed += ran.code != 0
        with figures.tried("faults"):
            check_failed_pull(loop, ran, held, wanted, head)
            filler.unlink()
            check_finished_pull(loop, wanted)
    assert failed


def test_a_limit_on_the_size_of_files_stops_a_pull_as_a_full_disk_does(tmp_path: Path) -> None:
    loop = start(tmp_path, f"sqlite:///{tmp_path}/product.db")
    for number, most in enumerate((0, 1000, 2500, 4000)):
        held, wanted, head = files(loop), edit(loop, f"T{number} {'x' * 2000}"), loop.repository.head

        ran = run_program(
            loop, *PULL, preexec_fn=lambda most=most: resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
        )

        with figures.tried("faults"):
            check_failed_pull(loop, ran, held, wanted, head)
            for lock in (loop.repository.path / ".git").rglob("*.lock"):
                lock.unlink()  # of a git that the limit has killed
            check_finished_pull(loop, wanted)


def test_a_full_disk_under_sqlite_undoes_a_push(tmp_path: Path, small_disk: Path) -> None:
    loop = start(tmp_path, f"sqlite:///{small_disk}/product.db")
    for key in KEYS:
        loop.write_file(key, "x" * 20_000)
    loop.repository.commit()
    before = everything(loop.editor.url)
    filler = fill(small_disk, but=90_000)

    ran = loop.gitsync(*PUSH)

    with figures.tried("faults"):
        assert ran.code == 1, ran.err
        assert "internal error" not in ran.err
        filler.unlink()
        assert everything(loop.editor.url) == before
        loop.push(*PUSH[1:])
        assert set(loop.states().values()) == {"in-sync"}


def test_a_full_disk_behind_the_output_is_told_and_undoes_nothing(tmp_path: Path) -> None:
    loop = start(tmp_path, f"sqlite:///{tmp_path}/product.db")
    loop.commit(w00="1")

    for style in ([], ["-o", "json"]):
        with Path("/dev/full").open("w") as full:
            program = start_program(loop, [*PUSH, *style], stdout=full)
            told = program.process.communicate(timeout=PATIENCE)[1]

        with figures.tried("faults"):
            assert program.process.returncode == 1
            assert "SYSTEM_ERROR" in told
            assert "Traceback" not in told
            assert loop.editor.text("w00") == "1"


@pytest.mark.parametrize("what", ["file system", "folder"])
def test_nothing_can_be_written_into_a_read_only_work_tree(what: str) -> None:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        top = Path(name)
        top.chmod(0o755)
        loop = start(top, f"sqlite:///{top}/product.db")
        wanted = edit(loop, "1")
        held, head = files(loop), loop.repository.head
        with read_only(loop, what) as how:
            looked = run_program(loop, "status", **how)
            ran = run_program(loop, *PULL, **how)

        with figures.tried("faults"):
            assert looked.code == 0, looked.err
            assert ran.code == 1, ran.err
            assert "internal error" not in ran.err
            assert (files(loop), loop.repository.head) == (held, head)
            check_finished_pull(loop, wanted)


@contextlib.contextmanager
def read_only(loop: Loop, what: str) -> Iterator[dict[str, Any]]:
    """A work tree that is read-only inside the block; what Popen needs so that this counts for the program."""
    where = str(loop.folder)
    if what == "file system":
        for words in (["mount", "--bind", where, where], ["mount", "-o", "remount,ro,bind", where]):
            if subprocess.run(words, capture_output=True, check=False).returncode:
                pytest.skip("no file system can be mounted here; a read-only folder is tried all the same")
        try:
            yield {}
        finally:
            subprocess.run(["umount", "--lazy", where], check=True)
        return
    folder = loop.folder / "workflows"
    folder.chmod(0o555)
    if os.geteuid():
        yield {}
    else:  # root writes everywhere
        try:
            subprocess.run([sys.executable, "-c", ""], user=NOBODY, check=True)
        except PermissionError:
            pytest.skip("only root can run this Python; a read-only file system is tried all the same")
        give(loop.folder.parent, NOBODY)
        yield {"user": NOBODY, "group": NOBODY, "extra_groups": []}
        give(loop.folder.parent, 0)
    folder.chmod(0o755)


def give(top: Path, user: int) -> None:
    for path in (top, *top.rglob("*")):
        os.chown(path, user, user, follow_symlinks=False)


# ---------------------------------------------------------------- servers and networks


def test_a_server_that_is_restarted_in_the_middle_of_a_push_has_kept_nothing_of_it(
    tmp_path: Path, own_server: OwnServer
) -> None:
    with fresh_database(own_server.url) as url:
        loop = start(tmp_path, url)
        for phase in ("noting what is replaced", "committing"):
            loop.commit(**dict.fromkeys(KEYS, phase))
            before = everything(url)
            with gate(url, phase) as closed:
                program = start_program(loop, PUSH)
                closed.wait_for_arrival()
                own_server.restart("immediate")
                ran = program.end()
            with figures.tried("faults"):
                assert ran.code == 1, ran.err
                assert "DATABASE_UNREACHABLE" in ran.err
                remove_gates(url)
                assert everything(url) == before
                loop.push(*PUSH[1:])
                assert set(loop.states().values()) == {"in-sync"}


@pytest.mark.parametrize("verb", ["push", "pull"])
def test_a_connection_cut_after_any_number_of_bytes_leaves_the_state_before_or_after(
    tmp_path: Path, postgres_database: str, verb: str
) -> None:
    loop = start(tmp_path, postgres_database)
    random = chance()
    with relayed(postgres_database) as (address, relay):
        own = {"GITSYNC_DATABASE_URL": address, "GITSYNC_TENANT": TENANT}
        loop.repository.write("gitsync.yaml", "version: 1\n")
        total = 0
        for number in rounds(12):
            text = str(number + 1)
            wanted = edit(loop, text) if verb == "pull" else {}
            if verb == "push":
                loop.commit(**dict.fromkeys(KEYS, text))
            before, rows = loop.editor.texts(), everything(postgres_database)
            relay.reset(random.randrange(1, total) if total else None)

            ran = loop.gitsync(*(PUSH if verb == "push" else PULL), variables=own)

            total = total or relay.passed
            relay.reset()
            with figures.tried("faults"):
                assert ran.code in {0, 1}, ran.err
                assert "internal error" not in ran.err, ran.err
                wait_until_alone(loop)
                found = loop.editor.texts()
                if verb == "push":
                    assert found in (before, dict.fromkeys(KEYS, text))
                    assert ran.code or found != before
                    assert found != before or everything(postgres_database) == rows
                again = loop.gitsync(*(PUSH if verb == "push" else PULL), variables=own)
                assert again.code == 0, again.err
                assert loop.editor.texts() == dict.fromkeys(KEYS, text)
                assert verb == "push" or files(loop) == wanted
                assert not loop.repository.git("status", "--porcelain", "workflows")


def test_a_statement_timeout_ends_a_push_in_words_and_undoes_it(
    tmp_path: Path, postgres_database: str
) -> None:
    loop = start(tmp_path, postgres_database)
    loop.commit(**dict.fromkeys(KEYS, "1"))
    before = everything(postgres_database)
    limited = make_url(postgres_database).update_query_dict({"options": "-c statement_timeout=300ms"})
    own = {"GITSYNC_DATABASE_URL": limited.render_as_string(hide_password=False), "GITSYNC_TENANT": TENANT}

    with connected(postgres_database) as editor:
        editor.exec_driver_sql("SELECT 1 FROM workflow_definitions WHERE key = 'w05' FOR UPDATE")
        ran = loop.gitsync(*PUSH, "--lock-timeout", "60", variables=own)

    with figures.tried("faults"):
        assert ran.code == 1, ran.err
        assert "statement timeout" in ran.err
        assert everything(postgres_database) == before
        loop.push(*PUSH[1:])


# ---------------------------------------------------------------- objects


def overwrite(path: Path, data: bytes) -> None:
    path.chmod(0o644)
    path.write_bytes(data)


def zero(loop: Loop, path: Path, oid: str) -> None:
    overwrite(path, b"\0" * path.stat().st_size)


def cut(loop: Loop, path: Path, oid: str) -> None:
    overwrite(path, path.read_bytes()[:-20])


def empty(loop: Loop, path: Path, oid: str) -> None:
    overwrite(path, b"")


def remove(loop: Loop, path: Path, oid: str) -> None:
    path.unlink()


def exchange(loop: Loop, path: Path, oid: str) -> None:
    """Another sound object in the place of this one: what git itself reads without a word, if it is a blob."""
    kind = loop.repository.git("cat-file", "-t", oid)
    if kind != "blob":
        overwrite(path, b"\0" * path.stat().st_size)
        return
    other = loop.repository.git("hash-object", "-w", "--stdin", stdin=make_file("w03", "corrupt"))
    overwrite(path, (loop.repository.path / ".git" / "objects" / other[:2] / other[2:]).read_bytes())


@pytest.mark.parametrize("wound", [zero, cut, empty, remove, exchange])
@pytest.mark.parametrize("spec", ["HEAD", "HEAD:", "HEAD:workflows", "HEAD:workflows/w03.json"])
def test_a_corrupt_object_is_never_deployed(
    tmp_path: Path, spec: str, wound: Callable[[Loop, Path, str], None]
) -> None:
    loop = start(tmp_path, f"sqlite:///{tmp_path}/product.db")
    loop.commit(**dict.fromkeys(KEYS, "1"))
    before = everything(loop.editor.url)
    oid = loop.repository.git("rev-parse", spec)
    path = loop.repository.path / ".git" / "objects" / oid[:2] / oid[2:]
    sound = path.read_bytes()
    wound(loop, path, oid)

    force = ("push", "--force", "--prune", "--max-overwrites", "99", "--max-deletes", "99")
    ran = [loop.gitsync(*words) for words in (PUSH, force, (*force, "w03"))]

    with figures.tried("faults"):
        for each in ran:
            assert each.code == 1, each.out + each.err
            assert "internal error" not in each.err
        assert everything(loop.editor.url) == before
        path.unlink(missing_ok=True)
        path.write_bytes(sound)
        loop.push(*PUSH[1:])
        assert loop.editor.texts() == dict.fromkeys(KEYS, "1")
