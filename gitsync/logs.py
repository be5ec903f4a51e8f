"""Logs are read on terminals and by CI systems too, and quote what came from elsewhere."""

from __future__ import annotations

import logging

from gitsync.masking import mask_secrets
from gitsync.printable import printable_text


class PrintableFormatter(logging.Formatter):
    """Formats a record without a password, and without what a terminal or a CI system would obey."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as one text."""
        return printable_text(mask_secrets(super().format(record)))
