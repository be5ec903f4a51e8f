"""Problems as workflow commands of GitHub Actions, which shows them beside the lines of a pull request."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from gitsync.errors import Problem
from gitsync.render.problems import printable_problem


def iter_commands(problems: Iterable[Problem]) -> Iterator[str]:
    """One command a problem.

    Source: GitHub, "Workflow commands for GitHub Actions"; the escapes are those of its toolkit.
    """
    for problem in map(printable_problem, problems):
        facts = {"file": problem.file}
        if problem.line:
            facts |= {"line": str(problem.line), "col": str(problem.column)}
        facts["title"] = problem.rule
        properties = ",".join(f"{name}={_property(value)}" for name, value in facts.items())
        message = problem.message + (f"\n{problem.cure}" if problem.cure else "")
        yield f"::{problem.severity} {properties}::{_data(message)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
