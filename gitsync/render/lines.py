"""Where lines go that are drawn without rich: a hook has no time to import it."""

from __future__ import annotations

from typing import Protocol


class Lines(Protocol):
    """Standard output and standard error, line by line."""

    def write(self, line: str) -> None:
        """Print a line of the result."""

    def write_painted(self, line: str) -> None:
        """Print a line of the result that is printable already, and has colours or is meant for a CI system."""

    def complain(self, line: str) -> None:
        """Print a line on standard error, also where only errors are to be heard."""

    def tell(self, text: str) -> None:
        """Say something on the side."""

    def paint(self, text: str, what: str) -> str:
        """Return the text in the colours of what it is, where there are colours."""
