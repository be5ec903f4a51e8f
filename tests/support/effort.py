"""How hard a heavy test tries: a short form in ``make test``, the whole of it in ``make fuzz``."""

from __future__ import annotations

import os


def effort(*, short: int, long: int) -> int:
    """`long` in ``make fuzz``, which sets GITSYNC_TEST_FUZZ; else `short`."""
    return long if os.environ.get("GITSYNC_TEST_FUZZ") else short
