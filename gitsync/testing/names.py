"""Whether what a case names is there: a misspelt stub would be no stub at all."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

from gitsync.errors import Problem
from gitsync.runtime.start import DRAFT
from gitsync.runtime.stubs import ScriptKind
from gitsync.testing.testfile import RULE, Case
from gitsync.workflow.document import iter_definitions
from gitsync.workflow.references import called_keys
from gitsync.workflow.steps import iter_steps
from gitsync.workflow.types import Document, Key


@dataclass(slots=True)
class Names:
    """What workflows have to name: step ids, actions, called workflows, task types, events."""

    steps: set[str] = field(default_factory=set)
    stubs: set[str] = field(default_factory=set)
    tasks: set[str] = field(default_factory=set)
    events: set[str] = field(default_factory=set)


def names_in(documents: Collection[Document]) -> Names:
    """The names in all definitions of the documents."""
    names = Names()
    for document in documents:
        names.stubs |= {f"workflow:{key}" for key in called_keys(document)}
        for definition in iter_definitions(document):
            for step in iter_steps(definition):
                names.steps.add(str(step.get("id")))
                names.stubs.add(f"{document['key']}/{step.get('id')}")
                config = step.get("config")
                if not isinstance(config, dict):
                    continue
                if step["type"] == "action.call":
                    action = str(config.get("actionId"))
                    names.stubs |= {action, f"{action}@{config.get('version')}"}
                elif step["type"].startswith("email."):
                    names.stubs.add(step["type"])
                names.tasks.add(str(config.get("taskType")))
                names.events.add(str(config.get("eventName")))
    names.stubs |= names.steps
    names.tasks |= names.steps
    return names


def check_names(case: Case, documents: Mapping[Key, Document], names: Names) -> Iterator[Problem]:
    """A problem for each thing that the case names and that is not there.

    documents: the case's workflow and all that it calls. names: of these.
    """
    document = documents.get(case.workflow)
    if document is None:
        yield _problem(case, f"there is no workflow {case.workflow}")
        return
    numbers = [str(item["version"]) for item in document["publishedVersions"]]
    version = case.start.version
    if version not in (None, DRAFT) and str(version) not in numbers:
        yield _problem(
            case,
            f"{case.workflow} has no published version {version}, only {', '.join(numbers) or 'a draft'}",
        )
    for name in case.setting.stubs:
        if name not in names.stubs:
            yield _problem(
                case, f"the stub {name!r} is for no step, action or called workflow{_near(name, names.stubs)}"
            )
    for entry in case.setting.script:
        known = {ScriptKind.EVENT: names.events, ScriptKind.TASK: names.tasks}.get(entry.kind, names.steps)
        if entry.name != "*" and entry.name not in known:
            yield _problem(
                case,
                f"the script's {entry.kind} {entry.name!r} is nowhere waited for{_near(entry.name, known)}",
            )
    steps = case.expect.get("steps", {})
    for name in (*steps.get("executed", ()), *steps.get("notExecuted", ())):
        if name not in names.steps:
            yield _problem(case, f"there is no step {name!r}{_near(name, names.steps)}")


def _problem(case: Case, message: str) -> Problem:
    return Problem(case.file, case.line, 1, "", RULE, f"case {case.name!r}: {message}", key=case.workflow)


def _near(name: str, known: Collection[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {near[0]!r}?" if near else ""
