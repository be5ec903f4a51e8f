"""Rules over what nobody wrote by hand: every field of every example mutated, and anything at all."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitsync.rules.catalogue import RULES
from gitsync.rules.validator import Validator
from gitsync.workflow.canonical import canonical_bytes
from gitsync.workflow.reading import parse_workflow
from gitsync.workflow.registry import ActionOffer, Registry, read_registry
from gitsync.workflow.scan import json_path
from gitsync.workflow.types import Document, Key
from tests.support.effort import some
from tests.support.strategies import documents, json_values

EXAMPLE: Final = Path(__file__).parents[2] / "repo_layout_example"
FILES: Final = sorted((EXAMPLE / "workflows").glob("*.json"))
VALIDATOR: Final = Validator(
    read_registry((EXAMPLE / "registry.yaml").read_bytes(), file="registry.yaml"), reads_text=True
)
MUTATIONS: Final = ("drop", "type", "extra", "empty", "huge")

# What may change without anything being wrong with it, as kind of mutation and JSON path.
_TEXT: Final = r"(?:.*\.)?(?:description|name)"
_VALUE: Final = r".*\.(?:inputMapping|payloadMapping)\..*"  # literals are the action's business
_FREE: Final = (
    r"\$\.(?:metadata\.retentionPolicyOverride|publishedVersions\[\d+\]\.payloadSchemaJson)(?:[.\[].*)?"
)
_FILTER: Final = r".*\.filters\[\d+\]\.value(?:\[\d+\])?"  # compared with anything
HARMLESS: Final[dict[str, tuple[str, ...]]] = {
    "drop": (
        r".*\.definition\.(?:description|trigger)",
        r".*\.trigger\.(?:sourcePayloadSchemaRef|payloadMapping(?:\..*)?)",
        r".*\.steps\[\d+\](?:\.(?:then|else|try|catch|body)\[\d+\])*",  # a step less
        r".*\.(?:then|else|try|catch|body)\[\d+\]",
        r".*\.(?:name|else|captureErrorAs|onItemError|retry|onError|concurrency|saveAs|inputMapping|outputMapping)",
        r".*\.retry\.(?:backoffMultiplier|jitter|maxDelayMs|retryOn(?:\[\d+\])?)",
        r".*\.config\.(?:onError|idempotencyKey|filters(?:\[\d+\])?|timeoutMs|assign|description|contextData|text|html)",
        r".*\.config\.(?:designer\w+|ai\w+|outputs(?:\[\d+\])?)",
        r".*\.(?:inputMapping|outputMapping|payloadMapping|assign|contextData)(?:\.[^.\[]+|\[[^\]]*\])",
        r"\$\.publishedVersions\[\d+\]",
        _VALUE,
        _FREE,
        _FILTER,
    ),
    "type": (
        _VALUE,
        _FREE,
        _FILTER,
        _FILTER,
        r"\$\.metadata\.(?:description|pinnedPayloadSchemaRef|concurrencyLimit|failureRate\w+)",
    ),
    "extra": (
        r".*\.(?:inputMapping|outputMapping|payloadMapping|assign|contextData)(?:\..*)?",
        r"\$\.metadata\.trigger(?:\..*)?",
        r".*\.retryOn",
        r".*\.outputs",
        _FREE,
        _FILTER,
    ),
    "empty": (
        _TEXT,
        _VALUE,
        _FREE,
        _FILTER,
        r".*\.(?:then|else|try|catch|body|retryOn|filters|outputs|steps|publishedVersions)",
        r".*\.(?:inputMapping|outputMapping|payloadMapping|assign|contextData)",
        r"\$\.metadata\.(?:trigger.*|pinnedPayloadSchemaRef)",
        r".*\.saveAs",
        r".*\.(?:value|backoffMs|state)",
        r".*\.\w+\[\d+\]",
    ),
    "huge": (
        _TEXT,
        _VALUE,
        _FREE,
        _FILTER,
        r".*\.(?:state|id|path|eventName|taskType|saveAs|captureErrorAs|itemVar|value|designer\w+)",
        r".*\.(?:maxAttempts|backoffMs|maxDelayMs|backoffMultiplier|timeoutMs|durationMs|version|draftVersion)",
        r"\$\.metadata\.(?:concurrencyLimit|failureRateMinRuns|payloadSchemaRef|trigger.*)",
        r".*\.retryOn\[\d+\]",
        r".*\.workflowVersion",  # judged over the folder
        r".*\.workflowId",
        r".*\[\"\$expr\"\]",  # a longer name of a field that nobody knows
    ),
}


def iter_paths(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    if path:
        yield path
    children = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    for name, child in children:
        yield from iter_paths(child, (*path, name))


def mutate(document: Document, path: tuple[str | int, ...], kind: str) -> Document | None:
    """The document with one field changed; ``None`` where that is no change."""
    changed = copy.deepcopy(document)
    target: Any = changed
    for step in path[:-1]:
        target = target[step]
    value = target[path[-1]]
    match kind, value:
        case "drop", _:
            del target[path[-1]]
        case "type", dict() | list():
            target[path[-1]] = 5
        case "type", _:
            target[path[-1]] = {"unexpected": [value]}
        case "extra", dict():
            value["unexpected"] = 1
        case "extra", list():
            value.append(5)
        case "empty", (dict() | list() | str()) if value:
            target[path[-1]] = type(value)()
        case "huge", bool() | None:
            return None
        case "huge", int() | float():
            target[path[-1]] = 2_000_000_000
        case "huge", str():
            target[path[-1]] = value + "x" * 5_000
        case _:
            return None
    return changed


def mutations(file: Path) -> Iterator[tuple[str, tuple[str | int, ...]]]:
    paths = list(iter_paths(json.loads(file.read_text())))
    return some(((kind, path) for kind in MUTATIONS for path in paths), step=7)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_mutated_field_is_noticed_or_harmless(file: Path) -> None:
    document = json.loads(file.read_text())
    unnoticed = []
    for kind, path in mutations(file):
        changed = mutate(document, path, kind)
        if changed is None:
            continue
        data = canonical_bytes(changed)
        problems = VALIDATOR.check(parse_workflow(data, file=file.name, key=Key(file.stem)))
        check_places(data, problems)
        shown = json_path(path)
        if not problems and not any(re.fullmatch(pattern, shown) for pattern in HARMLESS[kind]):
            unnoticed.append(f"{kind} {shown}")

    assert unnoticed == []


def check_places(data: bytes, problems: Any) -> None:
    """Every problem is of a known rule and stands somewhere in the text."""
    lines = data.decode("utf-8", "replace").split("\n")
    for problem in problems:
        assert problem.rule in RULES
        assert problem.severity in ("error", "warning")
        assert problem.message
        assert 1 <= problem.line <= len(lines)
        assert 1 <= problem.column <= len(lines[problem.line - 1]) + 1


SCHEMA: Final[Any] = {
    "type": "object",
    "required": ["a"],
    "properties": {"a": {"type": "string"}, "b": {"type": "array", "items": {"type": "integer"}}},
    "additionalProperties": False,
}
OFFERS: Final = Registry(
    actions={("email.send", number): ActionOffer(SCHEMA) for number in range(10)},
    node_types=frozenset({"action.call"}),
    schemas={"payload.A.v1": None},
)

texts_of_expressions = st.one_of(
    st.text(max_size=20),
    st.lists(
        st.sampled_from(
            ["payload", "vars", ".", "x", "(", ")", "[", "]", "$", "len", "coalesce", " ", "&", "=", "==", '"', "'",
             "{", "}", ":", ",", "`", "?", "and", "in", "1", "null", "\\", "ü", "🔔", "function", "~>", ":="]
        ),
        max_size=12,
    ).map("".join),
)  # fmt: skip
mapping_values = st.recursive(
    st.one_of(
        json_values,
        texts_of_expressions.map(lambda text: {"$expr": text}),
        st.builds(lambda name: {"$secret": name}, json_values),
    ),
    lambda children: st.one_of(
        st.lists(children, max_size=3),
        st.dictionaries(st.sampled_from(["a", "b", "$x", "$secret", "password", ""]), children, max_size=3),
    ),
    max_leaves=6,
)
mappings = st.one_of(json_values, st.dictionaries(st.text(max_size=6), mapping_values, max_size=4))
kinds = st.sampled_from(
    ["action.call", "transform.assign", "event.wait", "time.wait", "human.task", "state.set", "email.parseBody",
     "email.renderCommentBlocks", "control.if", "control.forEach", "control.tryCatch", "control.callWorkflow",
     "control.return", "control.while", "other", ""]
)  # fmt: skip
FIELDS: Final = ("assign", "inputMapping", "outputMapping", "correlationKey", "until", "title", "contextData", "saveAs",
                 "actionId", "version", "idempotencyKey", "text", "filters", "mode", "durationMs", "eventName")  # fmt: skip
configs = st.one_of(
    json_values,
    st.dictionaries(st.sampled_from(FIELDS), st.one_of(mappings, mapping_values), max_size=5),
    st.builds(lambda mapping: {"actionId": "email.send", "version": 1, "inputMapping": mapping}, mappings),
)


def _step(children: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    lists = st.one_of(st.lists(children, max_size=3), json_values)
    return st.fixed_dictionaries(
        {"id": st.sampled_from(["a", "b", "c", 1, None, ""]), "type": kinds},
        optional={
            "config": configs,
            "condition": mapping_values,
            "items": mapping_values,
            "itemVar": st.sampled_from(["x", "item", 5, ""]),
            "then": lists,
            "else": lists,
            "body": lists,
            "try": lists,
            "catch": lists,
            "captureErrorAs": st.sampled_from(["x", "", 3]),
            "workflowId": st.sampled_from(["key:a", "key:b", "x", "", 5]),
            "workflowVersion": json_values,
            "inputMapping": mappings,
            "outputMapping": mappings,
        },
    )


steps = st.recursive(json_values, _step, max_leaves=5)
triggers = st.one_of(
    json_values,
    st.fixed_dictionaries(
        {"type": st.sampled_from(["event", "schedule", "recurring", "x", None])},
        optional={
            "eventName": json_values,
            "cron": st.one_of(st.text("0123456789*/,- ", max_size=14), json_values),
            "timezone": st.one_of(st.sampled_from(["UTC", "Europe/Berlin", "../etc", "\0"]), json_values),
            "runAt": st.one_of(st.sampled_from(["2026-01-01", "x"]), json_values),
            "payloadMapping": mappings,
        },
    ),
)


@given(document=documents(), items=st.lists(steps, max_size=4), trigger=triggers, other=triggers)
def test_any_workflow_is_judged_without_a_fault_of_our_own(
    document: Document, items: list[Any], trigger: Any, other: Any
) -> None:
    document["draft"]["definition"] |= {"steps": items, "trigger": trigger}
    document["metadata"]["trigger"] = other
    data = canonical_bytes(document)

    for validator in (Validator(OFFERS, reads_text=True), Validator()):
        check_places(data, validator.check(parse_workflow(data, file="a.json", key=Key(document["key"]))))


@given(data=st.one_of(st.binary(max_size=60), json_values.map(lambda value: json.dumps(value).encode())))
def test_any_file_is_judged_without_a_fault_of_our_own(data: bytes) -> None:
    problems = Validator(OFFERS, reads_text=True).check(parse_workflow(data, file="a.json", key=Key("a")))

    assert any(problem.severity == "error" for problem in problems)
    check_places(data.removeprefix(b"\xef\xbb\xbf"), problems)


@given(document=documents(), cut=st.integers(0, 4_000), insert=st.text(max_size=3))
def test_a_damaged_file_is_judged_without_a_fault_of_our_own(
    document: Document, cut: int, insert: str
) -> None:
    text = canonical_bytes(document).decode()
    place = cut % len(text)
    data = (text[:place] + insert + text[place + 1 :]).encode("utf-8", "surrogatepass")

    file = parse_workflow(data, file="a.json", key=Key(document["key"]))

    check_places(data, Validator(OFFERS, reads_text=True).check(file))
