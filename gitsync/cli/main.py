"""The group of commands, and the one place where errors are caught, printed and turned into exit codes."""

from __future__ import annotations

import gc
import importlib
import os
import sys
from typing import Final

import click

from gitsync import __version__
from gitsync.cli import interrupt
from gitsync.cli.options import OUTPUTS, Settings, common_options_with
from gitsync.cli.output import cleaned, echo, hide_credentials
from gitsync.masking import mask_secrets
from gitsync.printable import printable, printable_text

HELP: Final = """Keep the workflows of a database in step with a git repository.

Each workflow is one canonical JSON file, workflows/<key>.json. gitsync compares the files of a commit with
the rows of the database, tells per workflow which side has moved, and brings the other one in step. It never
overwrites an edit that nobody has seen: both moved is a conflict, and a conflict writes nothing.

\b
Look:     gitsync status               which side moved, per workflow
          gitsync diff [KEY]           what moved, in words and line by line
          gitsync plan --update        what a push would do, and why not
Check:    gitsync validate             every rule, every file; needs no database
          gitsync fmt                  canonical form, derived dependencies
Try:      gitsync run KEY              a workflow, with stubbed actions
          gitsync test                 the tests beside the workflows
Bring:    gitsync pull --commit -m …   the database's edits into git
          gitsync push --update        git's edits into the database
          gitsync plan --out FILE      a plan to review, then `gitsync apply FILE`
Start:    gitsync init --example       a repository, a configuration, sample workflows
          gitsync db init              the tables, in the database of gitsync.yaml
          gitsync doctor               what is amiss, and its cure

KEY is a workflow's key or a glob ('billing.*'); without one a command is about all workflows.
The database is the one of `-e NAME` in gitsync.yaml, or of GITSYNC_DATABASE_URL (with GITSYNC_TENANT);
where only HTTP leads there, name the product's server: `url:` in gitsync.yaml, or --base-url.

\b
Exit codes: 0 done or nothing to do    1 error               2 there are changes (--exit-code)
            3 conflict                 4 invalid input       5 plan stale: run it again
            6 protection refused       7 lock not acquired   9 no access   64 usage   130 interrupted
"""

VERBS: Final = {
    "init": (
        "gitsync.cli.init",
        "Make a repository for workflows, with a configuration that explains itself.",
    ),
    "status": ("gitsync.cli.status", "Show which side of each workflow has moved."),
    "diff": ("gitsync.cli.diff", "Show what differs between git and the database."),
    "plan": ("gitsync.cli.plan", "Show what a push would do, and write nothing."),
    "apply": ("gitsync.cli.apply", "Do exactly what a saved plan says, or nothing."),
    "pull": ("gitsync.cli.pull", "Bring the database's edits into the files."),
    "push": ("gitsync.cli.push", "Bring a commit's workflows into the database."),
    "validate": ("gitsync.cli.validate", "Check the files against every rule, offline."),
    "fmt": ("gitsync.cli.fmt", "Write the files in canonical form."),
    "run": ("gitsync.cli.run", "Run a workflow here, as the product would."),
    "test": ("gitsync.cli.test", "Run the tests of the workflows."),
    "export": ("gitsync.cli.export", "Export workflows as a bundle."),
    "import": ("gitsync.cli.import_", "Import a workflow bundle into the database."),
    "bundle": ("gitsync.cli.bundle", "Take bundles apart into files, and put files together."),
    "adopt": ("gitsync.cli.adopt", "Give workflows of the database a key."),
    "doctor": (
        "gitsync.cli.doctor",
        "Look at everything that gitsync stands on, with the cure for what is amiss.",
    ),
    "serve": ("gitsync.cli.serve", "Offer the database over HTTP."),
    "token": ("gitsync.cli.token", "Say who may use the server."),
    "db": ("gitsync.cli.db", "Prepare and check the database."),
    "registry": ("gitsync.cli.registry", "Fetch and show what the runtime offers."),
}


class LazyGroup(click.Group):
    """A group that imports a command's module when that command is asked for, not to list it."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The verbs in the order in which people meet them."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """The command of a verb."""
        if name not in VERBS:
            return None
        command = importlib.import_module(VERBS[name][0]).command
        return command if isinstance(command, click.Command) else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of verbs, from their one-line descriptions alone."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in VERBS.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command, or an error that names the nearest verb."""
        if args and args[0] not in VERBS and not args[0].startswith("-"):
            import difflib

            near = difflib.get_close_matches(args[0], VERBS, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            ctx.fail(f"there is no command {args[0]!r}{hint}")
        return super().resolve_command(ctx, args)


@click.group(
    cls=LazyGroup,
    help=HELP,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
@click.version_option(__version__, "-V", "--version", prog_name="gitsync", message="%(prog)s %(version)s")
@common_options_with(*OUTPUTS)
def group() -> None:
    """Keep the workflows of a database in step with a git repository."""


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and leave the process with its exit code."""
    # Documents hold no cycles. Looking for some would walk all that are held, over and over: a third of a push.
    # A command that goes on and on, as `serve`, turns it on again.
    gc.disable()
    sys.exit(run(sys.argv[1:] if arguments is None else arguments))


def run(arguments: list[str]) -> int:
    """The exit code of one command line; results on stdout, all else on stderr."""
    try:
        interrupt.catch()
        code = _run(arguments)
        interrupt.ignore()
    except (KeyboardInterrupt, click.Abort):
        echo(interrupt.MESSAGE, err=True)
        return interrupt.EXIT
    return code


def _run(arguments: list[str]) -> int:
    """Run one command line, and say what went wrong; an interruption comes through."""
    settings = Settings()
    hide_credentials()
    try:
        result = group.main(list(arguments), prog_name="gitsync", obj=settings, standalone_mode=False)
        if sys.stdout is not None:  # closed by whoever started us
            sys.stdout.flush()
    except click.UsageError as error:
        click.UsageError(cleaned(printable(mask_secrets(error.format_message()))), ctx=error.ctx).show()
        return 64
    except click.Abort:
        raise
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except Exception as error:
        if interrupt.has_come():
            raise KeyboardInterrupt from error
        return _report_system(error, settings) if isinstance(error, OSError) else _report(error, settings)
    return result if isinstance(result, int) else 0


def _report_system(error: OSError, settings: Settings) -> int:
    """Say what the operating system refused: a full disk, a right, a file that went away."""
    from gitsync.errors import GitsyncError

    place = f"{error.filename}: " if error.filename else ""
    told = GitsyncError(
        f"{place}{error.strerror or error}; what was committed before stays",
        code="SYSTEM_ERROR",
        cure="mend the cause; `gitsync status` shows what was done",
    )
    try:
        code = _report(told, settings)
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError:  # it is the output itself that cannot be written
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        settings.output = "text"
        return _report(told, settings)
    return code


def _report(error: Exception, settings: Settings) -> int:
    from gitsync.errors import GitsyncError, InvalidInput

    def tell(text: str) -> None:
        echo(printable(mask_secrets(text)), err=True)

    if not isinstance(error, GitsyncError):
        tell(f"gitsync: internal error: {type(error).__name__}: {error}")
        tell("  this is a fault in gitsync, and nothing half-done was kept; `-v` shows where")
        if settings.verbose:
            import traceback

            echo(mask_secrets("".join(traceback.format_exception(error))), err=True)
        return 1
    if settings.output == "json":
        from gitsync.render.json import error_json, render_json

        echo(mask_secrets(render_json(error_json(error))), nl=False)
        return error.exit_code
    if settings.is_markdown:
        from gitsync.render.markdown import render_error

        echo(mask_secrets(render_error(error)), nl=False)
    code = "" if f"[{error.code}]" in error.message else f" [{error.code}]"
    message = printable_text(mask_secrets(f"gitsync: {error.message}{code}"))
    click.secho(cleaned(message), err=True, fg="red" if settings.is_colourful else None)
    if isinstance(error, InvalidInput):
        for problem in error.problems:
            if str(problem) in error.message:
                continue  # the only one: said already
            tell(f"  {problem}")
    for entry in error.details.get("conflicts", ()):
        note = f" ({entry['note']})" if entry.get("note") else ""
        words = f": {entry['summary']}" if entry.get("summary") else ""
        tell(f"  {entry['key']}: {entry['state']}{words}{note}")
    for line in error.lines:
        tell(f"  {line}")
    if error.cure:
        tell(f"  next: {error.cure}")
    return error.exit_code
