"""Problems as a JUnit report: each file is a test, and fails where it has an error."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final
from xml.sax.saxutils import escape, quoteattr

from gitsync.errors import Problem

_NOT_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit_text(problems: Sequence[Problem], files: Sequence[str]) -> str:
    """The report; every file has a test case, those about which nothing is wrong too."""
    by_file: dict[str, list[Problem]] = {file: [] for file in files}
    for problem in problems:
        by_file.setdefault(problem.file, []).append(problem)
    failed = sum(any(one.severity == "error" for one in found) for found in by_file.values())
    counts = f'tests="{len(by_file)}" failures="{failed}" errors="0"'
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f'<testsuites name="gitsync validate" {counts}>',
        f'  <testsuite name="gitsync validate" {counts} skipped="0">',
    ]
    for file, found in sorted(by_file.items()):
        lines += _case(file, found)
    return "\n".join([*lines, "  </testsuite>", "</testsuites>", ""])


def _case(file: str, found: Sequence[Problem]) -> list[str]:
    head = f"    <testcase classname={_attribute(file)} name={_attribute(file)}"
    if not found:
        return [f"{head}/>"]
    lines = [f"{head}>"]
    errors = [problem for problem in found if problem.severity == "error"]
    warnings = [problem for problem in found if problem.severity != "error"]
    if errors:
        text = "\n".join(map(str, errors))
        lines.append(
            f"      <failure type={_attribute(errors[0].rule)} message={_attribute(errors[0].message)}>"
        )
        lines.append(f"{escape(_clean(text))}</failure>")
    if warnings:
        text = "\n".join(map(str, warnings))
        lines.append(f"      <system-out>{escape(_clean(text))}</system-out>")
    return [*lines, "    </testcase>"]


def _attribute(text: str) -> str:
    return quoteattr(_clean(text))


def _clean(text: str) -> str:
    return _NOT_XML.sub("�", text)
