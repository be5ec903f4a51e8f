"""The commands against a server, as a person types them, with what each side holds afterwards."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.git import git_environment
from tests.support.loop import Loop, Ran, make_loop
from tests.support.product_api import API_KEY, READER_SESSION, RENEWED, SESSION, ProductApi, product_api

CREDENTIALS = {"GITSYNC_COOKIE": SESSION, "GITSYNC_API_KEY": API_KEY, "GITSYNC_READER_COOKIE": READER_SESSION}
CONFIG = """\
version: 1
default: hosted
environments:
  hosted: {{ url: "{url}", cookie: "${{GITSYNC_COOKIE}}" }}
  reader: {{ url: "{url}", cookie: "${{GITSYNC_READER_COOKIE}}" }}
  by-key: {{ url: "{url}/", api_key: "${{GITSYNC_API_KEY}}" }}
  direct: {{ database: "{database}" }}
"""


@dataclass(frozen=True, slots=True)
class Hosted:
    """A repository whose environments are one server, asked with different credentials."""

    loop: Loop
    server: ProductApi

    def gitsync(self, *arguments: str, variables: dict[str, str] | None = None) -> Ran:
        """Run one command line, with all credentials in the environment."""
        return self.loop.gitsync(*arguments, variables=CREDENTIALS if variables is None else variables)

    def states(self, *arguments: str) -> dict[str, str]:
        """Key → state word."""
        ran = self.gitsync("status", "-o", "json", *arguments)
        assert ran.code == 0, ran.out + ran.err
        return {row["key"]: row["state"] for row in ran.json["workflows"]}

    @property
    def posts(self) -> int:
        """How many requests were sent to write."""
        return len(self.server.paths("POST"))


@pytest.fixture
def hosted(tmp_path: Path) -> Iterator[Hosted]:
    loop = make_loop(tmp_path)
    database = f"sqlite:///{tmp_path / 'product.db'}"
    with product_api(database) as server:
        config = CONFIG.format(url=server.address, database=database)
        loop.repository.commit_file("gitsync.yaml", config)
        yield Hosted(loop, server)


def succeeded(ran: Ran) -> Ran:
    assert ran.code == 0, f"exit {ran.code}\n{ran.out}{ran.err}"
    return ran


# ---------------------------------------------------------------- the whole loop


def test_the_loop_goes_round_over_a_server(hosted: Hosted) -> None:
    loop, editor = hosted.loop, hosted.loop.editor
    editor.save("a", "A1")
    assert hosted.states() == {"a": "new-in-database"}

    succeeded(hosted.gitsync("pull", "--commit", "-m", "From the product"))
    assert (loop.text("a"), hosted.states()) == ("A1", {"a": "in-sync"})

    loop.commit(a="A2", b="B1")
    assert hosted.states() == {"a": "repository-ahead", "b": "new-in-repository"}
    assert hosted.gitsync("push").code == 3
    assert hosted.posts == 0
    succeeded(hosted.gitsync("push", "--update"))
    assert (editor.texts(), hosted.posts) == ({"a": "A2", "b": "B1"}, 1)
    assert hosted.states() == {"a": "in-sync", "b": "in-sync"}

    editor.save("a", "A3")
    succeeded(hosted.gitsync("pull", "--force", "a"))
    loop.repository.commit("Pulled by force")
    assert (loop.text("a"), hosted.states()["a"]) == ("A3", "in-sync")
    succeeded(hosted.gitsync("push", "--update"))
    assert hosted.posts == 1, "nothing to write, and nothing sent"


def test_what_both_have_moved_is_a_conflict_over_a_server_too(hosted: Hosted) -> None:
    hosted.loop.commit(a="A1")
    succeeded(hosted.gitsync("push"))
    hosted.loop.editor.save("a", "in the editor")
    hosted.loop.commit(a="A2")

    ran = hosted.gitsync("push", "--update")

    assert (ran.code, hosted.posts) == (3, 1)
    assert "changed on both sides: a" in ran.err
    assert hosted.loop.editor.text("a") == "in the editor"
    succeeded(hosted.gitsync("push", "--force", "a"))
    assert hosted.loop.editor.text("a") == "A2"


def test_a_pull_by_who_may_only_read_leaves_its_trailer_as_its_only_mark(hosted: Hosted) -> None:
    loop, editor = hosted.loop, hosted.loop.editor
    editor.save("a", "A1")
    succeeded(hosted.gitsync("-e", "by-key", "pull", "--commit", "-m", "One"))

    message = loop.repository.git("log", "-1", "--format=%B")
    assert re.search(r"^Gitsync-Pulled-From: by-key [0-9a-f]{16} 0 [0-9a-f]{64}$", message, re.MULTILINE)

    loop.commit(a="A2")
    loop.commit(a="A1")  # a revert: by history alone the server could be at either commit
    loop.commit(a="A4")
    assert hosted.states() == {"a": "repository-ahead"}
    editor.save("a", "edited")
    assert hosted.states() == {"a": "diverged"}


def test_diff_and_plan_show_what_would_be_sent(hosted: Hosted) -> None:
    hosted.loop.commit(a="A1")
    succeeded(hosted.gitsync("push"))
    hosted.loop.commit(a="A2", b="B1")

    diff = succeeded(hosted.gitsync("diff"))
    plan = succeeded(hosted.gitsync("plan", "--update"))

    assert '+      "description": "A2"' not in diff.err
    assert "A2" in diff.out
    assert "~ update  a" in plan.out
    assert "+ create  b" in plan.out
    assert "history alone says which side moved" in plan.err
    assert "cannot compare before it writes" in plan.err
    assert "isSystem is not compared" in succeeded(hosted.gitsync("status")).err


def test_a_saved_plan_is_applied_over_a_server(hosted: Hosted, tmp_path: Path) -> None:
    loop, plan = hosted.loop, str(tmp_path / "plan.json")
    by_url = ["--base-url", hosted.server.address, "--cookie", SESSION]
    loop.commit(a="A1")
    succeeded(hosted.gitsync("plan", "--out", plan))
    succeeded(hosted.gitsync("apply", plan))
    assert loop.editor.texts() == {"a": "A1"}

    loop.commit(a="A2")
    succeeded(hosted.gitsync("plan", "--update", "--out", plan, *by_url))
    loop.editor.save("a", "in the editor")
    assert hosted.gitsync("apply", plan, *by_url).code == 5
    loop.editor.save("a", "A1")
    succeeded(hosted.gitsync("apply", plan, *by_url))
    assert (loop.editor.texts(), hosted.posts) == ({"a": "A2"}, 2)


def test_a_published_version_is_as_immutable_over_a_server(hosted: Hosted) -> None:
    loop = hosted.loop
    loop.editor.save("a", "A1")
    loop.editor.publish("a", 1)
    succeeded(hosted.gitsync("pull", "--commit"))
    path = loop.path("a")
    path.write_text(path.read_text().replace('"version 1"', '"another version 1"'))
    loop.repository.commit("Rewrite a version")

    refused = hosted.gitsync("push", "--update")

    assert (refused.code, hosted.posts) == (6, 0)
    assert "VERSION_REWRITTEN" in refused.err
    succeeded(hosted.gitsync("push", "--force"))


# ---------------------------------------------------------------- which server, and as whom


@pytest.mark.parametrize(
    "options, variables",
    [
        pytest.param(["--cookie", SESSION], {}, id="cookie"),
        pytest.param(["--api-key", API_KEY], {"GITSYNC_COOKIE": "a=wrong"}, id="option-over-variable"),
        pytest.param([], {"GITSYNC_COOKIE": SESSION}, id="variable"),
    ],
)
def test_a_server_can_be_named_on_the_command_line(
    hosted: Hosted, options: list[str], variables: dict[str, str]
) -> None:
    hosted.loop.editor.save("a", "A1")

    ran = hosted.gitsync(
        "status", "-o", "json", "--base-url", hosted.server.address, *options, variables=variables
    )

    assert succeeded(ran).json["environment"] == hosted.server.address.removeprefix("http://")
    assert [row["key"] for row in ran.json["workflows"]] == ["a"]


def test_a_server_named_on_the_command_line_needs_no_configuration(hosted: Hosted) -> None:
    hosted.loop.editor.save("a", "A1")
    hosted.loop.repository.remove_file("gitsync.yaml")

    succeeded(hosted.gitsync("pull", "--base-url", hosted.server.address, "--cookie", SESSION))

    assert hosted.loop.text("a") == "A1"


def test_an_option_stands_over_the_configuration(hosted: Hosted) -> None:
    ran = hosted.gitsync("status", "--api-key", API_KEY, variables={"GITSYNC_COOKIE": "a=wrong"})

    succeeded(ran)
    assert {asked.headers.get("cookie") for asked in hosted.server.asked} == {None}


@pytest.mark.parametrize(
    "arguments, variables, code, words",
    [
        pytest.param(["status"], {}, 4, "GITSYNC_COOKIE, which is not set", id="no-variable"),
        pytest.param(["status"], {"GITSYNC_COOKIE": "a=b"}, 9, "does not accept the cookie", id="wrong"),
        pytest.param(["status"], {"GITSYNC_COOKIE": "ab"}, 4, "no NAME=VALUE", id="no-cookie"),
        pytest.param(["-e", "hosted", "status", "--base-url", "http://x"], {}, 64, "choose one", id="two"),
        pytest.param(["-e", "direct", "status", "--token", "t"], {}, 64, "only for a server", id="database"),
        pytest.param(["status", "--base-url", "psa.example.com"], {}, 4, "begins with neither", id="no-url"),
        pytest.param(["status", "--base-url", ""], {}, 64, "is empty", id="empty"),
        pytest.param(["db", "check"], {"GITSYNC_COOKIE": SESSION}, 4, "needs the database itself", id="db"),
    ],
)
def test_what_cannot_work_is_told(
    hosted: Hosted, arguments: list[str], variables: dict[str, str], code: int, words: str
) -> None:
    ran = hosted.gitsync(*arguments, variables=variables)

    assert ran.code == code, ran.err
    assert words in ran.err


def test_no_credentials_are_asked_for_by_name(hosted: Hosted) -> None:
    ran = hosted.gitsync("status", "--base-url", hosted.server.address, variables={})

    assert ran.code == 9
    assert "--cookie" in ran.err


def test_secrets_are_never_printed_nor_kept(hosted: Hosted) -> None:
    loop, home = hosted.loop, hosted.loop.repository.home
    loop.commit(a="A1")
    hosted.server.fail("import", status=409, body=json.dumps({"error": f"seen {SESSION}"}))
    said = ""
    for arguments in (
        ["-v", "push", "--yes"],
        ["-v", "push", "--yes", "-o", "json"],
        ["-v", "status"],
        ["-v", "pull", "--commit"],
        ["-v", "status", "--cookie", "session=another-secret-value"],
        ["-v", "status", "--base-url", hosted.server.address, "--api-key", "one-more-secret-value"],
    ):
        done = subprocess.run(
            [sys.executable, "-m", "gitsync", *arguments],
            cwd=loop.folder,
            env=git_environment(home, **CREDENTIALS),
            capture_output=True,
            text=True,
            check=False,
        )
        said += done.stdout + done.stderr

    said += loop.repository.git("log", "--all", "--format=%B")
    assert "HTTP Request" in said, "nothing was logged, so nothing is shown"
    own = [text.partition("=")[2] for text in (SESSION, RENEWED)]
    for secret in (*own, API_KEY, "another-secret", "one-more-secret"):
        assert secret not in said


def test_a_way_that_is_not_encrypted_is_warned_of(hosted: Hosted) -> None:
    ran = hosted.gitsync("status", "--base-url", "http://psa.invalid", "--cookie", SESSION)

    assert "not encrypted" in ran.err
    assert "not encrypted" not in hosted.gitsync("status").err


# ---------------------------------------------------------------- what a server hides, or cannot do


@pytest.mark.parametrize("environment", ["reader", "by-key"])
def test_what_a_server_may_hide_is_never_deleted(hosted: Hosted, environment: str) -> None:
    loop, editor = hosted.loop, hosted.loop.editor
    editor.save("a", "A1")
    editor.save("b", "B1")
    succeeded(hosted.gitsync("pull", "--commit"))
    with editor.connection() as connection:
        connection.exec_driver_sql("UPDATE workflow_definitions SET is_visible = false WHERE key = 'b'")

    status = hosted.gitsync("-e", environment, "status")
    assert "perhaps only hidden from you" in status.out
    pull = hosted.gitsync("-e", environment, "pull", "--prune", "--force")
    assert (pull.code, loop.text("b")) == (6, "B1")
    assert "INCOMPLETE_SOURCE" in pull.err
    succeeded(hosted.gitsync("-e", environment, "pull", "--prune"))
    assert loop.text("b") == "B1"

    editor.delete("b")
    succeeded(hosted.gitsync("pull", "--prune", "--force"))
    assert loop.text("b") is None


def test_a_plan_says_what_a_server_cannot_do_before_anything_is_sent(hosted: Hosted) -> None:
    loop = hosted.loop
    loop.commit(gone="G", kept="K")
    succeeded(hosted.gitsync("push"))
    loop.write_file("caller", "C", calls="key:called")
    loop.write_file("itself", "I", calls="key:itself")
    loop.write_file("linked", "L", calls="key:kept")
    loop.commit(called="D", gone=None)

    plan = hosted.gitsync("plan", "--update", "--prune", "--exit-code")
    push = hosted.gitsync("push", "--update", "--prune")

    assert (plan.code, push.code, hosted.posts) == (4, 4, 1)
    for said in (plan.out, push.err):
        assert "workflows/gone.json: gone cannot be deleted over the API" in said
        assert "workflows/caller.json: caller calls called, which the same request would create" in said
        assert "workflows/itself.json: itself calls itself" in said
        assert "linked.json" not in said
    assert set(hosted.loop.editor.texts()) == {"gone", "kept"}

    succeeded(hosted.gitsync("push", "called", "linked"))
    succeeded(hosted.gitsync("push", "caller"))
    succeeded(hosted.gitsync("-e", "direct", "push", "itself"))
    assert set(hosted.states("itself", "caller", "linked").values()) == {"in-sync"}


def test_who_may_not_write_is_told_before_anything_is_sent(hosted: Hosted) -> None:
    hosted.loop.editor.save("a", "A1")
    hosted.loop.commit(b="B1")

    plan = hosted.gitsync("-e", "by-key", "plan", "--exit-code")
    push = hosted.gitsync("-e", "reader", "push")

    assert (plan.code, push.code, hosted.posts) == (9, 9, 0)
    assert "NOT_AN_ADMINISTRATOR" in plan.out
    assert "NOT_AN_ADMINISTRATOR" in push.err


def test_overwriting_is_asked_for_since_the_server_decides_how(hosted: Hosted) -> None:
    hosted.loop.commit(a="A1")
    succeeded(hosted.gitsync("push"))
    hosted.loop.commit(a="A2")
    done = subprocess.run(
        [sys.executable, "-m", "gitsync", "push", "--update", "--in-place"],
        cwd=hosted.loop.folder,
        env=git_environment(hosted.loop.repository.home, **CREDENTIALS),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 6
    assert "This will overwrite 1 of 1 workflows in hosted" in done.stderr
    assert hosted.posts == 1


def test_a_system_workflow_is_one_in_git_alone(hosted: Hosted) -> None:
    loop = hosted.loop
    loop.commit(a="A1")
    succeeded(hosted.gitsync("push"))

    def rewrite(old: str, new: str) -> None:
        path = loop.path("a")
        path.write_text(path.read_text().replace(old, new))
        loop.repository.commit("Rewrite")

    rewrite('"isSystem": false', '"isSystem": true')
    assert hosted.states() == {"a": "in-sync"}
    rewrite('"A1"', '"A2"')
    assert hosted.states() == {"a": "repository-ahead"}
    succeeded(hosted.gitsync("push", "--update"))
    assert hosted.states() == {"a": "in-sync"}

    loop.editor.save("a", "A3")
    succeeded(hosted.gitsync("pull", "--force", "a"))
    assert '"isSystem": true' in loop.path("a").read_text()
    loop.repository.commit("Pulled")
    assert hosted.states() == {"a": "in-sync"}


def test_a_switch_of_the_system_mark_with_an_edit_is_no_conflict(hosted: Hosted) -> None:
    loop = hosted.loop
    loop.commit(a="A1")
    succeeded(hosted.gitsync("push"))
    path = loop.path("a")
    path.write_text(path.read_text().replace('"isSystem": false', '"isSystem": true').replace("A1", "A2"))
    loop.repository.commit("Both")

    assert hosted.states() == {"a": "repository-ahead"}
    succeeded(hosted.gitsync("push", "--update"))
    assert (loop.editor.text("a"), hosted.states()) == ("A2", {"a": "in-sync"})


def test_a_read_that_fails_for_good_leaves_everything_as_it_is(hosted: Hosted) -> None:
    hosted.loop.editor.save("a", "A1")
    succeeded(hosted.gitsync("pull", "--commit"))
    hosted.server.fail("export", status=500, body='{"error": "boom"}', times=9)

    ran = hosted.gitsync("pull", "--prune", "--force")

    assert ran.code == 1
    assert "boom" in ran.err
    assert hosted.loop.text("a") == "A1"
