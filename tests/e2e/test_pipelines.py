"""The pipelines that ``init`` makes, run step by step against a bare origin and PostgreSQL.

A pull request is planned with a role that may only read; a merge deploys with one that may write.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
import yaml
from sqlalchemy.engine import make_url

from tests.support.documents import make_file
from tests.support.editor import Editor
from tests.support.git import TestRepository, make_origin_and_clone
from tests.support.loop import gitsync
from tests.support.pipelines import SHELLS, TOKEN, JobRun, Runner, Thread, holds, serve_thread
from tests.support.postgres import libpq_url
from tests.support.product import ACTOR, TENANT

FILES = {"github": ".github/workflows/gitsync.yml", "gitlab": ".gitlab/gitsync.yml"}


@dataclass
class Team:
    """A repository with both pipelines, its database, and the pull request 7 of a branch ``topic``."""

    clone: TestRepository
    origin: TestRepository
    editor: Editor
    runner: Runner
    thread: Thread
    system: str
    prefix: str = ""

    @property
    def folder(self) -> Path:
        """The folder of ``gitsync.yaml``."""
        return self.clone.path / self.prefix

    def merge(self, **texts: str | None) -> None:
        """A commit on main in which each key says its text, or has no file."""
        self._commit(texts)
        self.clone.git("push", "-q", "origin", "HEAD:main")

    def propose(self, **texts: str | None) -> None:
        """A pull request with such a commit."""
        self.clone.git("switch", "-q", "-C", "topic", "main")
        self._commit(texts)
        self.offer()

    def offer(self) -> None:
        """Push ``topic``, and the commit that merging it would make, as GitHub keeps it."""
        self.clone.git("push", "-q", "--force", "origin", "topic")
        self.clone.git("switch", "-q", "--detach", "main")
        self.clone.merge("topic")
        self.clone.git("push", "-q", "--force", "origin", "HEAD:refs/pull/7/merge")
        self.clone.git("switch", "-q", "main")

    def _commit(self, texts: dict[str, str | None]) -> None:
        for key, text in texts.items():
            path = self.folder / f"workflows/{key}.json"
            if text is None:
                path.unlink()
            else:
                path.write_bytes(make_file(key, text, versions=[1]))
        self.clone.commit(f"Set {texts}")

    def start(self) -> None:
        """Deploy what main holds, without a pipeline."""
        options = ["-e", "prod", "push", "--update", "-q"]
        ran = gitsync("-C", str(self.folder), *options, variables=dict(self.runner.secrets["prod"]))
        assert ran.code == 0, ran.err

    def deploy(self) -> JobRun:
        """The job that runs after a merge."""
        if self.system == "github":
            return self.runner.github("deploy", file=FILES["github"])
        return self.runner.gitlab("gitsync-deploy", file=FILES["gitlab"])

    def plan(self) -> JobRun:
        """The job that plans the pull request."""
        if self.system == "github":
            return self.runner.github("pull-request", file=FILES["github"], branch="topic")
        return self.runner.gitlab("gitsync-plan", file=FILES["gitlab"], branch="topic")

    def page(self, done: JobRun) -> str:
        """The page that a job leaves behind."""
        return done.summary if self.system == "github" else "".join(done.files.values())

    def code(self, done: JobRun, name: str) -> int:
        """The exit code of a job's work: its step, or its script."""
        return done.codes[name if self.system == "github" else "script"]


@pytest.fixture(params=["github", "gitlab"])
def team(request: pytest.FixtureRequest, tmp_path: Path, postgres_database: str) -> Iterator[Team]:
    with make_team(tmp_path, postgres_database, request.param) as team:
        yield team


@contextmanager
def make_team(tmp_path: Path, url: str, system: str, prefix: str = "") -> Iterator[Team]:
    """A team whose main branch holds the workflows a and b, none of them deployed."""
    origin, clone = make_origin_and_clone(tmp_path)
    folder = clone.path / prefix
    folder.mkdir(parents=True, exist_ok=True)
    source = ["--source", "https://git.example.com/tools/gitsync.git@v1.0.0"]
    assert gitsync("-C", str(folder), "init", "--ci", "github", "--ci", "gitlab", *source).code == 0
    secrets = {"GITSYNC_DATABASE_URL": url, "GITSYNC_TENANT": TENANT, "GITSYNC_ACTOR": ACTOR}
    ran = gitsync("-C", str(folder), "-e", "prod", "db", "init", variables=secrets)
    assert ran.code == 0, ran.err
    for key in ("a", "b"):
        (folder / f"workflows/{key}.json").write_bytes(make_file(key, f"{key}1", versions=[1]))
    clone.commit("Start")
    clone.git("push", "-q", "origin", "HEAD:main")
    with serve_thread() as thread, reading_role(url) as reader:
        plan = {"GITSYNC_DATABASE_URL": reader, "GITSYNC_TENANT": TENANT, "GITSYNC_COMMENT_TOKEN": TOKEN}
        runner = Runner(origin, tmp_path / "runs", {"prod": secrets, "prod-plan": plan}, thread.url)
        yield Team(clone, origin, Editor(url, tenant=TENANT), runner, thread, system, prefix)


@contextmanager
def reading_role(url: str) -> Iterator[str]:
    """The URL of a role that may only read, until the block ends."""
    role = f"planner_{os.getpid()}"
    with psycopg.connect(libpq_url(url), autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {role} LOGIN".encode())
        connection.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}".encode())
    try:
        yield make_url(url).set(username=role).render_as_string(hide_password=False)
    finally:
        with psycopg.connect(libpq_url(url), autocommit=True) as connection:
            connection.execute(f"DROP OWNED BY {role}".encode())
            connection.execute(f"DROP ROLE {role}".encode())


def test_a_merge_deploys_and_the_next_one_updates_in_place(team: Team) -> None:
    first = team.deploy()
    identity = team.editor.id_of("a")
    team.merge(a="a2", c="c1")

    second = team.deploy()

    assert first.is_green, first.log
    assert second.is_green, second.log
    assert team.editor.texts() == {"a": "a2", "b": "b1", "c": "c1"}
    assert team.editor.id_of("a") == identity
    assert "## ✅ prod: 1 created, 1 overwritten" in team.page(second)
    assert "prod is in step with this commit" in second.log


def test_a_merge_without_changes_is_green(team: Team) -> None:
    team.start()

    again = team.deploy()

    assert again.is_green, again.log
    assert "## ✅ prod: nothing to write" in team.page(again)


def test_a_merge_after_an_edit_of_the_same_workflow_stops_and_says_what_to_do(team: Team) -> None:
    team.start()
    team.editor.save("a", "edited in the product")
    team.merge(a="a2", b="b2")

    done = team.deploy()

    assert team.code(done, "Deploy") == 3
    assert team.editor.texts() == {"a": "edited in the product", "b": "b1"}
    assert "## ⛔ gitsync stopped: conflict" in team.page(done)
    assert "| diverged | `a` | database: draft: description changed; git: draft: description changed |" in (
        team.page(done)
    )
    assert "`gitsync pull --force a`" in team.page(done)
    assert "Nothing was written: a workflow was edited in prod as well" in done.log
    if team.system == "github":
        (error,) = done.annotations
        assert error.startswith("::error title=gitsync conflict::Nothing was written")


def test_a_merge_after_an_edit_of_another_workflow_deploys_and_reports_the_drift(team: Team) -> None:
    team.start()
    team.editor.save("b", "edited in the product")
    team.merge(a="a2")

    done = team.deploy()

    assert done.is_green, done.log
    assert team.editor.texts() == {"a": "a2", "b": "edited in the product"}
    assert "## ✅ prod: 1 overwritten" in team.page(done)
    assert "⚠️ 1 workflow was edited in the product and left alone" in team.page(done)
    assert "| leave | `b` | database-ahead: draft: description changed |" in team.page(done)


def test_a_deleted_file_is_left_in_the_database_and_named(team: Team) -> None:
    team.start()
    team.merge(b=None, a="a2")

    done = team.deploy()

    assert done.is_green, done.log
    assert team.editor.texts() == {"a": "a2", "b": "b1"}
    assert "| leave | `b` | deleted-in-repository" in team.page(done)


def test_wrong_secrets_are_told_as_such(team: Team) -> None:
    planner = dict(team.runner.secrets["prod-plan"])
    team.runner.secrets = {"prod": planner, "prod-plan": planner}

    done = team.deploy()

    assert team.code(done, "Deploy") == 9
    assert "Check the" in done.log
    assert "of the environment prod" in done.log
    assert team.editor.texts() == {}


def test_a_pull_request_is_planned_with_read_only_credentials(team: Team) -> None:
    team.start()
    before = team.editor.dump()
    team.propose(a="a2", new="new")

    done = team.plan()

    assert team.code(done, "Plan") == 0, done.log
    assert "## ✅ prod: 1 to create, 1 to overwrite" in team.page(done)
    assert "| overwrite | `a` | draft: description changed |" in team.page(done)
    assert team.editor.dump() == before


def test_a_pull_request_cannot_choose_the_database_of_the_plan(team: Team) -> None:
    team.start()
    team.clone.git("switch", "-q", "-C", "topic", "main")
    path = team.folder / "gitsync.yaml"
    path.write_text(
        path.read_text().replace('"${GITSYNC_DATABASE_URL}"', '"postgresql://127.0.0.1:1/${GITSYNC_TENANT}"')
    )
    team.clone.commit("Name another server")
    team.offer()

    done = team.plan()

    assert team.code(done, "Plan") == 0, done.log
    assert "## ✅ prod: nothing to write" in team.page(done)


def test_no_module_of_the_branch_is_imported(team: Team) -> None:
    """What begins in the checkout finds these first, be it pip, gitsync or what a script imports."""
    team.start()
    team.clone.git("switch", "-q", "-C", "topic", "main")
    evil = f"import pathlib\npathlib.Path({str(team.clone.path / 'marker')!r}).write_text('ran')\nraise SystemExit(99)\n"
    for name in (
        "pip/__init__",
        "pip/__main__",
        "json",
        "os",
        "urllib/__init__",
        "gitsync/__init__",
        "click",
        "sitecustomize",
    ):
        for folder in {team.clone.path, team.folder}:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / f"{name}.py").write_text(evil)
    team.clone.commit("Add modules")
    team.offer()

    done = team.plan()

    assert done.is_green, done.log
    assert len(team.thread.comments) == 1
    assert not (team.clone.path / "marker").exists()


def test_the_plan_is_one_comment_that_is_kept_up_to_date(team: Team) -> None:
    team.start()
    for number in range(230):
        team.thread.add(f"Comment {number}")
    team.thread.add("<!-- gitsync plan prod -->\nWhat does this mark mean?", kind="User")
    before = len(team.thread.comments)
    team.propose(a="a2")
    first = team.plan()
    team.propose(a="a2", new="new")

    second = team.plan()

    (ours,) = team.thread.comments[before:]
    assert first.codes.get("Comment", 0) == second.codes.get("Comment", 0) == 0, second.log
    assert ours["body"] == team.page(second) != team.page(first)
    assert ours["body"].startswith("<!-- gitsync plan prod -->\n## ✅ prod: 1 to create, 1 to overwrite")


def test_a_plan_that_would_stop_fails_the_pull_request_and_is_commented(team: Team) -> None:
    team.start()
    team.editor.save("a", "edited in the product")
    team.propose(a="a2")

    done = team.plan()

    assert team.code(done, "Plan") == 3
    assert not done.is_green
    assert "Bring that edit into this branch with gitsync pull" in done.log
    (comment,) = team.thread.comments
    assert "a push would stop: conflict" in comment["body"]


def test_a_plan_that_cannot_be_made_is_commented_too(team: Team) -> None:
    team.propose(a="a2")
    team.runner.secrets = {
        **team.runner.secrets,
        "prod-plan": {
            "GITSYNC_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none",
            "GITSYNC_TENANT": TENANT,
            "GITSYNC_COMMENT_TOKEN": TOKEN,
        },
    }

    done = team.plan()

    assert team.code(done, "Plan") == 1
    (comment,) = team.thread.comments
    assert comment["body"].startswith("<!-- gitsync plan prod -->\n## ⛔ gitsync stopped: failed")


@pytest.mark.parametrize("team", ["github"], indirect=True)
def test_a_pull_request_from_a_fork_has_no_secrets_and_no_plan(team: Team) -> None:
    team.propose(a="a2")
    team.runner.secrets = {"prod": {}, "prod-plan": {}}

    done = team.plan()

    assert done.codes == {"Validate": 0, "Plan": 0, "Comment": 0}
    assert "as in a pull request from a fork" in done.log
    assert done.summary == ""
    assert team.thread.calls == []


@pytest.mark.parametrize("team", ["gitlab"], indirect=True)
def test_without_a_token_gitlab_has_the_plan_as_a_file_alone(team: Team) -> None:
    team.propose(a="a2")
    plan = {key: text for key, text in team.runner.secrets["prod-plan"].items() if "TOKEN" not in key}
    team.runner.secrets = {**team.runner.secrets, "prod-plan": plan}

    done = team.plan()

    assert done.is_green, done.log
    assert "## ✅ prod: 2 to create" in done.files["gitsync-plan.md"]
    assert team.thread.calls == []


def test_a_conflict_is_solved_as_the_message_says(team: Team) -> None:
    team.start()
    team.editor.save("a", "edited in the product")
    team.merge(b="b2")
    team.merge(a="a2")
    assert team.code(team.deploy(), "Deploy") == 3

    variables = dict(team.runner.secrets["prod"])
    assert (
        gitsync("-C", str(team.folder), "-e", "prod", "pull", "--force", "a", variables=variables).code == 0
    )
    team.clone.commit("Take over the edit")
    team.clone.git("push", "-q", "origin", "HEAD:main")
    solved = team.deploy()

    assert solved.is_green, solved.log
    assert team.editor.texts() == {"a": "edited in the product", "b": "b2"}


def validate(team: Team) -> JobRun:
    """The job that validates the pull request."""
    if team.system == "github":
        return team.plan()
    return team.runner.gitlab("gitsync-validate", file=FILES["gitlab"], branch="topic")


def break_file(team: Team) -> None:
    """A pull request in which the file of ``a`` has a setting of the wrong type."""
    team.clone.git("switch", "-q", "-C", "topic", "main")
    path = team.folder / "workflows/a.json"
    path.write_bytes(path.read_bytes().replace(b'"isPaused": false', b'"isPaused": 3'))
    team.clone.commit("Break a")
    team.offer()


def test_a_good_pull_request_is_green(team: Team) -> None:
    team.start()
    team.propose(a="a2")

    done = validate(team)

    assert done.is_green, done.log
    if team.system == "github":
        assert done.codes == {"Validate": 0, "Plan": 0, "Comment": 0}


def test_a_pull_request_with_a_broken_file_fails_and_is_annotated(team: Team) -> None:
    team.start()
    break_file(team)

    done = validate(team)

    line = 1 + make_file("a", "a1", versions=[1]).decode().split('"isPaused"')[0].count("\n")
    assert team.code(done, "Validate") == 4
    if team.system == "github":
        found = [text for text in done.annotations if "file=" in text]
        assert [text.partition(",col=")[0] for text in found] == [
            f"::error file=workflows/a.json,line={line}"
        ]
        assert done.codes["Plan"] == 4
        assert "a push would stop: invalid input" in team.thread.comments[0]["body"]
    else:
        assert f"workflows/a.json:{line}:" in done.log
        assert '<failure type="SCHEMA_VALIDATION_FAILED"' in done.files["gitsync.xml"]


def test_a_pull_request_that_rewrites_a_published_version_fails(team: Team) -> None:
    team.start()
    team.clone.git("switch", "-q", "-C", "topic", "main")
    path = team.folder / "workflows/a.json"
    path.write_bytes(path.read_bytes().replace(b'"description": "version 1"', b'"description": "no more"'))
    team.clone.commit("Rewrite version 1")
    team.offer()

    done = validate(team)

    assert team.code(done, "Validate") == 4
    assert "version 1" in done.log


def test_in_a_subfolder_annotations_name_the_path_from_the_top(
    tmp_path: Path, postgres_database: str
) -> None:
    with make_team(tmp_path, postgres_database, "github", prefix="tools/flows") as team:
        break_file(team)

        done = team.plan()

    assert any(text.startswith("::error file=tools/flows/workflows/a.json,") for text in done.annotations)


def test_in_a_subfolder_a_merge_deploys(tmp_path: Path, postgres_database: str) -> None:
    with make_team(tmp_path, postgres_database, "github", prefix="tools/flows") as team:
        done = team.deploy()

        assert done.is_green, done.log
        assert team.editor.texts() == {"a": "a1", "b": "b1"}


ACTION = yaml.safe_load((Path(__file__).parents[2] / "action.yml").read_bytes())["runs"]["steps"]


@pytest.mark.parametrize(
    "run,names",
    [("pull-request", ["Validate", "Plan", "Comment"]), ("deploy", ["Deploy"]), ("install", [])],
)
def test_the_action_runs_the_steps_of_what_was_asked(run: str, names: list[str]) -> None:
    context = {"inputs.run": run}

    found = [step.get("name") for step in ACTION if "if" in step and holds(step["if"], context, ok=True)]

    assert found == names


@pytest.mark.parametrize(
    "run,code", [("pull-request", 0), ("deploy", 0), ("install", 0), ("push", 1), ("", 1)]
)
def test_the_action_takes_no_other_word_than_its_three(run: str, code: int) -> None:
    check = next(step for step in ACTION if step.get("name") == "Check the inputs")

    done = subprocess.run(
        [*SHELLS["bash"], "-c", check["run"]], env={"RUN": run}, capture_output=True, text=True, check=False
    )

    assert done.returncode == code
    assert ("::error" in done.stdout) is bool(code)
