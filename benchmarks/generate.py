"""Workflows as companies have them, the same ones each time.

On average 2.3 published versions (five at most) and 17 KB of canonical JSON; one in 500 is above 200 KB.
Steps nest, call other workflows, and carry text in several scripts.
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any, Final

from gitsync.workflow.document import REFERENCE, make_document, normalise
from gitsync.workflow.types import Document, Json, Key

_AREAS: Final = ("billing", "contracts", "email", "onboarding", "projects", "sla", "surveys", "tickets")
_VERBS: Final = ("approve", "assign", "close", "escalate", "import", "notify", "renew", "route", "sync")
_TEXT: Final = (
    "the ticket is assigned to the board of the client’s contract and waits for an answer "
    "Rückfrage beim Kunden übermitteln und Frist prüfen "
    "la facture est envoyée après l’approbation du responsable "
    "契約 更新 の 通知 を 送る "
    "if nobody answers within the agreed time the manager is told 🔔"
)
_WORDS: Final = tuple(_TEXT.split())
_SCOPES: Final = ("payload", "error", "meta")
_FIELDS: Final = ("ticketId", "clientId", "subject", "priority", "dueAt", "assignee.email", "contract.total")
_LARGE_EVERY: Final = 500


def key_of(number: int) -> Key:
    """The key of the workflow with this number; keys sort in another order than numbers."""
    area = _AREAS[number % len(_AREAS)]
    return Key(f"{area}.{_VERBS[number // 7 % len(_VERBS)]}-{number:05d}")


def iter_workflows(size: int) -> Iterator[Document]:
    """The first `size` workflows, in normal form."""
    for number in range(size):
        yield make_workflow(number, size=size)


def make_workflow(number: int, *, size: int) -> Document:
    """The workflow of this number among `size`; it calls only earlier ones, in a version that is published."""
    assert number < size
    random = Random(f"workflow {number}")
    is_large = _is_large(number)
    published = _published(number)
    steps = random.randint(34, 42) if is_large else max(1, round(random.gammavariate(2.5, 1.72)))
    name = f"{_text(random, 4)} {number}"
    make = _Steps(random, number)
    held = make.steps(steps)
    definitions = []
    trigger: Json = {"type": "event", "eventName": "TICKET_CREATED"} if number % 3 else None
    for version in range(1, published + 2):
        kept = held[: max(1, len(held) * (published + version) // (2 * published + 1))]
        edited = [*kept[:-1], {**kept[-1], "id": f"{kept[-1]['id']}-v{version}"}]
        definitions.append(_definition(name, version, edited, random))
        if trigger is None:
            del definitions[-1]["trigger"]
    threshold = random.choice((None, 0.5, 0.25, 2))
    return make_document(
        key=key_of(number),
        metadata={
            "autoPauseOnFailure": bool(number % 5),
            "concurrencyLimit": random.choice((None, 1, 10)),
            "description": _text(random, 18),
            "failureRateMinRuns": random.choice((None, 10)),
            "failureRateThreshold": threshold,
            "isPaused": False,
            "isSystem": False,
            "isVisible": True,
            "name": name,
            "payloadSchemaMode": "pinned",
            "payloadSchemaRef": "payload.TicketCreated.v1",
            "pinnedPayloadSchemaRef": "payload.TicketCreated.v1",
            "retentionPolicyOverride": {"days": 90} if number % 11 == 0 else None,
            "trigger": trigger,
        },
        draft_definition=definitions[-1],
        draft_version=published + 1,
        versions=[(n, definition, _SCHEMA) for n, definition in enumerate(definitions[:-1], start=1)],
    )


def _is_large(number: int) -> bool:
    return number % _LARGE_EVERY == _LARGE_EVERY // 2


def _published(number: int) -> int:
    """How many versions of the workflow are published."""
    if _is_large(number):
        return 5
    return Random(f"versions {number}").choices(range(6), weights=(14, 23, 22, 18, 13, 10))[0]


def edit_workflow(document: Document, *, edition: str) -> Document:
    """`document`, changed in place as an editor's save and publish change it.

    Its draft gets another step; where versions were published, so is this one.
    """
    draft = document["draft"]
    step = {"id": f"edit-{edition}", "type": "state.set", "config": {"state": edition}}
    draft["definition"]["steps"] = [*draft["definition"]["steps"], step]
    draft["draftVersion"] += 1
    if versions := document["publishedVersions"]:
        number = versions[-1]["version"] + 1
        definition = {**draft["definition"], "version": number}
        versions.append({"version": number, "definition": definition, "payloadSchemaJson": _SCHEMA})
    return normalise(document)


_SCHEMA: Final[Json] = {
    "type": "object",
    "required": ["ticketId", "clientId"],
    "properties": {
        "ticketId": {"type": "string", "format": "uuid"},
        "clientId": {"type": "string", "format": "uuid"},
        "priority": {"type": "integer", "minimum": 1, "maximum": 5},
        "subject": {"type": ["string", "null"], "maxLength": 400},
    },
    "additionalProperties": True,
}


def _definition(name: str, version: int, steps: list[Any], random: Random) -> dict[str, Json]:
    return {
        "id": "",
        "version": version,
        "name": name,
        "description": _text(random, 12),
        "payloadSchemaRef": "payload.TicketCreated.v1",
        "trigger": {
            "type": "event",
            "eventName": "TICKET_CREATED",
            "sourcePayloadSchemaRef": "payload.TicketCreated.v1",
        },
        "steps": steps,
    }


class _Steps:
    """Makes steps of all kinds, some with others inside."""

    def __init__(self, random: Random, number: int) -> None:
        self._random, self._number, self._made = random, number, 0

    def steps(self, count: int, depth: int = 0) -> list[dict[str, Any]]:
        """`count` steps one after the other."""
        return [self._step(depth) for _ in range(count)]

    def _step(self, depth: int) -> dict[str, Any]:
        random = self._random
        self._made += 1
        kinds = [self._action] * 6 + [self._assign, self._wait, self._call if self._number else self._assign]
        kinds += [self._if, self._each, self._try] if depth < 3 else []
        step = random.choice(kinds)(depth)
        return {"id": f"step-{self._made}-{random.getrandbits(32):08x}", **step}

    def _action(self, depth: int) -> dict[str, Any]:
        random = self._random
        mapping: dict[str, Any] = {
            field.replace(".", "_"): _expression(random)
            for field in random.sample(_FIELDS, random.randint(1, 4))
        }
        mapping["body"] = _text(random, random.randint(4, 24))
        return {
            "type": "action.call",
            "name": _text(random, 3),
            "config": {
                "actionId": f"{random.choice(_AREAS)}.{random.choice(_VERBS)}",
                "version": random.randint(1, 3),
                "inputMapping": mapping,
                "saveAs": f"vars.result{self._made}",
            },
            "retry": {"maxAttempts": 3, "backoffMs": 500, "backoffMultiplier": 1.5, "jitter": True},
        }

    def _assign(self, depth: int) -> dict[str, Any]:
        targets = {f"vars.{name}": _expression(self._random) for name in ("owner", "due", "total")}
        return {"type": "transform.assign", "config": {"assign": targets}}

    def _wait(self, depth: int) -> dict[str, Any]:
        config = {
            "eventName": "TICKET_COMMENT_ADDED",
            "correlationKey": _expression(self._random),
            "filters": [{"path": "payload.comment.isInternal", "op": "=", "value": False}],
            "timeoutMs": 86_400_000,
        }
        return {"type": "event.wait", "config": config}

    def _call(self, depth: int) -> dict[str, Any]:
        called = self._random.randrange(self._number)  # an earlier one, so that no circle comes about
        if not _published(called):
            return self._assign(depth)
        return {
            "type": "control.callWorkflow",
            "workflowId": REFERENCE + key_of(called),
            "workflowVersion": 1,
            "inputMapping": {"ticketId": _expression(self._random)},
        }

    def _if(self, depth: int) -> dict[str, Any]:
        condition = {"$expr": "payload.priority >= 3 and payload.owner != null"}
        inner = self.steps(self._random.randint(1, 2), depth + 1)
        return {
            "type": "control.if", "condition": condition, "then": inner, "else": self.steps(1, depth + 1)
        }  # fmt: skip

    def _each(self, depth: int) -> dict[str, Any]:
        body = self.steps(self._random.randint(1, 2), depth + 1)
        return {
            "type": "control.forEach",
            "items": {"$expr": "payload.items"},
            "itemVar": "item",
            "body": body,
        }

    def _try(self, depth: int) -> dict[str, Any]:
        guarded, handler = self.steps(1, depth + 1), self.steps(1, depth + 1)
        return {"type": "control.tryCatch", "try": guarded, "catch": handler, "captureErrorAs": "failure"}


def _expression(random: Random) -> dict[str, Any]:
    return {"$expr": f"{random.choice(_SCOPES)}.{random.choice(_FIELDS)}"}


def _text(random: Random, words: int) -> str:
    return " ".join(random.choices(_WORDS, k=words))
