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
from gitsync.cli.policy import policy_options, push_options


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
    from gitsync.cli.deploy import Deploy
    from gitsync.cli.outcome import announce, tell_unchecked, tell_warnings
    from gitsync.commands.project import open_project
    from gitsync.sync.push import plan_push

    settings = settings_of(context)
    with open_project(settings.context()) as project:
        options = push_options(project, values)
        side = project.commit_side(ref)
        registry = project.registry_at(side.commit)
        database = project.target(command="push", in_place=options.in_place, new_tenant=values["new_tenant"])
        announce(project, settings, database.address)
        if side.revision is None:
            settings.tell("there is no commit yet; `git add` and `git commit` the workflows first")
        elif registry is None:
            settings.tell(
                "note: no registry is configured, so actions and schemas are not checked against the runtime"
            )
        tell_unchecked(settings, registry)
        database.require_ledger()
        comparison = project.compare(side, database, select=keys, registry=registry)
        tell_warnings(settings, comparison.misplaced)
        plan = plan_push(comparison, options)
        deploy = Deploy(project, side, database, comparison, plan, options, "push", is_tested=values["test"])
        return deploy.run(count_unsent=ref == "HEAD" and not project.git.is_bare)
