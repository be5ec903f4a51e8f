"""What a check finds: its name, how bad it is, and what to type next."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Final

from gitsync.errors import GitsyncError

MOST_LISTED: Final = 8
"""More names than this are counted."""


class Level(enum.StrEnum):
    """How bad a finding is."""

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at; ``cure`` is what to type next, empty where all is well."""

    name: str
    level: Level
    message: str
    cure: str = ""


def fine(name: str, message: str) -> Finding:
    """Return a finding that all is well."""
    return Finding(name, Level.OK, message)


def warning(name: str, message: str, cure: str) -> Finding:
    """Return a finding that a person should know of; everything works."""
    return Finding(name, Level.WARNING, message, cure)


def fault(name: str, message: str, cure: str) -> Finding:
    """Return a finding that stops a command."""
    return Finding(name, Level.ERROR, message, cure)


def as_fault(name: str, error: GitsyncError) -> Finding:
    """Return the finding that an error is."""
    return fault(name, error.message, error.cure or "")
