"""Eight that write at once, and one serial order that explains all that they have written.

Every write knows the text that it replaced: an editor because it reads and writes in one transaction, gitsync
because the ledger keeps it. Pushes are numbered, and an editor notes, with the row locked, the last push that wrote
it; so the order is known. If nothing was lost, each write replaces what the one before it has left.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
import sqlalchemy as sa

from gitsync.workflow.canonical import digest_of
from tests.support import figures
from tests.support.documents import make_file, text_of
from tests.support.editor import Editor
from tests.support.effort import IS_FUZZING, seconds_left
from tests.support.git import TestRepository, clone, make_origin_and_clone
from tests.support.loop import Loop, make_config
from tests.support.product import TENANT
from tests.support.writer import KEYS, share

pytestmark = pytest.mark.fuzz("writers")

ROOT = Path(__file__).parents[2]
WRITERS = ("deployer", "deployer", "deployer", "deployer", "puller", "puller", "editor", "editor")


@dataclass(frozen=True, slots=True)
class Write:
    """One workflow's change from one text to another: by push `number`, or by an editor after that push."""

    key: str
    number: int
    before: str
    after: str


@pytest.fixture(params=["postgresql", "sqlite"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/product.db"
    found: str = request.getfixturevalue("postgres_database")
    return found


def test_eight_writers_at_once_lose_nothing(tmp_path: Path, url: str) -> None:
    tenant = TENANT if url.startswith("postgresql") else None
    origin, first = make_origin_and_clone(tmp_path)
    loop = Loop(first, Editor(url, tenant=tenant))
    first.write("gitsync.yaml", make_config(url, tenant=tenant))
    loop.commit(**dict.fromkeys(KEYS, "first"))
    first.git("push", "--quiet", "origin", "HEAD:main")
    assert loop.gitsync("db", "init").code == 0
    loop.push()

    seconds = max(10, seconds_left() / 2) if IS_FUZZING else 30  # what they have written is judged after it
    processes = []
    for number, kind in enumerate(WRITERS):
        folder = clone(origin, tmp_path / f"clone-{number}").path
        words = [
            sys.executable,
            "-m",
            "tests.support.writer",
            kind,
            f"{kind}{number}",
            str(folder),
            url,
            str(seconds),
        ]
        processes.append(
            subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        )
    told = [process.communicate(timeout=seconds + 300) for process in processes]
    for process, (_, err) in zip(processes, told, strict=True):
        assert process.returncode == 0, err
    acts = [json.loads(line) for out, _ in told for line in out.splitlines()]

    edits = [
        Write(act["key"], act["after_push"], act["before"], act["after"])
        for act in acts
        if act["act"] == "edit"
    ]
    clones = [TestRepository(tmp_path / f"clone-{number}", origin.home) for number in range(len(WRITERS))]
    pushed = list(iter_pushed(loop.editor, texts_of(clones)))
    pushes = [write for write, _ in pushed]
    figures.count("writers", len(WRITERS))
    with figures.tried("writes", len(edits) + len(pushes)):
        for key in KEYS:
            check_serial(key, pushes, edits, last=loop.editor.texts()[key])
        forced = {act["deployment"] for act in acts if act["act"] == "push --force"}
        for write, commit in pushed:
            if write.number not in forced:
                check_seen(clones, write, commit)
    done = Counter(f"{act['act']}, exit {act['code']}" if "code" in act else act["act"] for act in acts)
    sys.stdout.write(f"{dict(sorted(done.items()))}; {len(pushes)} workflows overwritten by pushes\n")
    assert edits
    assert pushes
    share(first)
    loop.pull("--force", "--commit")
    loop.push("--force", "--max-overwrites", "99")
    assert set(loop.states().values()) == {"in-sync"}


def texts_of(clones: Sequence[TestRepository]) -> dict[str, str]:
    """Blob id → text of every workflow's file that is in the history of a clone."""
    found = {}
    for repository in clones:
        listed = repository.git("rev-list", "--objects", "--all").splitlines()
        for line in listed:
            oid, _, path = line.partition(" ")
            if path.endswith(".json") and oid not in found:
                found[oid] = text_of(repository.git_bytes("cat-file", "blob", oid))
    return found


def iter_pushed(editor: Editor, texts: Mapping[str, str]) -> Iterator[tuple[Write, str]]:
    """What the ledger says that pushes have overwritten, in their order, with their commit."""
    query = """SELECT number, key, replaced_document, digest, commit_id FROM gitsync_deployment_items
                WHERE replaced_document IS NOT NULL ORDER BY number, key"""
    with editor.connection() as connection:
        for number, key, replaced, digest, commit in connection.execute(sa.text(query)):
            before = json.loads(replaced)["draft"]["definition"]["description"]
            yield Write(key, number, before, texts[digest]), commit


def check_serial(key: str, pushes: Sequence[Write], edits: Sequence[Write], *, last: str) -> None:
    """Fail where a write to `key` has not seen the one before it: it would have overwritten it unseen."""
    text, number, left = "first", 1, {edit for edit in edits if edit.key == key}

    def follow_edits() -> None:
        nonlocal text
        here = {edit.before: edit for edit in left if edit.number == number}
        while edit := here.pop(text, None):
            left.discard(edit)
            text = edit.after

    for push in (push for push in pushes if push.key == key):
        follow_edits()
        assert push.before == text, f"{push} came when {key} held {text!r}"
        text, number = push.after, push.number
    follow_edits()
    assert text == last, f"{key} holds {last!r}, and the last that was written is {text!r}"
    assert not left, f"written over by somebody who has not seen them: {left}"


def check_seen(clones: Sequence[TestRepository], write: Write, commit: str) -> None:
    """Fail where a push that was not forced wrote over a text that nothing behind its commit holds."""
    for repository in clones:
        if repository.git("cat-file", "--batch-check=%(objecttype)", stdin=commit) == "commit":
            listed = repository.git("rev-list", "--objects", commit)  # a path would leave out merged branches
            blob = digest_of(make_file(write.key, write.before))
            assert blob in listed, f"{write} has not seen what it wrote over"
            return
    raise AssertionError(f"the commit of {write} is in no clone")
