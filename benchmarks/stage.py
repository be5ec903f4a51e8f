"""Where measures take place: repositories and databases of one size, made once, copied for each run."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from itertools import count
from pathlib import Path
from typing import Final

import psycopg
from sqlalchemy.engine import make_url

from benchmarks.floors import FINGERPRINTS, TABLES
from benchmarks.generate import edit_workflow, iter_workflows, make_workflow
from gitsync.workflow.canonical import canonical_bytes
from gitsync.workflow.types import Document
from tests.support.git import git_environment
from tests.support.postgres import fresh_database, libpq_url

ROOT: Final = Path(__file__).resolve().parents[1]
FLOORS: Final = (sys.executable, "-S", str(ROOT / "benchmarks" / "floors.py"))
COPYING: Final = (sys.executable, str(ROOT / "benchmarks" / "floors.py"))
WATCH: Final = (sys.executable, "-I", "-S", str(ROOT / "benchmarks" / "watch.py"))
GITSYNC: Final = (sys.executable, "-m", "gitsync")
_SETTINGS: Final = {"gc.auto": "0", "user.name": "Benchmark", "user.email": "benchmark@example.com"}
_FEW: Final = 10


@dataclass(frozen=True, slots=True)
class Used:
    """What processes took, one after the other: seconds in all, and the largest peak in MiB."""

    seconds: float = 0.0
    peak: float = 0.0

    def __add__(self, other: Used) -> Used:
        """One after the other."""
        return Used(self.seconds + other.seconds, max(self.peak, other.peak))


@dataclass(frozen=True, slots=True)
class Filled:
    """The databases of a stage that runs copy.

    empty: tables and no rows. rows: all rows and no mark. deployed: as a push of the repository left it.
    """

    empty: str
    rows: str
    deployed: str


class Stage:
    """Everything of one size, below `folder`, on the PostgreSQL server of `server`.

    smaller: a stage of a tenth of the size, where a measure compares the two.
    """

    def __init__(self, folder: Path, *, size: int, server: str) -> None:
        self.size, self.server = size, server
        self.folder = folder / str(size)
        self.repository = self.folder / "repository"
        self.documents = self.folder / "documents"
        self.sqlite = self.folder / "sqlite" / "gitsync.db"
        self.rows = self.folder / "rows"
        self.filled = Filled("", "", "")
        self.smaller: Stage | None = None
        self._home = folder / "home"
        self._names = count(1)
        for made in (self.repository, self.rows, self.sqlite.parent, self._home):
            made.mkdir(parents=True, exist_ok=True)

    # ---------------------------------------------------------------- processes

    def watch(self, command: Sequence[str], *, folder: Path | None = None, **variables: str) -> Used:
        """What one process took; raises SystemExit with its errors where it fails."""
        environment = git_environment(self._home, PYTHONPATH=str(ROOT), **variables)
        done = subprocess.run(
            [*WATCH, *command],
            cwd=folder or self.folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        facts = json.loads(done.stdout or "{}")
        if facts.get("code") != 0:
            raise SystemExit(f"{' '.join(command)} failed in {folder or self.folder}:\n{done.stderr}")
        return Used(facts["seconds"], facts["peak"])

    def gitsync(self, *words: str, url: str, folder: Path | None = None) -> Used:
        """What ``gitsync WORDS…`` took in a repository, on the database of `url`."""
        return self.watch([*GITSYNC, *words], folder=folder or self.repository, GITSYNC_DATABASE_URL=url)

    def floor(self, *words: str) -> Used:
        """What one of `benchmarks.floors` took."""
        return self.watch([*FLOORS, *words])

    def git(self, *words: str, folder: Path | None = None, stdin: str | None = None) -> str:
        """What git prints; outside the measures."""
        return subprocess.run(
            ["git", *words],
            cwd=folder or self.repository,
            env=git_environment(self._home),
            input=stdin,
            capture_output=True,
            text=True,
            check=True,
        ).stdout

    def name(self, what: str) -> str:
        """A name of its own for something of a run."""
        return f"{what}-{next(self._names)}"

    # ---------------------------------------------------------------- floors of several processes

    def copy_out(self, url: str) -> Used:
        """Both tables by COPY."""
        if not shutil.which("psql"):
            return self.watch([*COPYING, "copy_out", libpq_url(url)])
        commands = [word for table in TABLES for word in ("-c", f"COPY {table} TO STDOUT")]
        return self.watch(["psql", "-qX", *commands, libpq_url(url)])

    def fingerprints(self, url: str) -> Used:
        """What tells for each workflow whether its rows have changed."""
        if not shutil.which("psql"):
            return self.watch([*COPYING, "fingerprints", libpq_url(url)])
        return self.watch(["psql", "-qXAt", "-c", FINGERPRINTS, libpq_url(url)])

    def copy_in(self, url: str) -> Used:
        """Both tables by COPY, in one transaction."""
        if not shutil.which("psql"):
            return self.watch([*COPYING, "copy_in", libpq_url(url), str(self.rows)])
        commands = [word for table in TABLES for word in ("-c", f"\\copy {table} FROM '{self.rows / table}'")]
        return self.watch(["psql", "-qX1", *commands, libpq_url(url)])

    def list_tree(self) -> Used:
        """The tree of HEAD."""
        return self.watch(["git", "ls-tree", "-r", "-z", "HEAD"], folder=self.repository)

    def add_and_commit(self, folder: Path, *paths: str) -> Used:
        """``git add`` of `paths` and ``git commit``."""
        return self.watch(["git", "add", "--", *paths], folder=folder) + self.watch(
            ["git", "commit", "--quiet", "-m", "Pull"], folder=folder
        )

    # ---------------------------------------------------------------- what is made once

    def prepare(self) -> None:
        """Make the documents, the repository and the rows."""
        workflows = self.repository / "workflows"
        workflows.mkdir()
        with self.documents.open("wb") as together:
            for document in iter_workflows(self.size):
                data = canonical_bytes(document)
                together.write(data)
                (workflows / f"{document['key']}.json").write_bytes(data)
        self._make_repository(self.repository)
        (self.repository / "gitsync.yaml").write_text("version: 1\nenvironments: {}\n")
        self.git("add", "--all")
        self.git("commit", "--quiet", "-m", "Start")
        self.git("repack", "-adq")  # as a clone has it
        self.git("branch", "start")

    @cached_property
    def alone(self) -> Path:
        """A workflow that is the only one of its repository."""
        folder = self.folder / "alone"
        (folder / "workflows").mkdir(parents=True)
        self._make_repository(folder)
        shutil.copy(self.repository / "gitsync.yaml", folder)
        document = make_workflow(0, size=1)
        file = folder / "workflows" / f"{document['key']}.json"
        file.write_bytes(canonical_bytes(document))
        return file

    @cached_property
    def few(self) -> Sequence[int]:
        """The numbers of the few workflows that change, spread over all."""
        return range(3, self.size, self.size // _FEW)[:_FEW]

    def edited(self, number: int, *, edition: str) -> Document:
        """A workflow after an edit."""
        return edit_workflow(make_workflow(number, size=self.size), edition=edition)

    def write_edits(self, numbers: Sequence[int], *, edition: str) -> list[str]:
        """The paths of some workflows' files, after an edit of each."""
        paths = []
        for number in numbers:
            document = self.edited(number, edition=edition)
            paths.append(f"workflows/{document['key']}.json")
            (self.repository / paths[-1]).write_bytes(canonical_bytes(document))
        return paths

    def commit_edits(self, numbers: Sequence[int], *, edition: str) -> None:
        """Commit edits of some workflows upon the first commit."""
        self.write_edits(numbers, edition=edition)
        self.git("commit", "--quiet", "--all", "-m", f"Edit {edition}")

    def reset(self) -> None:
        """Put the repository back to its first commit."""
        self.git("checkout", "--quiet", "--force", "-B", "main", "start")
        self.git("update-index", "--refresh", "-q")

    def _make_repository(self, folder: Path) -> None:
        self.git("init", "--quiet", "--initial-branch=main", folder=folder)
        for key, value in (
            ("gc.auto", "0"),
            ("user.name", "Benchmark"),
            ("user.email", "benchmark@example.com"),
        ):
            self.git("config", key, value, folder=folder)

    @contextmanager
    def empty_repository(self, name: str) -> Iterator[Path]:
        """A repository that has a configuration and no workflow."""
        folder = self.folder / name
        folder.mkdir()
        self._make_repository(folder)
        shutil.copy(self.repository / "gitsync.yaml", folder)
        self.git("add", "--all", folder=folder)
        self.git("commit", "--quiet", "-m", "Start", folder=folder)
        try:
            yield folder
        finally:
            shutil.rmtree(folder)

    def deploy(self, url: str) -> None:
        """Fill one database with empty tables, for measures that need no other."""
        self.gitsync("push", url=url)
        self.settle(url)
        self.filled = Filled("", "", url)

    def warm(self, url: str) -> Used:
        """What a status takes that has nothing to read: the one after a status of the same database."""
        self.gitsync("status", url=url)
        return self.gitsync("status", url=url)

    def fill(self, *, empty: str, rows: str, deployed: str) -> None:
        """Fill the databases, all three with empty tables so far, and the SQLite file."""
        self.gitsync("push", url=deployed)
        self.save_rows(deployed)
        self.copy_in(rows)
        self.settle(rows)
        url = f"sqlite:///{self.sqlite}"
        self.gitsync("db", "init", url=url)
        self.gitsync("push", url=url)
        self.filled = Filled(empty, rows, deployed)

    def save_rows(self, url: str) -> None:
        """Keep the rows of a filled database, for COPY."""
        with psycopg.connect(libpq_url(url)) as connection:
            for table in TABLES:
                with (
                    (self.rows / table).open("wb") as file,
                    connection.cursor() as cursor,
                    cursor.copy(f"COPY {table} TO STDOUT".encode()) as rows,
                ):
                    for block in rows:
                        file.write(block)
        self.settle(url)

    def settle(self, url: str) -> None:
        """Do what a server's autovacuum has done by the time that anybody looks."""
        with psycopg.connect(libpq_url(url), autocommit=True) as connection:
            connection.execute("VACUUM ANALYZE")

    @contextmanager
    def database(self, template: str | None = None) -> Iterator[str]:
        """The URL of a new database: a copy of another's, or one with empty tables."""
        name = (make_url(template).database if template else None) or "template0"
        with fresh_database(self.server, template=name) as url:
            if template is None:
                self.gitsync("db", "init", url=url)
            yield url


def edit_rows(url: str, documents: Sequence[Document]) -> None:
    """Write the drafts of `documents` as the product's editor does, behind gitsync's back."""
    with psycopg.connect(libpq_url(url)) as connection:
        for document in documents:
            draft = document["draft"]
            connection.execute(
                "UPDATE workflow_definitions SET draft_definition = jsonb_set("
                "  %s::jsonb, '{id}', to_jsonb(workflow_id::text)), draft_version = %s, updated_at = now()"
                " WHERE key = %s",
                [json.dumps(draft["definition"]), draft["draftVersion"], document["key"]],
            )
