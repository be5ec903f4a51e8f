"""``gitsync push``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from gitsync.cli.options import common_options, examples, keys_argument, ref_option, settings_of
from gitsync.cli.policy import policy_options, push_options

if TYPE_CHECKING:
    from gitsync.cli.workspace import Workspace
    from gitsync.sides.repository import CommitSide
    from gitsync.sync.plan import Plan
    from gitsync.sync.reconcile import Comparison
    from gitsync.sync.side import Applied


@click.command(
    "push",
    epilog=examples(
        "gitsync push                        create what is not in the database yet",
        "gitsync push --update               also overwrite what only git has changed; the one for CI",
        "gitsync push --update --in-place    keep workflow ids; for a live instance",
        "gitsync push --force billing.dunning",
        "gitsync push --update --prune --ref origin/main -e prod --yes",
    ),
)
@keys_argument
@ref_option
@policy_options
@common_options
@click.pass_context
def command(context: click.Context, /, keys: tuple[str, ...], ref: str, **values: Any) -> int:
    """Bring a commit's workflows into the database, in one transaction.

    Without a policy it only creates: a key that would have to be overwritten is a conflict, and nothing is written.
    --update overwrites where only git has moved. Edits made in the database alone are left and reported.
    Everything is checked before anything is written, and read back before it is committed.
    """
    from gitsync.cli.difference import Differ
    from gitsync.cli.outcome import announce, as_part, finish
    from gitsync.cli.workspace import open_workspace
    from gitsync.errors import Conflict
    from gitsync.sync.base import State
    from gitsync.sync.push import apply_push, check_push, plan_push, push_outcome

    settings = settings_of(context)
    with open_workspace(settings) as workspace:
        options = push_options(workspace, values)
        side = workspace.commit_side(ref)
        registry = workspace.registry_at(side.commit)
        database = workspace.database(
            command="push", in_place=options.in_place, new_tenant=values["new_tenant"]
        )
        announce(workspace, settings, database.address)
        if side.revision is None:
            settings.tell("there is no commit yet; `git add` and `git commit` the workflows first")
        elif registry is None:
            settings.tell(
                "note: no registry is configured, so actions and schemas are not checked against the runtime"
            )
        database.require_ledger()
        comparison = workspace.compare(side, database, select=keys, registry=registry)
        plan = plan_push(comparison, options)
        try:
            check_push(plan, comparison, options, source=side, raw_calls=database.raw_calls)
        except Conflict as error:
            Differ(workspace.git, side, database).explain(error, plan.conflicts)
            raise
        _ask(workspace, plan, in_place=options.in_place)
        applied = apply_push(
            plan,
            comparison,
            options,
            source=side,
            target=database,
            history=workspace.history(side, database.identity()),
        )
        unsent = _unsent(workspace, side) if ref == "HEAD" and not workspace.git.is_bare else 0
        outcome = push_outcome(plan, options)
        if settings.is_json:
            from gitsync.render.json import render_json

            value = _as_json(workspace, comparison, plan, applied, commit=side.commit)
            click.echo(render_json(value | {"uncommitted": unsent, "error": as_part(outcome)}), nl=False)
        else:
            from gitsync.render.text import print_plan, say, summary

            console = settings.console()
            print_plan(console, plan)
            done = summary(plan.changes, ("created", "overwritten", "deleted"))
            in_step = sum(entry.state is State.IN_SYNC for entry in comparison.entries)
            say(console, f"{done or 'nothing to write'}; {in_step} were in step already")
        if unsent:
            settings.tell(
                f"note: {unsent} uncommitted file{'' if unsent == 1 else 's'} in {side.folder or '.'} not sent"
            )
        return finish(settings, outcome)


def _ask(workspace: Workspace, plan: Plan, *, in_place: bool) -> None:
    """Warn of what creating without an actor means, and ask before anything is deleted or recreated."""
    from gitsync.sync.side import Action

    settings, name = workspace.settings, workspace.environment.name
    deletes, overwrites = plan.count(Action.DELETE), plan.count(Action.UPDATE)
    risks = [f"delete {deletes}"] if deletes else []
    risks += [f"delete and create again {overwrites}"] if overwrites and not in_place else []
    question = f"This will {' and '.join(risks)} of {plan.existing} workflows in {name}. Go on?"
    settings.confirm(question, risk=bool(risks))
    if plan.count(Action.CREATE) and not workspace.environment.actor:
        settings.tell(
            "warning: no actor is configured: business actions of workflows created now cannot run "
            "(set `actor:` of the environment, or GITSYNC_ACTOR)"
        )


def _unsent(workspace: Workspace, side: CommitSide) -> int:
    """How many files of the work tree differ from the commit that was sent."""
    from gitsync.sides.repository import WorkTree

    return len(WorkTree(workspace.git, folder=side.folder, commit=side.commit).uncommitted)


def _as_json(
    workspace: Workspace, comparison: Comparison, plan: Plan, applied: Applied, *, commit: str
) -> dict[str, Any]:
    from gitsync.render.json import ids_json, plan_json

    return plan_json(
        "push",
        plan,
        environment=workspace.environment.name,
        commit=commit,
        deployment=applied.number,
        createdWorkflows=ids_json(applied.created),
        deletedWorkflows=ids_json(applied.deleted),
        warnings=list(comparison.database.warnings),
    )
