"""The smaller parts that rules are made of."""

from __future__ import annotations

from typing import Any

import pytest

from gitsync.rules.inputs import check_inputs
from gitsync.rules.names import collisions, name_fault
from gitsync.rules.paths import assigned_name, path_fault
from gitsync.rules.secrets import find, is_candidate, redact
from gitsync.rules.together import Circles, Links, links_of
from gitsync.rules.triggers import cron_fault
from gitsync.workflow.scan import scan
from gitsync.workflow.types import Key
from tests.support.documents import call, definition, document

A20, B35, C24, D40 = "a1B2" * 5, "a1B2-" * 7, "a1B2c3" * 4, "a1b2c3d4" * 5
TOKENS = {
    "aws": "AKIA" + "Z2ZZ5QXZ7T3WPLMN",
    "azure": "AccountKey=" + "a1B2" * 21 + "ab==",
    "basic": "https://user:s3cretpw@example.com/x",
    "github": "ghp_" + "a1B2c3" * 6,
    "gitlab": "glpat-" + A20,
    "jwt": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJlMTIz",
    "mailchimp": "a1b2c3d4" * 4 + "-us12",
    "npm": "//registry.npmjs.org/:_authToken=npm_" + "a1B2c3" * 6,
    "openai": "sk-" + A20 + "T3BlbkFJ" + A20,
    "private key": "-----BEGIN RSA PRIVATE KEY-----",
    "pypi": "pypi-AgEIcHlwaS5vcmc" + "a1B2c3d4" * 10,
    "sendgrid": "SG." + "a1B2c3d4e5f6g7h8i9j0kl" + "." + "a1B2c3d4e5f6g7h8i9j0k1l2m3n4o5p6q7r8s9t0u1v",
    "slack": "xoxb-" + "123456789012-" * 2 + C24,
    "slack hook": "https://hooks.slack.com/services/T0A1B2C3D/B0A1B2C3D/" + C24,
    "stripe": "sk_live_" + C24,
    "telegram": "110201543:" + "AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw1",
    "twilio": "AC" + "a1b2c3d4" * 4,
}


@pytest.mark.parametrize("token", TOKENS.values(), ids=TOKENS)
def test_a_token_of_a_known_format_is_found_wherever_it_stands(token: str) -> None:
    text = f"please use {token} for it"

    assert is_candidate("note", text)
    assert [spot.rule for spot in find({"note": text}, "note", text)] == ["SECRETS"]
    assert token not in redact(text)


@pytest.mark.parametrize("kind", [kind for kind in TOKENS if kind not in ("basic", "private key")])
def test_a_token_is_taken_out_to_its_end(kind: str) -> None:
    assert TOKENS[kind][-8:] not in redact(f"please use {TOKENS[kind]}, for it")


def test_a_token_whose_format_has_an_empty_part_is_found() -> None:
    assert "glcbt-" + A20 not in redact(f"x glcbt-{A20} x")


@pytest.mark.parametrize("name", ["password", "apiKey", "api_key", "client_secret", "dbPass", "accessToken"])
def test_a_value_under_a_telling_name_is_a_secret(name: str) -> None:
    assert [spot.rule for spot in find({name: "hunter2-Tr0ub4dor"}, name, "hunter2-Tr0ub4dor")] == ["SECRETS"]


@pytest.mark.parametrize(
    "name, value",
    [
        ("password", "<your password>"),
        ("password", "${PASSWORD}"),
        ("password", "{{ secret }}"),
        ("password", "xxxxxxxx"),
        ("password", "changeme"),
        ("password", ""),
        ("password", "see the vault"),
        ("key", "status"),
        ("keyword", "invoice"),
        ("board_id", "6f1c9a52-0000-4000-8000-000000000001"),
        ("api_key", "6f1c9a52-0000-4000-8000-000000000001"),
        ("url", "https://example.com/a/b/c?d=e"),
        ("text", "the quick brown fox jumps over the lazy dog and runs away"),
        ("schema", "payload.AssetWarrantyExpiring.v1"),
        ("tokens", "12"),
    ],
)
def test_what_only_looks_a_little_like_a_secret_is_none(name: str, value: str) -> None:
    assert list(find({name: value}, name, value)) == []


def test_plain_text_is_told_without_asking_the_library() -> None:
    for text in (
        "Urgent ticket",
        "6f1c9a52-0000-4000-8000-000000000001",
        "payload.ticket.assignee.email",
        "",
    ):
        assert not is_candidate("body", text)


@pytest.mark.parametrize(
    "cron",
    [
        "0 8 * * *",
        "*/5 * * * *",
        "0,30 8-17 * * 1-5",
        "0 0 1 1 *",
        "* 8 * * *",
        "15-45/10 */2 * * 0,7",
        "0 0 31 12 *",
    ],
)
def test_these_times_are_taken(cron: str) -> None:
    assert cron_fault(cron) == ""


@pytest.mark.parametrize(
    "cron, part",
    [
        ("", "expected 5 fields, got 0"),
        ("0 8 * * * *", "expected 5 fields, got 6"),
        ("@daily", "expected 5 fields, got 1"),
        ("60 * * * *", "goes beyond 0 to 59"),
        ("0 24 * * *", "goes beyond 0 to 23"),
        ("0 0 0 * *", "goes beyond 1 to 31"),
        ("0 0 * 13 *", "goes beyond 1 to 12"),
        ("0 0 * * 8", "goes beyond 0 to 7"),
        ("0 0 * * MON", "may hold digits"),
        ("5-1 * * * *", "runs backwards"),
        ("*/0 8 * * *", "step of 0"),
        ("0 0 1 * 1", "not both"),
        ("* * * * *", "more often"),
        ("*/4 * * * *", "more often"),
        ("0 " + "1," * 70 + "1 * * *", "longer than 128"),
    ],
)
def test_these_times_are_refused(cron: str, part: str) -> None:
    assert part in cron_fault(cron)


@pytest.mark.parametrize(
    "path, strict, bare",
    [
        ("vars.x", "x", "x"),
        ("vars.x.y", "x", "x"),
        ("payload.x", "", ""),
        ("meta.x", "", "x"),
        ("/a/b", "", "a"),
        ("x", None, "x"),
        ("x.y", None, "x"),
        ("local.x", None, "x"),
        ("error.x", "", "error"),
        ("payload", None, "payload"),
        ("", None, None),
        (" ", None, None),
        ("vars.", None, None),
        ("vars..x", None, None),
        ("/", None, None),
        ("vars.constructor", None, None),
        ("/a/__proto__", None, None),
    ],
)
def test_where_a_step_writes_to(path: str, strict: str | None, bare: str | None) -> None:
    for is_strict, name in ((True, strict), (False, bare)):
        fault = path_fault(path, is_strict=is_strict)
        assert bool(fault) is (name is None), fault
        if name:
            assert assigned_name(path, is_strict=is_strict) == name


@pytest.mark.parametrize("name", ["con.json", "nul.a.json", "lpt9.json", "prn.json"])
def test_names_of_devices_are_not_portable(name: str) -> None:
    fault = name_fault(name)
    assert fault is not None
    assert fault.rule == "UNPORTABLE_NAME"


def test_names_that_differ_in_case_only_collide() -> None:
    found = collisions(["a.json", "A.json", "b.json"])

    assert sorted(name for name, _ in found) == ["A.json", "a.json"]


def test_an_unset_input_with_a_default_is_not_missing() -> None:
    schema = {"required": ["a", "b"], "properties": {"a": {"default": 1}, "b": {}}}

    assert [spot.message for spot in check_inputs("x@1", schema, {}, {})] == ['x@1 needs the input "b"']


@pytest.mark.parametrize(
    "value, rules",
    [
        ({"$expr": "1"}, []),
        ({"$secret": "A"}, []),
        ("text", ["INPUT_TYPE"]),
        ([1, 2], []),
        ([1, "x"], ["INPUT_TYPE"]),
        ([{"$expr": "1"}, "x"], ["INPUT_TYPE"]),
        ([{"$expr": "1"}, 2], []),
        (None, ["INPUT_TYPE"]),
    ],
)
def test_literals_are_held_against_the_schema_and_expressions_are_not(value: Any, rules: list[str]) -> None:
    schema = {
        "properties": {"a": {"type": "array", "items": {"$ref": "#/definitions/whole"}}},
        "definitions": {"whole": {"type": "integer"}},
    }

    assert [spot.rule for spot in check_inputs("x@1", schema, {"a": value}, {})] == rules


def test_a_circle_is_followed_over_sure_calls_only_and_told_shortest() -> None:
    def links(*targets: str, sure: bool = True) -> Links:
        return Links(frozenset({1}), frozenset((f"key:{target}", 1, sure) for target in targets))

    a, b, c, d = (Key(name) for name in "abcd")
    graph = {a: links("b"), b: links("c", "a"), c: links("a"), d: links("a", "d", sure=False)}

    circles = Circles(graph, [d, a])

    assert circles.path(a, b) == [a, b, a]
    assert circles.path(b, c) == [b, c, a, b]
    assert circles.holds(c, a)
    assert not circles.holds(d, a)


def test_a_thousand_workflows_in_one_circle_are_no_depth() -> None:
    keys = [Key(f"k{number}") for number in range(3_000)]
    graph = {
        key: Links(frozenset({1}), frozenset({(f"key:{after}", 1, True)}))
        for key, after in zip(keys, [*keys[1:], keys[0]], strict=True)
    }

    assert len(Circles(graph, keys).path(keys[0], keys[1])) == 3_001


def test_a_call_is_sure_unless_something_decides_about_it() -> None:
    inner = {**call("key:b"), "id": "c2"}
    steps = (
        call("key:a"),
        {"id": "i", "type": "control.if", "then": [inner]},
        {"id": "t", "type": "control.tryCatch", "try": [{**call("key:c"), "id": "c3"}], "catch": []},
    )

    found = links_of(document("a", *steps, versions=((4, definition(), None),)))

    assert found.versions == frozenset({4})
    assert found.sure_keys == {"a", "c"}
    assert {called for called, _, _ in found.calls} == {"key:a", "key:b", "key:c"}


@pytest.mark.parametrize(
    "text, index, column",
    [
        ('{"a": "xyz"}', 0, 8),
        ('{"a": "xyz"}', 2, 10),
        (r'{"a": "\n\"z"}', 2, 12),
        (r'{"a": "\u00e9z"}', 1, 14),
        (r'{"a": "\ud83d\ude00z"}', 1, 20),
        ('{"a": "🔔z"}', 1, 9),
        ('{"a": "xyz"}', 99, 11),
        ('{"a": 5}', 3, 7),
    ],
)
def test_a_character_of_a_string_is_found_behind_its_escapes(text: str, index: int, column: int) -> None:
    assert scan(text).locate_character(("a",), index) == (1, column)
