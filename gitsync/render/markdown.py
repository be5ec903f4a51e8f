"""The commands' results as Markdown, for a pull request's comment or a job's summary.

The verdict comes first, the details last, and all of it fits into one comment. The database's address is left
out: a pull request has more readers than a terminal.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from gitsync.commands.difference import MASKED, Difference
from gitsync.errors import GitsyncError, InvalidInput, Problem, plural
from gitsync.render.difference import diff_lines, explain_difference
from gitsync.render.page import Paper, bullets, plain, shorten, table, with_commands
from gitsync.render.text import ADVICE, INVALID_ADVICE, list_relinked
from gitsync.render.words import code
from gitsync.sync.compare import Comparison
from gitsync.sync.model import Action, Change
from gitsync.sync.plan import Entry, Plan
from gitsync.sync.states import State
from gitsync.sync.usage import Call
from gitsync.workflow.types import Key

MOST_OF_A_BLOCK: Final = 8_000
"""Characters of one workflow's details."""
MOST_OF_A_WHOLE: Final = 2_000
"""Characters of the diff of a workflow that comes or goes: it is in the commit, whole."""
GOOD: Final = "\N{WHITE HEAVY CHECK MARK}"
BAD: Final = "\N{NO ENTRY}"
WARNED: Final = "\N{WARNING SIGN}\N{VARIATION SELECTOR-16}"
ENDINGS: Final = {
    1: "failed",
    3: "conflict",
    4: "invalid input",
    5: "the database moved meanwhile",
    6: "a protection refused",
    7: "another run holds the lock",
    9: "no access",
}
"""Exit code → what it means in a verdict."""
DONE: Final = {
    "plan": ("to create", "to overwrite", "to delete"),
    "push": ("created", "overwritten", "deleted"),
    "apply": ("created", "overwritten", "deleted"),
    "pull": ("created", "overwritten", "deleted"),
}
ACTIONS: Final = {Action.CREATE: "create", Action.UPDATE: "overwrite", Action.DELETE: "delete"}
_MOVED: Final = (State.DATABASE_AHEAD, State.DELETED_IN_DATABASE, State.NEW_IN_DATABASE)


@dataclass(frozen=True, slots=True)
class Page:
    """What a page about a plan tells.

    command: ``plan``, ``push``, ``apply`` or ``pull``. told: the differences of as many keys as are told in words.
    obstacle: what stops the push, or ended it after the rest was written. notes: what else there is to say,
    commands between back-ticks.
    """

    command: str
    environment: str
    commit: str | None
    plan: Plan
    told: Mapping[Key, Difference] = field(default_factory=dict)
    obstacle: GitsyncError | None = None
    problems: Sequence[Problem] = ()
    relinked: Sequence[Call] = ()
    notes: Sequence[str] = ()
    warnings: Sequence[str] = ()


def render_plan(page: Page) -> str:
    """The page of a ``plan``, a ``push`` or a ``pull``."""
    paper = Paper()
    marker = f"<!-- gitsync {page.command} {page.environment} -->\n"
    paper.add(f"{marker}## {_verdict(page)}")
    paper.add(_about(page))
    if page.obstacle is not None:
        paper.add(_obstacle(page.obstacle, page.problems))
    for note in _notes(page):
        paper.add(note)
    _tell_masked(paper, page.told)
    rows = list(_rows(page))
    if rows:
        paper.add(table(("action", "workflow", "what"), rows))
    return _finish(paper, _in_order(page), page.told) if page.told else paper.end()


def render_skipped(command: str, environment: str, why: str) -> str:
    """The page of a plan that was not made."""
    paper = Paper()
    paper.add(f"<!-- gitsync {command} {environment} -->\n## {WARNED} {environment}: nothing was planned")
    paper.add(f"{plain(why)}.")
    return paper.end()


def render_status(
    comparison: Comparison,
    entries: Sequence[Entry],
    *,
    environment: str,
    commit: str | None,
    uncommitted: Sequence[str],
    told: Mapping[Key, Difference],
) -> str:
    """The page of a ``status``; entries: those to list."""
    paper = Paper()
    apart = [entry for entry in entries if entry.state is not State.IN_SYNC]
    in_step = sum(entry.state is State.IN_SYNC for entry in comparison.entries)
    sign = GOOD if not apart else BAD if _has_conflict(apart) else WARNED
    verdict = f"{plural(len(apart), 'workflow')} apart" if apart else "all in step"
    paper.add(f"## {sign} {environment}: {verdict}")
    paper.add(f"{_commit(commit)}; {in_step} in step.")
    if apart:
        rows = [(entry.state.value, str(entry.key), plain(_words(entry, told))) for entry in _by_state(apart)]
        paper.add(table(("state", "workflow", "what changed"), rows))
        advice = [f"{state.value}: {ADVICE[state]}" for state in State if _any(apart, state)]
        advice += [f"invalid: {INVALID_ADVICE}"] if any(entry.is_invalid for entry in apart) else []
        paper.add(bullets(advice))
    if uncommitted:
        paper.add("Uncommitted, not compared:\n\n" + bullets(map(code, uncommitted)))
    if comparison.database.unkeyed:
        rows = [(plain(row.name), row.workflow_id, plain(row.reason)) for row in comparison.database.unkeyed]
        paper.add("In the database, but not for git:\n\n" + table(("name", "workflow", "why"), rows))
    if comparison.warnings:
        paper.add(bullets(f"{WARNED} {plain(text)}" for text in comparison.warnings))
    _tell_masked(paper, told)
    return paper.end()


def render_diff(
    entries: Sequence[Entry],
    differences: Iterable[Difference],
    *,
    environment: str,
    commit: str | None,
    lines: bool,
) -> str:
    """The page of a ``diff``.

    entries: what is apart. differences: of the first ones. lines: whether the folded diffs are in it.
    """
    paper = Paper()
    verdict = f"{plural(len(entries), 'workflow')} apart" if entries else "no differences"
    paper.add(f"## {environment}: {verdict}")
    paper.add(f"{_commit(commit)}.")
    told = {found.entry.key: found for found in differences}
    _tell_masked(paper, told)
    return _finish(paper, [(entry.key, entry.state.value) for entry in entries], told, lines=lines)


def render_error(error: GitsyncError) -> str:
    """The page of a run that failed."""
    paper = Paper()
    paper.add(f"## {BAD} gitsync stopped: {ENDINGS.get(error.exit_code, 'failed')}")
    problems = error.problems if isinstance(error, InvalidInput) else ()
    paper.add(_obstacle(error, problems))
    rows = [
        (entry["state"], code(entry["key"]), plain(entry.get("summary") or entry.get("note") or ""))
        for entry in error.details.get("conflicts", ())
    ]
    if rows:
        paper.add(table(("state", "workflow", "what changed"), rows, coded=False))
    return paper.end()


def _verdict(page: Page) -> str:
    done = _summary(page.plan.changes, DONE[page.command]) or "nothing to write"
    if page.obstacle is None:
        return f"{GOOD} {page.environment}: {done}"
    ending = ENDINGS.get(page.obstacle.exit_code, "failed")
    if page.command == "plan":
        return f"{BAD} {page.environment}: a push would stop: {ending}"
    return f"{BAD} {page.environment}: {done}; {ending}"


def _about(page: Page) -> str:
    in_step = page.plan.counts.get(State.IN_SYNC, 0)
    parts = [_commit(page.commit), f"{in_step} in step already"]
    done = _summary(page.plan.changes, DONE[page.command])
    if page.obstacle is not None and page.command == "plan" and done:
        parts.append(f"without that: {done}")
    return "; ".join(parts) + "."


def _obstacle(error: GitsyncError, problems: Sequence[Problem]) -> str:
    parts = [f"**{plain(shorten(error.message))}** ({code(error.code)}, exit {error.exit_code})"]
    if problems:
        parts.append(bullets(map(_problem, problems)))
    if error.lines:
        parts.append(bullets(map(plain, error.lines)))
    if error.cure:
        parts.append(f"**Next:** {with_commands(error.cure)}")
    return "\n\n".join(parts)


def _problem(problem: Problem) -> str:
    place = problem.file + (f":{problem.line}:{problem.column}" if problem.line else "")
    path = f" {code(problem.path)}" if problem.path else ""
    cure = f"; {with_commands(problem.cure)}" if problem.cure else ""
    return f"{code(place)}{path}: {plain(shorten(problem.message))} ({code(problem.rule)}){cure}"


def _notes(page: Page) -> Iterator[str]:
    moved = [entry for entry in page.plan.left if entry.state in _MOVED]
    if moved and page.command != "pull":
        were = "was" if len(moved) == 1 else "were"
        yield (
            f"{WARNED} {plural(len(moved), 'workflow')} {were} edited in the product and left alone: "
            "`gitsync pull` brings that into git."
        )
    if page.notes:
        yield bullets(map(with_commands, page.notes))
    if page.relinked:
        yield "Calls that follow the new ids:\n\n" + bullets(map(plain, list_relinked(page.relinked)))
    if page.warnings:
        yield bullets(f"{WARNED} {plain(shorten(text))}" for text in page.warnings)


def _tell_masked(paper: Paper, told: Mapping[Key, Difference]) -> None:
    """Say that secrets have stand-ins, where some have."""
    if any(found.secrets for found in told.values()):
        paper.add(f"{WARNED} {with_commands(MASKED)}.")


def _rows(page: Page) -> Iterator[tuple[str, str, str]]:
    for change in _by_action(page.plan.changes):
        found = page.told.get(change.key)
        yield ACTIONS[change.action], str(change.key), plain(found.words) if found else ""
    for title, entries in _kept(page.plan):
        for entry in entries:
            words = _words(entry, page.told)
            yield title, str(entry.key), plain(f"{entry.state}: {words}" if words else entry.state)


def _kept(plan: Plan) -> tuple[tuple[str, Sequence[Entry]], ...]:
    """What stays apart, by the reason."""
    unreadable = [entry for entry in plan.refused if entry.unreadable is not None]
    unknown = [entry for entry in plan.refused if entry.unreadable is None]
    return (
        ("conflict", plan.conflicts),
        ("unreadable", unreadable),
        ("history unknown", unknown),
        ("leave", plan.left),
    )


def _in_order(page: Page) -> list[tuple[Key, str]]:
    """The keys with details, conflicts first: they are what somebody has to look at."""
    *first, left = [[(entry.key, title) for entry in entries] for title, entries in _kept(page.plan)]
    changes = [(change.key, ACTIONS[change.action]) for change in _by_action(page.plan.changes)]
    return [*(row for rows in first for row in rows), *changes, *left]


def _words(entry: Entry, told: Mapping[Key, Difference]) -> str:
    found = told.get(entry.key)
    invalid = "invalid" if entry.is_invalid else ""
    told_in_words = found.words if found and not found.fault else ""
    return "; ".join(text for text in (invalid, told_in_words, entry.note) if text)


def _finish(
    paper: Paper, titles: Sequence[tuple[Key, str]], told: Mapping[Key, Difference], *, lines: bool = True
) -> str:
    """The page with one block a workflow, as many as fit."""
    for number, (key, title) in enumerate(titles):
        found = told.get(key)
        if found is None or not paper.add(_block(found, title, lines=lines)):
            left = plural(len(titles) - number, "workflow")
            return paper.end(f"… and {left} more, too much for this page: `gitsync diff` shows it all.")
    return paper.end()


def _block(found: Difference, title: str, *, lines: bool) -> str:
    """One workflow's heading, words and folded diff."""
    head = f"### {code(found.entry.key)}: {title}"
    words = bullets(explain_difference(found), most=MOST_OF_A_BLOCK // 2)
    parts = [head, *([words] if words else [])]
    room = MOST_OF_A_WHOLE if found.is_whole else MOST_OF_A_BLOCK - len(words)
    if lines and (diff := _fit(diff_lines(found), room, found.entry.key)):
        fence = "`" * (1 + max((len(run) for run in re.findall(r"`{2,}", diff)), default=2))
        parts.append(f"<details><summary>Diff</summary>\n\n{fence}diff\n{diff}\n{fence}\n\n</details>")
    return "\n\n".join(parts)


def _fit(lines: Sequence[str], room: int, key: Key) -> str:
    kept: list[str] = []
    for number, line in enumerate(lines):
        text = line if len(line) <= 400 else f"{line[:399]}…"
        room -= len(text) + 1
        if room < 0:
            kept.append(f"… {len(lines) - number} more lines: gitsync diff {key}")
            break
        kept.append(text)
    return "\n".join(kept)


def _summary(changes: Sequence[Change], words: tuple[str, str, str]) -> str:
    counts = [sum(change.action is action for change in changes) for action in Action]
    return ", ".join(f"{count} {word}" for count, word in zip(counts, words, strict=True) if count)


def _by_action(changes: Sequence[Change]) -> list[Change]:
    return [change for action in Action for change in changes if change.action is action]


def _by_state(entries: Sequence[Entry]) -> list[Entry]:
    return [entry for state in State for entry in entries if entry.state is state]


def _any(entries: Sequence[Entry], state: State) -> bool:
    return state in ADVICE and any(entry.state is state for entry in entries)


def _has_conflict(entries: Sequence[Entry]) -> bool:
    stuck = (State.DIVERGED, State.UNKNOWN, State.UNREADABLE)
    return any(entry.state in stuck or entry.is_invalid for entry in entries)


def _commit(commit: str | None) -> str:
    return f"Commit {code(commit[:10])}" if commit else "No commit yet"
