"""Text stays text: what a terminal or a CI system would obey is written out."""

from __future__ import annotations

import json
import logging

import pytest

from gitsync.logs import PrintableFormatter
from gitsync.printable import printable, printable_json, printable_text

HOSTILE = [
    "\x1b[31mred\x1b[0m",
    "\x9b31m",
    "a\rb",
    "\u202egnp.exe",
    "\u2066x\u2069",
    "\u200f",
    "a\u2028b",
    "\x00",
    "\x7f",
    "\udc80",
]


@pytest.mark.parametrize("text", HOSTILE, ids=ascii)
def test_no_control_character_is_left(text: str) -> None:
    assert printable(text).isprintable()
    assert all(line.isprintable() for line in printable_text(f"{text}\n{text}").split("\n"))


@pytest.mark.parametrize("text", HOSTILE[:-1], ids=ascii)
def test_json_keeps_its_value(text: str) -> None:
    raw = json.dumps({"name": f"{text} ##[add-mask]x ##vso[task.x] # ##"}, ensure_ascii=False)

    shown = printable_json(raw)

    assert json.loads(shown) == json.loads(raw)
    assert shown.isprintable()
    assert "##[" not in shown
    assert "##vso[" not in shown


@pytest.mark.parametrize(
    "text,shown",
    [
        ("::add-mask::x", "\\x3a:add-mask::x"),
        ("  ::stop-commands::x", "  \\x3a:stop-commands::x"),
        ("a\n::error::x", "a\n\\x3a:error::x"),
        ("x ##[group]y", "x \\x23#[group]y"),
        ("##vso[task.setvariable]", "\\x23#vso[task.setvariable]"),
        ("a::b ## c #[d]", "a::b ## c #[d]"),
        ("`a`\tß 日本 👍🏽", "`a`\tß 日本 👍🏽"),
    ],
)
def test_what_a_runner_would_take_for_a_command_is_broken(text: str, shown: str) -> None:
    assert printable_text(text) == shown


def test_one_line_stays_one_line() -> None:
    assert printable("a\nb\tc") == r"a\nb\tc"


def test_a_log_quotes_text_and_no_password() -> None:
    record = logging.makeLogRecord(
        {"msg": "said %s", "args": ("\x1b[2J\n::add-mask::x postgresql://u:hunter2@h",)}
    )

    assert PrintableFormatter("%(message)s").format(record) == (
        "said \\x1b[2J\n\\x3a:add-mask::x postgresql://u:***@h"
    )
