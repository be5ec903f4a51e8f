"""Published versions, which never change: what tells whether two say the same."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import orjson

from gitsync.workflow.canonical import canonical_bytes, digest_of
from gitsync.workflow.types import Digest

_TWO_SPELLINGS: Final = re.compile(rb"\.0[,\]}]|[0-9]e")


def is_same_version(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two published versions say the same.

    Read from canonical text, they have their keys in one order, and most are told by that.
    """
    try:
        if orjson.dumps(_said(one)) == orjson.dumps(_said(other)):
            return True
    except TypeError:
        pass
    return version_digest(one) == version_digest(other)


def version_digest(version: Mapping[str, Any]) -> Digest:
    """What tells whether a published version says the same: its definition, ids as references, and payload schema.

    Equal where the canonical forms are equal; made without them unless a number may have two spellings.
    """
    value = _said(version)
    try:
        data = orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
        if _TWO_SPELLINGS.search(data):
            data = orjson.dumps(orjson.loads(canonical_bytes(value)), option=orjson.OPT_SORT_KEYS)
    except TypeError:
        data = canonical_bytes(value)
    return digest_of(data)


def _said(version: Mapping[str, Any]) -> list[Any]:
    return [version["definition"], version["payloadSchemaJson"]]
