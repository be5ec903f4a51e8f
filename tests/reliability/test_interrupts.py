"""Ctrl-C in every phase of a run: exit 130, nothing written, no session left, and the next run just works."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from gitsync.cli.interrupt import EXIT, MESSAGE
from tests.support import figures
from tests.support.effort import chance, effort, rounds
from tests.support.faults import everything
from tests.support.gates import PHASES, gate, remove_gates
from tests.support.loop import Loop, Ran, make_loop
from tests.support.product import TENANT
from tests.support.program import Interruption, measure, run_program, start_program, wait_until_alone

pytestmark = pytest.mark.fuzz("interrupts")

PUSH = ("push", "--update", "--prune", "--max-overwrites", "99")


def start(folder: Path, url: str | None) -> Loop:
    """A workflow that a push will overwrite, with a version; one that it deletes; one that it creates."""
    loop = make_loop(folder, url=url, tenant=TENANT if url else None)
    loop.commit(a="A1", gone="G1")
    loop.push()
    loop.editor.publish("a", 1)
    loop.pull("--commit")
    loop.commit(gone=None, new="N1")
    loop.repository.write("workflows/a.json", loop.path("a").read_bytes().replace(b'"A1"', b'"A2"'))
    loop.repository.commit()
    return loop


WANTED = {"a": "A2", "new": "N1"}


def check_next_run(loop: Loop) -> None:
    again = loop.gitsync(*PUSH)
    assert again.code == 0, again.err
    assert loop.editor.texts() == WANTED
    assert set(loop.states().values()) == {"in-sync"}


STOPS = [
    *((phase, signal.SIGINT) for phase in PHASES),
    *((phase, signal.SIGKILL) for phase in PHASES[1 :: effort(short=3, long=1)]),
]


@pytest.mark.parametrize("phase,number", STOPS)
def test_a_push_stopped_in_any_phase_has_written_nothing(
    tmp_path: Path, postgres_database: str, phase: str, number: signal.Signals
) -> None:
    loop = start(tmp_path, postgres_database)
    before = everything(postgres_database)

    with gate(postgres_database, phase) as closed:
        program = start_program(loop, PUSH)
        closed.wait_for_arrival()
        program.send(number, to_group=True)
        if number is signal.SIGKILL:
            closed.open()  # the server notices a dead client when it next has something to tell it
        ran = program.end()

    with figures.tried("interrupts" if number is signal.SIGINT else "kills"):
        assert ran.code == (EXIT if number is signal.SIGINT else -signal.SIGKILL), ran.err
        assert "Traceback" not in ran.err
        wait_until_alone(loop)
        remove_gates(postgres_database)
        if number is signal.SIGINT or loop.editor.texts() != WANTED:
            assert everything(postgres_database) == before
        check_next_run(loop)


def test_ctrl_c_while_waiting_for_another_run_ends_the_wait(tmp_path: Path, postgres_database: str) -> None:
    loop = start(tmp_path, postgres_database)
    before = everything(postgres_database)

    with gate(postgres_database, "recording") as closed:
        first = start_program(loop, PUSH)
        closed.wait_for_arrival()
        second = start_program(loop, PUSH)
        second.wait_for_target()
        closed.wait_for_arrival(2)
        second.send(signal.SIGINT, to_group=True)
        waited = second.end()
        assert everything(postgres_database) == before
        closed.open()
        done = first.end()

    figures.count("interrupts")
    assert (waited.code, done.code) == (EXIT, 0), waited.err + done.err
    assert loop.editor.texts() == WANTED


INTERRUPT_ITSELF = """
import atexit, os, signal, sys

at, where, count = int(os.environ["TEST_INTERRUPT_AT"]), os.environ["TEST_INTERRUPT_IN"], 0

def begin(frame, event, argument):
    if event == "return" and frame.f_code.co_name == "heed":
        sys.setprofile(count_calls)

def count_calls(frame, event, argument):
    global count
    if event == "call" and where in frame.f_code.co_filename:
        count += 1
        if count == at:
            sys.setprofile(None)
            signal.raise_signal(signal.SIGINT)

sys.setprofile(begin)
atexit.register(lambda: print("calls:", count, file=sys.stderr))
"""
"""What Python imports by itself: it sends Ctrl-C at the call of a number, of those in files with a certain name."""


def interrupted(loop: Loop, *arguments: str, at: int, where: str = "") -> Ran:
    """`arguments` run by a program that interrupts itself at the call `at`, 0 for none; what it tells ends with their number."""
    folder = loop.folder.parent / "own"
    folder.mkdir(exist_ok=True)
    (folder / "sitecustomize.py").write_text(INTERRUPT_ITSELF)
    own = {"PYTHONPATH": str(folder), "TEST_INTERRUPT_AT": str(at), "TEST_INTERRUPT_IN": where}
    return run_program(loop, *arguments, variables=own)


@pytest.mark.parametrize(
    "module",
    ["/click/", "gitsync/cli/main.py", "gitsync/cli/push.py", "/yaml/", "/sqlalchemy/", "gitsync/stores/"],
)
def test_ctrl_c_while_something_is_imported_ends_with_130_and_one_line(tmp_path: Path, module: str) -> None:
    loop = start(tmp_path, None)
    before = everything(loop.editor.url)

    with figures.tried("interrupts"):
        ran = interrupted(loop, *PUSH, at=1, where=module)

        assert ran.code == EXIT, ran.err
        assert ran.err.replace("calls: 1\n", "").strip() == MESSAGE
        assert everything(loop.editor.url) == before
        check_next_run(loop)


@pytest.mark.parametrize("verb", ["push", "pull", "status"])
def test_ctrl_c_at_any_call_leaves_the_state_before_or_the_state_after(tmp_path: Path, verb: str) -> None:
    loop = start(tmp_path, None)
    command = {"push": PUSH, "pull": ("pull", "--commit", "--prune"), "status": ("status",)}[verb]
    loop.push(*PUSH[1:])
    calls = int(interrupted(loop, *command, at=0).err.rpartition("calls: ")[2])
    random = chance()

    for number in rounds(3):
        text = f"T{number}"
        loop.editor.save("b", text) if verb == "pull" else loop.commit(b=text)
        before = loop.editor.texts()
        ran = interrupted(loop, *command, at=(at := random.randrange(calls) + 1))
        with figures.tried("interrupts"):
            assert ran.code in {0, EXIT}, f"at {at}: {ran.err}"
            assert "Traceback" not in ran.err, f"at {at}: {ran.err}"
            assert (ran.code == EXIT) == (MESSAGE in ran.err), f"at {at}: {ran.err}"
            assert loop.editor.texts() in (before, before | {"b": text})
            for lock in (loop.repository.path / ".git").rglob("*.lock"):
                raise AssertionError(f"at {at}: {lock} was left")
            again = loop.gitsync(*(command if verb == "pull" else PUSH))
            assert again.code == 0, again.err
            assert loop.editor.text("b") == loop.text("b") == text
            assert set(loop.states().values()) == {"in-sync"}


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
@pytest.mark.parametrize("verb", ["push", "pull"])
def test_ctrl_c_at_any_moment_leaves_the_state_before_or_the_state_after(
    request: pytest.FixtureRequest, tmp_path: Path, kind: str, verb: str
) -> None:
    loop = start(tmp_path, request.getfixturevalue("postgres_database") if kind == "postgresql" else None)
    loop.push(*PUSH[1:])
    command = PUSH if verb == "push" else ("pull", "--commit", "--prune")
    interruption = Interruption(signal.SIGINT, chance(), measure(loop, *command))

    for number in rounds(2):
        text = f"T{number}"
        if verb == "push":
            loop.commit(b=text, c=text)
        else:
            loop.editor.save("b", text)
            loop.editor.save("c", text)
        before = loop.editor.texts()
        ran = interruption.run(loop, *command, to_group=True)
        with figures.tried("interrupts"):
            assert ran.code in {0, EXIT}, ran.err
            assert "Traceback" not in ran.err
            assert loop.editor.texts() in (before, before | {"b": text, "c": text})
            loop.repository.git("fsck", "--strict", "--no-dangling")
            again = loop.gitsync(*command)
            assert again.code == 0, again.err
            assert loop.editor.text("b") == loop.text("b") == text
            assert not loop.repository.git("status", "--porcelain")
            assert set(loop.states().values()) == {"in-sync"}
