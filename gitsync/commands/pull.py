"""``pull``: a database's edits into the files, of the work tree or of a branch that git then merges."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, ClassVar, TypedDict, Unpack

from gitsync.commands.difference import Difference, tell_pull
from gitsync.commands.project import Project
from gitsync.commands.targets import announce
from gitsync.errors import GitsyncError, UsageError
from gitsync.stores.git.branch import BranchTarget, Start
from gitsync.stores.git.commit import CommitSide, WorkTree
from gitsync.stores.git.committing import Committed, PullCommit
from gitsync.stores.git.history import PULL_TRAILER, seal_of
from gitsync.sync.compare import Comparison
from gitsync.sync.model import Action, Change, Deployment
from gitsync.sync.plan import Entry, Plan
from gitsync.sync.pull import (
    PullOptions,
    PullPlan,
    base_need,
    changes_back,
    find_dangling,
    find_unfinished,
    plan_branch_pull,
    plan_pull,
    pull_outcome,
    pull_subject,
    record_pull,
)
from gitsync.workflow.form import accept_document
from gitsync.workflow.types import Digest, Document, Key

if TYPE_CHECKING:
    from gitsync.sync.stores import Target


class PullWishes(TypedDict, total=False):
    """What a pull can be asked for, as `pull` tells."""

    keys: Sequence[str]
    prune: bool
    max_deletes: int | None
    force: bool
    commit: bool
    branch: str | None
    message: str | None
    sign: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PulledBranch:
    """The branch that a pull was made onto.

    commit: where it stands, ``None`` where there is no such branch. is_continued: it goes on after an earlier pull.
    base: the commit that a merge into HEAD will take as the common one, ``None`` where they share none.
    behind: how many commits HEAD has after that.
    """

    name: str
    commit: str | None
    is_continued: bool
    base: str | None
    behind: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PullReport:
    """What a pull did.

    revision: the commit that it compared with, ``None`` before the first one. commit: the one that it made, ``None``
    where it made none. edited: what it would have written, were the file not edited; branch: of a pull onto one.
    differences: what was written, in words, where that was asked for.
    warnings: what the database and the rules warn of. error: what it ends with after the rest was written.
    """

    kind: ClassVar[str] = "pull"
    environment: str
    revision: str | None
    commit: str | None
    comparison: Comparison
    plan: Plan
    edited: Sequence[Entry] = ()
    branch: PulledBranch | None = None
    differences: Mapping[Key, Difference] = field(default_factory=dict)
    warnings: Sequence[str] = ()
    notes: Sequence[str] = ()
    error: GitsyncError | None = None

    @property
    def exit_code(self) -> int:
        """The exit code of the error, 0 where there is none."""
        return 0 if self.error is None else self.error.exit_code


def check_wishes(**wishes: Unpack[PullWishes]) -> None:
    """Raise UsageError where two wishes do not go together."""
    branch, message = wishes.get("branch"), wishes.get("message")
    if message is not None and not wishes.get("commit") and branch is None:
        raise UsageError("-m is the message of --commit; add --commit")
    if branch is not None and wishes.get("force"):
        raise UsageError("--force decides and --branch lets git merge; choose one")


def pull(project: Project, *, with_words: bool = False, **wishes: Unpack[PullWishes]) -> PullReport:
    """Bring the database's edits into the files of the work tree, or onto a branch.

    The caller is asked before any file is deleted. What has changed on both sides and files with uncommitted edits
    are left alone; the report's error names them.

    keys: keys or globs, all workflows where there are none.
    commit: commit what was pulled, and nothing else. branch: commit on the branch of this name instead, from where both
    sides were last in step, and leave the work tree alone. message: of the commit. sign: as git's own settings say,
    unless it is ``False``.
    prune: also delete the files of what the database has deleted. max_deletes: an exact limit, instead of the share
    that gitsync.yaml allows. force: the database wins, over git and over edits that are not committed.
    with_words: also tell what changed in each workflow.

    Raises UsageError where two of these do not go together; with nothing written the gravest objection to its plan;
    PlanStale where either side has moved meanwhile, GitError where no commit can be made.
    """
    check_wishes(**wishes)
    branch = wishes.get("branch")
    if branch is not None:
        return _pull_onto(project, branch, wishes, with_words=with_words)
    return _pull_into_files(project, wishes, with_words=with_words)


def _pull_into_files(project: Project, wishes: PullWishes, *, with_words: bool) -> PullReport:
    """Write the files of the work tree, and commit them where that was asked for."""
    side = project.work_tree()
    source = project.target(command="pull")
    announce(project.context, project.environment, source)
    committing = PullCommit(side, sign=wishes.get("sign", True)) if wishes.get("commit") else None
    uncommitted = side.uncommitted
    way = _Way.of(project, side, source, wishes, uncommitted=uncommitted)
    hint = source.capabilities.complete_hint
    pulled = plan_pull(way.comparison, way.options, uncommitted=uncommitted.keys(), complete_hint=hint)
    pulled.plan.check()
    _ask(project, pulled.plan)
    deployment = way.record(pulled.plan.changes, uncommitted=uncommitted.keys())
    if pulled.plan.changes:  # after the marks: a pull that ends half-way has left them
        with nullcontext() if committing is None else committing.storing() as side.on_written:
            pulled = _write(way, side, pulled, deployment)
    commit = None
    if committing is not None:
        committed = _commit(way, side, pulled.plan, committing, message=wishes.get("message"))
        commit, pulled = committed.commit, pulled.without(committed.kept, way.comparison)
    return way.report(pulled, commit=commit, with_words=with_words)


def _ask(project: Project, plan: Plan) -> None:
    """Ask before any file is deleted."""
    if deletes := plan.count(Action.DELETE):
        project.context.caller.confirm(f"This will delete {deletes} of {plan.existing} files. Go on?")


def _write(way: _Way, side: WorkTree, pulled: PullPlan, deployment: Deployment) -> PullPlan:
    """Write the plan's files; return what is left of it where some were saved meanwhile."""
    changes = pulled.plan.changes
    written_keys = [change.key for change in changes if change.action is not Action.DELETE]
    applied = side.apply(changes, way.load(written_keys), deployment)
    way.warnings += map(str, side.oversized)
    return pulled.without(applied.kept, way.comparison)


def _commit(
    way: _Way, side: WorkTree, plan: Plan, committing: PullCommit, *, message: str | None
) -> Committed:
    """Make one commit of what was written, with the trailer that says where it came from."""
    unfinished = find_unfinished(way.comparison, way.options, uncommitted=side.uncommitted)
    written = {
        key: digest
        for key, digest in unfinished.items()
        if side.committed(key) != digest and side.holds(key, digest)
    }
    written |= {change.key: change.after for change in plan.changes}

    def describe(changed: Mapping[str, str | None]) -> str:
        text = message or pull_subject(len(changed), way.project.environment.name)
        return f"{text.rstrip()}\n\n{PULL_TRAILER}: {way.origin(seal_of(changed))}\n"

    committed = committing.make(written, describe)
    if committed.commit is not None and committing.is_detached:
        name = committed.commit[:10]
        way.warnings.append(
            f"HEAD is detached, so no branch holds commit {name}: `git branch NAME {name}` keeps it"
        )
    return committed


def _pull_onto(project: Project, name: str, wishes: PullWishes, *, with_words: bool) -> PullReport:
    """Make the commit on a branch, from where both sides were last in step; the work tree isn't looked at."""
    side = project.commit_side("HEAD")
    source = project.database(command="pull")
    announce(project.context, project.environment, source)
    branch = BranchTarget(name, side, database_id=source.identity(), sign=wishes.get("sign", True))
    way = _Way.of(project, side, source, wishes)
    plan = plan_branch_pull(way.comparison, way.options, complete_hint=source.capabilities.complete_hint)
    plan.check()
    plan, start, commit = _write_branch(way, branch, plan, message=wishes.get("message"))
    way.record(plan.changes if commit is not None else ())
    about = PulledBranch(
        name=name,
        commit=commit or start.tip,
        is_continued=start.tip is not None,
        base=start.base,
        behind=None if start.base is None else project.git.count(side.commit, but=start.base),
    )
    return way.report(PullPlan(plan), commit=commit, branch=about, with_words=with_words)


def _write_branch(
    way: _Way, branch: BranchTarget, plan: Plan, *, message: str | None
) -> tuple[Plan, Start, str | None]:
    """Commit the plan onto the branch; return it with what the database took back, and where the commit started.

    The commit is ``None`` where the branch holds everything already.
    """
    entries = {entry.key: entry for entry in way.comparison.entries}
    start = branch.find_start({change.key: base_need(entries[change.key]) for change in plan.changes})
    reverted = changes_back(way.comparison, plan, branch.left_behind(start))
    reverted_keys = {change.key for change in reverted}
    plan = replace(plan, changes=tuple(sorted((*plan.changes, *reverted))))
    digests = branch.differing(start, {change.key: change.after for change in plan.changes})
    commit = branch.write(
        start,
        digests,
        way.load([key for key, digest in digests.items() if digest is not None and key not in reverted_keys]),
        message=message or pull_subject(len(digests), way.project.environment.name),
        seal=way.origin,
    )
    way.warnings += map(str, way.side.oversized)
    return plan, start, commit


@dataclass
class _Way:
    """One database on its way into the files of one commit, in the work tree or on a branch."""

    project: Project
    side: CommitSide
    source: Target
    comparison: Comparison
    options: PullOptions
    warnings: list[str] = field(default_factory=list)

    @classmethod
    def of(
        cls,
        project: Project,
        side: CommitSide,
        source: Target,
        wishes: PullWishes,
        *,
        uncommitted: Mapping[Key, Digest | None] | None = None,
    ) -> _Way:
        """Compare both sides; uncommitted: key → what its file holds instead."""
        comparison = project.compare(side, source, select=wishes.get("keys", ()), overlay=uncommitted)
        options = PullOptions(
            force=wishes.get("force", False),
            prune=wishes.get("prune", False),
            limits=replace(project.config.limits, max_deletes=wishes.get("max_deletes")),
            assume_complete=project.context.assume_complete,
        )
        return cls(project, side, source, find_dangling(comparison, database=source, files=side), options)

    def record(self, changes: Sequence[Change], *, uncommitted: Collection[Key] = ()) -> Deployment:
        """Note in the ledger what is written and what was found in step."""
        return record_pull(
            changes,
            self.comparison,
            source=self.source,
            history=self.project.history(self.side, self.source.identity()),
            head=self.side.commit,
            uncommitted=uncommitted,
        )

    def load(self, keys: Collection[Key]) -> Iterator[tuple[Key, Document]]:
        """Yield the documents to write; a backup loses nothing, so what is invalid is pulled, and warned of."""
        for key, document in self.source.load(keys):
            faults = accept_document(document, expected=key)
            self.warnings += [f"{self.side.path(key)}: {fault.message} [{fault.rule}]" for fault in faults]
            yield key, document

    def origin(self, seal: str) -> str:
        """Return what the commit's trailer says of where it came from; seal: the hash of what it changes."""
        name, number = self.project.environment.name, self.comparison.number
        return f"{name} {self.source.identity()} {number} {seal}"

    def report(
        self,
        pulled: PullPlan,
        *,
        commit: str | None,
        branch: PulledBranch | None = None,
        with_words: bool,
    ) -> PullReport:
        """Return what was done, and the error for what stayed apart."""
        plan, entries = pulled.plan, self.comparison.entries
        return PullReport(
            environment=self.project.environment.name,
            revision=self.side.revision,
            commit=commit,
            comparison=self.comparison,
            plan=plan,
            edited=pulled.edited,
            branch=branch,
            differences=tell_pull(self.side, self.source, plan, entries) if with_words else {},
            warnings=[*self.comparison.warnings, *self.warnings],
            error=pull_outcome(pulled),
        )
