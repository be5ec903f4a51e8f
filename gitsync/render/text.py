"""The commands' results for a person, drawn with rich; plain where there is no terminal."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from gitsync.doctor.finding import Finding, Level
from gitsync.sync.model import Action, Change, Snapshot
from gitsync.sync.plan import Entry, Plan
from gitsync.sync.states import State
from gitsync.sync.usage import Call

if TYPE_CHECKING:
    from rich.console import Console

STYLES: Final = {
    State.IN_SYNC: "green",
    State.NEW_IN_REPOSITORY: "cyan",
    State.NEW_IN_DATABASE: "cyan",
    State.REPOSITORY_AHEAD: "blue",
    State.DELETED_IN_REPOSITORY: "blue",
    State.DATABASE_AHEAD: "yellow",
    State.DELETED_IN_DATABASE: "yellow",
    State.DIVERGED: "bold red",
    State.UNKNOWN: "bold red",
    State.UNREADABLE: "bold red",
}
ADVICE: Final = {
    State.NEW_IN_REPOSITORY: "`gitsync push` creates it",
    State.NEW_IN_DATABASE: "`gitsync pull` brings it into git",
    State.REPOSITORY_AHEAD: "`gitsync push --update` deploys it",
    State.DELETED_IN_REPOSITORY: "`gitsync push --prune` deletes it, `gitsync pull --force KEY` brings it back",
    State.DATABASE_AHEAD: "`gitsync pull` brings it into git",
    State.DELETED_IN_DATABASE: "`gitsync pull --prune` deletes the file, `gitsync push --force KEY` creates it again",
    State.DIVERGED: "`gitsync diff KEY`, then `pull --branch NAME KEY` and `git merge NAME`, "
    "or `pull --force KEY`, or `push --force KEY`",
    State.UNKNOWN: "fetch the full history, then look again",
    State.UNREADABLE: "neither side is touched; `gitsync db check` says more",
}
INVALID_ADVICE: Final = "mend the file; `gitsync plan` names every problem"
SYMBOLS: Final = {Action.CREATE: ("+", "green"), Action.UPDATE: ("~", "yellow"), Action.DELETE: ("-", "red")}


def print_entries(console: Console, entries: Sequence[Entry]) -> None:
    """One line a workflow that is not in step, its state first, with its note below."""
    width = max((len(entry.state) for entry in entries), default=0)
    for entry in entries:
        console.print(
            f"  {entry.state:<{width}}  ", style=STYLES[entry.state], end="", highlight=False, markup=False
        )
        console.print(entry.key, highlight=False, markup=False, soft_wrap=True)
        if entry.is_invalid:
            console.print(f"  {'':<{width}}  invalid", style="bold red", highlight=False, markup=False)
        if entry.note:
            console.print(
                f"  {'':<{width}}  {entry.note}", style="dim", highlight=False, markup=False, soft_wrap=True
            )


def print_advice(console: Console, entries: Sequence[Entry]) -> None:
    """What to type about each state that occurs."""
    for state in State:
        if state in ADVICE and any(entry.state is state for entry in entries):
            say(console, f"  {state}: {ADVICE[state]}", style="dim")
    if any(entry.is_invalid for entry in entries):
        say(console, f"  invalid: {INVALID_ADVICE}", style="dim")


def print_unkeyed(console: Console, snapshot: Snapshot) -> None:
    """The workflows that cannot be in git, with the reason."""
    if snapshot.unkeyed:
        say(console, f"{len(snapshot.unkeyed)} in the database cannot be in git:")
        for row in snapshot.unkeyed:
            say(console, f"  {row.workflow_id}  {row.name!r}: {row.reason}")
        say(console, "  `gitsync adopt --suggest` prints the commands that give them a key", style="dim")


def print_changes(console: Console, changes: Sequence[Change], most: int = 200) -> None:
    """One line a change: its sign, its action and its key."""
    for change in changes[:most]:
        sign, style = SYMBOLS[change.action]
        say(console, f"  {sign} {change.action:<6}  {change.key}", style=style)
    if len(changes) > most:
        say(console, f"  and {len(changes) - most} more")


def print_plan(console: Console, plan: Plan) -> None:
    """The changes, then what stays apart and why."""
    print_changes(console, plan.changes)
    for title, entries in (
        ("in conflict, not written:", plan.conflicts),
        ("not written:", plan.refused),
        ("left alone:", plan.left),
    ):
        if entries:
            say(console, title)
            print_entries(console, entries)


def print_relinked(console: Console, calls: Sequence[Call]) -> None:
    """One line for each workflow whose calls follow a new id."""
    if calls:
        say(console, "calls that follow the new ids:")
    for line in list_relinked(calls):
        say(console, f"  {line}")


def list_relinked(calls: Sequence[Call]) -> list[str]:
    """For each workflow with such calls where they are: ``billing.dunning: draft, version 3``."""
    places: dict[str, list[str]] = {}
    for call in calls:
        place = "draft" if call.version is None else f"version {call.version}"
        places.setdefault(call.title, []).append(place)
    return [f"{title}: {', '.join(dict.fromkeys(listed))}" for title, listed in places.items()]


def summary(changes: Sequence[Change], words: tuple[str, str, str]) -> str:
    """Such as ``3 created, 1 overwritten``; `words` are for create, update and delete."""
    counts = [sum(change.action is action for change in changes) for action in Action]
    parts = [f"{count} {word}" for count, word in zip(counts, words, strict=True) if count]
    return ", ".join(parts)


def print_finding(console: Console, finding: Finding) -> None:
    """One line for what was looked at, its cure below."""
    style = {Level.OK: None, Level.WARNING: "yellow", Level.ERROR: "bold red"}[finding.level]
    say(console, f"  {finding.level:<7}  {finding.name}: {finding.message}", style=style)
    if finding.cure:
        say(console, f"           {finding.cure}")


def say(console: Console, text: str, *, style: str | None = None) -> None:
    """One line, never wrapped, its text taken as it is."""
    console.print(text, style=style, highlight=False, markup=False, soft_wrap=True)


def unified(before: bytes, after: bytes, *, names: tuple[str, str]) -> Iterator[str]:
    """The unified diff of two canonical files, line by line."""
    old, new = (data.decode().removesuffix("\n").split("\n") if data else [] for data in (before, after))
    yield from difflib.unified_diff(old, new, *names, lineterm="")


def print_diff(console: Console, lines: Iterator[str]) -> None:
    """A unified diff in git's colours."""
    for line in lines:
        if line.startswith(("+++", "---")):
            style = "bold"
        else:
            style = {"+": "green", "-": "red", "@": "cyan"}.get(line[:1], "")
        say(console, line, style=style or None)
