"""Compare two sides: what each holds, where they were last in step, and the state that follows.

The sides come in as protocols. Nothing here knows git from a fake, or PostgreSQL from SQLite.
"""

from __future__ import annotations

import fnmatch
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Protocol

from gitsync.errors import GitsyncError, Problem, Refused, listed, plural
from gitsync.rules.validator import Validator
from gitsync.sync.model import Mark, MarkKind, Snapshot
from gitsync.sync.plan import NOT_SHOWN, Entry
from gitsync.sync.states import History, State, judge
from gitsync.sync.stores import Target
from gitsync.workflow.references import is_reference
from gitsync.workflow.types import Digest, Key


class FileFacts(Protocol):
    """What was found in one file: normal digest, faults, and what it refers to."""

    @property
    def digest(self) -> Digest:
        """Of the normal form."""

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Every fault, errors and warnings."""

    @property
    def errors(self) -> tuple[Problem, ...]:
        """Those problems that stop a push; empty for a valid file."""

    def beside(self, held: Counter[tuple[str, str, str]]) -> FileFacts:
        """This, with what the database holds already no worse than a warning (`Validator.count_faults`)."""

    @property
    def calls(self) -> frozenset[Key]:
        """Keys that it calls."""

    @property
    def ids(self) -> frozenset[str]:
        """Calls by database id."""


_MOST_NAMED = 12
Examine = Callable[[Collection[Key]], Iterator[tuple[Key, FileFacts]]]
MakeHistory = Callable[[Collection[Key], Collection[str], Sequence[str]], History]
"""(keys in doubt, commits that marks name, commits that all of these contain) → the source commit's history."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two sides compared: every selected key's entry, and what else was seen.

    misplaced: files of workflows that are in no entry, since they lie in a subfolder.
    """

    entries: tuple[Entry, ...]
    database: Snapshot
    files: Mapping[Key, Digest]
    facts: Mapping[Key, FileFacts]
    marks: Mapping[Key, Sequence[Mark]]
    number: int
    is_selected: bool
    misplaced: tuple[Problem, ...] = ()

    @property
    def warnings(self) -> list[str]:
        """What a person should know that stops nothing by itself."""
        return [*map(str, self.misplaced), *self.database.warnings]

    def prune_error(self) -> Refused | None:
        """Return a FILE_OUT_OF_PLACE where a workflow that seems deleted may only have been moved."""
        if not self.misplaced:
            return None
        files = listed([problem.file for problem in self.misplaced])
        return Refused(
            f"with --prune a workflow that was moved would be taken for one that was deleted: {files}; "
            "nothing was written",
            code="FILE_OUT_OF_PLACE",
            details={"problems": [problem.as_json() for problem in self.misplaced]},
            cure=f"{self.misplaced[0].cure}, and commit; or leave out --prune",
        )


def compare(
    *,
    database: Target,
    snapshot: Snapshot,
    files: Mapping[Key, Digest],
    examine: Examine,
    history: MakeHistory,
    select: Sequence[str] = (),
    rules: Validator | None = None,
) -> Comparison:
    """Return every selected key with what both sides hold, its base and its state.

    files: key → blob id or digest; those that differ from the snapshot are examined. database: what gave the snapshot.
    rules: whose errors become warnings where the database holds the like; ``None`` forgives nothing.
    select: keys or globs; none selects all. Raises GitsyncError where one matches nothing.
    """
    held = snapshot.digests
    chosen = select_keys(files.keys() | snapshot.keys, select)
    unlinked = {key for key, called in snapshot.raw_calls.items() if any(map(is_reference, called))}
    differing = [key for key in chosen if files.get(key) != held.get(key) or key in unlinked]
    facts = dict(examine([key for key in differing if key in files]))
    if rules is not None:
        faulty = [key for key, fact in facts.items() if key in held and fact.errors]
        for key, document in database.load(faulty) if faulty else ():
            facts[key] = facts[key].beside(rules.count_faults(document))
    now = dict(files) | {key: fact.digest for key, fact in facts.items()}
    unreadable = snapshot.unreadable
    doubtful = [key for key in differing if key not in unreadable and now.get(key) != held.get(key)]
    marks = database.ledger.marks(doubtful) if database.ledger is not None and doubtful else {}
    commits = {mark.commit for key in doubtful for mark in marks.get(key, ()) if mark.commit}
    past = history(doubtful, commits, ())
    entries = []
    for key in chosen:
        repository, there = now.get(key), held.get(key)
        if (why := unreadable.get(key)) is not None:
            entry = Entry(key, State.UNREADABLE, repository, None, note=why.reason, unreadable=why)
            entries.append(entry)
        elif repository == there and key in unlinked:
            entries.append(Entry(key, State.REPOSITORY_AHEAD, repository, there, there, _UNLINKED))
        elif repository == there:
            entries.append(Entry(key, State.IN_SYNC, repository, there, there))
        else:
            known = marks.get(key, ())
            judgement = judge(key, database=there, repository=repository, marks=known, history=past)
            entry = Entry(key, judgement.state, repository, there, judgement.base)
            doubt = NOT_SHOWN if snapshot.may_hide and there is None else ""
            notes = (_note(entry, known, past), doubt)
            entries.append(replace(entry, note="; ".join(filter(None, notes))))
    return Comparison(tuple(entries), snapshot, now, facts, marks, snapshot.number, bool(select))


_UNLINKED: Final = "the database holds a file's `key:` text in an id's place; a push links it"


def select_keys(keys: Collection[Key], patterns: Sequence[str]) -> list[Key]:
    """Those of `keys` that match, sorted; all of them without a pattern."""
    if not patterns:
        return sorted(keys)
    unmatched = [text for text in patterns if not any(fnmatch.fnmatchcase(key, text) for key in keys)]
    if unmatched:
        raise GitsyncError(
            f"no workflow matches {', '.join(unmatched)}",
            code="UNKNOWN_KEY",
            details={"patterns": unmatched},
            cure="`gitsync status` lists the keys of both sides",
        )
    return sorted(key for key in keys if any(fnmatch.fnmatchcase(key, text) for text in patterns))


def _note(entry: Entry, marks: Sequence[Mark], history: History) -> str:
    """What a person should know beside the state word."""
    if entry.state is State.UNKNOWN:
        missing = sorted({m.commit for m in marks if m.commit and not history.has(m.commit)})
        return (
            f"`git fetch origin {missing[0]}`: it was deployed from there"
            if missing
            else "the clone is shallow"
        )
    if entry.state not in (State.DATABASE_AHEAD, State.DIVERGED) or entry.database is None:
        return ""
    placed = [mark for mark in marks if mark.commit]
    if placed and placed[0].kind is MarkKind.PUSH and placed[0].digest == entry.database:
        commit = placed[0].commit or ""
        if not history.has(commit) or not history.position(commit) & history.all:
            return f"deployed from {commit[:10]}, not in this branch"
    commits = history.commits_with(entry.key, entry.database)
    if not commits:
        return ""
    back = history.commits_since(commits[0])
    ago = f"{plural(back, 'commit')} ago"
    return f"the database has gone back to the content of {commits[0][:10]} ({ago}): reverted in the editor, or restored"
