"""A plan over a database with runs in flight, as a person reads it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.editor import Editor
from tests.support.git import TestRepository, make_repository
from tests.support.instance import make_instance
from tests.support.loop import gitsync
from tests.support.product import TENANT, Generation, make_product_tables

PAUSE = {"id": "pause", "type": "time.wait", "config": {"mode": "duration", "durationMs": 5}}


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[TestRepository, Editor]:
    """A repository and a database with one workflow, a caller of its version 1, and a run that waits in it."""
    url = f"sqlite:///{tmp_path}/p.db"
    if request.param == "postgresql":
        url = request.getfixturevalue("postgres_database")
    instance = make_instance(url, Generation.CURRENT)
    editor = instance.editor
    make_product_tables(url, Generation.CURRENT, names=["workflow_run_waits"])
    editor.execute("ALTER TABLE workflow_runs ADD COLUMN node_path text")
    waiting = editor.insert("w", definition={"steps": [PAUSE]}, versions={1: {"steps": [PAUSE]}})
    call = {"id": "ask", "type": "control.callWorkflow", "workflowId": waiting, "workflowVersion": 1}
    editor.insert("c", definition={"steps": [call]})
    editor.start_run(waiting, version=1, status="WAITING")
    run_id = editor.rows("workflow_runs")[0]["run_id"]
    editor.execute(
        "INSERT INTO workflow_run_waits VALUES"
        f" ({'CAST(:run AS uuid)' if request.param == 'postgresql' else ':run'}, 'root.steps[0]', 'event', 'PAID', 'i-1', 'WAITING')",
        run=run_id,
    )
    repository = make_repository(tmp_path / "repository")
    config = f'version: 1\nenvironments:\n  dev: {{ database: "{url}", tenant: {TENANT} }}\n'
    repository.write("gitsync.yaml", config)
    repository.commit("Configure")
    assert gitsync("-C", str(repository.path), "pull", "--commit", "-m", "Pull").code == 0
    return repository, editor


def test_a_plan_says_which_run_waits_where_and_what_would_become_of_it(
    place: tuple[TestRepository, Editor],
) -> None:
    repository, editor = place
    path = repository.path / "workflows" / "w.json"
    document = json.loads(path.read_text())
    document["publishedVersions"] = []
    path.write_text(json.dumps(document))
    repository.commit("Take version 1 away")
    words = ("-C", str(repository.path), "--yes")
    run_id = editor.rows("workflow_runs")[0]["run_id"]

    plan = gitsync(*words, "plan", "--update", "--in-place")
    value = gitsync(*words, "plan", "--update", "--in-place", "-o", "json").json
    push = gitsync(*words, "push", "--update", "--in-place")
    forced = gitsync(*words, "plan", "--force", "--in-place", "--discard-runs")

    fate = (
        f"w, version 1: run {run_id} is WAITING at pause, waiting for the event PAID (i-1); "
        "its version would be gone, and it could not go on"
    )
    call = "c: the step ask of the draft calls version 1 of w, which would go; it would fail"
    for told in (plan.out, push.err, forced.out):
        assert fate in told
        assert call in told
    assert value["inFlight"]["runs"][0]["stepId"] == "pause"
    assert value["inFlight"]["calls"][0]["calledVersion"] == 1
    assert push.code == 6


def test_a_plan_that_touches_no_version_says_nothing_of_runs(place: tuple[TestRepository, Editor]) -> None:
    repository, _ = place
    path = repository.path / "workflows" / "w.json"
    document = json.loads(path.read_text())
    document["metadata"]["description"] = "New"
    path.write_text(json.dumps(document))
    repository.commit("Describe it")

    plan = gitsync("-C", str(repository.path), "plan", "--force", "--in-place", "-o", "json")

    assert "inFlight" not in plan.json
