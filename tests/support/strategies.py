"""Any workflow, as hypothesis draws it."""

from __future__ import annotations

from functools import cache
from typing import Any

from hypothesis import strategies as st

from gitsync.workflow.document import make_document
from gitsync.workflow.types import Document, Key
from tests.support.documents import action, call

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
"""Any text that PostgreSQL can store."""

portable_numbers = st.one_of(
    st.integers(-(2**53) + 1, 2**53 - 1),
    st.floats(allow_nan=False, allow_infinity=False).filter(
        lambda number: not number.is_integer() or abs(number) < 2**53
    ),
)

json_values: st.SearchStrategy[Any] = st.recursive(
    st.one_of(st.none(), st.booleans(), portable_numbers, texts),
    lambda children: st.one_of(st.lists(children, max_size=4), st.dictionaries(texts, children, max_size=4)),
    max_leaves=20,
)
"""Any JSON value that reads back as itself everywhere."""

json_objects: st.SearchStrategy[Any] = st.dictionaries(texts, json_values, max_size=4)

keys = st.from_regex(r"[a-z0-9][a-z0-9._-]{0,20}", fullmatch=True)

_names = texts.filter(bool)
_int32 = st.integers(-(2**31), 2**31 - 1)


def _steps(called: st.SearchStrategy[str]) -> st.SearchStrategy[Any]:
    leaf = st.one_of(
        st.builds(action, texts, st.one_of(st.integers(-2, 9), st.sampled_from(["1", " 2 ", "x", None]))),
        st.builds(call, called),
        st.fixed_dictionaries({"id": texts, "type": st.sampled_from(["event.wait", "state.set", ""])}),
        json_values,
    )

    def block(kind: str, *branches: str) -> Any:
        def make(children: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
            lists = st.lists(children, max_size=3)
            return st.fixed_dictionaries(
                {"id": texts, "type": st.just(kind)}, optional=dict.fromkeys(branches, lists)
            )

        return make

    return st.recursive(
        leaf,
        lambda children: st.one_of(
            block("control.if", "then", "else")(children),
            block("control.forEach", "body")(children),
            block("control.tryCatch", "try", "catch")(children),
        ),
        max_leaves=6,
    )


@cache
def definitions(called: st.SearchStrategy[str] = texts) -> st.SearchStrategy[Any]:
    """Objects that are more or less definitions, as the tables hold them; `called` are the workflows called."""
    return st.fixed_dictionaries(
        {"steps": st.lists(_steps(called), max_size=3)},
        optional={"id": texts, "payloadSchemaRef": texts, "trigger": json_values, "extra": json_values},
    )


_nullable = st.one_of(st.none(), texts)
_metadata = st.fixed_dictionaries(
    {
        "autoPauseOnFailure": st.booleans(),
        "concurrencyLimit": st.one_of(st.none(), _int32),
        "description": _nullable,
        "failureRateMinRuns": st.one_of(st.none(), _int32),
        "failureRateThreshold": st.one_of(st.none(), st.integers(-99_999, 99_999).map(lambda n: n / 100)),
        "isPaused": st.booleans(),
        "isSystem": st.booleans(),
        "isVisible": st.booleans(),
        "name": _names,
        "payloadSchemaMode": texts,
        "payloadSchemaRef": _names,
        "pinnedPayloadSchemaRef": _nullable,
        "retentionPolicyOverride": st.one_of(st.none(), json_objects),
        "trigger": st.one_of(st.none(), json_objects),
    }
)
_schemas = st.one_of(st.none(), json_objects)
_versions = st.lists(_int32, max_size=3, unique=True)


@st.composite
def documents(
    draw: st.DrawFn, *, key: st.SearchStrategy[str] = keys, called: st.SearchStrategy[str] = texts
) -> Document:
    """Any valid document, in normal form."""
    numbers = draw(_versions)
    definition_of_any = definitions(called)
    return make_document(
        key=Key(draw(key)),
        metadata=draw(_metadata),
        draft_definition=draw(definition_of_any),
        draft_version=draw(_int32),
        versions=[(number, draw(definition_of_any), draw(_schemas)) for number in numbers],
    )
