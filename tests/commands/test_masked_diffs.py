"""A secret that somebody typed into a step in the product is in no diff, words or page."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gitsync.workflow.canonical import canonical_bytes
from gitsync.workflow.document import normalise
from tests.support.loop import Loop, make_loop

GITHUB = "ghp_" + "A1b2C3d4E5f6G7h8I9j0" + "K1l2M3n4O5p6Q7r8"
OTHER = "ghp_" + "Z9y8X7w6V5u4T3s2R1q0" + "P9o8N7m6L5k4J3i2"
KEY_BODY = "MIIEpAIBAAKCAQEA7bq2"
KEY = f"-----BEGIN RSA PRIVATE KEY-----\n{KEY_BODY}\n-----END RSA PRIVATE KEY-----\n"
PASSWORD = "Tr0ub4dor-and-3"
SECRETS = (GITHUB, OTHER, KEY_BODY, PASSWORD)
READING = [
    ["diff"],
    ["diff", "--words"],
    ["diff", "-o", "json"],
    ["diff", "-o", "markdown"],
    ["status", "-o", "markdown"],
    ["plan", "--update"],
    ["plan", "--update", "-o", "markdown"],
    ["plan", "--force", "-o", "markdown"],
    ["plan", "--update", "-o", "json"],
    ["push", "--update"],
    ["push", "--update", "-o", "markdown"],
    ["push", "--update", "-o", "json"],
    ["pull", "-o", "markdown"],
    ["pull", "--branch", "mine", "-o", "markdown"],
]


def definition(loop: Loop, **inputs: Any) -> dict[str, Any]:
    step = {
        "id": "call",
        "type": "action.call",
        "config": {"actionId": "http.request", "version": 1, "inputMapping": inputs},
    }
    own: dict[str, Any] = json.loads(loop.path("a").read_bytes())["draft"]["definition"]
    return own | {"steps": [step]}


def write(loop: Loop, **inputs: Any) -> None:
    document: dict[str, Any] = json.loads(loop.path("a").read_bytes())
    document["draft"]["definition"] = definition(loop, **inputs)
    loop.path("a").write_bytes(canonical_bytes(normalise(document)))
    loop.repository.commit("Edit")


def type_into_the_product(loop: Loop, **inputs: Any) -> None:
    own = definition(loop, **inputs) | {"id": loop.editor.id_of("a")}
    loop.editor.write_text("a", json.dumps(own))


@pytest.fixture
def loop(tmp_path: Path) -> Loop:
    loop = make_loop(tmp_path)
    loop.commit(a="A1", b="B1")
    write(loop, header="none", password={"$secret": "MAIL_PASSWORD"}, limit=1)
    loop.push()
    return loop


@pytest.mark.parametrize("words", READING, ids=" ".join)
@pytest.mark.parametrize("is_diverged", [False, True], ids=["edited", "diverged"])
def test_no_reading_shows_a_secret_of_the_database(
    loop: Loop, words: list[str], *, is_diverged: bool
) -> None:
    type_into_the_product(loop, header=f"Bearer {GITHUB}", key=KEY, password=PASSWORD, limit=1)
    if is_diverged:
        write(loop, header=f"Bearer {OTHER}", limit=2)

    ran = loop.gitsync(*words)

    assert [secret for secret in SECRETS if secret in ran.out + ran.err] == []
    assert "internal error" not in ran.err


@pytest.mark.parametrize("output", [[], ["-o", "json"], ["-o", "markdown"]], ids=str)
def test_the_diff_says_that_it_masks_and_keeps_all_else(loop: Loop, output: list[str]) -> None:
    type_into_the_product(loop, header=f"Bearer {GITHUB}", password=PASSWORD, limit=2)

    ran = loop.gitsync("diff", *output)

    told = ran.out + ran.err
    assert "validate --explain SECRETS" in told
    assert "Bearer <secret " in told
    assert "MAIL_PASSWORD" in told
    if "markdown" not in output:
        assert told.count("note:") == 1


def test_another_secret_reads_as_a_change(loop: Loop) -> None:
    config = loop.repository.git("show", "HEAD:gitsync.yaml")
    loop.repository.write("gitsync.yaml", config + "\nvalidate: { rules: { secrets: warning } }\n")
    write(loop, header=GITHUB, limit=1)
    loop.push("--update")
    type_into_the_product(loop, header=OTHER, limit=1)

    ran = loop.gitsync("diff")

    assert '"header": "<secret 1>"' in ran.out
    assert '"header": "<secret 2>"' in ran.out
    assert GITHUB not in ran.out
    assert OTHER not in ran.out


def test_without_a_secret_there_is_no_note(loop: Loop) -> None:
    type_into_the_product(loop, header="Bearer", password={"$secret": "OTHER_PASSWORD"}, limit=3)

    ran, page = loop.gitsync("diff"), loop.gitsync("diff", "-o", "markdown")

    assert "OTHER_PASSWORD" in ran.out
    assert "SECRETS" not in ran.out + ran.err + page.out


def test_the_file_gets_the_text_as_it_is(loop: Loop) -> None:
    type_into_the_product(loop, header=f"Bearer {GITHUB}", limit=1)

    loop.gitsync("pull")

    assert GITHUB in loop.path("a").read_text()


def test_the_diff_of_a_reformatted_file_masks_too(loop: Loop) -> None:
    document = json.loads(loop.path("a").read_bytes())
    document["draft"]["definition"] = definition(loop, header=f"Bearer {GITHUB}", key=KEY, password=PASSWORD)
    loop.path("a").write_text(json.dumps(document, indent=4))

    ran = loop.gitsync("fmt", "--check", "--diff")

    assert "<secret " in ran.out
    assert [secret for secret in SECRETS if secret in ran.out] == []
