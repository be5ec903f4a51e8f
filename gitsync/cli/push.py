"""``gitsync push``."""

from __future__ import annotations

from typing import Any

import click

from gitsync.cli.options import common_options, examples, keys_argument, ref_option, settings_of
from gitsync.cli.policy import policy_options, push_options


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
def command(context: click.Context, keys: tuple[str, ...], ref: str, **values: Any) -> int:
    """Bring a commit's workflows into the database, in one transaction.

    Without a policy it only creates: a key that would have to be overwritten is a conflict, and nothing is written.
    --update overwrites where only git has moved. Edits made in the database alone are left and reported.
    Everything is checked before anything is written, and read back before it is committed.
    """
    from gitsync.cli.outcome import announce
    from gitsync.cli.workspace import open_workspace
    from gitsync.errors import Conflict
    from gitsync.sides.repository import WorkTree
    from gitsync.sync.base import State
    from gitsync.sync.plan import check_conflicts
    from gitsync.sync.reconcile import apply_push, check_push, plan_push
    from gitsync.sync.side import Action

    settings = settings_of(context)
    with open_workspace(settings) as workspace:
        options = push_options(workspace, values)
        side = workspace.commit_side(ref)
        registry = workspace.registry_at(side.commit)
        database = workspace.database(
            command="push", in_place=options.in_place, new_tenant=values["new_tenant"]
        )
        announce(workspace, settings, database.address)
        if set(side.commit) == {"0"}:
            settings.tell("there is no commit yet; `git add` and `git commit` the workflows first")
        elif registry is None:
            settings.tell(
                "note: no registry is configured, so actions and schemas are not checked against the runtime"
            )
        database.require_ledger()
        comparison = workspace.compare(side, database, select=keys, registry=registry)
        plan = plan_push(comparison, options)
        check_push(plan, comparison, options, source=side, raw_calls=database.raw_calls)
        deletes, overwrites = plan.count(Action.DELETE), plan.count(Action.UPDATE)
        risks = [f"delete {deletes}"] if deletes else []
        risks += [f"delete and create again {overwrites}"] if overwrites and not options.in_place else []
        settings.confirm(
            f"This will {' and '.join(risks)} of {plan.existing} workflows in {workspace.environment.name}. Go on?",
            risk=bool(risks),
        )
        created = plan.count(Action.CREATE)
        if created and not workspace.environment.actor:
            settings.tell(
                "warning: no actor is configured: business actions of workflows created now cannot run "
                f"(set `actor:` of environment {workspace.environment.name})"
            )
        applied = apply_push(
            plan,
            comparison,
            options,
            source=side,
            target=database,
            history=workspace.history(side, database.identity()),
        )
        unsent = 0
        if ref == "HEAD" and not workspace.git.is_bare:
            unsent = len(WorkTree(side.git, folder=side.folder, commit=side.commit).uncommitted)
        if settings.is_json:
            from gitsync.render.json import plan_json, render_json

            value = plan_json(
                "push",
                plan,
                environment=workspace.environment.name,
                commit=side.commit,
                deployment=applied.number,
                createdWorkflows=[{"key": k, "workflowId": i} for k, i in sorted(applied.created.items())],
                deletedWorkflows=[{"key": k, "workflowId": i} for k, i in sorted(applied.deleted.items())],
                uncommitted=unsent,
                warnings=list(comparison.database.warnings),
            )
            click.echo(render_json(value), nl=False)
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
        if options.skip_conflicts:
            check_conflicts(plan, policy=options.policy)
        drifted = [e for e in plan.left if e.state in (State.DATABASE_AHEAD, State.DELETED_IN_DATABASE)]
        if drifted and options.fail_on_drift:
            raise Conflict(
                f"the database has moved: {', '.join(entry.key for entry in drifted)}; the rest was written",
                code="DRIFT",
                details={"conflicts": [entry.as_json() for entry in drifted]},
                cure="`gitsync pull` brings its edits into git",
            )
        return 0
