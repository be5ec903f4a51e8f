"""Keys made from names, for workflows that have none."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection
from typing import Final

from gitsync.workflow.types import Key

_LONGEST: Final = 80
_ACCENT: Final = re.compile(r"[\u0300-\u036f]")
_OTHER: Final = re.compile(r"[^a-z0-9._-]+")


def suggest_key(*names: str, fallback: str, taken: Collection[str]) -> Key:
    """A key like the first of `names` that has a letter or digit in it, else `fallback`; none of `taken`."""
    slugs = (slug for name in names if (slug := _slug(name)))
    wanted = next(slugs, fallback)
    number, key = 1, wanted
    while key in taken:
        number += 1
        key = f"{wanted}-{number}"
    return Key(key)


def _slug(name: str) -> str:
    plain = _ACCENT.sub("", unicodedata.normalize("NFKD", name.casefold()))
    return _OTHER.sub("-", plain).strip("-._")[:_LONGEST].rstrip("-._")
