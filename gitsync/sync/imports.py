"""The import of a bundle: no base and no history, as the product's own import has none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gitsync.errors import Conflict, InvalidInput, Problem
from gitsync.sync.around import Protection
from gitsync.sync.limits import Limits
from gitsync.sync.plan import Plan, check_limits
from gitsync.sync.protection import check_obstacles, find_obstacles, find_rewritten
from gitsync.sync.reconcile import LedgerSide
from gitsync.sync.side import Action, Applied, Change, Deployment, Mark, MarkKind
from gitsync.workflow.canonical import document_digest
from gitsync.workflow.check import check_dependencies
from gitsync.workflow.document import iter_definitions
from gitsync.workflow.references import to_references
from gitsync.workflow.registry import Registry
from gitsync.workflow.rules.judge import Judge, forgive
from gitsync.workflow.rules.rule import Settings, Severity
from gitsync.workflow.types import Digest, Document, Key


@dataclass(frozen=True, slots=True)
class PlannedImport:
    """The changes of one import, ordered by key, with the documents to write."""

    changes: tuple[Change, ...]
    documents: dict[Key, Document]
    number: int
    protection: Protection
    warnings: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class ImportPolicy:
    """What an import may overwrite: nothing, what gitsync itself wrote last, or all."""

    update: bool = False
    force: bool = False
    limits: Limits = Limits()
    in_place: bool = False
    discard_runs: bool = False


def plan_import(
    documents: Sequence[tuple[Key, Document]],
    database: LedgerSide,
    *,
    registry: Registry | None,
    file: str,
    policy: ImportPolicy,
    settings: Settings = Settings(),
) -> PlannedImport:
    """What the import would do; raises InvalidInput (MISSING_DEPENDENCIES, or what a rule finds), Conflict or Refused.

    settings: the severities of the rules. What the database holds already is no error, whatever they say.
    """
    held = dict(documents)
    if registry is not None and (problems := check_dependencies(held, registry)):
        count = len(problems)
        raise InvalidInput(
            f"{file}: {count} dependenc{'y is' if count == 1 else 'ies are'} not offered by the runtime; "
            "nothing was written",
            code="MISSING_DEPENDENCIES",
            problems=problems,
            cure="add them to registry.yaml if the runtime has them, or take them out of the bundle",
        )
    number = database.newest_number() if database.has_ledger else 0
    there = database.snapshot().digests
    _link(held, database.ids)
    wanted = {key: document_digest(document) for key, document in held.items()}
    differing = [key for key in sorted(wanted) if there.get(key) != wanted[key]]
    warnings = _check_rules(held, differing, there, database, judge=Judge(registry, settings), file=file)
    if not policy.force:
        existing = [key for key in (differing if policy.update else sorted(wanted)) if key in there]
        if policy.update:
            marks = database.marks(existing) if database.has_ledger else {}
            existing = [key for key in existing if not _is_as_written(there[key], marks.get(key, ()))]
        if existing:
            raise _conflict(existing, wanted, there, file=file, policy=policy)
    changes = tuple(
        Change(key, Action.UPDATE if key in there else Action.CREATE, there.get(key), wanted[key])
        for key in differing
    )
    plan = Plan(changes, (), (), (), len(there), {})
    check_limits(plan, policy.limits)
    return PlannedImport(changes, held, number, _protect(changes, held, database, policy), tuple(warnings))


def _protect(
    changes: Sequence[Change], documents: Mapping[Key, Document], database: LedgerSide, policy: ImportPolicy
) -> Protection:
    """What the import may do to what hangs on its workflows; raises Refused for anything it may not."""
    updated = [change.key for change in changes if change.action is Action.UPDATE]
    after = ((key, documents[key]) for key in updated)
    rewritten = find_rewritten(database.load(updated), after) if updated else {}
    protection = Protection(rewritten, discard_runs=policy.discard_runs, force=policy.force)
    around = database.look_around(changes)
    check_obstacles(find_obstacles(changes, around, protection, in_place=policy.in_place))
    return protection


def _check_rules(
    held: Mapping[Key, Document],
    differing: Sequence[Key],
    there: Mapping[Key, Digest],
    database: LedgerSide,
    *,
    judge: Judge,
    file: str,
) -> list[Problem]:
    """What the rules warn of in the documents that differ; raises InvalidInput for their errors."""
    found = {key: judge.problems_without_text(held[key], file=file) for key in differing}
    faulty = [key for key, problems in found.items() if key in there and _errors(problems)]
    for key, document in database.load(faulty) if faulty else ():
        found[key] = forgive(found[key], judge.held_faults(document))
    problems = [problem for key in differing for problem in found[key]]
    if errors := _errors(problems):
        rules = {problem.rule for problem in errors}
        raise InvalidInput(
            f"{file}: {len(errors)} problem{'' if len(errors) == 1 else 's'} in what would be written; "
            "nothing was written",
            code=rules.pop() if len(rules) == 1 else "INVALID_WORKFLOW",
            problems=errors,
            cure="mend the bundle, or set the severity of the rule in gitsync.yaml",
        )
    return problems


def _errors(problems: Sequence[Problem]) -> list[Problem]:
    return [problem for problem in problems if problem.severity == Severity.ERROR]


def _link(documents: Mapping[Key, Document], ids: Mapping[Key, str]) -> None:
    """Call by key what the bundle calls by an id of this very database."""
    keys_by_id = {workflow_id: key for key, workflow_id in ids.items()}
    for key, document in documents.items():
        for definition in iter_definitions(document):
            to_references(definition, key=key, keys_by_id=keys_by_id)


def _is_as_written(digest: Digest, marks: Sequence[Mark]) -> bool:
    """Whether the database still holds what gitsync last wrote or saw, so that no edit is lost with it."""
    return bool(marks) and marks[0].digest == digest


def _conflict(
    existing: Sequence[Key],
    wanted: Mapping[Key, Digest],
    there: Mapping[Key, Digest],
    *,
    file: str,
    policy: ImportPolicy,
) -> Conflict:
    what = "were edited in the database" if policy.update else "exist already"
    return Conflict(
        f"{len(existing)} of the bundle's workflows {what}: {', '.join(existing)}; nothing was written",
        code="WORKFLOW_KEY_CONFLICT",
        details={
            "workflowKey": existing[0],
            "conflicts": [
                {
                    "key": key,
                    "state": "exists",
                    "repository": wanted[key],
                    "database": there[key],
                    "base": None,
                }
                for key in existing
            ],
        },
        cure=f"`gitsync import --force {file}` overwrites them",
    )


def apply_import(planned: PlannedImport, database: LedgerSide, *, dry_run: bool) -> Applied:
    """Write the import in one transaction, or nothing where it is dry or empty."""
    if dry_run or not planned.changes:
        return Applied()
    documents = [(change.key, planned.documents[change.key]) for change in planned.changes]
    deployment = Deployment(
        MarkKind.IMPORT, None, {}, expected_number=planned.number, protection=planned.protection
    )
    return database.apply(planned.changes, documents, deployment)
