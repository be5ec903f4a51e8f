"""A rule, explained: for a terminal, and all of them as a page of the documentation."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from typing import Final

from gitsync.rules.rule import Example, Rule

_PLACES: Final = {
    "steps": "steps of a draft",
    "definition": "fields of a draft's definition",
    "metadata": "fields of metadata",
    "draft": "fields of draft",
    "document": "fields of a workflow file",
    "file": "a whole file",
    "name": "a file's name",
    "config": "gitsync.yaml",
    "registry": "registry.yaml",
    "revision": "fields of a workflow file",
}


def severity_text(rule: Rule) -> str:
    """How severe the rule is, in words."""
    if rule.is_fixed:
        return "always an error"
    if rule.draft == rule.published:
        return str(rule.draft)
    return f"{rule.draft} in a draft, {rule.published} in a published version"


def explain_text(rule: Rule) -> str:
    """What ``--explain`` prints."""
    setting = "" if rule.is_fixed else f"\nIn gitsync.yaml: validate: {{ rules: {{ {rule.name}: off }} }}\n"
    parts = [
        f"{rule.id}: {rule.title}\n",
        f"Severity: {severity_text(rule)}\n",
        textwrap.fill(rule.why, 100) + "\n",
        "Wrong:\n" + "".join(_lines(example) for example in rule.bad),
        "Right:\n" + "".join(_lines(example) for example in rule.good),
    ]
    return "\n".join(parts) + setting


def _lines(example: Example) -> str:
    before = textwrap.indent(f"# before\n{example.before}\n# now\n", "    ") if example.before else ""
    return f"  {_PLACES[example.kind]}\n{before}{textwrap.indent(example.text.rstrip(), '    ')}\n"


def rules_page(rules: Iterable[Rule]) -> str:
    """The page of the documentation about all rules, in Markdown."""
    known = list(rules)
    lines = [
        "# Rules",
        "",
        "What `gitsync validate` checks, and `push`, `import` and `plan` with it. This page is made from the rules",
        "themselves; their examples are tests.",
        "",
        "A rule's id is the error code of what it finds. In `gitsync.yaml` it is written in lower case with hyphens:",
        "",
        "```yaml",
        "version: 1",
        "validate:",
        "  rules:",
        "    secrets: warning                    # for all workflows",
        "    unknown-name:",
        '      "*": error',
        '      "legacy.*": off                   # by key or file name; the last glob that matches counts',
        "```",
        "",
        "Severities are `error`, `warning` and `off`. Rules that are always an error cannot be changed: a database",
        "could not hold what they refuse. A push judges only the workflows that it writes, and what the database",
        "holds already is a warning there, whatever the rule says.",
        "",
        "| rule | what it wants | in a draft | in a published version |",
        "|---|---|---|---|",
    ]
    lines += [
        f"| [`{rule.id}`](#{rule.id.lower()}) | {rule.title} | {rule.draft} | {rule.published} |"
        for rule in known
    ]
    for rule in known:
        lines += ["", f"## {rule.id}", "", f"{rule.title}: {severity_text(rule)}.", "", rule.why]
        lines += _examples("Wrong", rule.bad) + _examples("Right", rule.good)
    return "\n".join(lines) + "\n"


def _examples(title: str, examples: Iterable[Example]) -> list[str]:
    lines: list[str] = []
    for example in examples:
        language = "yaml" if example.kind in ("config", "registry") else "json"
        kind = "text" if example.kind in ("name", "file") else language
        lines += ["", f"{title}, {_PLACES[example.kind]}:", ""]
        if example.before:
            lines += ["```json", example.before.rstrip(), "```", "", "and now:", ""]
        lines += [f"```{kind}", example.text.rstrip(), "```"]
    return lines
