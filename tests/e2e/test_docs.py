from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from gitsync.cli.main import group
from gitsync.config import parse_config
from gitsync.workflow.registry import read_registry

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    [ROOT / "README.md", ROOT / "CHANGELOG.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")]
)
CODE = re.compile(r"[A-Z]{2,}(?:_[A-Z0-9]+)+|CONFLICT|DRIFT|ERROR|FORBIDDEN|STOPPING|UNAUTHORIZED")
NO_CODES = re.compile(
    r"(?:GIT|GITHUB|GITSYNC)_(?!ERROR$|MISSING$|TIMEOUT$).*|NOT_ALLOWED|TOO_LARGE|HUMAN_TASK_COMPLETED"
    r"|(?:MERGE|CHERRY_PICK|REVERT|ORIG)_HEAD|NO_COLOR|LC_ALL"
)
"""Constants in the same spelling that are no error's code: variables, git's own files, an event of the product,
kinds of expression faults."""


def iter_commands(command: click.Command, words: tuple[str, ...] = ()) -> Iterator[tuple[str, click.Command]]:
    if not isinstance(command, click.Group):
        yield " ".join(words), command
        return
    with click.Context(command) as context:
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            assert inner is not None, f"{name} is listed, and no command"
            yield from iter_commands(inner, (*words, name))


COMMANDS = dict(iter_commands(group))


def error_codes() -> set[str]:
    """Every string in the package that is written as error codes are, docstrings and comments apart."""
    found = set()
    for path in sorted((ROOT / "gitsync").rglob("*.py")):
        with path.open("rb") as file:
            for token in tokenize.tokenize(file.readline):
                if token.type == tokenize.STRING and CODE.fullmatch(text := token.string.strip("\"'")):
                    found.add(text)
    return {code for code in found if not NO_CODES.fullmatch(code)}


def gitsync_lines(text: str) -> Iterator[str]:
    """What the documentation tells people to type, in code blocks and between back-ticks."""
    for block in re.findall(r"```.*?\n(.*?)```", text, re.DOTALL):
        for line in block.splitlines():
            for part in re.split(r"&&|\||;| > ", line):
                typed = re.sub(r"^(?:[-$\s]|run:|[A-Z_]+=\S+)*", "", part)
                if typed.startswith("gitsync "):
                    yield typed
    yield from re.findall(r"`(gitsync [a-z][^`]*)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL))


def run_gitsync(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "gitsync", *words],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_each_command_has_help_with_examples_of_itself(name: str, tmp_path: Path) -> None:
    done = run_gitsync(*name.split(), "--help", cwd=tmp_path)

    assert done.returncode == 0, done.stderr
    usage, _, examples = done.stdout.partition("Examples:")
    assert re.search(rf"^ +gitsync (?:-\S+ \S+ )?{name}\b", examples, re.MULTILINE), (
        "no example of the command"
    )
    assert len(usage.split("Options:")[0].split()) > 8, "the help says no more than the usage line"


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_each_option_of_a_command_says_what_it_is_for(name: str) -> None:
    silent = [
        option.opts[0]
        for option in COMMANDS[name].params
        if isinstance(option, click.Option) and not option.help
    ]

    assert not silent


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_each_command_is_shown_in_the_readme(name: str) -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")

    assert re.search(rf"gitsync {name}\b", readme)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_and_option_that_a_page_shows_exists(page: Path) -> None:
    wrong = []
    for typed in gitsync_lines(page.read_text(encoding="utf-8")):
        words = typed.split("#")[0].split()[1:]
        name = next((" ".join(words[:size]) for size in (2, 1) if " ".join(words[:size]) in COMMANDS), None)
        if words[:1] in (["COMMAND"], ["--help"], ["--version"], ["db"], ["token"]) and name is None:
            continue
        if name is None:
            wrong.append(typed)
            continue
        known = {opt for option in COMMANDS[name].params for opt in (*option.opts, *option.secondary_opts)}
        known.add("--help")
        options = [re.split(r"[=\[]", word)[0] for word in words if word.startswith("-") and word != "-"]
        wrong += [f"{typed}: {option}" for option in options if option not in known]

    assert not wrong


def test_every_error_code_is_explained_and_every_explained_code_exists() -> None:
    text = (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
    explained = set(re.findall(r"^\| `([A-Z_]+)` \|", text, re.MULTILINE)) | {"ERROR"}

    in_rules = set(
        re.findall(r"^## ([A-Z_]+)$", (ROOT / "docs" / "rules.md").read_text(encoding="utf-8"), re.MULTILINE)
    )
    missing = error_codes() - explained - in_rules
    assert sorted(missing) == [], (
        "raised in the package, neither in docs/troubleshooting.md nor in docs/rules.md"
    )
    assert sorted(explained - error_codes()) == [], "in docs/troubleshooting.md, raised nowhere"


def test_every_state_is_explained() -> None:
    from gitsync.sync.states import State

    text = (ROOT / "docs" / "sync.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([a-z-]+)` \|", text, re.MULTILINE)

    assert sorted(rows) == sorted(State)


def test_the_push_columns_of_the_state_table_are_what_a_push_does() -> None:
    from gitsync.sync.plan import Entry, Policy, Verdict, push_verdict
    from gitsync.sync.states import NO_BASE, State
    from gitsync.workflow.types import Digest, Key

    words = {
        "leave": Verdict.LEAVE,
        "create": Verdict.WRITE,
        "overwrite": Verdict.WRITE,
        "conflict": Verdict.CONFLICT,
        "refuse": Verdict.REFUSE,
        "error": Verdict.REFUSE,
    }
    text = (ROOT / "docs" / "sync.md").read_text(encoding="utf-8")
    table = re.findall(r"^\| `([a-z-]+)` \|[^|]*\|([^|]*)\|([^|]*)\|([^|]*)\|", text, re.MULTILINE)
    assert len(table) == len(State)
    for state, *cells in table:
        has_file = state not in ("new-in-database", "deleted-in-repository")
        entry = Entry(
            Key("k"), State(state), Digest("1" * 40) if has_file else None, Digest("2" * 40), NO_BASE
        )
        for policy, cell in zip(Policy, cells, strict=True):
            word = re.findall(r"[a-z]+", cell)[0]
            assert push_verdict(entry, policy=policy, prune=False) is words[word], (state, policy, cell)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_inside_the_documentation_leads_somewhere(page: Path) -> None:
    broken = []
    for target in re.findall(r"\]\(([^)]+)\)", page.read_text(encoding="utf-8")):
        if target.startswith(("https://", "http://")):
            continue
        name, _, anchor = target.partition("#")
        file = (page.parent / name).resolve() if name else page
        if not file.exists() or (anchor and anchor not in anchors(file)):
            broken.append(target)

    assert not broken


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_configuration_and_the_registry_that_the_docs_show_are_valid() -> None:
    page = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    first, second, rules = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)

    config = parse_config(first.encode(), file="gitsync.yaml")
    registry = read_registry(second.encode(), file="registry.yaml", check_schemas=True)
    settings = parse_config(f"version: 1\n{rules}".encode(), file="gitsync.yaml").rules

    assert set(config.environments) == {"dev", "prod"}
    assert ("email.send", 1) in registry.actions
    assert set(settings.rules) == {"SECRETS", "UNKNOWN_NAME"}


@pytest.mark.parametrize("shell, sign", [("bash", "complete "), ("zsh", "#compdef"), ("fish", "complete ")])
def test_the_documented_shell_completion_gives_a_script(shell: str, sign: str, tmp_path: Path) -> None:
    assert f"_GITSYNC_COMPLETE={shell}_source gitsync" in (ROOT / "docs" / "shell-completion.md").read_text()

    done = subprocess.run(
        [Path(sys.executable).with_name("gitsync")],
        cwd=tmp_path,
        env={**os.environ, "_GITSYNC_COMPLETE": f"{shell}_source"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert sign in done.stdout
    assert "_GITSYNC_COMPLETE" in done.stdout


def test_completion_offers_the_commands(tmp_path: Path) -> None:
    done = subprocess.run(
        [Path(sys.executable).with_name("gitsync")],
        cwd=tmp_path,
        env={
            **os.environ,
            "_GITSYNC_COMPLETE": "bash_complete",
            "COMP_WORDS": "gitsync pu",
            "COMP_CWORD": "1",
        },
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.stdout.split() == ["plain,pull", "plain,push"]


def test_an_error_tells_its_code_in_text_and_in_json(tmp_path: Path) -> None:
    text = run_gitsync("status", cwd=tmp_path)
    as_json = run_gitsync("status", "-o", "json", cwd=tmp_path)

    assert "[NO_CONFIGURATION]" in text.stderr
    assert json.loads(as_json.stdout)["code"] == "NO_CONFIGURATION"
    assert text.returncode == as_json.returncode == 4


def test_the_exit_codes_of_the_errors_are_those_of_the_ci_page() -> None:
    from gitsync import errors

    page = (ROOT / "docs" / "ci.md").read_text(encoding="utf-8")
    rows = {int(code) for code in re.findall(r"^\| (\d+) \|", page, re.MULTILINE)}
    raised = {
        found.exit_code
        for found in vars(errors).values()
        if isinstance(found, type) and issubclass(found, errors.GitsyncError)
    }

    assert raised <= rows
    assert rows - raised == {0, 2, 130}
