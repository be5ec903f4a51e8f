"""The examples of a rule, laid out as the files that they are part of."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

from gitsync.commands.file_project import FileProject
from gitsync.commands.validate import Checked, check_project
from gitsync.rules.history import Base
from gitsync.rules.rule import Example
from gitsync.workflow.canonical import canonical_bytes
from gitsync.workflow.document import normalise
from gitsync.workflow.types import Document, Key
from tests.support.documents import call, definition, document

REGISTRY = """
actions:
  - actionId: tickets.create
    version: 1
    input:
      type: object
      additionalProperties: false
      required: [title, priority]
      properties:
        title: { type: string }
        priority: { type: integer, minimum: 1, maximum: 5 }
        client: { type: object, required: [id], properties: { id: { type: string } } }
        password: { type: string }
  - x@1
nodeTypes: [action.call, state.set, transform.assign, event.wait]
schemaRefs: [payload.A.v1]
"""
CONFIG = "version: 1\nregistry: registry.yaml\n"
STATE = {"id": "s", "type": "state.set", "config": {"state": "DONE"}}


def check_example(example: Example, folder: Path) -> Checked:
    """What `gitsync validate` finds in a folder with the example, a workflow `other` and a `caller` of `a`."""
    workflows = folder / "workflows"
    workflows.mkdir()
    (folder / "registry.yaml").write_text(example.text if example.kind == "registry" else REGISTRY)
    (folder / "gitsync.yaml").write_text(example.text if example.kind == "config" else CONFIG)
    other = document("other", STATE, versions=((1, definition(STATE), None),))
    caller = document(
        "caller", {**call("key:a"), "workflowVersion": 1}, versions=((1, definition(STATE), None),)
    )
    for item in (other, caller):
        (workflows / f"{item['key']}.json").write_bytes(canonical_bytes(item))
    base = None
    (workflows / "a.json").write_bytes(_content(example))
    match example.kind:
        case "name":
            _put_name(example.text, workflows)
        case "revision":
            base = Base("main", {Key("a"): normalise(_changed(json.loads(example.before)))})
    project = FileProject(folder / "gitsync.yaml", folder)
    checked = check_project(project, base=base)
    about = "registry.yaml" if example.kind == "registry" else ""
    # what `caller` and `other` are there for is not the example's own
    others = ("/caller.json", "/other.json")
    problems = [one for one in checked.problems if about in one.file and not one.file.endswith(others)]
    return Checked(checked.files, tuple(problems))


def _put_name(text: str, workflows: Path) -> None:
    link, _, target = text.partition(" -> ")
    if target:
        (workflows / link).symlink_to(target)
        return
    for name in text.split(" + "):
        key = name.removesuffix(".json")
        (workflows / name).parent.mkdir(exist_ok=True)
        (workflows / name).write_bytes(canonical_bytes(document(key.rpartition("/")[2], STATE)))


def _content(example: Example) -> bytes:
    if example.kind == "file":
        valid = json.dumps(_changed({})).encode()
        return valid if example.text.startswith("(") else example.text.encode()
    fields: dict[str, Any] = {}
    if example.kind in ("steps", "definition", "metadata", "draft", "document", "revision"):
        given = json.loads(example.text)
        prefix = {"definition": "draft.definition.", "metadata": "metadata.", "draft": "draft."}.get(
            example.kind, ""
        )
        is_list = example.kind == "steps"
        fields = (
            {"draft.definition.steps": given}
            if is_list
            else {prefix + name: value for name, value in given.items()}
        )
    value = _changed(fields)
    if "dependencies" not in fields and "key" not in fields:
        with contextlib.suppress(KeyError, TypeError, AttributeError):
            normalise(value)
    return canonical_bytes(value)


def _changed(fields: dict[str, Any]) -> Document:
    """A valid workflow `a` with these fields, each named by its path."""
    value = document("a", STATE, versions=((1, definition(STATE), None),))
    for path, new in fields.items():
        target: Any = value
        *parents, last = path.split(".")
        for step in parents:
            target = target[step]
        target[last] = new
    return value
