"""``gitsync apply``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from gitsync.cli.options import (
    PAGES,
    Settings,
    cache_option,
    common_options_with,
    complete_option,
    examples,
    server_options,
    settings_of,
)

if TYPE_CHECKING:
    from gitsync.sync.saved_plan import SavedPlan


@click.command(
    "apply",
    epilog=examples(
        "gitsync plan --update --out plan.json      then review it",
        "gitsync apply plan.json",
        "gitsync apply - < plan.json",
    ),
)
@click.argument("file", metavar="FILE|-")
@cache_option
@complete_option
@server_options
@common_options_with(*PAGES)
@click.pass_context
def command(context: click.Context, file: str) -> int:
    """Do exactly what a saved plan says, or nothing.

    The plan names its environment, its commit and its policy, and for each workflow what the database held when
    it was made. A plan that was changed, that is for another database, or of which a workflow has moved since,
    is refused, and nothing is written. The commit has to be in this clone, on whatever branch.
    Nobody is asked: the plan is what was reviewed.
    """
    from gitsync.cli.emit import emit
    from gitsync.commands.project import open_project
    from gitsync.commands.push import apply

    settings = settings_of(context)
    saved = _read(settings, file)
    with open_project(settings.context()) as project:
        return emit(apply(project, saved, file=file, with_words=settings.is_markdown), settings)


def _read(settings: Settings, file: str) -> SavedPlan:
    """The saved plan, and the settings' environment set to its own; raises where they differ."""
    from gitsync.cli.files import read_input
    from gitsync.config import FROM_VARIABLE, VARIABLE_ENVIRONMENT
    from gitsync.errors import ConfigError
    from gitsync.sync.saved_plan import read_saved_plan

    saved = read_saved_plan(read_input(settings, file, what="a saved plan"), file=file)
    chosen = settings.environment or settings.variables.get("GITSYNC_ENV") or None
    if chosen is not None and chosen != saved.environment:
        raise ConfigError(
            f"{file} is a plan for the environment {saved.environment!r}, not for {chosen!r}",
            code="OTHER_ENVIRONMENT",
            cure=f"`gitsync apply {file}` alone works on the plan's own environment",
        )
    if settings.base_url is not None:
        return saved  # `_check_database` tells whether it is the plan's own
    if saved.environment != VARIABLE_ENVIRONMENT:
        settings.environment = saved.environment
    elif not settings.variables.get(FROM_VARIABLE):
        raise ConfigError(
            f"{file} is a plan for the database of {FROM_VARIABLE}, which is not set",
            code="MISSING_VARIABLE",
            cure=f"`export {FROM_VARIABLE}=…`",
        )
    return saved
