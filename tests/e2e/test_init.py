"""``gitsync init``: what it makes, and what it leaves alone."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from gitsync.commands.scaffold import EXAMPLE, is_scaffold, iter_example
from gitsync.config import parse_config
from tests.support.documents import make_file
from tests.support.git import TestRepository, git_environment, make_origin_and_clone, make_repository
from tests.support.loop import Ran, gitsync

ROOT = Path(__file__).parents[2]
LAYOUT = ROOT / "repo_layout_example"
SOURCE = f"{EXAMPLE.repository}@{EXAMPLE.revision}"
ALL = ("--ci", "github", "--ci", "gitlab", "--pre-commit", "--source", SOURCE)
GITHUB, GITLAB = ".github/workflows/gitsync.yml", ".gitlab/gitsync.yml"


def init(folder: Path, *arguments: str) -> Ran:
    return gitsync("-C", str(folder), "init", *arguments)


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and ".git" not in path.relative_to(folder).parts
    }


def test_the_example_is_what_init_makes_and_workflows(tmp_path: Path) -> None:
    example = dict(iter_example())
    for name, data in example.items():
        if not is_scaffold(name):
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_bytes(data)

    ran = init(tmp_path, *ALL)

    assert ran.code == 0, ran.err
    assert contents(tmp_path) == example


def test_the_example_with_its_pipelines_is_the_example(tmp_path: Path) -> None:
    ran = init(tmp_path, "--example", *ALL)

    assert ran.code == 0, ran.err
    assert contents(tmp_path) == dict(iter_example())


def test_the_example_alone_has_no_pipeline_that_leads_nowhere(tmp_path: Path) -> None:
    ran = init(tmp_path, "--example")

    assert ran.code == 0, ran.err
    assert not any(EXAMPLE.repository.encode() in data for data in contents(tmp_path).values())
    assert (tmp_path / "registry.yaml").is_file()


def test_what_is_there_is_kept_and_the_rest_is_made(repository: TestRepository) -> None:
    mine = "version: 1\nworkflows: flows\nenvironments:\n  live: { database: 'sqlite:///x.db' }\n"
    repository.commit_files(
        {"gitsync.yaml": mine, ".gitlab-ci.yml": "include: []\n", ".gitattributes": "*.bin binary"}
    )

    ran = init(repository.path, *ALL, "-e", "live")

    assert ran.code == 0, ran.err
    assert (repository.path / "gitsync.yaml").read_text() == mine
    assert (repository.path / ".gitlab-ci.yml").read_text() == "include: []\n"
    assert (repository.path / ".gitattributes").read_text() == "*.bin binary\nflows/*.json text eol=lf\n"
    assert "kept .gitlab-ci.yml" in ran.err
    assert "add to .gitlab-ci.yml: include: [{ local: .gitlab/gitsync.yml }]" in ran.err
    assert "no environment" not in ran.err
    settings = json.loads((repository.path / ".vscode/settings.json").read_bytes())
    assert settings["json.schemas"][0]["fileMatch"] == ["/flows/*.json"]


def test_a_second_run_writes_nothing(repository: TestRepository) -> None:
    init(repository.path, *ALL)
    before = contents(repository.path)

    again = init(repository.path, *ALL)

    assert again.code == 0
    assert "all of it is there already" in again.err
    assert contents(repository.path) == before


def test_where_nothing_can_be_added_it_is_an_error(repository: TestRepository) -> None:
    init(repository.path, *ALL)
    (repository.path / GITHUB).write_text("name: mine\n")

    ran = init(repository.path, *ALL)

    assert ran.code == 4
    assert "[ALREADY_THERE]" in ran.err
    assert GITHUB in ran.err
    assert (repository.path / GITHUB).read_text() == "name: mine\n"


def test_diff_shows_all_and_writes_nothing(repository: TestRepository) -> None:
    repository.write(GITHUB, "name: mine\n")
    before = contents(repository.path)

    ran = init(repository.path, *ALL, "--diff")

    assert ran.code == 0
    assert contents(repository.path) == before
    assert "--- /dev/null\n+++ b/.pre-commit-config.yaml\n" in ran.out
    assert f"{GITHUB} is there already and would be kept" in ran.out
    assert f"--- a/{GITHUB}\n+++ b/{GITHUB}\n" in ran.out
    assert "-name: mine\n" in ran.out


def test_diff_makes_no_repository(tmp_path: Path) -> None:
    ran = init(tmp_path, "--diff")

    assert ran.code == 0
    assert list(tmp_path.iterdir()) == []


def test_in_a_subfolder_the_pipelines_stand_at_the_top(tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "r")
    (repository.path / "tools/flows").mkdir(parents=True)

    ran = init(repository.path / "tools/flows", *ALL, "-e", "live")

    assert ran.code == 0, ran.err
    found = contents(repository.path)
    assert {GITHUB, GITLAB, ".gitlab-ci.yml", ".pre-commit-config.yaml"} <= found.keys()
    assert {"tools/flows/gitsync.yaml", "tools/flows/.gitattributes"} <= found.keys()
    pipeline = yaml.safe_load(found[GITHUB])
    assert pipeline["env"]["GITSYNC_FOLDER"] == "tools/flows"
    assert pipeline["env"]["GITSYNC_ENV"] == "live"
    assert pipeline["jobs"]["deploy"]["environment"] == "live"
    assert pipeline["jobs"]["pull-request"]["environment"] == "live-plan"
    assert yaml.safe_load(found[GITLAB])[".gitsync"]["variables"]["GITSYNC_FOLDER"] == "tools/flows"
    assert "live" in parse_config(found["tools/flows/gitsync.yaml"], file="gitsync.yaml").environments


def test_the_deploys_follow_the_branch_that_the_remote_calls_its_head(tmp_path: Path) -> None:
    origin, first = make_origin_and_clone(tmp_path)
    first.git("switch", "-q", "-c", "trunk")
    first.commit_file("a", "a")
    first.git("push", "-q", "origin", "trunk")
    origin.git("symbolic-ref", "HEAD", "refs/heads/trunk")
    first.git("remote", "set-head", "origin", "--auto")
    first.git("switch", "-q", "-c", "topic")

    ran = init(first.path, *ALL)

    assert ran.code == 0, ran.err
    text = (first.path / GITHUB).read_text()
    assert "    branches: [trunk]\n" in text
    assert "what is pushed to trunk" in ran.err


@pytest.mark.parametrize(
    "source,repository,revision",
    [
        ("https://git.example.com/a.git@v1.2.3", "https://git.example.com/a.git", "v1.2.3"),
        ("git@git.example.com:tools/a.git@0123abc", "git@git.example.com:tools/a.git", "0123abc"),
        ("ssh://git@git.example.com/a@main", "ssh://git@git.example.com/a", "main"),
        ("../tools@v1", "TMP/tools", "v1"),
    ],
)
def test_the_source_is_what_is_said_and_nothing_else(
    tmp_path: Path, source: str, repository: str, revision: str
) -> None:
    (tmp_path / "tools").mkdir()
    (tmp_path / "r").mkdir()

    ran = init(tmp_path / "r", "--ci", "github", "--pre-commit", "--source", source)

    assert ran.code == 0, ran.err
    expected = repository.replace("TMP", str(tmp_path))
    assert ("cannot reach" in ran.err) is source.startswith("..")
    (hooks,) = yaml.safe_load((tmp_path / "r/.pre-commit-config.yaml").read_bytes())["repos"]
    assert (hooks["repo"], hooks["rev"]) == (expected, revision)
    variables = yaml.safe_load((tmp_path / "r" / GITHUB).read_bytes())["env"]
    assert (variables["GITSYNC_SOURCE"], variables["GITSYNC_REVISION"]) == (expected, revision)


@pytest.mark.parametrize(
    "source",
    [
        "https://git.example.com/a.git",
        "@v1",
        "https://git.example.com/a.git@",
        "https://user@git.example.com/a.git",
        "https://user:hunter2@git.example.com/a.git@v1",
        "https://git.example.com/a.git@--upload-pack=x",
        'https://git.example.com/"a.git@v1',
        "https://git.example.com/$(id)@v1",
    ],
)
def test_a_source_that_cannot_be_one_is_an_error(tmp_path: Path, source: str) -> None:
    ran = init(tmp_path, "--ci", "github", "--source", source)

    assert ran.code == 4
    assert "[INVALID_SOURCE]" in ran.err
    assert "hunter2" not in ran.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "arguments", [["--ci", "github"], ["--pre-commit"], ["--source", SOURCE], ["--ci", "jenkins"]]
)
def test_options_that_need_each_other_say_so(tmp_path: Path, arguments: list[str]) -> None:
    ran = init(tmp_path, *arguments)

    assert ran.code == 64
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["dev", "a b", "1", "a\n  b: c"])
def test_an_environment_that_a_pipeline_cannot_have_is_an_error(tmp_path: Path, name: str) -> None:
    ran = init(tmp_path, "-e", name)

    assert ran.code == 64
    assert "name the environment that a pipeline deploys to" in ran.err
    assert list(tmp_path.iterdir()) == []


def test_a_file_where_a_folder_has_to_be_is_named(repository: TestRepository) -> None:
    repository.write(".vscode", "in the way")

    ran = init(repository.path)

    assert ran.code == 1
    assert "[CANNOT_WRITE]" in ran.err
    assert ".vscode" in ran.err


def test_a_bare_repository_is_an_error(tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "bare.git", bare=True)

    ran = init(repository.path)

    assert ran.code == 4
    assert "[BARE_REPOSITORY]" in ran.err


def test_the_schema_for_editors_takes_every_example_and_sees_into_definitions() -> None:
    schema = json.loads((LAYOUT / ".vscode/gitsync-workflow.schema.json").read_bytes())
    validator = jsonschema.Draft7Validator(schema)
    validator.check_schema(schema)
    files = sorted((LAYOUT / "workflows").glob("*.json"))
    broken = json.loads(files[0].read_bytes())
    broken["draft"]["definition"]["steps"][0]["id"] = 1

    assert len(files) > 5
    assert [error for path in files for error in validator.iter_errors(json.loads(path.read_bytes()))] == []
    assert list(validator.iter_errors(broken))


def test_git_keeps_line_feeds_in_the_workflows_on_every_system(tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "r")
    init(repository.path)
    repository.git("config", "core.autocrlf", "true")
    repository.commit_files({"workflows/a.json": make_file("a", "1")})

    (repository.path / "workflows/a.json").unlink()
    repository.git("checkout", "--", "workflows/a.json")

    assert (repository.path / "workflows/a.json").read_bytes() == make_file("a", "1")


# ---------------------------------------------------------------- the files are what their readers take


@pytest.mark.parametrize(
    "schema,files",
    [
        ("vendor.github-workflows", [LAYOUT / GITHUB]),
        ("vendor.github-actions", [ROOT / "action.yml"]),
        ("vendor.gitlab-ci", [LAYOUT / GITLAB, LAYOUT / ".gitlab-ci.yml"]),
    ],
)
def test_the_pipelines_fit_their_schemas(schema: str, files: list[Path], tmp_path: Path) -> None:
    done = run_tool("check-jsonschema", "--builtin-schema", schema, *map(str, files), home=tmp_path)

    assert done.returncode == 0, done.stdout


def test_the_schemas_would_see_a_fault(tmp_path: Path) -> None:
    text = (LAYOUT / GITHUB).read_text().replace("runs-on: ubuntu-latest", "run-on: ubuntu-latest")
    (tmp_path / "broken.yml").write_text(text)

    done = run_tool(
        "check-jsonschema", "--builtin-schema", "vendor.github-workflows", "broken.yml", home=tmp_path
    )

    assert done.returncode == 1


def test_actionlint_finds_nothing_in_the_pipeline(tmp_path: Path) -> None:
    lint = ["-no-color", "-shellcheck=", "-pyflakes="]
    fine = run_tool("actionlint", *lint, str(LAYOUT / GITHUB), home=tmp_path)
    text = (LAYOUT / GITHUB).read_text().replace("github.event.pull_request.number", "github.evnt.number")
    (tmp_path / "broken.yml").write_text(text)
    broken = run_tool("actionlint", *lint, "broken.yml", home=tmp_path)

    assert fine.returncode == 0, fine.stdout
    assert broken.returncode == 1


def run_tool(name: str, *arguments: str, home: Path) -> subprocess.CompletedProcess[str]:
    """An installed tool, with what it prints; no network is needed."""
    return subprocess.run(
        [Path(sys.executable).with_name(name), *arguments],
        cwd=home,
        env=git_environment(home),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("path", [LAYOUT / GITHUB, ROOT / "action.yml"], ids=lambda path: path.name)
def test_actions_of_others_are_pinned_by_commit_with_their_version_beside(path: Path) -> None:
    used = re.findall(r"uses: (.+)", path.read_text())

    assert used
    assert [line for line in used if not re.fullmatch(r"[\w/-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", line)] == []


def test_the_action_runs_the_very_scripts_of_the_pipeline() -> None:
    pipeline = yaml.safe_load((LAYOUT / GITHUB).read_bytes())
    action = yaml.safe_load((ROOT / "action.yml").read_bytes())
    pinned = {step["uses"] for step in action["runs"]["steps"] if "uses" in step}
    steps = [step for job in pipeline["jobs"].values() for step in job["steps"]]
    scripts = {step["name"]: step["run"] for step in steps if "run" in step and "Install" not in step["name"]}

    same = {step["name"]: step["run"] for step in action["runs"]["steps"] if step.get("name") in scripts}

    assert len(scripts) == 4
    assert same == scripts
    assert pinned <= {step["uses"] for step in steps if "uses" in step}


def test_no_script_takes_text_from_an_expression() -> None:
    """What a title or a branch's name holds must never be read by the shell as a part of the script."""
    pipeline = yaml.safe_load((LAYOUT / GITHUB).read_bytes())
    action = yaml.safe_load((ROOT / "action.yml").read_bytes())
    steps = [*action["runs"]["steps"], *(s for job in pipeline["jobs"].values() for s in job["steps"])]

    assert [step["name"] for step in steps if "${{" in step.get("run", "")] == []


def steps_of(path: Path) -> list[dict[str, Any]]:
    parsed = yaml.safe_load(path.read_bytes())
    jobs = [parsed["runs"]] if "runs" in parsed else parsed["jobs"].values()
    return [step for job in jobs for step in job["steps"]]


@pytest.mark.parametrize("path", [LAYOUT / GITHUB, ROOT / "action.yml"], ids=lambda path: path.name)
def test_every_script_begins_outside_the_checkout_and_every_python_is_isolated(path: Path) -> None:
    scripts = [step for step in steps_of(path) if "run" in step and step["name"] != "Check the inputs"]

    assert [step["name"] for step in scripts if step.get("working-directory") != "${{ runner.temp }}"] == []
    assert [step["name"] for step in scripts if re.search(r"\bpython3? (?!-I )", step["run"])] == []
    assert {step.get("shell", "bash") for step in scripts} == {"bash", "python -I {0}"}


@pytest.mark.parametrize("path", [LAYOUT / GITHUB, ROOT / "action.yml"], ids=lambda path: path.name)
def test_a_secret_is_given_to_the_step_that_needs_it_alone(path: Path) -> None:
    secret = re.compile(r"secrets\.|inputs\.(?:database-url|tenant|actor|token)|github\.token")
    steps = steps_of(path)
    inside = "\n".join(yaml.safe_dump(step) for step in steps)
    whole = yaml.safe_dump(yaml.safe_load(path.read_bytes())).partition("inputs:")[0]

    having = {step.get("name") for step in steps if secret.search(yaml.safe_dump(step))}

    assert having == {"Plan", "Comment", "Deploy"}
    assert "DATABASE_URL" not in yaml.safe_dump([step for step in steps if step.get("name") == "Comment"])
    if path.name != "action.yml":
        assert len(secret.findall(whole)) == len(secret.findall(inside))


def test_on_gitlab_neither_installation_nor_note_sees_the_databases_variables() -> None:
    jobs = yaml.safe_load((LAYOUT / GITLAB).read_bytes())
    install = "\n".join(jobs[".gitsync"]["before_script"])
    note = "\n".join(jobs["gitsync-plan"]["after_script"])

    assert install.index("unset GITSYNC_DATABASE_URL") < install.index("cd /tmp") < install.index("pip")
    assert "env -u GITSYNC_DATABASE_URL" in note
    assert [
        text for text in re.findall(r"\bpython .*", f"{install}\n{note}") if not text.startswith("python -I ")
    ] == []


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_the_scripts_are_bash() -> None:
    pipeline = yaml.safe_load((LAYOUT / GITHUB).read_bytes())
    gitlab = yaml.safe_load((LAYOUT / GITLAB).read_bytes())
    scripts = [
        step["run"]
        for job in pipeline["jobs"].values()
        for step in job["steps"]
        if "run" in step and not step.get("shell", "").startswith("python")
    ]
    scripts += [
        "\n".join(job[name]) for job in gitlab.values() for name in ("script", "after_script") if name in job
    ]

    for script in scripts:
        done = subprocess.run(["bash", "-n"], input=script, text=True, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr
    assert len(scripts) == 9
