"""Problems as SARIF 2.1.0, which code scanning services read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final
from urllib.parse import quote

from gitsync import __version__
from gitsync.errors import Problem
from gitsync.rules.rule import Rule, Severity

_LEVELS: Final = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.OFF: "none"}


def sarif_json(problems: Sequence[Problem], rules: Iterable[Rule]) -> dict[str, Any]:
    """One run that knows all `rules`; places are relative to the folder that the command ran in.

    Source: OASIS, "Static Analysis Results Interchange Format (SARIF) Version 2.1.0".
    """
    known = list(rules)
    index = {rule.id: number for number, rule in enumerate(known)}
    return {
        "$schema": "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json",
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "gitsync",
                        "semanticVersion": __version__,
                        "rules": [_rule(rule) for rule in known],
                    }
                },
                "columnKind": "unicodeCodePoints",
                "results": [_result(problem, index) for problem in problems],
            }
        ],
    }


def _rule(rule: Rule) -> dict[str, Any]:
    return {
        "id": rule.id,
        "name": "".join(word.capitalize() for word in rule.id.split("_")),
        "shortDescription": {"text": rule.title},
        "help": {"text": rule.why, "markdown": rule.why},
        "defaultConfiguration": {"level": _LEVELS[rule.draft]},
    }


def _result(problem: Problem, index: dict[str, int]) -> dict[str, Any]:
    text = f"{problem.message}. {problem.cure}" if problem.cure else problem.message
    place: dict[str, Any] = {
        "artifactLocation": {"uri": quote(problem.file, errors="surrogateescape"), "uriBaseId": "%SRCROOT%"}
    }
    if problem.line:
        place["region"] = {"startLine": problem.line, "startColumn": problem.column}
    location: dict[str, Any] = {"physicalLocation": place}
    if problem.path:
        location["logicalLocations"] = [{"fullyQualifiedName": problem.path}]
    return {
        "ruleId": problem.rule,
        **({"ruleIndex": index[problem.rule]} if problem.rule in index else {}),  # a test file has no rules
        "level": problem.severity,
        "message": {"text": text},
        "locations": [location],
    }
