"""``python -m tests.support.write_golden``: write anew what tests compare with; the diff is for a reviewer."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from gitsync.render.problems import iter_text
from gitsync.render.rules import rules_page
from gitsync.rules.catalogue import RULES
from gitsync.rules.rule import Example
from tests.support.examples import check_example

ROOT: Final = Path(__file__).parents[2]
RULES_PAGE: Final = ROOT / "docs" / "rules.md"
MESSAGES: Final = ROOT / "tests" / "golden" / "messages.txt"


def messages() -> str:
    """What a person reads about each wrong example of each rule."""
    parts = []
    for rule in RULES.values():
        for example in rule.bad:
            parts.append(f"# {rule.id}: {example.text.strip()}")
            with tempfile.TemporaryDirectory() as folder:
                parts += _lines(example, Path(folder))
            parts.append("")
    return "\n".join(parts)


def _lines(example: Example, folder: Path) -> Iterator[str]:
    checked = check_example(example, folder)

    def read_line(file: str, line: int) -> str:
        lines = (folder / file).read_bytes().decode("utf-8", "replace").split("\n")
        return lines[line - 1] if line <= len(lines) else ""

    yield from iter_text(checked.problems, read_line=read_line, paint=lambda text, _: text)


def main() -> None:
    """Write them all."""
    RULES_PAGE.write_text(rules_page(RULES.values()), encoding="utf-8")
    MESSAGES.parent.mkdir(exist_ok=True)
    MESSAGES.write_text(messages(), encoding="utf-8")


if __name__ == "__main__":
    main()
