"""One of several that write at once: ``python -m tests.support.writer KIND NAME FOLDER URL SECONDS``.

A deployer commits edits and pushes them; a puller commits what it finds in the database; an editor writes rows as
the product does. Each prints what it did, a JSON line for each act, and ends by itself.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from random import Random

import sqlalchemy as sa

from tests.support.documents import make_definition
from tests.support.editor import Editor
from tests.support.git import TestRepository
from tests.support.loop import Loop, Ran
from tests.support.product import TENANT

KEYS = tuple("abcdefghij")
CODES = {0, 3, 5, 6, 7}
"""Done, conflict, stale, deployed from a commit not fetched yet, lock: all that may happen among equals."""


def tell(**facts: object) -> None:
    """Print one act."""
    sys.stdout.write(json.dumps(facts) + "\n")
    sys.stdout.flush()


def checked(ran: Ran, what: str) -> Ran:
    """A run whose exit code is one of those that may happen."""
    assert ran.code in CODES, f"{what}: exit {ran.code}\n{ran.out}{ran.err}"
    tell(act=what, code=ran.code, deployment=ran.json.get("deployment"))
    return ran


def share(repository: TestRepository) -> None:
    """Take in what others have committed, our own side winning, and offer the result; others may be faster."""
    for _ in range(5):
        repository.git("fetch", "--quiet", "origin")
        repository.git("merge", "--quiet", "-Xours", "--no-edit", "origin/main")
        try:
            repository.git("push", "--quiet", "origin", "HEAD:main")
        except AssertionError:
            continue
        return


def deploy(loop: Loop, random: Random, text: str) -> None:
    """Edit some files, share the commit, deploy it; now and then settle by force what is in conflict."""
    for key in random.sample(KEYS, 3):
        loop.write_file(key, f"{text}-{key}")
    loop.repository.commit(text)
    share(loop.repository)
    select = random.choice([(), (), tuple(random.sample(KEYS, 4))])
    options = random.choice([("--update",), ("--update", "--skip-conflicts"), ("--update", "--in-place")])
    ran = checked(loop.gitsync("push", "-o", "json", *options, "--max-overwrites", "99", *select), "push")
    if ran.code == 3:
        verb = random.choice(("pull", "push"))
        key = random.choice(KEYS)
        more = ["--commit"] if verb == "pull" else ["--max-overwrites", "99"]
        checked(loop.gitsync(verb, "-o", "json", "--force", *more, key), f"{verb} --force")


def pull(loop: Loop, random: Random, text: str) -> None:
    """Commit what the database holds, and share it."""
    checked(loop.gitsync("pull", "-o", "json", "--commit", "-m", text), "pull")
    if loop.repository.git("status", "--porcelain"):
        loop.repository.commit(f"What {text} has left")  # the database moved on while it was pulled
    share(loop.repository)


def edit(loop: Loop, random: Random, text: str) -> None:
    """Change one draft, in one transaction that has seen what it replaces."""
    key = random.choice(KEYS)
    with loop.editor.connection() as connection:
        if connection.dialect.name == "sqlite":
            connection.exec_driver_sql("PRAGMA busy_timeout = 60000")
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        lock = "" if connection.dialect.name == "sqlite" else "FOR UPDATE"
        query = f"SELECT workflow_id, CAST(draft_definition AS text) FROM workflow_definitions WHERE key = :key {lock}"
        row = connection.execute(sa.text(query), {"key": key}).first()
        if row is None:  # a push is about to make it anew
            return
        # the row is locked, so this is the last push that has written it
        pushed = "SELECT coalesce(max(number), 1) FROM gitsync_deployment_items WHERE key = :key AND replaced_document IS NOT NULL"
        after = connection.execute(sa.text(pushed), {"key": key}).scalar_one()
        cast = "CAST(:new AS jsonb)" if lock else ":new"
        new = json.dumps(make_definition(key, f"{text}-{key}", own_id=str(row[0])))
        statement = f"UPDATE workflow_definitions SET draft_definition = {cast} WHERE workflow_id = CAST(:id AS {'uuid' if lock else 'text'})"
        connection.execute(sa.text(statement), {"new": new, "id": str(row[0])})
    tell(
        act="edit", key=key, after_push=after, before=json.loads(row[1])["description"], after=f"{text}-{key}"
    )


ACTS: dict[str, tuple[Callable[[Loop, Random, str], None], float]] = {
    "deployer": (deploy, 0.0),
    "puller": (pull, 0.1),
    "editor": (edit, 0.6),
}


def main(kind: str, name: str, folder: str, url: str, seconds: str) -> None:
    """Write until the time is over."""
    path = Path(folder)
    repository = TestRepository(path, path.parent / ".home-of-origin.git")
    loop = Loop(repository, Editor(url, tenant=TENANT if url.startswith("postgresql") else None))
    random = Random(name)
    act, rest = ACTS[kind]
    end = time.monotonic() + float(seconds)
    number = 0
    while time.monotonic() < end:
        number += 1
        act(loop, random, f"{name}-{number}")
        time.sleep(rest)


if __name__ == "__main__":
    main(*sys.argv[1:])
