"""What nobody may read in a run's output."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

MASK: Final = "[REDACTED]"
_SECRETIVE: Final = re.compile(r"secret|token|password|api[ _-]?key|authorization", re.IGNORECASE)


def placeholder(name: str) -> str:
    """What stands in an input for a secret that has no value here."""
    return f"[secret {name}]"


class Redactor:
    """Masks the values of `secrets` wherever they occur, and whatever is kept under a telling name."""

    def __init__(self, secrets: Mapping[str, str]) -> None:
        values = sorted({value for value in secrets.values() if value}, key=len, reverse=True)
        self._values = re.compile("|".join(map(re.escape, values))) if values else None

    def text(self, text: str) -> str:
        """`text` with every secret's value masked."""
        return text if self._values is None else self._values.sub(MASK, text)

    def value(self, value: Any) -> Any:
        """A copy of a JSON value, masked; null and booleans under a telling name stay as they are."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, list):
            return [self.value(item) for item in value]
        if isinstance(value, dict):
            return {self.text(name): self._member(name, item) for name, item in value.items()}
        return value

    def _member(self, name: str, item: Any) -> Any:
        if item is None or isinstance(item, bool):
            return item
        return MASK if name == "$secret" or _SECRETIVE.search(name) else self.value(item)
