"""The options of ``push`` and ``plan`` that say what may be overwritten and deleted."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from gitsync.commands.push import PushWishes

F = TypeVar("F", bound=Callable[..., Any])


def policy_options(function: F) -> F:
    """Add the policy options of a push, gathered by push_options."""
    options = [
        click.option(
            "--update", is_flag=True, help="Also overwrite what only git has changed; loses nothing."
        ),
        click.option(
            "--force", is_flag=True, help="Overwrite whatever differs, and create again what was deleted."
        ),
        click.option("--prune", is_flag=True, help="Also delete what git has deleted."),
        click.option(
            "--in-place/--recreate",
            "in_place",
            default=None,
            help="Overwrite keeping the workflow's id, or by deleting and creating it (gitsync.yaml: overwrite).",
        ),
        click.option(
            "--skip-conflicts",
            is_flag=True,
            help="Write the rest although some are in conflict; still exits 3.",
        ),
        click.option(
            "--discard-runs",
            is_flag=True,
            help="Let go of runs, schedules and webhooks that hang on what is deleted or changed.",
        ),
        click.option("--fail-on-drift", is_flag=True, help="Exit 3 where the database has moved."),
        click.option(
            "--max-overwrites", type=click.IntRange(min=0), metavar="N", help="Overwrite at most N workflows."
        ),
        click.option(
            "--max-deletes", type=click.IntRange(min=0), metavar="N", help="Delete at most N workflows."
        ),
        click.option(
            "--test",
            is_flag=True,
            help="Run the tests of what would be written, and of its callers, before anything is.",
        ),
        click.option("--new-tenant", is_flag=True, help="The tenant is meant to have no workflows yet."),
    ]
    for option in reversed(options):
        function = option(function)
    return function


def wishes_of(keys: tuple[str, ...], ref: str, values: dict[str, Any]) -> PushWishes:
    """Return what the command line asks of a push."""
    from gitsync.sync.plan import Policy

    if values["update"] and values["force"]:
        raise click.UsageError("--update and --force are two policies; choose one")
    return {
        "keys": keys,
        "ref": ref,
        "policy": Policy.FORCE
        if values["force"]
        else Policy.UPDATE
        if values["update"]
        else Policy.CREATE_ONLY,
        "prune": values["prune"],
        "in_place": values["in_place"],
        "skip_conflicts": values["skip_conflicts"],
        "fail_on_drift": values["fail_on_drift"],
        "discard_runs": values["discard_runs"],
        "max_overwrites": values["max_overwrites"],
        "max_deletes": values["max_deletes"],
        "test": values["test"],
        "new_tenant": values["new_tenant"],
    }
