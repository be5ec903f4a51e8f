"""What changed between two versions of one workflow, in one line of words."""

from __future__ import annotations

import re

from gitsync.workflow.types import Document


def describe(before: Document | None, after: Document | None) -> str:
    """Such as ``draft, versions 2 (new) and 3 (changed), settings isPaused, trigger``."""
    if before is None and after is None:
        return "nothing on either side"
    if before is None or after is None:
        document = after or before or {}
        count = len(document.get("publishedVersions", []))
        versions = (
            "no published version" if not count else f"{count} published version{'' if count == 1 else 's'}"
        )
        return f"{'new' if before is None else 'deleted'}: {document['metadata']['name']!r}, {versions}"
    parts = []
    if before["draft"] != after["draft"]:
        parts.append("draft")
    if versions := _versions(before, after):
        parts.append(versions)
    old, new = before["metadata"], after["metadata"]
    if settings := [name for name in sorted(old.keys() | new.keys()) if old.get(name) != new.get(name)]:
        parts.append(f"settings {', '.join(map(_spell, settings))}")
    return "; ".join(parts) or "the form alone"


def _versions(before: Document, after: Document) -> str:
    old = {version["version"]: version for version in before["publishedVersions"]}
    new = {version["version"]: version for version in after["publishedVersions"]}
    words = []
    for number in sorted(old.keys() | new.keys()):
        if number not in old:
            words.append(f"{number} (new)")
        elif number not in new:
            words.append(f"{number} (removed)")
        elif old[number] != new[number]:
            words.append(f"{number} (changed)")
    if not words:
        return ""
    return f"version{'' if len(words) == 1 else 's'} {', '.join(words)}"


def _spell(name: str) -> str:
    return re.sub(r"(?<!^)([A-Z])", lambda match: " " + match[1].lower(), name)
