from __future__ import annotations

from pathlib import Path

import pytest

from gitsync.rules.calls import check_dependencies, check_references
from gitsync.workflow.canonical import canonical_bytes
from gitsync.workflow.document import iter_definitions
from gitsync.workflow.reading import read_workflow
from gitsync.workflow.references import called_keys
from gitsync.workflow.registry import read_registry
from gitsync.workflow.schema import iter_faults
from gitsync.workflow.types import Document, Key

FOLDER = Path(__file__).parents[3] / "repo_layout_example"
FILES = sorted((FOLDER / "workflows").glob("*.json"))


def documents() -> dict[Key, Document]:
    return {Key(path.stem): read_workflow(path.read_bytes(), file=path.name) for path in FILES}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_an_example_is_valid_and_canonical(path: Path) -> None:
    document = read_workflow(path.read_bytes(), file=path.name)

    assert canonical_bytes(document) == path.read_bytes()
    assert [fault for item in iter_definitions(document) for fault in iter_faults("definition", item)] == []


def test_the_examples_call_only_each_other_and_use_what_the_registry_offers() -> None:
    held = documents()
    registry = read_registry((FOLDER / "registry.yaml").read_bytes(), file="registry.yaml")

    assert check_references(held, known_keys=held.keys(), held_raw_ids={}) == []
    assert check_dependencies(held, registry) == []


def test_the_examples_have_different_shapes() -> None:
    held = documents()
    text = b"".join(path.read_bytes() for path in FILES).decode()
    versions = [[entry["version"] for entry in document["publishedVersions"]] for document in held.values()]

    assert len(held) >= 7
    assert all(
        f'"{kind}"' in text for kind in ("control.if", "control.forEach", "control.tryCatch", "human.task")
    )
    assert all(
        f'"{kind}"' in text for kind in ("event.wait", "time.wait", "action.call", "event", "recurring")
    )
    assert [] in versions
    assert any(len(numbers) > 2 and numbers[-1] - numbers[0] >= len(numbers) for numbers in versions)
    assert any(called_keys(document) - {key} for key, document in held.items())
    assert any(key in called_keys(document) for key, document in held.items())
    assert all(letters in text for letters in ("日本語", "ß", "🎉"))
    assert {document["metadata"]["trigger"] is None for document in held.values()} == {True, False}


def test_the_readme_names_every_example() -> None:
    readme = (FOLDER / "README.md").read_text(encoding="utf-8")

    assert [path.stem for path in FILES if f"| `{path.stem}` |" not in readme] == []
