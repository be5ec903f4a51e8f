"""What must not have changed since an earlier revision."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from gitsync.workflow.canonical import canonical_bytes
from gitsync.workflow.faults import Fault
from gitsync.workflow.types import Document, Key

_CURE: Final = "publish another version instead"


@dataclass(frozen=True, slots=True)
class Base:
    """An earlier revision: key → the document that it held, for those that differ from the files now."""

    revision: str
    documents: Mapping[Key, Document]


def history_faults(before: Document, after: Document, *, revision: str) -> Iterator[Fault]:
    """Yield what `after` has done to what was published, or counted, in `before`; both in normal form."""
    now = {entry["version"]: (index, entry) for index, entry in enumerate(after["publishedVersions"])}
    for entry in before["publishedVersions"]:
        number = entry["version"]
        if number not in now:
            message = f"version {number}, published at {revision}, is gone"
            yield Fault(("publishedVersions",), "VERSION_REWRITTEN", message, "put it back")
            continue
        index, current = now[number]
        for part in ("definition", "payloadSchemaJson"):
            if _differ(entry.get(part), current.get(part)):
                message = f"the {part} of version {number} is not what was published at {revision}"
                yield Fault(("publishedVersions", index, part), "VERSION_REWRITTEN", message, _CURE)
    was, now_is = before["draft"].get("draftVersion"), after["draft"].get("draftVersion")
    if isinstance(was, int) and isinstance(now_is, int) and now_is < was:
        message = f"draftVersion goes back from {was}, at {revision}, to {now_is}"
        yield Fault(
            ("draft", "draftVersion"), "DRAFT_VERSION_BACK", message, "take the newer file, or count on"
        )


def _differ(one: Any, other: Any) -> bool:
    return one != other or canonical_bytes(one) != canonical_bytes(other)  # 1 == True, to Python
