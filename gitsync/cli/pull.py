"""``gitsync pull``."""

from __future__ import annotations

import click

from gitsync.cli.options import common_options, examples, keys_argument, settings_of


@click.command(
    "pull",
    epilog=examples(
        "gitsync pull",
        'gitsync pull --commit -m "Edits made in production"',
        "gitsync pull -e prod 'billing.*'",
        "gitsync pull --force billing.dunning    the database's version wins",
        "gitsync pull --prune                    also delete files whose workflow was deleted there",
    ),
)
@keys_argument
@click.option("--commit", "make_commit", is_flag=True, help="Commit what was pulled, and nothing else.")
@click.option("-m", "--message", metavar="TEXT", help="The commit's message (with --commit).")
@click.option(
    "--prune", is_flag=True, help="Also delete the files of workflows that were deleted in the database."
)
@click.option(
    "--force", is_flag=True, help="The database's version wins, over git's and over uncommitted edits."
)
@click.option("--max-deletes", type=click.IntRange(min=0), metavar="N", help="Delete at most N files.")
@common_options
@click.pass_context
def command(
    context: click.Context,
    keys: tuple[str, ...],
    make_commit: bool,
    message: str | None,
    prune: bool,
    force: bool,
    max_deletes: int | None,
) -> int:
    """Bring the database's edits into the files of the work tree.

    Writes each workflow that only the database has changed; the rest is listed, and makes the exit code 3.
    Files with uncommitted edits are left alone. With --commit, what was written becomes one commit that
    notes where it came from; no hook runs for it and it is not signed.
    """
    from dataclasses import replace

    from gitsync.cli.outcome import announce
    from gitsync.cli.workspace import open_workspace
    from gitsync.git import ZERO
    from gitsync.sides.history import PULL_TRAILER, seal_of
    from gitsync.sync.plan import history_unknown
    from gitsync.sync.reconcile import (
        PullOptions, check_pull, in_step_marks, plan_pull, pull_marks, pull_outcome, record_quietly,
    )  # fmt: skip
    from gitsync.sync.side import Action, Deployment, MarkKind

    settings = settings_of(context)
    if message is not None and not make_commit:
        raise click.UsageError("-m is the message of --commit; add --commit")
    with open_workspace(settings) as workspace:
        side = workspace.work_tree()
        if make_commit:
            side.git.check_can_commit()
        database = workspace.database(command="pull")
        announce(workspace, settings, database.address)
        options = PullOptions(force, prune, replace(workspace.config.limits, max_deletes=max_deletes))
        uncommitted = side.uncommitted
        comparison = workspace.compare(side, database, select=keys, overlay=uncommitted)
        pulled = plan_pull(comparison, options, uncommitted=uncommitted.keys())
        plan = pulled.plan
        check_pull(plan, comparison, options)
        deletes = plan.count(Action.DELETE)
        settings.confirm(f"This will delete {deletes} of {plan.existing} files. Go on?", risk=deletes > 0)
        marks = in_step_marks(
            comparison,
            target=database,
            history=workspace.history(side, database.identity()),
            commit=side.commit,
            but=uncommitted.keys(),
        )
        if plan.changes:
            recent = database.recent_marks() if database.has_ledger else {}
            marks |= pull_marks(plan, comparison, recent=recent, head=side.commit)
            written = [change.key for change in plan.changes if change.action is not Action.DELETE]
            side.apply(plan.changes, database.load(written), Deployment(MarkKind.PULL, side.commit))
        record_quietly(database, Deployment(MarkKind.PULL, side.commit, marks, comparison.number))
        commit = None
        if make_commit and plan.changes:
            name = workspace.environment.name
            paths = {side.path(change.key): change.after for change in plan.changes}
            changed = (
                {
                    path: after
                    for path, after in paths.items()
                    if after != side.blobs.get(next(c.key for c in plan.changes if side.path(c.key) == path))
                }
                if uncommitted
                else paths
            )
            trailer = f"{PULL_TRAILER}: {name} {database.identity()} {comparison.number} {seal_of(changed)}"
            text = message or f"Pull {len(plan.changes)} workflows from {name}"
            commit = side.git.commit(sorted(paths), f"{text.rstrip()}\n\n{trailer}\n")
        head = commit or (None if side.commit == ZERO else side.commit)
        if settings.is_json:
            from gitsync.render.json import entries_json, plan_json, render_json

            value = plan_json(
                "pull",
                plan,
                environment=workspace.environment.name,
                commit=head,
                committed=commit is not None,
                uncommitted=entries_json(pulled.uncommitted),
                warnings=list(comparison.database.warnings),
            )
            click.echo(render_json(value), nl=False)
        else:
            from gitsync.render.text import print_plan, print_unkeyed, say, summary

            console = settings.console()
            print_plan(console, plan)
            say(console, summary(plan.changes, ("written", "overwritten", "deleted")) or "nothing to pull")
            if commit:
                say(console, f"commit {commit[:10]}")
            print_unkeyed(console, comparison.database)
            for warning in comparison.database.warnings:
                settings.tell(f"warning: {warning}")
        if plan.refused:
            raise history_unknown(plan.refused)
        if (outcome := pull_outcome(pulled)) is not None:
            raise outcome
        return 0
