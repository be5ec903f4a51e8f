"""Saved plans: what was reviewed is what is applied, or nothing is."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from gitsync.errors import InvalidInput, PlanStale, plural
from gitsync.sync.compare import Comparison
from gitsync.sync.limits import Limits
from gitsync.sync.model import Action, Change
from gitsync.sync.plan import Policy
from gitsync.sync.push import PushOptions
from gitsync.workflow.canonical import canonical_bytes
from gitsync.workflow.parse import parse_json
from gitsync.workflow.schema import accepts, iter_faults
from gitsync.workflow.types import Digest, Json, Key

FORMAT: Final = "gitsync.saved-plan"
FORMAT_VERSION: Final = 1
MOST_BYTES: Final = 64 * 2**20
"""A larger file is no plan: one of 100,000 changes has a third of it."""


@dataclass(frozen=True, slots=True)
class SavedPlan:
    """What `gitsync plan --out` wrote.

    database: the identity of the database that was looked at. keys: the selection, empty for all.
    number: the newest deployment that the plan has seen.
    """

    environment: str
    database: str
    commit: str
    keys: tuple[str, ...]
    options: PushOptions
    number: int
    changes: tuple[Change, ...]
    new_tenant: bool = False


def render_saved_plan(saved: SavedPlan) -> bytes:
    """The file: canonical JSON, with a SHA-256 over all the rest of it."""
    options = saved.options
    content: dict[str, Json] = {
        "format": FORMAT,
        "formatVersion": FORMAT_VERSION,
        "environment": saved.environment,
        "database": saved.database,
        "commit": saved.commit,
        "deployment": saved.number,
        "options": {
            "keys": list(saved.keys),
            "policy": options.policy.value,
            "prune": options.prune,
            "inPlace": options.in_place,
            "skipConflicts": options.skip_conflicts,
            "failOnDrift": options.fail_on_drift,
            "discardRuns": options.discard_runs,
            "maxOverwrites": options.limits.max_overwrites,
            "maxDeletes": options.limits.max_deletes,
            "newTenant": saved.new_tenant,
        },
        "changes": [
            {"key": change.key, "action": change.action.value, "before": change.before, "after": change.after}
            for change in saved.changes
        ],
    }
    return canonical_bytes(content | {"sha256": _seal(content)})


def read_saved_plan(data: bytes, *, file: str) -> SavedPlan:
    """The plan in a file.

    Raises InvalidInput (INVALID_PLAN, UNSUPPORTED_FORMAT, UNSUPPORTED_FORMAT_VERSION) for what is none, and
    PlanStale (PLAN_TAMPERED) where it was changed after it was saved.
    """
    if len(data) > MOST_BYTES:
        raise InvalidInput(f"{file}: too large for a saved plan", code="INVALID_PLAN", cure=_AGAIN)
    try:
        value: Any = parse_json(data, file=file)
    except InvalidInput as error:
        raise InvalidInput(error.message, problems=error.problems, code="INVALID_PLAN", cure=_AGAIN) from None
    _check_header(value, file)
    if not accepts("saved-plan", value):
        faults = [
            f"{'/'.join(map(str, fault.at)) or 'the plan'}: {fault.message}"
            for fault in iter_faults("saved-plan", value)
        ]
        raise InvalidInput(
            f"{file}: this is no saved plan: {faults[0]}", code="INVALID_PLAN", lines=faults[1:], cure=_AGAIN
        )
    content = {name: part for name, part in value.items() if name != "sha256"}
    if _seal(content) != value["sha256"]:
        raise PlanStale(
            f"{file}: the plan was changed after it was saved; nothing was written",
            code="PLAN_TAMPERED",
            cure=_AGAIN,
        )
    return _make(value)


_AGAIN: Final = "make a new one with `gitsync plan --out FILE`"


def _check_header(value: Any, file: str) -> None:
    form = value.get("format") if isinstance(value, dict) else None
    if form != FORMAT:
        hint = "; a plan to apply is what `--out` writes" if form == "gitsync.plan" else ""
        raise InvalidInput(
            f"{file}: this is no saved plan{hint}",
            code="UNSUPPORTED_FORMAT",
            details={"expectedFormat": FORMAT, "receivedFormat": form if isinstance(form, str) else None},
            cure=_AGAIN,
        )
    version = value.get("formatVersion")
    if version != FORMAT_VERSION or isinstance(version, bool):
        raise InvalidInput(
            f"{file}: saved plans of version {version!r} cannot be applied, only of version {FORMAT_VERSION}",
            code="UNSUPPORTED_FORMAT_VERSION",
            details={"expectedFormatVersion": FORMAT_VERSION},
            cure=_AGAIN,
        )


def _make(value: dict[str, Any]) -> SavedPlan:
    chosen = value["options"]
    limits = Limits(max_overwrites=chosen["maxOverwrites"], max_deletes=chosen["maxDeletes"])
    return SavedPlan(
        environment=value["environment"],
        database=value["database"],
        commit=value["commit"],
        keys=tuple(chosen["keys"]),
        options=PushOptions(
            policy=Policy(chosen["policy"]),
            prune=chosen["prune"],
            in_place=chosen["inPlace"],
            limits=limits,
            skip_conflicts=chosen["skipConflicts"],
            fail_on_drift=chosen["failOnDrift"],
            discard_runs=chosen["discardRuns"],
        ),
        number=value["deployment"],
        changes=tuple(sorted(_change(change) for change in value["changes"])),
        new_tenant=chosen["newTenant"],
    )


def _change(change: Mapping[str, Any]) -> Change:
    before, after = (
        None if digest is None else Digest(digest) for digest in (change["before"], change["after"])
    )
    return Change(Key(change["key"]), Action(change["action"]), before, after)


def _seal(content: Mapping[str, Json]) -> str:
    return hashlib.sha256(canonical_bytes(dict(content))).hexdigest()


def check_fresh(saved: SavedPlan, comparison: Comparison) -> None:
    """Raise PlanStale for the planned keys that the database or the commit no longer holds as the plan saw them."""
    entries = {entry.key: entry for entry in comparison.entries}
    stale = []
    for change in saved.changes:
        entry = entries.get(change.key)
        there = entry.database if entry else None
        wanted = entry.repository if entry else None
        if there != change.before or wanted != change.after:
            stale.append(change.key)
    if stale:
        raise PlanStale(
            f"{plural(len(stale), 'workflow')} {'has' if len(stale) == 1 else 'have'} changed since the plan was made; nothing was written",
            details={"keys": stale},
            lines=stale,
            cure="look with `gitsync status`, then make a new one with `gitsync plan --out FILE`",
        )
