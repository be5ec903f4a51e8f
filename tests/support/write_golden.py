"""``python -m tests.support.write_golden``: write anew what tests compare with; the diff is for a reviewer."""

from __future__ import annotations

from pathlib import Path

from gitsync.render.rules import rules_page
from gitsync.workflow.rules.catalogue import RULES

ROOT = Path(__file__).parents[2]


def main() -> None:
    """Write them all."""
    (ROOT / "docs" / "rules.md").write_text(rules_page(RULES.values()), encoding="utf-8")


if __name__ == "__main__":
    main()
