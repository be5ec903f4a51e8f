"""``gitsync adopt``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import click

from gitsync.cli.options import Settings, common_options, examples, settings_of
from gitsync.cli.output import echo

if TYPE_CHECKING:
    from gitsync.stores.database.adopting import Adopted, Suggestion


@click.command(
    "adopt",
    epilog=examples(
        "gitsync adopt 0b5c3f6e-5d0a-4f0e-9a55-1c2d3e4f5a6b billing.refund",
        "gitsync adopt --suggest > keys.txt      a key for each, made from its name; edit them,",
        "gitsync adopt --from keys.txt           then give them all at once",
        "gitsync adopt --dry-run --from keys.txt",
    ),
)
@click.argument("pairs", nargs=-1, metavar="[WORKFLOW_ID KEY]...")
@click.option(
    "--suggest", is_flag=True, help="Print a command for each workflow without a key; write nothing."
)
@click.option(
    "--from", "file", metavar="FILE|-", help="Read more pairs from a file, in the form that --suggest prints."
)
@click.option("--dry-run", is_flag=True, help="Check everything, write nothing.")
@common_options
@click.pass_context
def command(
    context: click.Context, pairs: tuple[str, ...], *, suggest: bool, file: str | None, dry_run: bool
) -> int:
    """Give workflows of the database a key, so that they can be in git.

    The product's editor makes workflows without one. A key is given to a workflow that has none, one that can
    name no file, or one that two workflows share; what has a key of its own keeps it. All pairs are given in one
    transaction, or none. The workflow's id and content stay, so whatever calls it goes on working.
    """
    from gitsync.commands.project import connect, read_settings

    settings = settings_of(context)
    if len(pairs) % 2:
        raise click.UsageError(f"a workflow's id and a key go together; {pairs[-1]!r} is alone")
    given = list(zip(pairs[::2], pairs[1::2], strict=True))
    if suggest and (given or file or dry_run):
        raise click.UsageError("--suggest writes nothing and takes no workflow; give it alone")
    if file is not None:
        given += _read_pairs(settings, file)
    if not given and not suggest:
        raise click.UsageError("name a workflow's id and its key; `gitsync adopt --suggest` prints them all")
    config, folder = read_settings(settings.context())
    environment = config.environment(settings.environment, settings.variables)
    with connect(environment, folder, settings.context(), command="adopt") as database:
        settings.tell(f"{environment.name}: {database.address}")
        if suggest:
            suggestions = database.suggest_keys()
            _print(settings, environment.name, (), suggestions, dry_run=False)
            return 0
        if not dry_run:
            database.require_ledger()
        _print(settings, environment.name, database.adopt(given, dry_run=dry_run), (), dry_run=dry_run)
        return 0


def _read_pairs(settings: Settings, file: str) -> list[tuple[str, str]]:
    """The pairs in a file: ``WORKFLOW_ID KEY`` or a whole command on each line, comments from ``#`` on."""
    from gitsync.cli.files import read_input
    from gitsync.errors import InvalidInput, Problem

    name = "standard input" if file == "-" else file
    try:
        lines = read_input(settings, file, what="a list of keys").decode().splitlines()
    except UnicodeDecodeError as error:
        raise InvalidInput(
            f"{name} is not UTF-8", code="INVALID_ADOPTION", cure="save it as UTF-8"
        ) from error
    found, problems = [], []
    for number, line in enumerate(lines, 1):
        words = list(_words(line.split()))
        if len(words) == 2:
            found.append((words[0], words[1]))
        elif words:
            message = f"expected a workflow's id and a key, found {len(words)} words"
            problems.append(Problem(name, number, 1, rule="INVALID_ADOPTION", message=message))
    if problems:
        raise InvalidInput(
            f"{name} cannot be read; nothing was written",
            code="INVALID_ADOPTION",
            problems=problems,
            cure="one `WORKFLOW_ID KEY` a line, as `gitsync adopt --suggest` prints them",
        )
    return found


def _words(words: Sequence[str]) -> Iterable[str]:
    """The words of a line without the command that may stand before the id, and without a comment."""
    rest = iter(words[2:] if list(words[:2]) == ["gitsync", "adopt"] else words)
    for word in rest:
        if word.startswith("#"):
            return
        if word in ("-e", "--env"):
            next(rest, None)  # where a line came from; the environment is chosen for all of them
        else:
            yield word


def _print(
    settings: Settings,
    environment: str,
    adopted: Sequence[Adopted],
    suggestions: Sequence[Suggestion],
    *,
    dry_run: bool,
) -> None:
    if settings.is_json:
        from gitsync.render.json import head, render_json

        value = {
            **head("adopt", environment=environment, commit=None),
            "dryRun": dry_run,
            "adopted": [
                {"workflowId": item.workflow_id, "key": item.key, "name": item.name, "before": item.before}
                for item in adopted
            ],
            "suggestions": [
                {"workflowId": item.workflow_id, "key": item.key, "name": item.name, "reason": item.reason}
                for item in suggestions
            ],
        }
        echo(render_json(value), nl=False)
        return
    chosen = f" -e {settings.environment}" if settings.environment else ""
    for item in suggestions:
        echo(f"gitsync adopt{chosen} {item.workflow_id} {item.key}  # {item.name!r}: {item.reason}")
    for row in adopted:
        before = f", instead of {row.before!r}" if row.before is not None else ""
        echo(f"  + {row.key}  {row.workflow_id} {row.name!r}{before}")
    if adopted:
        echo(f"{'would be: ' if dry_run else ''}{len(adopted)} adopted")
        if not dry_run:
            settings.tell("next: `gitsync pull` brings them into git")
    elif not suggestions:
        settings.tell("every workflow has a key of its own")
