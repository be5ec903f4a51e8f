"""``gitsync pull --branch``: the pull's commit on a branch, from where both sides were last in step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from gitsync.cli.options import settings_behind
from gitsync.cli.output import echo
from gitsync.stores.git.branch import BranchTarget, Start
from gitsync.sync.model import Action, Deployment, Mark, MarkKind
from gitsync.sync.pull import (
    PullOptions,
    PullPlan,
    base_need,
    changes_back,
    find_dangling,
    plan_branch_pull,
    pull_marks,
    pull_outcome,
    pull_subject,
)

if TYPE_CHECKING:
    from gitsync.commands.project import Project
    from gitsync.errors import GitsyncError
    from gitsync.sync.compare import Comparison
    from gitsync.sync.plan import Plan
    from gitsync.workflow.types import Key


@dataclass(frozen=True, slots=True)
class _Made:
    """What became of the branch; ``commit`` is ``None`` where it holds everything already."""

    plan: Plan
    start: Start
    commit: str | None


class BranchPull:
    """One pull onto a branch: what it compares, writes and prints. The work tree isn't looked at."""

    def __init__(self, project: Project, name: str, options: PullOptions, *, sign: bool) -> None:
        from gitsync.cli.outcome import announce

        self.project, self.settings, self.options = project, settings_behind(project), options
        self.side = project.commit_side("HEAD")
        self.database = project.database(command="pull")
        announce(project, self.settings, self.database.address)
        self.branch = BranchTarget(name, self.side, database_id=self.database.identity(), sign=sign)
        self.warnings: list[str] = []

    def run(self, keys: Sequence[str], message: str | None) -> int:
        """The exit code of the whole of it."""
        from gitsync.cli.outcome import finish
        from gitsync.commands.targets import incomplete_source

        compared = self.project.compare(self.side, self.database, select=keys)
        comparison = find_dangling(compared, database=self.database, files=self.side)
        plan = plan_branch_pull(comparison, self.options)
        plan.check()
        may_hide = comparison.database.may_hide
        error = incomplete_source(
            self.database, self.settings.context(), plan.changes, Action.DELETE, may_hide=may_hide
        )
        if error is not None:
            raise error
        made = self._write(comparison, plan, message)
        outcome = pull_outcome(PullPlan(made.plan, ()))
        self._print(comparison, made, outcome)
        return finish(self.settings, outcome)

    def _write(self, comparison: Comparison, plan: Plan, message: str | None) -> _Made:
        from gitsync.cli.pull import judged
        from gitsync.sync.marks import in_step_marks, record_quietly

        entries = {entry.key: entry for entry in comparison.entries}
        needs = {change.key: base_need(entries[change.key]) for change in plan.changes}
        start = self.branch.find_start(needs)
        back = changes_back(comparison, plan, self.branch.left_behind(start))
        taken_back = {change.key for change in back}
        plan = replace(plan, changes=tuple(sorted((*plan.changes, *back))))
        wanted = self.branch.differing(start, {change.key: change.after for change in plan.changes})
        written = [key for key, digest in wanted.items() if digest is not None and key not in taken_back]
        name, identity = self.project.environment.name, self.database.identity()
        commit = self.branch.write(
            start,
            wanted,
            judged(self.database.load(written), self.side, self.warnings),
            message=message or pull_subject(len(wanted), name),
            seal=lambda digest: f"{name} {identity} {comparison.number} {digest}",
        )
        self.warnings += map(str, self.side.oversized)
        history = self.project.history(self.side, identity)
        marks: dict[Key, Mark] = in_step_marks(
            comparison, target=self.database, history=history, commit=self.side.commit
        )
        if commit is not None:
            recent = self.database.recent_marks() if self.database.has_ledger else {}
            marks |= pull_marks(plan, recent=recent, head=self.side.commit)
        record_quietly(self.database, Deployment(MarkKind.PULL, self.side.commit, marks, comparison.number))
        return _Made(plan, start, commit)

    def _print(self, comparison: Comparison, made: _Made, outcome: GitsyncError | None) -> None:
        from gitsync.cli.outcome import as_part
        from gitsync.render.json import plan_json, render_json
        from gitsync.render.text import print_plan, print_unkeyed, say

        plan, start, name = made.plan, made.start, self.branch.name
        if self.settings.is_json:
            value = plan_json(
                "pull",
                plan,
                environment=self.project.environment.name,
                commit=made.commit or self.side.revision,
                committed=made.commit is not None,
                branch={"name": name, "commit": made.commit or start.tip, "base": start.base},
                uncommitted=[],
                warnings=[*comparison.warnings, *self.warnings],
                error=as_part(outcome),
            )
            echo(render_json(value), nl=False)
            return
        if self.settings.is_markdown:
            from gitsync.commands.difference import tell_pull
            from gitsync.render.markdown import Page, render_plan

            page = Page(
                "pull",
                self.project.environment.name,
                made.commit or self.side.revision,
                plan,
                told=tell_pull(self.side, self.database, plan, comparison.entries),
                obstacle=outcome,
                notes=self._told(made),
                warnings=(*comparison.warnings, *self.warnings),
            )
            echo(render_plan(page), nl=False)
            return
        console = self.settings.console()
        print_plan(console, plan)
        for line in self._told(made):
            say(console, line)
        gone = [entry.key for entry in plan.left if entry.database is None and entry.base != entry.database]
        if gone:
            say(
                console,
                f"deleted in the database: {', '.join(gone)}; --prune deletes them on the branch, too",
            )
        print_unkeyed(console, comparison.database)
        for warning in (*comparison.warnings, *self.warnings):
            self.settings.tell(f"warning: {warning}")

    def _told(self, made: _Made) -> list[str]:
        """The branch in words, and what to type next."""
        name, start = self.branch.name, made.start
        if not made.plan.changes:
            return ["nothing to pull; no branch was touched"]
        actions = {change.action for change in made.plan.changes}
        # git may take a workflow made on one side for one deleted there, renamed, and merge two workflows into one;
        # `-X no-renames` would say it, but git 2.39 doesn't listen
        option = "" if actions <= {Action.UPDATE} else "-X find-renames=100% "
        merge = f"next: `git merge {option}{name}`"
        if made.commit is None:
            return [f"branch {name} holds all of it already", merge]
        lines = [
            f"branch {name}: commit {made.commit[:10]}" + (", after the pull before" if start.tip else "")
        ]
        if start.base is not None:
            back = self.side.git.count(self.side.commit, but=start.base)
            ago = "HEAD" if not back else f"{back} commit{'' if back == 1 else 's'} before HEAD"
            lines.append(
                f"it starts at commit {start.base[:10]} ({ago}), where these workflows were last in step"
            )
        elif self.side.revision is not None:
            lines.append("it has no commit in common with HEAD: none here has what both sides held last")
            merge = f"next: `git merge {option}--allow-unrelated-histories {name}`"
        return [*lines, merge]
