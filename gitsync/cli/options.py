"""The options that every command shares, accepted before and after the verb."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

import click

from gitsync.cli.output import cleaned, echo, make_console
from gitsync.printable import printable

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from rich.console import Console

    from gitsync.commands.context import Context

F = TypeVar("F", bound=Callable[..., Any])
CHECKS: Final = ("text", "json", "sarif", "github", "junit")
"""The forms of a list of problems."""
PAGES: Final = ("text", "json", "markdown")
"""The forms of a result that is about several workflows."""
OUTPUTS: Final = tuple(dict.fromkeys((*CHECKS, *PAGES)))
"""Every form that the result of some command has; before the verb, any of them may stand."""
_COMMON: Final = ("folder", "environment", "output", "yes", "quiet", "verbose", "no_color", "lock_timeout")


@dataclass(slots=True)
class Settings:
    """What the common options say; a command's own place wins over the group's.

    config_from: the revision whose ``gitsync.yaml`` says which environments there are.
    base_url: of a server to work on instead of an environment. given: ``cookie``, ``token``, ``api_key`` and
    ``tenant`` for a server, as far as the command line has them.
    """

    folder: Path | None = None
    environment: str | None = None
    output: str = "text"
    is_output_chosen: bool = False
    yes: bool = False
    quiet: bool = False
    verbose: bool = False
    no_color: bool = False
    lock_timeout: float = 10.0
    no_cache: bool = False
    assume_complete: bool = False
    config_from: str | None = None
    base_url: str | None = None
    given: dict[str, str] = field(default_factory=dict)

    @property
    def is_markdown(self) -> bool:
        """Whether the result goes out as Markdown."""
        return self.output == "markdown"

    @property
    def is_colourful(self) -> bool:
        """Whether errors may be coloured."""
        return not self.no_color and not self.variables.get("NO_COLOR") and sys.stderr.isatty()

    @property
    def variables(self) -> Mapping[str, str]:
        """The process's environment variables."""
        return os.environ

    @property
    def where(self) -> Path:
        """The folder that the command runs in."""
        from gitsync.commands.context import direct

        return direct(self.folder or Path.cwd())

    def place(self, file: str | Path) -> Path:
        """Where a file is that the command line names, from that folder."""
        from gitsync.commands.context import direct

        return direct(self.where / file)

    def context(self) -> Context:
        """Return what a command needs to know of where it runs."""
        from gitsync.commands.context import Context

        return Context(
            where=self.where,
            variables=self.variables,
            environment=self.environment,
            base_url=self.base_url,
            given=self.given,
            lock_timeout=self.lock_timeout,
            no_cache=self.no_cache,
            config_from=self.config_from,
            assume_complete=self.assume_complete,
            caller=self,
        )

    def count(self, title: str) -> AbstractContextManager[Callable[[int, int], None] | None]:
        """Draw a bar on a terminal for long work."""
        from gitsync.cli.progress import counter

        return counter(self, title)

    def console(self, *, stderr: bool = False) -> Console:
        """Where a command writes; colours only on a terminal."""
        return make_console(stderr=stderr, no_color=self.no_color or None)

    def tell(self, text: str) -> None:
        """A message that is no result: on stderr, and not with ``-q``."""
        if not self.quiet:
            echo(printable(text), err=True)

    def confirm(self, question: str) -> None:
        """Go on only where the person says yes: on a terminal, or with ``--yes``."""
        if self.yes:
            return
        if not (sys.stdin.isatty() and sys.stderr.isatty()):
            from gitsync.errors import Refused

            raise Refused(
                f"{question} There is no terminal to ask on; nothing was written",
                code="CONFIRMATION_NEEDED",
                cure="add --yes if it is meant",
            )
        if not click.confirm(cleaned(printable(question)), err=True):
            from gitsync.errors import GitsyncError

            raise GitsyncError("not confirmed; nothing was written", code="NOT_CONFIRMED")


def common_options(function: F) -> F:
    """Add the common options, which land in the context's Settings and not in the function."""
    return common_options_with("text", "json")(function)


def common_options_with(*outputs: str) -> Callable[[F], F]:
    """The common options of a command whose result has these forms."""

    def decorate(function: F) -> F:
        function = _with_usage(function)
        for option in reversed(_options(outputs)):
            function = option(function)
        return function

    return decorate


def _with_usage(function: F) -> F:
    """Let click say what a command calls a wrong use, with the command's usage line."""

    @functools.wraps(function)
    def run(*arguments: Any, **values: Any) -> Any:
        from gitsync.errors import UsageError

        try:
            return function(*arguments, **values)
        except UsageError as error:
            raise click.UsageError(error.message) from error

    return cast("F", run)


def _store(context: click.Context, parameter: click.Parameter, value: Any) -> None:
    settings = context.ensure_object(Settings)
    if value is not None and parameter.name:
        setattr(settings, parameter.name, value)
    if parameter.name == "output":
        settings.is_output_chosen |= value is not None
        assert isinstance(parameter.type, click.Choice)
        if settings.output not in parameter.type.choices and not context.resilient_parsing:
            forms = ", ".join(parameter.type.choices)
            raise click.BadParameter(
                f"this command has no form {settings.output!r}, only {forms}", context, parameter
            )
    if parameter.name == "verbose" and value:
        import logging

        from gitsync.logs import PrintableFormatter

        lines = logging.StreamHandler(sys.stderr)
        lines.setFormatter(PrintableFormatter("%(name)s: %(message)s"))
        logging.basicConfig(level=logging.DEBUG, handlers=[lines])
        logging.getLogger("git").setLevel(logging.INFO)
        logging.getLogger("httpcore").setLevel(logging.INFO)  # it would log headers, and cookies in them


def _options(outputs: tuple[str, ...]) -> list[Callable[[F], F]]:
    def option(*names: str, **attributes: Any) -> Callable[[F], F]:
        return click.option(*names, **attributes, expose_value=False, callback=_store, is_eager=True)

    return [
        option(
            "-C",
            "folder",
            type=click.Path(path_type=Path, exists=True, file_okay=False),
            help="Run in this folder.",
        ),
        option(
            "-e", "--env", "environment", metavar="NAME", help="The environment of gitsync.yaml to work on."
        ),
        option("-o", "--output", type=click.Choice(outputs), default=None, help="Form of the result."),
        option("-y", "--yes", is_flag=True, default=None, help="Answer yes to 'are you sure'."),
        option("-q", "--quiet", is_flag=True, default=None, help="Print the result and errors only."),
        option("-v", "--verbose", is_flag=True, default=None, help="Log what is done, and show tracebacks."),
        option("--no-color", is_flag=True, default=None, help="No colours; NO_COLOR does the same."),
        option(
            "--lock-timeout",
            type=click.FloatRange(min=0, min_open=True, max=86400),
            metavar="SECONDS",
            default=None,
            help="How long to wait for another run on the same database (10).",
        ),
    ]


def server_options(function: F) -> F:
    """Add the options of a command that works on a server as well as on a database."""

    def store(context: click.Context, parameter: click.Parameter, value: str | None) -> None:
        settings = context.ensure_object(Settings)
        if value is None:
            return
        if not value:
            raise click.BadParameter("is empty", param=parameter)
        if parameter.name == "base_url":
            settings.base_url = value
        else:
            settings.given[str(parameter.name)] = value

    for name, metavar, text in (
        ("--tenant", "ID", "Whose workflows, of a server that is asked with an API key."),
        ("--api-key", "KEY", "Sign in to the server with an API key: enough to read (GITSYNC_API_KEY)."),
        ("--token", "TOKEN", "Sign in to the server with a token of gitsync's own server (GITSYNC_TOKEN)."),
        ("--cookie", "NAME=VALUE", "Sign in to the server with a session's cookie (GITSYNC_COOKIE)."),
        ("--base-url", "URL", "Work on this server instead of an environment of gitsync.yaml."),
    ):
        option = click.option(name, metavar=metavar, help=text, expose_value=False, callback=store)
        function = option(function)
    return function


def settings_of(context: click.Context) -> Settings:
    """The settings of a running command."""
    return context.ensure_object(Settings)


def examples(*lines: str) -> str:
    """An epilog of examples, kept as lines."""
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)


exit_code_option = click.option(
    "--exit-code", is_flag=True, help="Exit 2 where there are changes, 3 where there are conflicts."
)
keys_argument = click.argument("keys", nargs=-1, metavar="[KEY]...")
ref_option = click.option(
    "--ref", default="HEAD", show_default=True, metavar="REV", help="The commit to read from."
)
config_from_option = click.option(
    "--config-from",
    metavar="REV",
    default=None,
    expose_value=False,
    callback=_store,
    help="Take environments and limits from gitsync.yaml at this revision; for the plan of a pull request.",
)
complete_option = click.option(
    "--assume-complete",
    is_flag=True,
    default=None,
    expose_value=False,
    callback=_store,
    help="Take what the database or server does not show for absent, though it may be hidden.",
)
cache_option = click.option(
    "--no-cache",
    is_flag=True,
    default=None,
    expose_value=False,
    callback=_store,
    help="Read every workflow, also those whose rows are as they were.",
)
