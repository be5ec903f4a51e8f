"""``gitsync pull``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from gitsync.cli.options import (
    PAGES,
    cache_option,
    common_options_with,
    complete_option,
    examples,
    keys_argument,
    server_options,
    settings_behind,
    settings_of,
)
from gitsync.cli.output import echo

if TYPE_CHECKING:
    from gitsync.commands.project import Project
    from gitsync.errors import GitsyncError
    from gitsync.stores.git.commit import CommitSide
    from gitsync.stores.git.committing import PullCommit
    from gitsync.sync.plan import Plan
    from gitsync.sync.pull import PullPlan
    from gitsync.workflow.types import Digest, Document, Key


@click.command(
    "pull",
    epilog=examples(
        "gitsync pull",
        'gitsync pull --commit -m "Edits made in production"',
        "gitsync pull -e prod 'billing.*'",
        "gitsync pull --force billing.dunning    the database's version wins",
        "gitsync pull --prune                    also delete files whose workflow was deleted there",
        "gitsync pull --branch from-prod billing.dunning && git merge from-prod",
    ),
)
@keys_argument
@click.option("--commit", "make_commit", is_flag=True, help="Commit what was pulled, and nothing else.")
@click.option(
    "--branch",
    metavar="NAME",
    help="Commit on this branch instead, from where both sides were last in step, for git to merge.",
)
@click.option("-m", "--message", metavar="TEXT", help="The commit's message (with --commit or --branch).")
@click.option(
    "--prune", is_flag=True, help="Also delete the files of workflows that were deleted in the database."
)
@click.option(
    "--force", is_flag=True, help="The database's version wins, over git's and over edits not yet committed."
)
@click.option("--no-gpg-sign", is_flag=True, help="Don't sign the commit, whatever commit.gpgSign says.")
@click.option("--max-deletes", type=click.IntRange(min=0), metavar="N", help="Delete at most N files.")
@cache_option
@complete_option
@server_options
@common_options_with(*PAGES)
@click.pass_context
def command(
    context: click.Context,
    keys: tuple[str, ...],
    *,
    make_commit: bool,
    branch: str | None,
    message: str | None,
    prune: bool,
    force: bool,
    no_gpg_sign: bool,
    max_deletes: int | None,
) -> int:
    """Bring the database's edits into the files of the work tree.

    Writes each workflow that only the database has changed; the rest is listed, and makes the exit code 3.
    Files with uncommitted edits are left alone. With --commit, what was written becomes one commit that
    notes where it came from; no hook runs for it, and it is signed where commit.gpgSign says so.

    With --branch that commit is made on a branch of its own, with what has diverged as well, and nothing else
    is touched: neither the work tree nor the index nor HEAD. Merge it, and what both sides have changed is
    settled by git.
    """
    from gitsync.cli.outcome import finish
    from gitsync.commands.project import open_project
    from gitsync.sync.pull import pull_outcome

    settings = settings_of(context)
    if message is not None and not make_commit and branch is None:
        raise click.UsageError("-m is the message of --commit; add --commit")
    if branch is not None and force:
        raise click.UsageError("--force decides and --branch lets git merge; choose one")
    with open_project(settings.context()) as project:
        if branch is not None:
            from gitsync.cli.branch_pull import BranchPull
            from gitsync.sync.pull import PullOptions

            limits = replace(project.config.limits, max_deletes=max_deletes)
            options = PullOptions(prune=prune, limits=limits)
            return BranchPull(project, branch, options, sign=not no_gpg_sign).run(keys, message)
        run = _Pull(project, force=force, prune=prune, max_deletes=max_deletes)
        commit = None
        if make_commit:
            from gitsync.stores.git.committing import PullCommit

            target = PullCommit(run.side, sign=not no_gpg_sign)
            with target.storing() as run.side.on_written:
                pulled = run.write(keys)
            commit = run.commit(pulled.plan, message, target)
            pulled = pulled.without(target.kept, run.comparison)
        else:
            pulled = run.write(keys)
        outcome = pull_outcome(pulled)
        run.print(pulled, commit, outcome)
        return finish(settings, outcome)


class _Pull:
    """One pull: what it compares, writes and prints."""

    def __init__(self, project: Project, *, force: bool, prune: bool, max_deletes: int | None) -> None:
        from gitsync.cli.outcome import announce
        from gitsync.sync.pull import PullOptions

        self.project, self.settings = project, settings_behind(project)
        self.side = project.work_tree()
        self.database = project.target(command="pull")
        self.warnings: list[str] = []
        self.options = PullOptions(force, prune, replace(project.config.limits, max_deletes=max_deletes))
        announce(project, self.settings, self.database.address)

    def write(self, keys: tuple[str, ...]) -> PullPlan:
        """Plan, check, ask, and write what is clean, with its marks in the ledger."""
        from gitsync.commands.targets import incomplete_source
        from gitsync.sync.marks import in_step_marks, record_quietly
        from gitsync.sync.model import Action, Deployment, MarkKind
        from gitsync.sync.pull import find_dangling, plan_pull, pull_marks

        side, database, uncommitted = self.side, self.database, self.side.uncommitted
        compared = self.project.compare(side, database, select=keys, overlay=uncommitted)
        self.comparison = comparison = find_dangling(compared, database=database, files=side)
        pulled = plan_pull(comparison, self.options, uncommitted=uncommitted.keys())
        plan = pulled.plan
        plan.check()
        may_hide = comparison.database.may_hide
        error = incomplete_source(
            database, self.settings.context(), plan.changes, Action.DELETE, may_hide=may_hide
        )
        if error is not None:
            raise error
        deletes = plan.count(Action.DELETE)
        self.settings.confirm(
            f"This will delete {deletes} of {plan.existing} files. Go on?", risk=deletes > 0
        )
        history = self.project.history(side, database.identity())
        marks = in_step_marks(
            comparison, target=database, history=history, commit=side.commit, but=uncommitted.keys()
        )
        deployment = Deployment(MarkKind.PULL, side.commit, marks, comparison.number)
        if plan.changes:
            recent = database.recent_marks() if database.has_ledger else {}
            marks |= pull_marks(plan, recent=recent, head=side.commit)
        record_quietly(database, deployment)  # first: a pull that ends half-way has left its marks
        if plan.changes:
            written = [change.key for change in plan.changes if change.action is not Action.DELETE]
            documents = judged(database.load(written), side, self.warnings)
            applied = side.apply(plan.changes, documents, deployment)
            pulled = pulled.without(applied.kept, comparison)
            self.warnings += map(str, side.oversized)
        return pulled

    def commit(self, plan: Plan, message: str | None, target: PullCommit) -> str | None:
        """Make one commit of what was written, with the trailer that says where it came from."""
        from gitsync.stores.git.history import PULL_TRAILER, seal_of
        from gitsync.sync.pull import pull_subject

        name, number, identity = (
            self.project.environment.name,
            self.comparison.number,
            self.database.identity(),
        )
        written = self._unfinished() | {change.key: change.after for change in plan.changes}

        def describe(changed: Mapping[str, str | None]) -> str:
            text = message or pull_subject(len(changed), name)
            return f"{text.rstrip()}\n\n{PULL_TRAILER}: {name} {identity} {number} {seal_of(changed)}\n"

        commit = target.make(written, describe)
        if commit is not None and target.is_detached:
            self.warnings.append(
                f"HEAD is detached, so no branch holds commit {commit[:10]}: `git branch NAME {commit[:10]}` keeps it"
            )
        return commit

    def _unfinished(self) -> dict[Key, Digest | None]:
        """What a pull that was stopped before its commit has left: files that equal the database, uncommitted."""
        side, held, there = self.side, self.comparison.database.digests, self.comparison.database.keys
        in_step: dict[Key, Digest | None] = {
            key: digest for key, digest in side.uncommitted.items() if digest and digest == held.get(key)
        }
        if self.options.prune and (self.settings.assume_complete or not self.comparison.database.may_hide):
            in_step |= {
                key: None for key, digest in side.uncommitted.items() if not digest and key not in there
            }
        chosen = {entry.key for entry in self.comparison.entries} if self.comparison.is_selected else in_step
        left = {key: in_step[key] for key in in_step.keys() & chosen if side.committed(key) != in_step[key]}
        return {key: digest for key, digest in left.items() if side.holds(key, digest)}

    def print(self, pulled: PullPlan, commit: str | None, outcome: GitsyncError | None) -> None:
        """The result, as text, JSON or Markdown."""
        from gitsync.cli.outcome import as_part
        from gitsync.render.json import entries_json, plan_json, render_json
        from gitsync.render.text import print_plan, print_unkeyed, say, summary

        plan, snapshot = pulled.plan, self.comparison.database
        if self.settings.is_json:
            value = plan_json(
                "pull",
                plan,
                environment=self.project.environment.name,
                commit=commit or self.side.revision,
                committed=commit is not None,
                uncommitted=entries_json((*pulled.uncommitted, *pulled.saved)),
                warnings=[*self.comparison.warnings, *self.warnings],
                error=as_part(outcome),
            )
            echo(render_json(value), nl=False)
            return
        if self.settings.is_markdown:
            from gitsync.commands.difference import tell_pull
            from gitsync.render.markdown import Page, render_plan

            name, head = self.project.environment.name, commit or self.side.revision
            told = tell_pull(self.side, self.database, plan, self.comparison.entries)
            warnings = (*self.comparison.warnings, *self.warnings)
            page = Page("pull", name, head, plan, told, obstacle=outcome, warnings=warnings)
            echo(render_plan(page), nl=False)
            return
        console = self.settings.console()
        print_plan(console, plan)
        nothing = "nothing to pull" if outcome is None else "nothing was pulled"
        say(console, summary(plan.changes, ("written", "overwritten", "deleted")) or nothing)
        if commit:
            say(console, f"commit {commit[:10]}")
        print_unkeyed(console, snapshot)
        for warning in (*self.comparison.warnings, *self.warnings):
            self.settings.tell(f"warning: {warning}")


def judged(
    documents: Iterator[tuple[Key, Document]], side: CommitSide, warnings: list[str]
) -> Iterator[tuple[Key, Document]]:
    """The documents as they come; a backup loses nothing, so what is invalid is pulled, and warned of."""
    from gitsync.workflow.form import accept_document

    for key, document in documents:
        faults = accept_document(document, expected=key)
        warnings += [f"{side.path(key)}: {fault.message} [{fault.rule}]" for fault in faults]
        yield key, document
