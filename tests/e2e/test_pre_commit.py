"""The hooks, run by the real pre-commit on real commits.

pre-commit makes an environment of its own and installs gitsync into it. What gitsync depends on is lent to it from
the tests' environment, so that no network is needed.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
import yaml

from tests.support.documents import document
from tests.support.git import git_environment

ROOT = Path(__file__).parents[2]
HOOKS = {hook["id"]: hook for hook in yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())}
CONFIG = "version: 1\n"
IDENTITY = {
    f"GIT_{role}_{fact}": text
    for role in ("AUTHOR", "COMMITTER")
    for fact, text in {"NAME": "Ada Example", "EMAIL": "ada@example.com"}.items()
}
NEVER_COPIED = shutil.ignore_patterns("__pycache__", "*.pyc", "*.db", "*.db-*", ".git")


def test_both_hooks_are_offered_and_ask_for_one_process() -> None:
    assert sorted(HOOKS) == ["gitsync-fmt", "gitsync-validate"]
    for hook in HOOKS.values():
        assert (hook["language"], hook["require_serial"]) == ("python", True)
        assert hook["entry"].split()[0] == "gitsync"
        assert hook["args"][-1] == "--"


@pytest.mark.parametrize(
    "path, hooks",
    [
        ("workflows/a.json", {"gitsync-validate", "gitsync-fmt"}),
        ("deep/down/onboarding.client.json", {"gitsync-validate", "gitsync-fmt"}),
        ("gitsync.yaml", {"gitsync-validate"}),
        ("sub/registry.yml", {"gitsync-validate"}),
        ("README.md", set()),
        ("workflows/a.json.orig", set()),
        ("json", set()),
    ],
)
def test_the_hooks_are_given_json_and_yaml_files(path: str, hooks: set[str]) -> None:
    assert {name for name, hook in HOOKS.items() if re.search(hook["files"], path)} == hooks


@pytest.fixture(scope="session")
def hooks_repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """gitsync as a repository that pre-commit clones, with one commit."""
    folder = tmp_path_factory.mktemp("gitsync")
    for name in ("pyproject.toml", "README.md", "LICENSE", ".pre-commit-hooks.yaml"):
        shutil.copy(ROOT / name, folder)
    for name in ("gitsync", "schemas", "repo_layout_example"):
        shutil.copytree(ROOT / name, folder / name, ignore=NEVER_COPIED)
    _git(folder, "init", "-q", "-b", "main")
    _git(folder, "add", "-A", "-f")
    _git(folder, "commit", "-q", "-m", "Hooks")
    return folder


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where pre-commit keeps the environments that it has made."""
    return tmp_path_factory.mktemp("store")


def _environment(home: Path, store: Path) -> dict[str, str]:
    lent = sysconfig.get_path("purelib")
    scripts = sysconfig.get_path("scripts")
    path = f"{scripts}{os.pathsep}{os.environ['PATH']}"
    install = {
        "PIP_NO_DEPS": "1",
        "PIP_NO_INDEX": "1",
        "PIP_NO_BUILD_ISOLATION": "0",
        "PIP_NO_CACHE_DIR": "1",
    }
    virtual = {"VIRTUALENV_NO_DOWNLOAD": "1", "VIRTUALENV_OVERRIDE_APP_DATA": str(store / "virtualenv")}
    return git_environment(
        home, PRE_COMMIT_HOME=str(store), PYTHONPATH=lent, PATH=path, **IDENTITY, **install, **virtual
    )


class Repository:
    """A repository of workflows in the subfolder `flows`, with the hooks installed."""

    def __init__(self, folder: Path, hooks: Path, store: Path) -> None:
        self.folder = folder
        self.home = folder.parent / "home"
        self.home.mkdir(exist_ok=True)
        self.hooks, self.store = hooks, store
        (folder / "flows" / "workflows").mkdir(parents=True)
        self.git("init", "-q", "-b", "main")
        self.write("flows/gitsync.yaml", CONFIG)

    def write(self, path: str, text: str) -> None:
        (self.folder / path).write_text(text, encoding="utf-8")

    def put(self, key: str, *steps: object, text: str | None = None) -> Path:
        """Write a workflow, with version 1 published, in canonical form or as `text`."""
        from gitsync.workflow.canonical import canonical_bytes

        path = self.folder / "flows" / "workflows" / f"{key}.json"
        held = document(key, *steps, versions=((1, _definition(), None),))
        path.write_bytes(canonical_bytes(held) if text is None else text.encode())
        return path

    def git(self, *words: str) -> subprocess.CompletedProcess[str]:
        return _run(["git", *words], self.folder, _environment(self.home, self.store))

    def commit(self) -> subprocess.CompletedProcess[str]:
        self.git("add", "-A")
        return self.git("commit", "-q", "-m", "Change workflows")

    def install(self) -> None:
        rev = _git(self.hooks, "rev-parse", "HEAD").stdout.strip()
        hooks = "".join(f"      - id: {name}\n" for name in ("gitsync-fmt", "gitsync-validate"))
        self.write(
            ".pre-commit-config.yaml",
            f"repos:\n  - repo: {self.hooks}\n    rev: {rev}\n    hooks:\n{hooks}",
        )
        done = self.pre_commit("install", "--install-hooks")
        assert done.returncode == 0, done.stdout + done.stderr

    def pre_commit(self, *words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "pre_commit", *words]
        return _run(command, self.folder, _environment(self.home, self.store))


def _definition() -> dict[str, object]:
    from tests.support.documents import definition

    return definition({"id": "s", "type": "control.return"})


def _call(key: str) -> dict[str, object]:
    return {"id": "c", "type": "control.callWorkflow", "workflowId": f"key:{key}", "workflowVersion": 1}


def _git(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    home = folder.parent / f"{folder.name}-home"
    home.mkdir(exist_ok=True)
    done = _run(["git", *words], folder, git_environment(home, **IDENTITY))
    assert done.returncode == 0, done.stderr
    return done


def _run(command: list[str], folder: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=300
    )


@pytest.fixture
def repository_with_hooks(tmp_path: Path, hooks_repository: Path, store: Path) -> Repository:
    repository = Repository(tmp_path / "repo", hooks_repository, store)
    repository.install()
    return repository


def test_a_good_commit_passes_both_hooks(repository_with_hooks: Repository) -> None:
    repository_with_hooks.put("a", {"id": "s", "type": "state.set", "config": {"state": "X"}})
    repository_with_hooks.put("b", _call("a"))

    done = repository_with_hooks.commit()

    assert done.returncode == 0, done.stdout + done.stderr
    assert "gitsync validate" in done.stderr
    assert repository_with_hooks.git("status", "--porcelain").stdout == ""


def test_a_faulty_commit_is_stopped_with_the_place(repository_with_hooks: Repository) -> None:
    repository_with_hooks.put("a", {"id": "s", "type": "state.set", "config": {"stat": "X"}})

    done = repository_with_hooks.commit()

    assert done.returncode == 1
    assert re.search(r"flows/workflows/a\.json:\d+:\d+: error: unknown field \"stat\"", done.stderr)
    assert "[INVALID_DEFINITION]" in done.stderr


def test_a_file_in_another_form_is_formatted_and_the_commit_waits(repository_with_hooks: Repository) -> None:
    path = repository_with_hooks.put("a")
    canonical = path.read_text()
    path.write_text(canonical.replace("  ", "\t"))

    stopped = repository_with_hooks.commit()
    formatted = path.read_text()
    passed = repository_with_hooks.commit()

    assert stopped.returncode == 1
    assert "files were modified by this hook" in stopped.stderr
    assert formatted == canonical
    assert passed.returncode == 0, passed.stderr


def test_a_commit_that_deletes_what_another_workflow_calls_is_stopped(
    repository_with_hooks: Repository,
) -> None:
    repository_with_hooks.put("a")
    repository_with_hooks.put("b", _call("a"))
    assert repository_with_hooks.commit().returncode == 0

    repository_with_hooks.git("rm", "-q", "flows/workflows/a.json")
    done = repository_with_hooks.git("commit", "-q", "-m", "Delete")

    assert done.returncode == 1
    assert "flows/workflows/b.json" in done.stderr
    assert "there is no workflow key:a" in done.stderr
    assert repository_with_hooks.git("log", "--format=%s").stdout == "Change workflows\n"


def test_a_rename_that_callers_do_not_follow_is_stopped(repository_with_hooks: Repository) -> None:
    path = repository_with_hooks.put("a")
    repository_with_hooks.put("b", _call("a"))
    assert repository_with_hooks.commit().returncode == 0

    path.unlink()
    repository_with_hooks.put("a2")
    stopped = repository_with_hooks.commit()
    repository_with_hooks.put("b", _call("a2"))
    passed = repository_with_hooks.commit()

    assert stopped.returncode == 1
    assert "there is no workflow key:a" in stopped.stderr
    assert passed.returncode == 0, passed.stderr


def test_a_commit_without_workflows_is_none_of_the_hooks_business(repository_with_hooks: Repository) -> None:
    repository_with_hooks.write("package.json", '{"name":"x",}')
    repository_with_hooks.write("other.yaml", "a: [")
    repository_with_hooks.put("a")
    assert repository_with_hooks.commit().returncode == 0

    repository_with_hooks.git("rm", "-q", "other.yaml")
    done = repository_with_hooks.git("commit", "-q", "-m", "Delete")

    assert done.returncode == 0, done.stderr


def test_a_file_called_like_an_option_is_a_file(repository_with_hooks: Repository) -> None:
    repository_with_hooks.write("--explain=SECRETS.json", "{}")
    repository_with_hooks.put("a", {"id": "s", "type": "state.set", "config": {"stat": "X"}})

    done = repository_with_hooks.commit()

    assert done.returncode == 1
    assert "[INVALID_DEFINITION]" in done.stderr


def test_a_fault_in_the_configuration_stops_a_commit(repository_with_hooks: Repository) -> None:
    repository_with_hooks.write("flows/gitsync.yaml", "version: 1\nworkflow: flows\n")

    done = repository_with_hooks.commit()

    assert done.returncode == 1
    assert "flows/gitsync.yaml:2:1: error: unknown key 'workflow'" in done.stderr


def test_a_registry_that_loses_what_workflows_need_stops_the_commit(
    repository_with_hooks: Repository,
) -> None:
    registry = "actions: []\nnodeTypes: [state.set]\nschemaRefs: [payload.A.v1]\n"
    repository_with_hooks.write("flows/gitsync.yaml", f"{CONFIG}registry: registry.yaml\n")
    repository_with_hooks.write("flows/registry.yaml", registry)
    repository_with_hooks.put("a", {"id": "s", "type": "state.set", "config": {"state": "X"}})
    assert repository_with_hooks.commit().returncode == 0

    repository_with_hooks.write("flows/registry.yaml", registry.replace("state.set", ""))
    done = repository_with_hooks.commit()

    assert done.returncode == 1
    assert "the runtime does not offer the node type state.set" in done.stderr


def test_the_hooks_can_be_tried_without_being_installed(
    tmp_path: Path, hooks_repository: Path, store: Path
) -> None:
    repository = Repository(tmp_path / "repo", hooks_repository, store)
    repository.put("a")
    repository.git("add", "-A")

    good = repository.pre_commit("try-repo", str(hooks_repository), "gitsync-validate", "--all-files")
    repository.put("a", text='{"key": "a"')
    repository.git("add", "-A")
    bad = repository.pre_commit("try-repo", str(hooks_repository), "gitsync-validate", "--all-files")

    assert good.returncode == 0, good.stdout + good.stderr
    assert bad.returncode == 1
    assert "[INVALID_JSON]" in bad.stdout
