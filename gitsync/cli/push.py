"""``gitsync push``."""

from __future__ import annotations

from typing import Any

import click

from gitsync.cli.options import (
    PAGES,
    cache_option,
    common_options_with,
    complete_option,
    config_from_option,
    examples,
    keys_argument,
    ref_option,
    server_options,
    settings_of,
)
from gitsync.cli.policy import policy_options, wishes_of


@click.command(
    "push",
    epilog=examples(
        "gitsync push                        create what is not in the database yet",
        "gitsync push --update               also overwrite what only git has changed; the one for CI",
        "gitsync push --update --in-place    keep workflow ids; for a live instance",
        "gitsync push --update --test         write nothing where a test fails",
        "gitsync push --force billing.dunning",
        "gitsync push --update --prune --ref origin/main -e prod --yes",
    ),
)
@keys_argument
@ref_option
@config_from_option
@policy_options
@cache_option
@complete_option
@server_options
@common_options_with(*PAGES)
@click.pass_context
def command(context: click.Context, /, keys: tuple[str, ...], ref: str, **values: Any) -> int:
    """Bring a commit's workflows into the database, in one transaction.

    Without a policy it only creates: a key that would have to be overwritten is a conflict, and nothing is written.
    --update overwrites where only git has moved. Edits made in the database alone are left and reported.
    Everything is checked before anything is written, and read back before it is committed.
    """
    from gitsync.cli.emit import emit
    from gitsync.commands.project import open_project
    from gitsync.commands.push import push

    settings = settings_of(context)
    wishes = wishes_of(keys, ref, values)
    with open_project(settings.context()) as project:
        return emit(push(project, with_words=settings.is_markdown, **wishes), settings)
