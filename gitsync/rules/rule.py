"""What a rule is, what it finds, and how severe that is for whom."""

from __future__ import annotations

import enum
import fnmatch
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


class Severity(enum.StrEnum):
    """What a fault means: an error stops a push and fails a check, a warning is told."""

    ERROR = "error"
    WARNING = "warning"
    OFF = "off"


@dataclass(frozen=True, slots=True)
class Example:
    """What a rule looks at, as a person would write it; at once documentation and test.

    kind: ``steps`` (of a draft), ``definition``, ``metadata``, ``draft`` and ``document`` (fields that
    replace those of a valid one), ``file`` (a whole text), ``name`` (of a file), ``config``, ``registry``,
    or ``revision`` (fields of a document at the base revision, to stand before those of ``text``).
    """

    kind: str
    text: str
    before: str = ""


@dataclass(frozen=True, slots=True)
class Rule:
    """One thing that is checked.

    id: the error code of what it finds; in ``gitsync.yaml`` it is written in lower case with hyphens.
    title: one line. why: what goes wrong otherwise, and what to do, in Markdown.
    draft, published: the severity in a draft, or outside of any definition, and in a published version.
    is_fixed: no setting changes it, since a database could not hold what it refuses.
    is_of_text: it is about the file's text, of which nothing reaches a database.
    """

    id: str
    title: str
    why: str
    bad: tuple[Example, ...]
    good: tuple[Example, ...]
    draft: Severity = Severity.ERROR
    published: Severity = Severity.ERROR
    is_fixed: bool = False
    is_of_text: bool = False

    @property
    def name(self) -> str:
        """The id as ``gitsync.yaml`` has it."""
        return self.id.lower().replace("_", "-")


@dataclass(frozen=True, slots=True)
class Spot:
    """A Fault before its path is known: at `member` of `container`, which is some object in the document."""

    container: Any
    member: str | int | None
    rule: str
    message: str
    cure: str = ""
    offset: int | None = None


@dataclass(frozen=True, slots=True)
class Severities:
    """What ``validate:`` in ``gitsync.yaml`` says: rule id → (glob, severity) pairs, of which the last match counts.

    A glob is matched with the workflow's key and with its file's name; a folder before it is passed over.
    """

    rules: Mapping[str, tuple[tuple[str, Severity], ...]] = field(default_factory=dict)

    def severity(self, rule: Rule, *, is_published: bool, key: str) -> Severity:
        """Return how severe it is what `rule` finds in the file of `key`."""
        usual = rule.published if is_published else rule.draft
        if rule.is_fixed:
            return usual
        for glob, severity in reversed(self.rules.get(rule.id, ())):
            name = glob.rpartition("/")[2]
            if fnmatch.fnmatchcase(key, name) or fnmatch.fnmatchcase(f"{key}.json", name):
                return severity
        return usual


def rule_id(name: str) -> str:
    """Return the id of a rule, however a person spells it."""
    return name.strip().upper().replace("-", "_")
