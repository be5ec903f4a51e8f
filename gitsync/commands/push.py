"""``push``, ``plan`` and ``apply``: one way of a commit into a database, looked at, gone, or gone as it was reviewed."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar, TypedDict, Unpack

from gitsync.commands.difference import MOST_EXPLAINED, Differ, Difference, tell_plan
from gitsync.commands.gate import NO_GATE, Gate, run_gate
from gitsync.commands.project import Project
from gitsync.commands.report import plan_exit, tell_unchecked, tell_warnings
from gitsync.commands.targets import announce
from gitsync.errors import ConfigError, GitsyncError, Problem, plural
from gitsync.stores.git.commit import CommitSide, WorkTree
from gitsync.sync.compare import Comparison
from gitsync.sync.model import Action, Applied
from gitsync.sync.plan import Entry, Plan, Policy
from gitsync.sync.push import (
    PushOptions,
    apply_push,
    find_problems,
    find_warnings,
    plan_push,
    push_outcome,
)
from gitsync.sync.saved_plan import SavedPlan, check_fresh
from gitsync.sync.supported import (
    doubtful_creates,
    find_unsupported,
    overwriting_notes,
    unsupported_changes,
)
from gitsync.workflow.types import Key

if TYPE_CHECKING:
    from gitsync.sync.stores import Target


class PushWishes(TypedDict, total=False):
    """What a push, or a plan of one, can be asked for, as `push` tells."""

    keys: Sequence[str]
    ref: str
    policy: Policy
    prune: bool
    in_place: bool | None
    skip_conflicts: bool
    fail_on_drift: bool
    discard_runs: bool
    max_overwrites: int | None
    max_deletes: int | None
    test: bool
    new_tenant: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PushReport:
    """What a push did.

    command: ``push`` or ``apply``. differences: what was written, in words, where that was asked for.
    uncommitted: how many files of the work tree differ from the commit that was sent.
    error: what it ends with after it has written, such as conflicts that were skipped.
    """

    kind: ClassVar[str] = "push"
    command: str
    environment: str
    commit: str
    revision: str | None
    comparison: Comparison
    plan: Plan
    applied: Applied
    gate: Gate
    findings: Sequence[Problem]
    differences: Mapping[Key, Difference] = field(default_factory=dict)
    uncommitted: int = 0
    notes: Sequence[str] = ()
    error: GitsyncError | None = None
    exit_code: int = 0

    @property
    def deployment(self) -> int | None:
        """The number of the deployment in the ledger; ``None`` where nothing was noted."""
        return self.applied.number

    @property
    def warnings(self) -> list[str]:
        """What the database and the rules warn of."""
        return [*self.comparison.warnings, *map(str, self.findings)]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanReport:
    """What a push would do.

    objection: the gravest that speaks against it, failed tests included. problems: of files, and of what the target
    cannot do. findings: what the rules warn of. saved: to apply later, ``None`` where something objects.
    """

    kind: ClassVar[str] = "plan"
    environment: str
    address: str
    commit: str | None
    comparison: Comparison
    plan: Plan
    gate: Gate
    problems: Sequence[Problem]
    findings: Sequence[Problem]
    saved: SavedPlan | None
    differences: Mapping[Key, Difference] = field(default_factory=dict)
    notes: Sequence[str] = ()
    error: None = None

    @property
    def objection(self) -> GitsyncError | None:
        """What a push would stop with."""
        return self.plan.objection

    @property
    def warnings(self) -> list[str]:
        """What the database and the rules warn of."""
        return [*self.comparison.warnings, *map(str, self.findings)]

    @property
    def exit_code(self) -> int:
        """The exit code of the objection, else 3 for conflicts, 2 for changes, 0 for none."""
        return plan_exit(self.plan)


@dataclass(frozen=True, slots=True)
class SkippedPlan:
    """A plan that was not made, since the configuration to be trusted names no environment; why: in words."""

    kind: ClassVar[str] = "skipped_plan"
    environment: str
    why: str
    error: None = None
    exit_code: int = 0

    @property
    def notes(self) -> Sequence[str]:
        """Why there is no plan."""
        return [f"note: {self.why}"]


def plan(project: Project, *, with_words: bool = False, **wishes: Unpack[PushWishes]) -> PlanReport:
    """Return what a push would do and everything that speaks against it; write nothing.

    Takes what `push` takes. with_words: also tell what changes in each workflow.
    Raises GitsyncError where either side cannot be read; what a push would raise stands in the report.
    """
    way = _Way.of(project, "plan", wishes)
    plan = way.plan
    tell_warnings(project.context, way.comparison.misplaced)
    tell_warnings(project.context, find_warnings(plan, way.comparison))
    gate = NO_GATE if plan.objections else way.gate
    if gate.obstacle is not None:
        plan = replace(plan, objections=(gate.obstacle,))
    report = PlanReport(
        environment=project.environment.name,
        address=way.target.address,
        commit=way.side.revision,
        comparison=way.comparison,
        plan=plan,
        gate=gate,
        problems=[
            *find_problems(plan, way.comparison, source=way.side),
            *find_unsupported(way.target.capabilities, plan.changes, way.calls, way.side.path),
        ],
        findings=find_warnings(plan, way.comparison),
        saved=None if plan.objections else way.saved(),
        differences=way.differences() if with_words else {},
    )
    way.tell_limits()
    return report


def push(project: Project, *, with_words: bool = False, **wishes: Unpack[PushWishes]) -> PushReport:
    """Bring a commit's workflows into the environment's database or server, in one transaction.

    Both sides moved is a conflict, and writes nothing. The caller is asked before anything is deleted or recreated.

    keys: keys or globs, all workflows where there are none. ref: the commit to send, ``HEAD`` where none is named.
    policy: what may be overwritten: nothing (``CREATE_ONLY``, where none is named), what only git has changed
    (``UPDATE``), or whatever git has (``FORCE``). prune: also delete what git has deleted.
    in_place: overwrite keeping ids; ``None`` as the environment says. skip_conflicts: write the rest all the same.
    fail_on_drift: end with an error where the database has moved.
    discard_runs: let go of runs, schedules and webhooks that hang on what is deleted or changed.
    max_overwrites, max_deletes: exact limits, instead of the shares that gitsync.yaml allows.
    test: run the tests of what would be written first, and write nothing where one fails.
    new_tenant: the tenant is meant to have no workflows yet.
    with_words: also tell what changed in each workflow.

    Raises, with nothing written, the gravest objection to its plan: InvalidInput with every problem of every file,
    Conflict, Refused (a limit, a run that would be lost, nobody to ask), DatabaseError; then PlanStale where a workflow
    moves meanwhile, LockNotAcquired where another run goes on, NotConverged where what was read back differs.
    The report's error is what is left to say once the rest was written.
    """
    way = _Way.of(project, "push", wishes)
    is_here = wishes.get("ref", "HEAD") == "HEAD" and not project.git.is_bare
    return way.go(with_words=with_words, counts_uncommitted=is_here)


def apply(
    project: Project, saved: SavedPlan, *, file: str = "the plan", with_words: bool = False
) -> PushReport:
    """Do exactly what a saved plan says, or nothing; nobody is asked, since it was reviewed.

    saved: the plan of a `PlanReport`, or what `read_saved_plan` reads. file: what messages call it.
    with_words: also tell what changed in each workflow.
    Raises PlanStale where a workflow of it has moved since, ConfigError (OTHER_ENVIRONMENT) for another database, and
    what `push` raises.
    """
    limits = replace(
        project.config.limits,
        max_overwrites=saved.options.limits.max_overwrites,
        max_deletes=saved.options.limits.max_deletes,
    )
    options = replace(saved.options, limits=limits)
    side = project.commit_side(saved.commit)
    target = project.target(command="apply", in_place=options.in_place, new_tenant=saved.new_tenant)
    announce(project.context, project.environment, target)
    if saved.database != target.identity():
        raise ConfigError(
            f"{file} was made for another database or tenant, though the environment has the same name; "
            "nothing was written",
            code="OTHER_ENVIRONMENT",
            cure="check the environment's URL and tenant, or make a new plan with `gitsync plan --out FILE`",
        )
    if target.ledger is not None:
        target.ledger.check_writable()
    comparison = project.compare(side, target, select=saved.keys, registry=project.registry_at(side.commit))
    check_fresh(saved, comparison)
    comparison = replace(comparison, number=saved.number)
    way = _Way(project, "apply", side, target, comparison, options, saved.keys, reviewed=saved)
    return way.go(with_words=with_words, is_reviewed=True)


@dataclass
class _Way:
    """One commit on its way into one target.

    reviewed: the plan to follow exactly. is_tested: the tests were asked for; the environment may require them.
    """

    project: Project
    command: str
    side: CommitSide
    target: Target
    comparison: Comparison
    options: PushOptions
    keys: tuple[str, ...]
    reviewed: SavedPlan | None = None
    is_tested: bool = False
    new_tenant: bool = False

    @classmethod
    def of(cls, project: Project, command: str, wishes: PushWishes) -> _Way:
        """Open both sides and compare them."""
        options, new_tenant = _options(project, wishes), wishes.get("new_tenant", False)
        keys = tuple(wishes.get("keys", ()))
        side = project.commit_side(wishes.get("ref", "HEAD"))
        registry = project.registry_at(side.commit)
        target = project.target(command=command, in_place=options.in_place, new_tenant=new_tenant)
        if command == "push":
            announce(project.context, project.environment, target)
            if side.revision is None:
                project.context.tell("there is no commit yet; `git add` and `git commit` the workflows first")
            elif registry is None:
                project.context.tell(
                    "note: no registry is configured, so actions and schemas are not checked against the runtime"
                )
            tell_unchecked(project.context, registry)
            if target.ledger is not None:
                target.ledger.check_writable()
        else:
            tell_unchecked(project.context, registry)
        comparison = project.compare(side, target, select=keys, registry=registry)
        if command == "push":
            tell_warnings(project.context, comparison.misplaced)
        is_tested = wishes.get("test", False)
        return cls(
            project,
            command,
            side,
            target,
            comparison,
            options,
            keys,
            is_tested=is_tested,
            new_tenant=new_tenant,
        )

    @cached_property
    def plan(self) -> Plan:
        """What would be written, with all that speaks against it but for the tests."""
        return plan_push(
            self.comparison,
            self.options,
            source=self.side,
            target=self.target,
            changes=None if self.reviewed is None else self.reviewed.changes,
            describe=self._describe if self.command != "plan" else lambda _: {},
            unsupported=self._unsupported,
        )

    @property
    def calls(self) -> Mapping[Key, Collection[Key]]:
        """Key → the keys that its file calls."""
        return {key: facts.calls for key, facts in self.comparison.facts.items()}

    def _unsupported(self, plan: Plan) -> GitsyncError | None:
        """Return the error for what the target cannot do with `plan`, or for what it may hold already."""
        capabilities = self.target.capabilities
        error = unsupported_changes(
            capabilities, self.target.address, plan.changes, self.calls, self.side.path
        )
        if error is not None or self.project.context.assume_complete:
            return error
        return doubtful_creates(capabilities, plan.changes, may_hide=self.comparison.database.may_hide)

    def tell_limits(self) -> None:
        """Say what a person should know before the plan is written."""
        for note in overwriting_notes(self.target.capabilities, self.plan.changes):
            self.project.context.tell(f"note: {note}")

    @cached_property
    def gate(self) -> Gate:
        """The verdict of the tests, run when it is asked for."""
        return run_gate(self.project, self.side, self.plan, is_asked=self.is_tested)

    def differences(self) -> Mapping[Key, Difference]:
        """Return what changes in words; to be read before it is replaced."""
        return tell_plan(self.side, self.target, self.plan, self.comparison.entries)

    def saved(self) -> SavedPlan:
        """Return the plan to apply later."""
        return SavedPlan(
            environment=self.project.environment.name,
            database=self.target.identity(),
            commit=self.side.commit,
            keys=self.keys,
            options=self.options,
            number=self.comparison.number,
            changes=self.plan.changes,
            new_tenant=self.new_tenant,
        )

    def go(
        self, *, with_words: bool, is_reviewed: bool = False, counts_uncommitted: bool = False
    ) -> PushReport:
        """Check, ask, and write."""
        plan, project = self.plan, self.project
        plan.check()
        self.tell_limits()
        self.gate.check()
        if not is_reviewed:
            self._ask()
        findings = find_warnings(plan, self.comparison)
        tell_warnings(project.context, findings)
        self._warn_of_authors()
        differences = self.differences() if with_words else {}
        applied = apply_push(
            plan,
            self.comparison,
            self.options,
            source=self.side,
            target=self.target,
            history=project.history(self.side, self.target.identity()),
        )
        count = self._count_uncommitted() if counts_uncommitted else 0
        files = f"{plural(count, 'uncommitted file')} in {self.side.folder or '.'}"
        return PushReport(
            command=self.command,
            environment=project.environment.name,
            commit=self.side.commit,
            revision=self.side.revision,
            comparison=self.comparison,
            plan=plan,
            applied=applied,
            gate=self.gate,
            findings=findings,
            differences=differences,
            uncommitted=count,
            notes=[f"note: {files} not sent"] if count else [],
            error=push_outcome(plan, self.options),
        )

    def _describe(self, entries: Sequence[Entry]) -> Mapping[Key, str]:
        differ = Differ(self.project.git, self.side, self.target)
        return {one.entry.key: one.words for one in differ.differences(entries[:MOST_EXPLAINED])}

    def _ask(self) -> None:
        """Ask before anything is deleted or recreated."""
        plan, name = self.plan, self.project.environment.name
        deletes, overwrites = plan.count(Action.DELETE), plan.count(Action.UPDATE)
        risks = [f"delete {deletes}"] if deletes else []
        is_as_told = self.target.capabilities.overwrites_as_told
        if overwrites and not (is_as_told and self.options.in_place):
            risks.append(f"{'delete and create again' if is_as_told else 'overwrite'} {overwrites}")
        if risks:
            question = f"This will {' and '.join(risks)} of {plan.existing} workflows in {name}. Go on?"
            self.project.context.caller.confirm(question)

    def _warn_of_authors(self) -> None:
        """Warn of what creating without an actor means."""
        environment = self.project.environment
        takes_actor = self.target.capabilities.takes_actor
        if self.plan.count(Action.CREATE) and not environment.actor and takes_actor:
            self.project.context.tell(
                "warning: no actor is configured: business actions of workflows created now cannot run "
                "(set `actor:` of the environment, or GITSYNC_ACTOR)"
            )

    def _count_uncommitted(self) -> int:
        side = self.side
        return len(WorkTree(self.project.git, folder=side.folder, commit=side.commit).uncommitted)


def _options(project: Project, wishes: PushWishes) -> PushOptions:
    """The wishes with what the configuration says where they are silent."""
    in_place = wishes.get("in_place")
    return PushOptions(
        policy=wishes.get("policy", Policy.CREATE_ONLY),
        prune=wishes.get("prune", False),
        in_place=project.environment.overwrite == "in-place" if in_place is None else in_place,
        limits=replace(
            project.config.limits,
            max_overwrites=wishes.get("max_overwrites"),
            max_deletes=wishes.get("max_deletes"),
        ),
        skip_conflicts=wishes.get("skip_conflicts", False),
        fail_on_drift=wishes.get("fail_on_drift", False),
        discard_runs=wishes.get("discard_runs", False),
    )
