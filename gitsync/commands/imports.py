"""``import``: a bundle into the environment, all of it or nothing."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, TypedDict, Unpack

from gitsync.commands.context import Context, context_of
from gitsync.commands.project import Project, read_settings, registry_of
from gitsync.commands.report import tell_unchecked, tell_warnings
from gitsync.commands.targets import announce, choose_environment, least_capabilities, open_store
from gitsync.config import Config, Environment
from gitsync.errors import UsageError, plural
from gitsync.stores.bundle import BundleSide
from gitsync.sync.imports import ImportPolicy, PlannedImport, apply_import, plan_import
from gitsync.sync.model import Action, Applied, Capabilities
from gitsync.sync.supported import doubtful_creates, overwriting_notes, unsupported_changes
from gitsync.workflow.references import called_keys

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gitsync.sync.stores import Target
    from gitsync.workflow.registry import Registry


class ImportWishes(TypedDict, total=False):
    """What an import can be asked for, as `import_bundle` tells."""

    update: bool
    force: bool
    in_place: bool | None
    discard_runs: bool
    max_overwrites: int | None
    new_tenant: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportReport:
    """What an import did, or would do where it was dry."""

    kind: ClassVar[str] = "import_"
    environment: str
    planned: PlannedImport
    applied: Applied
    dry_run: bool
    notes: Sequence[str] = ()
    error: None = None
    exit_code: int = 0


def import_bundle(
    project: Project | Context,
    data: bytes,
    *,
    file: str = "the bundle",
    dry_run: bool = False,
    **wishes: Unpack[ImportWishes],
) -> ImportReport:
    """Import a workflow bundle (format 1) into the environment's database or server, in one transaction.

    The caller is asked before anything is recreated.

    project: or a Context alone; no repository is needed.
    data: the bundle. file: what messages call it. dry_run: check everything, write nothing.
    update: also overwrite what nobody has edited since gitsync wrote it. force: overwrite what exists.
    in_place: overwrite keeping ids; ``None`` as the environment says.
    discard_runs: let go of runs, schedules and webhooks that hang on what is overwritten.
    max_overwrites: an exact limit, instead of the share that gitsync.yaml allows.
    new_tenant: the tenant is meant to have no workflows yet.

    Raises UsageError; InvalidInput with every fault of the bundle; Conflict (WORKFLOW_KEY_CONFLICT) where a key exists
    that may not be overwritten; Refused where a limit or a run stands against it, or nobody can be asked; PlanStale
    where a workflow moves meanwhile. Nothing is written then.
    """
    context = context_of(project)
    config, folder = read_settings(project)
    environment = choose_environment(config, context)
    least = least_capabilities(environment)
    if wishes.get("update") and not least.has_ledger:
        raise UsageError("--update asks what gitsync wrote last, which a server does not tell")
    bundle = BundleSide.read(data, file=file)
    registry = registry_of(config, folder)
    if registry is None and not least.checks_runtime:
        context.tell(
            "note: no registry is configured, so actions and schemas are not checked against the runtime"
        )
    tell_unchecked(context, registry)
    policy = make_policy(config, environment, wishes)
    with open_store(
        environment,
        folder,
        context,
        command="import",
        in_place=policy.in_place,
        new_tenant=wishes.get("new_tenant", False),
    ) as target:
        announce(context, environment, target)
        planned = prepare_import(
            context, environment, bundle, target, registry=registry, policy=policy, dry_run=dry_run
        )
        applied = apply_import(planned, bundle, target, dry_run=dry_run)
    return ImportReport(environment=environment.name, planned=planned, applied=applied, dry_run=dry_run)


def prepare_import(
    context: Context,
    environment: Environment,
    bundle: BundleSide,
    target: Target,
    *,
    registry: Registry | None,
    policy: ImportPolicy,
    dry_run: bool = False,
) -> PlannedImport:
    """Return what an import will do, once nothing speaks against it and the caller agrees: all but the writing.

    The command line and the server both come this way. dry_run: nothing will be written, so nobody is asked.
    Raises as `import_bundle` does.
    """
    if not dry_run and target.ledger is not None:
        target.ledger.check_writable()
    planned = plan_import(bundle, target, registry=registry, policy=policy)
    tell_warnings(context, planned.problems)
    for warning in planned.warnings:
        context.tell(f"warning: {warning}")
    calls = {key: called_keys(document) for key, document in bundle.content.documents.items()}
    capabilities = target.capabilities
    unsupported = unsupported_changes(
        capabilities, target.address, planned.changes, calls, lambda key: f"{bundle.content.file}: {key}"
    )
    if unsupported is None and not context.assume_complete:
        unsupported = doubtful_creates(capabilities, planned.changes, may_hide=target.may_hide())
    if unsupported is not None:
        raise unsupported
    for note in overwriting_notes(capabilities, planned.changes):
        context.tell(f"note: {note}")
    if not dry_run:
        _ask(context, environment, planned, capabilities, in_place=policy.in_place)
    return planned


def make_policy(config: Config, environment: Environment, wishes: ImportWishes) -> ImportPolicy:
    """Return the wishes with what the configuration says where they are silent."""
    in_place = wishes.get("in_place")
    return ImportPolicy(
        wishes.get("update", False),
        wishes.get("force", False),
        replace(config.limits, max_overwrites=wishes.get("max_overwrites")),
        in_place=environment.overwrite == "in-place" if in_place is None else in_place,
        discard_runs=wishes.get("discard_runs", False),
        rules=config.rules,
    )


def _ask(
    context: Context,
    environment: Environment,
    planned: PlannedImport,
    capabilities: Capabilities,
    *,
    in_place: bool,
) -> None:
    """Ask before anything is recreated, or overwritten by a store that may recreate it."""
    count = sum(change.action is Action.UPDATE for change in planned.changes)
    is_as_told = capabilities.overwrites_as_told
    if count and not (is_as_told and in_place):
        how = "delete and create again" if is_as_told else "overwrite"
        context.caller.confirm(f"This will {how} {plural(count, 'workflow')} in {environment.name}. Go on?")
