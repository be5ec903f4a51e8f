"""Documents without the secrets in them, to be shown: who reads a diff need not be who may sign in."""

from __future__ import annotations

import json
from typing import Any, Final

from gitsync.rules.definition import iter_placed
from gitsync.rules.secrets import is_candidate, known_formats, redact, values_of
from gitsync.rules.walk import walk_definition, walk_trigger
from gitsync.workflow.types import Document

_PRIVATE_KEY: Final = "Private Key"
"""The kind of secret of which detect-secrets knows the heading alone."""


class Masker:
    """Puts a stand-in in the place of each secret that the rule SECRETS knows.

    One secret has one stand-in in all documents that a masker has seen, so that another secret reads as a change.
    """

    def __init__(self) -> None:
        self._stand_ins: dict[str, str] = {}

    @property
    def count(self) -> int:
        """How many secrets there were."""
        return len(self._stand_ins)

    def document(self, document: Document) -> Document:
        """Return `document` without its secrets."""
        spots = [
            spot for _, definition in iter_placed(document) for spot in walk_definition(definition, None)
        ]
        if isinstance(trigger := document["metadata"].get("trigger"), dict):
            spots += walk_trigger(trigger)
        masked: Document = self._value(document, values_of(spots))
        return masked

    def line(self, text: str) -> str:
        """Return a line of a file without secrets: those of the documents seen so far, and of a known format."""
        for secret, stand_in in self._stand_ins.items():
            for written in (json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]):
                text = text.replace(written, stand_in)
        return redact(text)

    def _value(self, value: Any, hidden: frozenset[str]) -> Any:
        if isinstance(value, dict):
            return {self._text(name, frozenset()): self._value(item, hidden) for name, item in value.items()}
        if isinstance(value, list):
            return [self._value(item, hidden) for item in value]
        return self._text(value, hidden) if isinstance(value, str) else value

    def _text(self, text: str, hidden: frozenset[str]) -> str:
        if text not in hidden and not is_candidate(None, text):
            return text
        secrets = list(known_formats(text))
        if any(kind == _PRIVATE_KEY for kind, _ in secrets) or (not secrets and text in hidden):
            return self._stand_in(text)
        for _, secret in secrets:
            text = text.replace(secret, self._stand_in(secret))
        return text

    def _stand_in(self, secret: str) -> str:
        return self._stand_ins.setdefault(secret, f"<secret {len(self._stand_ins) + 1}>")
