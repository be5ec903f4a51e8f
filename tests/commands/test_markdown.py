"""The results as Markdown: what a pull request's comment and a job's summary hold."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from markdown_it import MarkdownIt

from gitsync.workflow.canonical import canonical_bytes
from gitsync.workflow.document import normalise
from tests.support.documents import make_file
from tests.support.loop import Loop, Ran, gitsync, make_loop
from tests.support.product import TENANT

GOLDEN = Path(__file__).parents[1] / "fixtures" / "pages"
COMMENT = 65_536
"""Characters that GitHub takes for a comment."""


def edit(loop: Loop, key: str, **metadata: Any) -> dict[str, Any]:
    """Change a file's metadata, and give its draft a step and a new version."""
    document: dict[str, Any] = json.loads(loop.path(key).read_bytes())
    document["metadata"] |= metadata
    definition = document["draft"]["definition"]
    definition["steps"] += [
        {
            "id": "mail",
            "type": "action.call",
            "config": {
                "actionId": "email.send",
                "version": 1,
                "inputMapping": {"key": {"$secret": "MAIL_KEY"}},
            },
        }
    ]
    version = {"version": 1, "definition": {**definition, "version": 1}, "payloadSchemaJson": None}
    document["publishedVersions"].append(version)
    loop.path(key).write_bytes(canonical_bytes(normalise(document)))
    return document


def make_everything(loop: Loop) -> None:
    """A commit with one key in each state that a plan knows."""
    loop.commit(changed="1", kept="1", both="1", edited="1", gone="1", stays="1")
    loop.push()
    loop.editor.save("both", "in the editor")
    loop.editor.save("edited", "in the editor")
    loop.editor.save("made", "in the editor")
    loop.path("gone").unlink()
    loop.write_file("both", "in git")
    loop.write_file("new", "new")
    edit(loop, "changed", isPaused=True, description="Sends | mails")
    loop.repository.commit("Edit in git")


def page(ran: Ran) -> str:
    """The page with the ids of commits made equal."""
    return re.sub(r"`[0-9a-f]{10}`", "`0123456789`", ran.out)


@pytest.mark.parametrize(
    "name,arguments,code",
    [
        ("plan", ["plan", "--update", "--prune", "--exit-code"], 3),
        ("push", ["push", "--update", "--prune", "--skip-conflicts"], 3),
        ("push-refused", ["push", "--update", "--prune"], 3),
        ("pull", ["pull"], 3),
        ("status", ["status", "--exit-code"], 3),
        ("diff", ["diff", "--exit-code"], 3),
    ],
)
def test_the_pages_are_those_that_were_reviewed(
    either: Loop, name: str, arguments: list[str], code: int
) -> None:
    make_everything(either)

    ran = either.gitsync(*arguments, "-o", "markdown")

    golden = GOLDEN / f"{name}.md"
    assert ran.code == code, ran.err
    if not golden.exists():
        golden.write_text(page(ran), encoding="utf-8")
        pytest.fail(f"{golden} was made anew: look at it, and commit it")
    assert page(ran) == golden.read_text(encoding="utf-8")


def test_a_plan_without_changes_says_so_first(loop: Loop) -> None:
    loop.commit(a="1")
    loop.push()

    ran = loop.gitsync("plan", "--update", "-o", "markdown")

    assert ran.out.splitlines()[:2] == ["<!-- gitsync plan dev -->", "## ✅ dev: nothing to write"]


def test_every_problem_is_in_the_plan_with_its_place(loop: Loop) -> None:
    loop.repository.commit_files(
        {
            f"workflows/{key}.json": make_file(key, "1").replace(b'"isPaused": false', b'"isPaused": 3')
            for key in ("a", "b")
        }
    )

    ran = loop.gitsync("plan", "-o", "markdown", "--exit-code")

    assert ran.code == 4
    assert "## ⛔ dev: a push would stop: invalid input" in ran.out
    assert [
        key for key in ("a", "b") if re.search(rf"^- `workflows/{key}\.json:\d+:\d+`", ran.out, re.MULTILINE)
    ] == [
        "a",
        "b",
    ]


def test_an_error_is_a_page_and_a_message(tmp_path: Path) -> None:
    ran = gitsync("-C", str(tmp_path), "plan", "-o", "markdown")

    assert ran.code == 4
    assert ran.out.startswith("## ⛔ gitsync stopped: invalid input\n\n**no gitsync.yaml in ")
    assert "(`NO_CONFIGURATION`, exit 4)" in ran.out
    assert "**Next:** `gitsync init` makes one here" in ran.out
    assert "[NO_CONFIGURATION]" in ran.err


@pytest.mark.parametrize("arguments", [["init"], ["db", "check"], ["import", "x.json"]])
def test_a_command_without_pages_says_so(loop: Loop, arguments: list[str]) -> None:
    ran = loop.gitsync(*arguments, "-o", "markdown")

    assert ran.code == 64
    assert "'markdown' is not one of 'text', 'json'" in ran.err


def test_a_page_fits_into_a_comment_however_much_there_is(loop: Loop) -> None:
    keys = [f"workflow-{number:03}" for number in range(300)]
    loop.repository.commit_files({f"workflows/{key}.json": make_file(key, "x" * 900) for key in keys})

    created = loop.gitsync("plan", "-o", "markdown")
    loop.push()
    for key in keys:
        edit(loop, key, description="d" * 3000)
    loop.repository.commit("Edit all")
    refused = loop.gitsync("plan", "--update", "-o", "markdown")
    changed = loop.gitsync("plan", "--update", "--max-overwrites", "300", "-o", "markdown")

    assert max(len(ran.out) for ran in (created, refused, changed)) < COMMENT
    assert "## ✅ dev: 300 to create" in created.out
    assert "a protection refused" in refused.out
    assert "--max-overwrites 300" in refused.out
    told = len(re.findall(r"^### ", changed.out, re.MULTILINE))
    assert 10 < told < 300
    assert f"… and {300 - told} workflows more" in changed.out


def test_whatever_a_workflow_holds_the_page_keeps_its_form(loop: Loop) -> None:
    hostile = "</details> | <script>alert(1)</script> `x` ``` @everyone\n\n## no heading | [a](javascript:b)"
    loop.commit(a="1")
    loop.push()
    edit(loop, "a", name=hostile, description=hostile, payloadSchemaRef=hostile)
    document = json.loads(loop.path("a").read_bytes())
    document["draft"]["definition"]["steps"][0] |= {"id": hostile, "type": hostile}
    loop.path("a").write_bytes(canonical_bytes(normalise(document)))
    loop.repository.commit("Edit")

    ran = loop.gitsync("plan", "--update", "-o", "markdown")

    tokens = MarkdownIt("commonmark").enable("table").parse(ran.out)
    html = MarkdownIt("commonmark").enable("table").render(ran.out)
    assert "<script>" not in html
    assert 'javascript:b"' not in html
    assert [token.markup for token in tokens if token.type == "heading_open"] == ["##", "###"]
    assert sum(token.type == "td_open" for token in tokens) == 3
    assert html.count("<details>") == html.count("</details>") == 1
    assert "@everyone" not in re.sub(r"<code.*?</code>", "", html, flags=re.DOTALL)


def test_the_database_and_its_secrets_are_not_on_the_page(tmp_path: Path, postgres_database: str) -> None:
    loop = make_loop(tmp_path, url=postgres_database, tenant=TENANT)
    make_everything(loop)

    for arguments in (["plan"], ["status"], ["diff"], ["push", "--update"]):
        ran = loop.gitsync(*arguments, "-o", "markdown")
        assert "postgresql" not in ran.out
        assert TENANT not in ran.out


def test_what_a_push_by_force_replaces_reads_as_the_push_writes_it(loop: Loop) -> None:
    loop.commit(a="git")
    loop.push()
    loop.editor.save("a", "editor")

    ran = loop.gitsync("plan", "--force", "-o", "markdown")

    assert '`description`: `"editor"` → `"git"`' in ran.out
    assert '-      "description": "editor"' in ran.out


def test_what_a_protection_says_is_on_the_page_line_by_line(tmp_path: Path, postgres_database: str) -> None:
    loop = make_loop(tmp_path, url=postgres_database, tenant=TENANT)
    published = json.loads(make_file("a", "1", versions=[1]))
    loop.repository.commit_file("workflows/a.json", canonical_bytes(published))
    loop.push()
    published["publishedVersions"][0]["definition"]["description"] = "rewritten"
    loop.repository.commit_file("workflows/a.json", canonical_bytes(published))

    ran = loop.gitsync("plan", "--update", "--in-place", "-o", "markdown", "--exit-code")

    assert ran.code == 6
    assert "## ⛔ dev: a push would stop: a protection refused" in ran.out
    assert "(`VERSION_REWRITTEN`, exit 6)" in ran.out
    assert re.search(r"^- a: .*version 1", ran.out, re.MULTILINE)
    assert '- version 1 rewritten:\n  - `description`: `"version 1"` → `"rewritten"`' in ran.out


def test_calls_that_follow_a_new_id_are_on_the_page(loop: Loop) -> None:
    loop.commit(a="1")
    loop.push()
    loop.editor.create("caller", "1", calls=loop.editor.id_of("a"))
    loop.commit(a="2")

    plan = loop.gitsync("plan", "--update", "--recreate", "-o", "markdown")
    push = loop.gitsync("push", "--update", "--recreate", "-o", "markdown")

    for ran in (plan, push):
        assert "Calls that follow the new ids:\n\n- caller: draft\n" in ran.out


def test_a_saved_plan_is_applied_with_the_page_of_a_push(loop: Loop, tmp_path: Path) -> None:
    loop.commit(a="1", b="1")
    saved = str(tmp_path / "plan.json")
    loop.gitsync("plan", "--update", "--out", saved)

    ran = loop.gitsync("apply", saved, "-o", "markdown")

    assert ran.code == 0, ran.err
    assert ran.out.startswith("<!-- gitsync apply dev -->\n## ✅ dev: 2 created\n")
    assert "| create | `a` | new: 'Workflow a', no published version |" in ran.out


def test_a_pull_into_a_branch_says_which_and_what_to_type_next(loop: Loop) -> None:
    loop.commit(a="1")
    loop.push()
    loop.editor.save("a", "in the editor")
    loop.commit(a="in git")

    ran = loop.gitsync("pull", "--branch", "from-database", "-o", "markdown")

    assert ran.code == 0, ran.err
    assert ran.out.startswith("<!-- gitsync pull dev -->\n## ✅ dev: 1 overwritten\n")
    assert "- branch from-database: commit " in ran.out
    assert "- next: `git merge from-database`\n" in ran.out
