"""The way of a plan into the database, the same for ``push`` and ``apply``: check, ask, write, tell."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from gitsync.cli.options import settings_behind
from gitsync.cli.outcome import as_part, finish, tell_warnings
from gitsync.cli.output import echo
from gitsync.commands.difference import Differ
from gitsync.commands.flight import explain, look_in_flight
from gitsync.commands.gate import Gate, run_gate
from gitsync.commands.project import Project
from gitsync.commands.targets import check_target, tell_limits
from gitsync.errors import Conflict, Refused
from gitsync.stores.git.commit import CommitSide, WorkTree
from gitsync.sync.compare import Comparison
from gitsync.sync.model import Action, Applied
from gitsync.sync.plan import Plan
from gitsync.sync.push import (
    Outlook,
    PushOptions,
    apply_push,
    check_push,
    find_warnings,
    push_outcome,
)
from gitsync.sync.states import State

if TYPE_CHECKING:
    from gitsync.commands.targets import Target
    from gitsync.errors import GitsyncError
    from gitsync.render.markdown import Page


@dataclass(frozen=True, slots=True)
class Deploy:
    """One plan on its way; ``name`` is the command's, for its result.

    is_tested: the tests were asked for; the environment may require them as well.
    """

    project: Project
    side: CommitSide
    database: Target
    comparison: Comparison
    plan: Plan
    options: PushOptions
    name: str
    is_tested: bool = False

    def run(self, *, is_reviewed: bool = False, count_unsent: bool = False) -> int:
        """Check and write; the exit code.

        is_reviewed: nobody is asked whether they are sure. count_unsent: tell how many files were not committed.
        """
        outlook = self._check()
        gate = run_gate(self.project, self.side, self.plan, is_asked=self.is_tested)
        gate.check()
        if not is_reviewed:
            self._ask()
        self._warn()
        page = self._page()
        applied = apply_push(
            self.plan,
            self.comparison,
            self.options,
            outlook,
            source=self.side,
            target=self.database,
            history=self.project.history(self.side, self.database.identity()),
        )
        unsent = self._unsent() if count_unsent else 0
        outcome = push_outcome(self.plan, self.options)
        self._print(applied, outlook, outcome, unsent, page, gate)
        return finish(settings_behind(self.project), outcome)

    def _check(self) -> Outlook:
        try:
            outlook = check_push(
                self.plan, self.comparison, self.options, source=self.side, target=self.database
            )
        except Conflict as error:
            Differ(self.project.git, self.side, self.database).explain(error, self.plan.conflicts)
            raise
        except Refused as error:
            explain(error, look_in_flight(self.side, self.database, self.plan, self.options, error))
            raise
        check_target(
            self.database, settings_behind(self.project).context(), self.plan, self.comparison, self.side
        )
        tell_limits(self.database, self.plan.changes, self.project.context)
        return outlook

    def _page(self) -> Page | None:
        """What a page tells of the plan: read before it is replaced."""
        if not settings_behind(self.project).is_markdown:
            return None
        from gitsync.cli.page import make_page

        return make_page(self.name, self.project, self.side, self.database, self.comparison, self.plan)

    def _ask(self) -> None:
        """Ask before anything is deleted or recreated."""
        plan, name = self.plan, self.project.environment.name
        deletes, overwrites = plan.count(Action.DELETE), plan.count(Action.UPDATE)
        risks = [f"delete {deletes}"] if deletes else []
        is_server = self.project.environment.server is not None
        how = "overwrite" if is_server else "delete and create again"
        risks += [f"{how} {overwrites}"] if overwrites and (is_server or not self.options.in_place) else []
        question = f"This will {' and '.join(risks)} of {plan.existing} workflows in {name}. Go on?"
        settings_behind(self.project).confirm(question, risk=bool(risks))

    def _warn(self) -> None:
        """Warn of what creating without an actor means, and of what the rules find less than right."""
        tell_warnings(settings_behind(self.project), find_warnings(self.plan, self.comparison))
        environment = self.project.environment
        if self.plan.count(Action.CREATE) and not environment.actor and environment.server is None:
            settings_behind(self.project).tell(
                "warning: no actor is configured: business actions of workflows created now cannot run "
                "(set `actor:` of the environment, or GITSYNC_ACTOR)"
            )

    def _unsent(self) -> int:
        """How many files of the work tree differ from the commit that was sent."""
        side = self.side
        return len(WorkTree(self.project.git, folder=side.folder, commit=side.commit).uncommitted)

    def _print(
        self,
        applied: Applied,
        outlook: Outlook,
        outcome: GitsyncError | None,
        unsent: int,
        page: Page | None,
        gate: Gate,
    ) -> None:
        settings = settings_behind(self.project)
        if settings.is_json:
            from gitsync.render.json import render_json

            value = self._as_json(applied, outlook) | {"uncommitted": unsent, "error": as_part(outcome)}
            value |= gate.as_json()
            echo(render_json(value), nl=False)
        elif page is not None:
            from gitsync.cli.page import print_page

            print_page(replace(page, notes=[*gate.lines()]), outcome, outlook.relinked)
        else:
            from gitsync.render.text import print_plan, print_relinked, say, summary

            console = settings.console()
            print_plan(console, self.plan)
            print_relinked(console, outlook.relinked)
            for line in gate.lines():
                say(console, line)
            done = summary(self.plan.changes, ("created", "overwritten", "deleted"))
            in_step = sum(entry.state is State.IN_SYNC for entry in self.comparison.entries)
            say(console, f"{done or 'nothing to write'}; {in_step} were in step already")
        if unsent:
            folder = self.side.folder or "."
            settings.tell(f"note: {unsent} uncommitted file{'' if unsent == 1 else 's'} in {folder} not sent")

    def _as_json(self, applied: Applied, outlook: Outlook) -> dict[str, Any]:
        from gitsync.render.json import calls_json, ids_json, plan_json

        return plan_json(
            self.name,
            self.plan,
            environment=self.project.environment.name,
            commit=self.side.commit,
            deployment=applied.number,
            createdWorkflows=ids_json(applied.created),
            deletedWorkflows=ids_json(applied.deleted),
            relinked=calls_json(outlook.relinked),
            warnings=[
                *self.comparison.warnings,
                *map(str, find_warnings(self.plan, self.comparison)),
            ],
        )
