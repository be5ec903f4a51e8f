"""``gitsync adopt``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import click

from gitsync.cli.options import Settings, common_options, examples, settings_of


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
    from gitsync.cli.emit import emit
    from gitsync.commands.adopt import adopt, suggest_keys

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
    report = (
        suggest_keys(settings.context()) if suggest else adopt(settings.context(), given, dry_run=dry_run)
    )
    return emit(report, settings, chosen=settings.environment)


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
