"""The import of a bundle: no base and no history, as the product's own import has none.

The command line and the server call these functions, and nothing else imports.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Protocol

from gitsync.errors import Problem
from gitsync.rules.rule import Severities
from gitsync.rules.validator import Validator
from gitsync.sync.import_checks import (
    check_calls,
    check_existing,
    check_expected,
    check_needs,
    check_rules,
)
from gitsync.sync.limits import Limits
from gitsync.sync.model import Action, Applied, Change, Deployment, MarkKind
from gitsync.sync.plan import Plan, check_readable, find_excess
from gitsync.sync.protection import check_obstacles, find_obstacles, find_rewritten
from gitsync.sync.stores import Store, Target
from gitsync.sync.usage import Protection, Surroundings
from gitsync.workflow.bundle import Bundle, iter_loose_calls, link_calls
from gitsync.workflow.canonical import document_digest
from gitsync.workflow.references import called_keys
from gitsync.workflow.registry import Registry
from gitsync.workflow.types import Digest, Document, Key


class BundleSource(Store, Protocol):
    """A bundle that has been read."""

    @property
    def content(self) -> Bundle:
        """What it holds."""


@dataclass(frozen=True, slots=True)
class ImportPolicy:
    """What an import may overwrite: nothing, what gitsync itself wrote last, or all.

    in_place: how the target overwrites. discard_runs: let go of what hangs on workflows.
    rules: the severities of the rules. What the target holds already is no error, whatever they say.
    expected: key → the digest that the target must still hold for it, ``None`` for no workflow.
    """

    update: bool = False
    force: bool = False
    limits: Limits = Limits()
    in_place: bool = False
    discard_runs: bool = False
    rules: Severities = Severities()
    expected: Mapping[Key, Digest | None] | None = None


@dataclass(frozen=True, slots=True)
class PlannedImport:
    """The changes of one import, ordered by key.

    unchanged: key → id of what the target holds just so already. number: of the newest deployment seen.
    problems: what the rules warn of in what would be written.
    """

    changes: tuple[Change, ...]
    unchanged: Mapping[Key, str]
    warnings: tuple[str, ...]
    number: int
    protection: Protection
    problems: tuple[Problem, ...] = ()


def plan_import(
    source: BundleSource, target: Target, *, registry: Registry | None, policy: ImportPolicy
) -> PlannedImport:
    """What the import would do; nothing is written.

    The checks stand in the product's order: dependencies, then what the target expects or holds.
    Raises InvalidInput (MISSING_DEPENDENCIES, UNRESOLVED_REFERENCE), PlanStale (DIGEST_MISMATCH),
    Conflict (WORKFLOW_KEY_CONFLICT) or Refused, each with all that it is about.
    """
    bundle = source.content
    if registry is not None:
        check_needs(bundle, registry)
    number = target.ledger.newest_number() if target.ledger is not None else 0
    documents = bundle.documents
    with target.open() as session:
        index = session.index
        ids = index.ids
        link_calls(documents, {workflow_id: key for key, workflow_id in ids.items()})
        check_readable({*documents, *chain(*map(called_keys, documents.values()))}, index.twins)
        check_calls(bundle, ids.keys() | documents.keys())
        wanted = source.snapshot().digests
        held = dict(session.load(wanted.keys() & ids.keys()))
    there = {key: document_digest(document) for key, document in held.items()}
    if policy.expected is not None:
        check_expected(policy.expected, wanted, there)
    differing = [key for key in sorted(wanted) if there.get(key) != wanted[key]]
    problems = check_rules(bundle, differing, held, Validator(registry, policy.rules))
    if not policy.force:
        check_existing(bundle, target, ids, update=policy.update, wanted=wanted, there=there)
    changes = tuple(
        Change(key, Action.UPDATE if key in there else Action.CREATE, there.get(key), wanted[key])
        for key in differing
    )
    if (error := find_excess(Plan(changes, (), (), (), len(ids), {}), policy.limits)) is not None:
        raise error
    loose = iter_loose_calls(documents, where="the bundle, nor in the target")
    return PlannedImport(
        changes,
        {key: ids[key] for key in sorted(wanted) if key in there and there[key] == wanted[key]},
        (*bundle.warnings, *loose),
        number,
        _protect(changes, documents, held, target, policy),
        tuple(problems),
    )


def apply_import(
    planned: PlannedImport, source: BundleSource, target: Target, *, dry_run: bool = False
) -> Applied:
    """Write the import in one transaction, or nothing where it is dry or empty."""
    if dry_run or not planned.changes:
        return Applied()
    documents = list(source.load([change.key for change in planned.changes]))
    deployment = Deployment(
        MarkKind.IMPORT, None, {}, expected_number=planned.number, protection=planned.protection
    )
    return target.apply(planned.changes, documents, deployment)


def _protect(
    changes: Sequence[Change],
    documents: Mapping[Key, Document],
    held: Mapping[Key, Document],
    target: Target,
    policy: ImportPolicy,
) -> Protection:
    """What the import may do to what hangs on its workflows; raises Refused for anything it may not."""
    updated = [change.key for change in changes if change.action is Action.UPDATE]
    before, after = (((key, source[key]) for key in updated) for source in (held, documents))
    rewritten = find_rewritten(before, after)
    protection = Protection(rewritten, discard_runs=policy.discard_runs, force=policy.force)
    around = Surroundings() if target.usage is None else target.usage.look_around(changes)
    check_obstacles(find_obstacles(changes, around, protection, in_place=policy.in_place))
    return protection
