"""``adopt``: keys for workflows of the database that have none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from gitsync.commands.context import Context
from gitsync.commands.project import read_settings
from gitsync.commands.targets import announce, open_database
from gitsync.stores.database.adopting import Adopted, Suggestion


@dataclass(frozen=True, slots=True, kw_only=True)
class AdoptReport:
    """The workflows that have a key now, or a key for each that has none."""

    kind: ClassVar[str] = "adopt"
    environment: str
    adopted: Sequence[Adopted] = ()
    suggestions: Sequence[Suggestion] = ()
    dry_run: bool = False
    notes: Sequence[str] = ()
    error: None = None
    exit_code: int = 0


def suggest_keys(context: Context) -> AdoptReport:
    """Return a key for each workflow of the database that has none of its own; write nothing."""
    config, folder = read_settings(context)
    environment = config.environment(context.environment, context.variables)
    with open_database(environment, folder, context, command="adopt") as database:
        announce(context, environment, database)
        return AdoptReport(environment=environment.name, suggestions=database.suggest_keys())


def adopt(context: Context, pairs: Sequence[tuple[str, str]], *, dry_run: bool = False) -> AdoptReport:
    """Give workflows a key, all of them or none.

    pairs: workflow id, key. dry_run: check alone. Raises GitsyncError with everything that speaks against it.
    """
    config, folder = read_settings(context)
    environment = config.environment(context.environment, context.variables)
    with open_database(environment, folder, context, command="adopt") as database:
        announce(context, environment, database)
        if not dry_run:
            database.check_writable()
        adopted = database.adopt(pairs, dry_run=dry_run)
    return AdoptReport(environment=environment.name, adopted=adopted, dry_run=dry_run)
