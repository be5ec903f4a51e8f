"""Every error that gitsync raises on purpose: one family, each with a code and an exit code.

GitsyncError                    ERROR                       1
├── ConfigError                 INVALID_CONFIG              4
├── InvalidInput                INVALID_…, UNSUPPORTED_…    4   carries ``problems``
├── Conflict                    CONFLICT, …                 3   nothing was written
├── PlanStale                   PLAN_STALE                  5
├── Refused                     UNSAFE_PLAN, …              6   protection
├── LockNotAcquired             SYNC_IN_PROGRESS            7
├── AccessDenied                ACCESS_DENIED               9
├── GitError                    GIT_ERROR, …                1
├── ServerError                 SERVER_ERROR, …             1   a server over HTTP
└── DatabaseError               DATABASE_ERROR, …           1
    ├── DuplicateKey            DUPLICATE_KEY               1
    └── NotConverged            NOT_CONVERGED               1

A message says what, where and what to type next. The library raises; ``cli/main.py`` alone catches.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar


def shortened(text: str, most: int = 300) -> str:
    """The text, cut where it quotes more than anybody would read."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def plural(count: int, noun: str) -> str:
    """Return such as ``1 workflow`` and ``2 workflows``."""
    return f"{count} {noun_for(count, noun)}"


def noun_for(count: int, noun: str) -> str:
    """Return the noun as it reads beside a count."""
    if count == 1:
        return noun
    return f"{noun[:-1]}ies" if re.search("[^aeiou]y$", noun) else f"{noun}s"


def listed(names: Sequence[str], most: int = 12) -> str:
    """Return the first of `names` in one line, and how many more there are."""
    left = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + left


def shortlist(lines: Sequence[str], most: int = 12, *, rest: str = "") -> list[str]:
    """Return the first of `lines`, and as one more line how many are left out; rest: what to say of these."""
    left = [f"and {len(lines) - most} more{rest}"] if len(lines) > most else []
    return [*lines[:most], *left]


def first_of(faults: Sequence[object], most: int = 1) -> str:
    """Return the first of `faults` in one line, and in brackets how many more there are."""
    left = f" (and {len(faults) - most} more)" if len(faults) > most else ""
    return "; ".join(map(str, faults[:most])) + left


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One fault in a document; ``line`` and ``column`` count from 1, 0 where they aren't known.

    rule: the error code of this fault alone, such as ``NUMBER_NOT_PORTABLE``.
    path: the JSON path inside the document, such as ``$.draft.definition.steps[2]``, or empty.
    severity: ``error`` or ``warning``. part: what of a workflow it is in, such as ``draft`` or ``version 3``.
    """

    file: str
    line: int = 0
    column: int = 0
    path: str = ""
    rule: str = "INVALID_WORKFLOW"
    message: str = ""
    cure: str = ""
    key: str = ""
    severity: str = field(default="error", compare=False)
    part: str = field(default="", compare=False)

    def __str__(self) -> str:
        place = self.file
        if self.line:
            place += f":{self.line}:{self.column}"
        parts = [f"{place}: ", f"{self.path}: " if self.path else "", self.message]
        return "".join(parts) + f" [{self.rule}]" + (f"; {self.cure}" if self.cure else "")

    def as_json(self) -> dict[str, Any]:
        """The problem as it stands in an error's ``details.problems``."""
        return {
            "file": self.file,
            "line": self.line or None,
            "column": self.column or None,
            "path": self.path,
            "rule": self.rule,
            "message": self.message,
            "cure": self.cure or None,
            "key": self.key or None,
            "severity": self.severity,
        }


class GitsyncError(Exception):
    """An error that a person can act on.

    details: facts for ``-o json``; never a secret. lines: what a person reads below the message, one thing a
    line. cure: the next command to type.
    """

    code: str = "ERROR"
    exit_code: ClassVar[int] = 1

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        details: Mapping[str, Any] | None = None,
        lines: Sequence[str] = (),
        cure: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.lines = tuple(lines)
        self.code = code or type(self).code
        self.details: dict[str, Any] = dict(details or {})
        self.cure = cure


class _WithProblems(GitsyncError):
    """An error about files, each fault with its place; ``problems`` has all of them, sorted."""

    def __init__(
        self,
        message: str,
        *,
        problems: Sequence[Problem] = (),
        code: str | None = None,
        details: Mapping[str, Any] | None = None,
        lines: Sequence[str] = (),
        cure: str | None = None,
    ) -> None:
        self.problems = tuple(sorted(problems))
        facts = dict(details or {})
        if self.problems:
            facts["problems"] = [problem.as_json() for problem in self.problems]
        super().__init__(message, code=code, details=facts, lines=lines, cure=cure)


class UsageError(GitsyncError):
    """Options or arguments contradict each other."""

    code = "USAGE"
    exit_code = 64


class ConfigError(_WithProblems):
    """``gitsync.yaml``, ``registry.yaml`` or an environment variable is wrong or missing."""

    code = "INVALID_CONFIG"
    exit_code = 4


class InvalidInput(_WithProblems):
    """Files or a bundle cannot be used as they are."""

    code = "INVALID_WORKFLOW"
    exit_code = 4


def linked_file(file: str) -> InvalidInput:
    """The error of a symbolic link where a file or folder of a repository should be."""
    return _unusable(
        file, "INVALID_FILE", "is a symbolic link, and none is followed", "put the file itself there"
    )


def no_regular_file(file: str) -> InvalidInput:
    """The error of a folder, a pipe or the like where a file should be."""
    return _unusable(file, "INVALID_FILE", "is no regular file", "put the file itself there")


def oversized_file(file: str, *, size: int, most: int) -> InvalidInput:
    """The error of a file that is too large to be looked at, its size and the limit in bytes."""
    message = f"has {size:,} bytes, and the limit is {most:,}"
    return _unusable(
        file, "FILE_TOO_LARGE", message, "make it smaller, or raise `limits.file` in gitsync.yaml"
    )


def _unusable(file: str, rule: str, message: str, cure: str) -> InvalidInput:
    problem = Problem(file, rule=rule, message=message, cure=cure)
    return InvalidInput(f"{file} is not read as it stands", code=rule, problems=[problem], cure=cure)


class Conflict(GitsyncError):
    """Both sides moved, or a key exists that may not be overwritten."""

    code = "CONFLICT"
    exit_code = 3


class PlanStale(GitsyncError):
    """The target has changed since the plan was made; nothing was written."""

    code = "PLAN_STALE"
    exit_code = 5


class Refused(GitsyncError):
    """A protection stopped the run before anything was written."""

    code = "UNSAFE_PLAN"
    exit_code = 6


class LockNotAcquired(GitsyncError):
    """Another run holds the lock of this database and tenant."""

    code = "SYNC_IN_PROGRESS"
    exit_code = 7


class AccessDenied(GitsyncError):
    """The server refused the login or a right."""

    code = "ACCESS_DENIED"
    exit_code = 9


class GitError(GitsyncError):
    """Git said no, or there is no usable repository."""

    code = "GIT_ERROR"


class ServerError(GitsyncError):
    """A server cannot be reached, or answers what it should not."""

    code = "SERVER_ERROR"


class DatabaseError(GitsyncError):
    """The database is unreachable, has not the expected tables, or refused a statement."""

    code = "DATABASE_ERROR"


class DuplicateKey(DatabaseError):
    """Two rows of one tenant share a key."""

    code = "DUPLICATE_KEY"


class NotConverged(DatabaseError):
    """What was read back is not what was written; everything was rolled back."""

    code = "NOT_CONVERGED"
