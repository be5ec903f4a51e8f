"""The one list of all rules."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Final

from gitsync.rules import file_rules, folder_rules, step_rules
from gitsync.rules.rule import Rule, rule_id

RULES: Final[Mapping[str, Rule]] = {
    rule.id: rule for rule in (*file_rules.RULES, *step_rules.RULES, *folder_rules.RULES)
}
"""Rule id → rule, in the order in which one would read about them."""


def find_rule(name: str) -> Rule | None:
    """Return the rule of this name, spelled as an error code or as in ``gitsync.yaml``."""
    return RULES.get(rule_id(name))


def suggest_rule(name: str) -> str:
    """Return the most similar name of a rule, empty where none is similar."""
    names = [rule.name for rule in RULES.values()]
    return next(iter(difflib.get_close_matches(rule_id(name).lower().replace("_", "-"), names, n=1)), "")
