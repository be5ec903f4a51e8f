"""Run a pipeline's steps as they stand in its file: real shells, real clones, a real HTTP server for comments.

What a CI system does around the scripts is done here as its manual says, no more than the pipelines need;
an expression or a key that isn't known fails the test. Installing gitsync is left out: it is installed.
"""

from __future__ import annotations

import json
import re
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from subprocess import PIPE, STDOUT, run
from typing import Any
from urllib.parse import parse_qs, urlsplit

import yaml

from tests.support.git import TestRepository, git_environment

BIN = Path(sys.executable).parent
TOKEN = "secret-token"
SHELLS = {
    "bash": ["bash", "--noprofile", "--norc", "-eo", "pipefail"],
    "python -I {0}": [str(BIN / "python"), "-I"],
}
"""The commands of https://docs.github.com/actions/reference/workflows-and-actions/workflow-syntax for `shell`."""


class Thread(ThreadingHTTPServer):
    """One pull request's comments, offered as GitHub and GitLab do: pages of at most 100, oldest first."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.comments: list[dict[str, Any]] = []
        self.calls: list[str] = []

    @property
    def url(self) -> str:
        """Where the API is."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def add(self, body: str, *, kind: str = "Bot") -> dict[str, Any]:
        """A new comment of a bot or of a person (``User``)."""
        author = {"id": 42 if kind == "Bot" else 1}
        comment = {"id": len(self.comments) + 1, "body": body, "user": {"type": kind}, "author": author}
        self.comments.append(comment)
        return comment


class _Answer(BaseHTTPRequestHandler):
    server: Thread
    paths = (
        r"/repos/team/flows/issues/(?:7/comments|comments/(?P<id>\d+))",
        r"/projects/5/merge_requests/7/notes(?:/(?P<id>\d+))?",
        r"/user",
    )

    def do_GET(self) -> None:
        if self.path == "/user":
            self._answer(200, {"id": 42})
            return
        query = parse_qs(urlsplit(self.path).query)
        size, page = int(query["per_page"][0]), int(query["page"][0])
        assert size <= 100
        self._answer(200, self.server.comments[(page - 1) * size : page * size])

    def do_POST(self) -> None:
        self._answer(201, self.server.add(self._body()))

    def do_PATCH(self) -> None:
        self.server.comments[self._number() - 1]["body"] = self._body()
        self._answer(200, self.server.comments[self._number() - 1])

    def do_PUT(self) -> None:
        self.do_PATCH()

    def log_message(self, *args: Any) -> None:
        """Nothing: the calls are kept."""

    def _number(self) -> int:
        found = next(m for pattern in self.paths if (m := re.fullmatch(pattern, urlsplit(self.path).path)))
        return int(found["id"])

    def _body(self) -> str:
        body: str = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["body"]
        return body

    def _answer(self, status: int, value: Any) -> None:
        self.server.calls.append(self.command)
        path = urlsplit(self.path).path
        known = any(re.fullmatch(pattern, path) for pattern in self.paths)
        allowed = TOKEN in (
            self.headers["PRIVATE-TOKEN"],
            (self.headers["Authorization"] or "").removeprefix("Bearer "),
        )
        data = json.dumps(value).encode()
        self.send_response(status if known and allowed else 404)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


@contextmanager
def serve_thread() -> Iterator[Thread]:
    """A thread of comments on loopback, until the block ends."""
    with Thread() as thread:
        worker = threading.Thread(target=thread.serve_forever, kwargs={"poll_interval": 0.02})
        worker.start()
        try:
            yield thread
        finally:
            thread.shutdown()
            worker.join()


@dataclass(slots=True)
class JobRun:
    """What one job did. codes: step → exit code, absent for a skipped one; summary: GitHub's alone."""

    log: str = ""
    summary: str = ""
    codes: dict[str, int] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)

    @property
    def is_green(self) -> bool:
        """Whether every step that ran succeeded."""
        return not any(self.codes.values())

    @property
    def annotations(self) -> list[str]:
        """GitHub's workflow commands of the log."""
        return [
            line for line in self.log.splitlines() if line.startswith(("::error", "::notice", "::warning"))
        ]


@dataclass
class Runner:
    """Runs jobs against a bare `origin`, each in a new clone under `folder`.

    secrets: environment → name → value, as they are scoped. api: where comments go.
    """

    origin: TestRepository
    folder: Path
    secrets: Mapping[str, Mapping[str, str]]
    api: str
    runs: int = 0

    def github(self, name: str, *, file: str, branch: str | None = None) -> JobRun:
        """The run of one job of a workflow file; of a pull request from `branch`, else of a push to main."""
        event = "push" if branch is None else "pull_request"
        ref = "refs/heads/main" if branch is None else "refs/pull/7/merge"
        work = self._folder()
        workflow = yaml.safe_load(self._read(file, branch or "main"))
        job = workflow["jobs"][name]
        context = {
            "github.event_name": event,
            "github.ref": ref,
            "github.token": TOKEN,
            "github.event.pull_request.number": "7",
        }
        context |= {f"secrets.{key}": text for key, text in self.secrets[job["environment"]].items()}
        assert holds(job["if"], context, ok=True), f"the job {name} does not run on {event}"
        variables = {key: _expand(text, context) for key, text in workflow["env"].items()}
        variables |= {
            "GITHUB_ACTIONS": "true",
            "GITHUB_API_URL": self.api,
            "GITHUB_REPOSITORY": "team/flows",
            "GITHUB_BASE_REF": "main" if branch else "",
            "GITHUB_STEP_SUMMARY": str(work / "summary.md"),
            "GITHUB_WORKSPACE": str(work / "clone"),
            "RUNNER_TEMP": str(work / "temp"),
        }
        context["runner.temp"] = variables["RUNNER_TEMP"]
        context |= {f"env.{key}": text for key, text in variables.items()}
        defaults = workflow["defaults"]["run"]
        (work / "temp").mkdir()
        done = JobRun()
        for step in job["steps"]:
            self._github_step(step, done, context, variables, defaults, work, ref)
        summary = work / "summary.md"
        done.summary = summary.read_text(encoding="utf-8") if summary.exists() else ""
        return done

    def _github_step(
        self,
        step: Mapping[str, Any],
        done: JobRun,
        context: Mapping[str, str],
        variables: Mapping[str, str],
        defaults: Mapping[str, str],
        work: Path,
        ref: str,
    ) -> None:
        name = step.get("name", step.get("uses", "").partition("@")[0])
        if not holds(step.get("if", "success()"), context, ok=done.is_green) or name == "Install gitsync":
            return
        if name == "actions/checkout":
            self._checkout(work / "clone", ref, depth=step["with"].get("fetch-depth", 1))
        elif name != "actions/setup-python":
            script = work / "script"
            script.write_text(step["run"], encoding="utf-8")
            own = {key: _expand(text, context) for key, text in step.get("env", {}).items()}
            command = [*SHELLS[step.get("shell", defaults["shell"])], str(script)]
            place = Path(_expand(step["working-directory"], context))
            done.codes[name] = self._run(command, place, {**variables, **own}, done)

    def gitlab(self, name: str, *, file: str, branch: str | None = None) -> JobRun:
        """The run of one job of a GitLab file; of a merge request from `branch`, else of a push to main."""
        work = self._folder()
        jobs = yaml.safe_load(self._read(file, branch or "main"))
        job = {**jobs[jobs[name]["extends"]], **jobs[name]}
        self._checkout(
            work / "clone", f"refs/heads/{branch or 'main'}", depth=int(job["variables"]["GIT_DEPTH"])
        )
        clone = TestRepository(work / "clone", self.origin.home)
        environment = job.get("environment", {}).get("name")
        variables = {
            **job["variables"],
            **(self.secrets[environment] if environment else {}),
            "CI_API_V4_URL": self.api,
            "CI_PROJECT_ID": "5",
            "CI_PIPELINE_SOURCE": "merge_request_event" if branch else "push",
            "CI_DEFAULT_BRANCH": "main",
            "CI_COMMIT_BRANCH": "" if branch else "main",
            "CI_MERGE_REQUEST_SOURCE_PROJECT_ID": "5" if branch else "",
            "CI_MERGE_REQUEST_IID": "7" if branch else "",
            "CI_MERGE_REQUEST_TARGET_BRANCH_NAME": "main" if branch else "",
            "CI_MERGE_REQUEST_DIFF_BASE_SHA": clone.git("merge-base", "HEAD", "origin/main"),
        }
        (rule,) = job["rules"]
        terms = re.sub(r"\$(\w+)", lambda found: json.dumps(variables[found[1]]), rule["if"]).split(" && ")
        assert all(left == right for left, _, right in (term.partition(" == ") for term in terms)), rule
        done = JobRun()
        shell = SHELLS["bash"][:3]
        for part in ("script", "after_script"):
            if part in job:
                strict = "set -eo pipefail\n" if part == "script" else ""
                script = work / part
                script.write_text(strict + "\n".join(job[part]), encoding="utf-8")
                done.codes[part] = self._run([*shell, str(script)], work / "clone", variables, done)
        paths = [
            *job.get("artifacts", {}).get("paths", []),
            *job.get("artifacts", {}).get("reports", {}).values(),
        ]
        done.files = {path: (work / "clone" / path).read_text(encoding="utf-8") for path in paths}
        return done

    def _folder(self) -> Path:
        self.runs += 1
        work = self.folder / f"run-{self.runs}"
        work.mkdir(parents=True)
        return work

    def _read(self, file: str, branch: str) -> str:
        return self.origin.git("show", f"{branch}:{file}") + "\n"

    def _checkout(self, path: Path, ref: str, *, depth: int) -> None:
        """What actions/checkout and the GitLab runner do; depth 0 is the whole history, of all branches."""
        shallow = [f"--depth={depth}", "--single-branch"] if depth else []
        self.origin.git("clone", "-q", "--template=", *shallow, self.origin.path.as_uri(), str(path))
        clone = TestRepository(path, self.origin.home)
        clone.git("fetch", "-q", *shallow[:1], "origin", ref)
        clone.git("checkout", "-q", "--detach", "FETCH_HEAD")

    def _run(self, command: list[str], place: Path, variables: Mapping[str, str], done: JobRun) -> int:
        environment = git_environment(self.origin.home, **variables)
        environment["PATH"] = f"{BIN}:{environment['PATH']}"
        found = run(command, cwd=place, env=environment, stdout=PIPE, stderr=STDOUT, text=True, check=False)
        done.log += found.stdout
        return found.returncode


def holds(condition: str, context: Mapping[str, str], *, ok: bool) -> bool:
    """Whether an ``if`` holds: terms joined by ``&&``; without a status function it asks for success."""
    text = condition.removeprefix("${{").removesuffix("}}").strip()
    terms = text.split(" && ")
    if not any(term in ("success()", "!cancelled()") for term in terms):
        terms.append("success()")
    return all(_term(term, context, ok=ok) for term in terms)


def _term(term: str, context: Mapping[str, str], *, ok: bool) -> bool:
    if term in ("success()", "!cancelled()"):
        return ok or term == "!cancelled()"
    found = re.fullmatch(r"([\w.]+) (==|!=) '([^']*)'", term)
    assert found, f"an unknown condition: {term}"
    return (_look_up(found[1], context) == found[3]) is (found[2] == "==")


def _look_up(name: str, context: Mapping[str, str]) -> str:
    """A value of the context; a secret or variable that isn't set is empty."""
    if name.startswith(("secrets.", "env.")):
        return context.get(name, "")
    return context[name]


def _expand(text: Any, context: Mapping[str, str]) -> str:
    return re.sub(r"\$\{\{ ([\w.]+) \}\}", lambda found: _look_up(found[1], context), str(text))
