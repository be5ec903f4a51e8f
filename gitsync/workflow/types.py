"""The names that everything else speaks in."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, NewType, TypeAlias

Key = NewType("Key", str)
"""What identifies a workflow on both sides."""

Digest = NewType("Digest", str)
"""Git blob id (40 lower-case hex digits) of a workflow's canonical form."""

Json: TypeAlias = "dict[str, Json] | list[Json] | str | int | float | Decimal | bool | None"
"""A JSON value; ``int`` and ``Decimal`` also hold numbers that no double can."""

Document: TypeAlias = dict[str, Any]
"""The JSON object of a workflow's file; checked, where its type is this."""
