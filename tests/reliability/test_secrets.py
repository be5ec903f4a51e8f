"""A password appears in no output: over every command, many errors, text and JSON, with -v and without."""

from __future__ import annotations

import itertools
import json
import logging
from collections.abc import Iterable, Iterator
from pathlib import Path

import click
import pytest
from sqlalchemy.engine import make_url

from gitsync.cli.main import group
from gitsync.masking import mask_secrets
from tests.support import figures
from tests.support.effort import some
from tests.support.faults import Failure, everything, failing_at
from tests.support.loop import Loop, gitsync, make_config, make_loop
from tests.support.product import TENANT

pytestmark = [
    pytest.mark.fuzz("secrets"),
    # psycopg complains of server-side cursors that nobody closed; here their connection was taken away
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

CANARY = "c4n4ry"
STYLES: tuple[list[str], ...] = ([], ["-o", "json"], ["-v"])
NEVER_ENDING = {"serve", "watch"}


def iter_commands(command: click.Command, words: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The words of each command that does something."""
    if not isinstance(command, click.Group):
        yield words
        return
    with click.Context(command) as context:
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            assert inner is not None
            yield from iter_commands(inner, (*words, name))


COMMANDS = [words for words in iter_commands(group) if not NEVER_ENDING & set(words)]


def in_styles(cases: Iterable[list[str]], *, step: int) -> Iterator[list[str]]:
    """Each case in each style, of which ``make test`` takes every `step`-th; no step is a multiple of 3."""
    return some(([*case, *style] for case, style in itertools.product(cases, STYLES)), step=step)


def check_silence(*arguments: str, **variables: str) -> int:
    """The exit code of a command line, neither of whose outputs has the password."""
    logging.getLogger().handlers.clear()  # those of a run before write into its own stderr
    figures.count("secrets")
    ran = gitsync(*arguments, variables=variables)
    told = ran.out + ran.err
    assert CANARY not in told, f"gitsync {' '.join(arguments)}: exit {ran.code}\n{told}"
    assert "internal error" not in told, told
    return ran.code


@pytest.fixture
def loop(tmp_path: Path, postgres_database: str) -> Loop:
    """A loop whose database needs no password, and is given one."""
    url = make_url(postgres_database).set(password=CANARY).render_as_string(hide_password=False)
    loop = make_loop(tmp_path, url=url, tenant=TENANT)
    loop.commit(a="A1", b="B1")
    loop.push()
    loop.editor.save("a", "A2")
    loop.editor.save("b", "B3")
    loop.commit(b="B2", c="C1")
    return loop


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_no_command_shows_the_password(loop: Loop, words: tuple[str, ...]) -> None:
    """With nothing to complain of, with a conflict, with arguments that fit and that don't, and in every style."""
    arguments: list[list[str]] = [
        ["a"],
        ["--force"],
        ["--update"],
        ["--exit-code"],
        ["nowhere"],
        ["-e", "other"],
        ["--bogus"],
        [],
    ]
    for more in in_styles(arguments, step=2):
        check_silence("-C", str(loop.folder), "--yes", *words, *more)

    assert CANARY not in str(everything(loop.editor.url))
    kept = [
        path for path in loop.folder.rglob("*") if path.is_file() and CANARY.encode() in path.read_bytes()
    ]
    assert kept == [loop.folder / "gitsync.yaml"]


@pytest.mark.parametrize("how", list(Failure))
def test_no_failing_statement_shows_the_password(loop: Loop, how: Failure) -> None:
    for words in (["status"], ["push", "--force"], ["pull"], ["db", "init"], ["db", "check"]):
        for number, style in zip((1, 3, 9, 14, 22), itertools.cycle(STYLES)):
            with failing_at(number, how):
                check_silence("-C", str(loop.folder), "--yes", *words, *style)


WRONG = [
    f"postgresql://u:{CANARY}@127.0.0.1:1/db",
    f"postgresql://u:{CANARY}@127.0.0.1:1,127.0.0.1:2/db",
    f"postgresql://u:{CANARY}@127.0.0.1:1/db?nosuch=1",
    f"postgresql://u:{CANARY}@127.0.0.1:1/db?sslmode=bogus",
    f"postgresql://u:{CANARY}@no-such-host.invalid/db",
    f"postgresql://u:{CANARY}@h:notaport/db",
    f"postgresql://u:{CANARY}@[::1/db",
    f"postgresql://u:p@{CANARY}@h.invalid/db",
    f"postgresql://u:{CANARY}@x@h.invalid/db",
    f"postgresql://u:{CANARY}/x@h.invalid/db",
    f"postgresql://u:{CANARY}#x@h.invalid/db",
    f"postgresql://u:{CANARY}?x@h.invalid/db",
    f"postgresql://u:%zz{CANARY}@127.0.0.1:1/db",
    f"postgresql://u:{CANARY}\n@127.0.0.1:1/db",
    f" postgresql://u:{CANARY}@127.0.0.1:1/db",
    f"postgresql://u@127.0.0.1:1/db?password={CANARY}",
    f"postgresql://u@127.0.0.1:1/db?PASSWORD={CANARY}",
    f"postgresql://u@127.0.0.1:1/db?sslpassword={CANARY}",
    f"postgresql://u@127.0.0.1:1/db?options=-cpassword={CANARY}",
    f"postgresql+asyncpg://u:{CANARY}@h/db",
    f"postgresql:/u:{CANARY}@h/db",
    f"mysql://u:{CANARY}@h/db",
    f"sqlite://u:{CANARY}@h/db",
    f"u:{CANARY}@h/db",
    f"host=127.0.0.1 port=1 user=u password={CANARY}",
]


@pytest.mark.parametrize("url", WRONG)
def test_no_address_that_fails_shows_its_password(tmp_path: Path, url: str) -> None:
    loop = make_loop(tmp_path)
    loop.commit(a="A1")
    bundle = loop.repository.write("bundle.json", "{}")
    lines = (["status"], ["push"], ["pull"], ["db", "init"], ["db", "check"], ["import", str(bundle)])
    for words in in_styles(lines, step=4):
        loop.repository.write("gitsync.yaml", make_config(url))
        assert check_silence("-C", str(loop.folder), *words) in {1, 4, 9}
        loop.repository.write("gitsync.yaml", "version: 1\n")
        assert check_silence("-C", str(loop.folder), *words, GITSYNC_DATABASE_URL=url) in {1, 4, 9}


ADDRESS = f"postgresql://u:{CANARY}@h.invalid/db"
MISPLACED = [
    f"version: 1\ndefault: {ADDRESS}\n",
    f"version: {ADDRESS}\n",
    f"version: 1\nworkflows: /{ADDRESS}\n",
    f"version: 1\nregistry: ../{ADDRESS}\n",
    f"version: 1\nlimits: {{ delete: '{ADDRESS}' }}\n",
    f"version: 1\nenvironments: '{ADDRESS}'\n",
    f"version: 1\nenvironments: {{ dev: '{ADDRESS}' }}\n",
    f"version: 1\nenvironments: {{ '{ADDRESS}': {{ database: x }} }}\n",
    f"version: 1\nenvironments: {{ dev: {{ database: x, '{ADDRESS}': 1 }} }}\n",
    f"version: 1\nenvironments: {{ dev: {{ database: x, overwrite: '{ADDRESS}' }} }}\n",
    f"version: 1\nenvironments: {{ dev: {{ database: x, actor: '{ADDRESS}', tenant: '{ADDRESS}' }} }}\n",
    f"version: 1\nenvironments: {{ dev: {{ database: {ADDRESS}: x }} }}\n",
    f"{ADDRESS}: 1\n",
    f"{ADDRESS}\n",
    f'"{ADDRESS}\n',
]


@pytest.mark.parametrize("config", MISPLACED)
def test_an_address_in_the_wrong_place_of_the_configuration_keeps_its_password(
    tmp_path: Path, config: str
) -> None:
    loop = make_loop(tmp_path)
    loop.repository.write("gitsync.yaml", config)
    for words, style in itertools.product((["status"], ["db", "check"]), STYLES):
        assert check_silence("-C", str(loop.folder), *words, *style) in {1, 4}


@pytest.mark.parametrize(
    "words",
    [
        ["-e", ADDRESS, "status"],
        ["status", ADDRESS],
        ["push", "--ref", ADDRESS],
        ["import", ADDRESS],
        ["-C", ADDRESS, "status"],
        [ADDRESS],
        ["status", "--lock-timeout", ADDRESS],
        ["status", "-o", ADDRESS],
        [f"--{ADDRESS}", "status"],
    ],
)
def test_an_address_in_the_wrong_place_of_the_command_line_keeps_its_password(
    tmp_path: Path, words: list[str]
) -> None:
    loop = make_loop(tmp_path)

    assert check_silence("-C", str(loop.folder), *words) in {1, 4, 64}


def test_what_is_masked_stays_json_and_loses_nothing_else() -> None:
    value = {"at": f"postgresql://ann:{CANARY}@h/db?sslmode=require", "key": "a=b", "mail": "ann@example.com"}

    masked = json.loads(mask_secrets(json.dumps(value)))

    assert masked == value | {"at": "postgresql://ann:***@h/db?sslmode=require"}


def test_what_stands_for_a_secret_is_left_as_it_is() -> None:
    hint = "next: `export GITSYNC_TOKEN=…`"

    assert mask_secrets(hint) == hint
    assert mask_secrets("`export GITSYNC_TOKEN=abc`") == "`export GITSYNC_TOKEN=***`"
