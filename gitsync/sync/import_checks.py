"""What may stop an import, each check with all that it finds, as the product's own importer reports it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from gitsync.errors import Conflict, InvalidInput, PlanStale, Problem, plural
from gitsync.rules.calls import check_dependencies, check_references, missing_dependencies
from gitsync.rules.rule import Severity
from gitsync.rules.validator import Validator, forgive
from gitsync.sync.model import Mark
from gitsync.sync.stores import Target
from gitsync.workflow.bundle import Bundle
from gitsync.workflow.references import raw_calls
from gitsync.workflow.registry import Registry
from gitsync.workflow.types import Digest, Document, Key


def check_needs(bundle: Bundle, registry: Registry) -> None:
    """Raise InvalidInput for all that entries declare, or that their definitions need, and nobody offers."""
    needed: dict[Key, Document] = {
        key: document | {"dependencies": _merged(document["dependencies"], bundle.declared.get(key, {}))}
        for key, document in bundle.documents.items()
    }
    problems = check_dependencies(needed, registry)
    if not problems:
        return
    missing: dict[Key, dict[str, list[Any]]] = {}
    for key, document in needed.items():
        found = missing_dependencies(document["dependencies"], registry)
        if any(found.values()):
            missing[key] = found
    count = len(problems)
    raise InvalidInput(
        f"{bundle.file}: {plural(count, 'dependency')} {'is' if count == 1 else 'are'} not offered by the runtime; "
        "nothing was written",
        code="MISSING_DEPENDENCIES",
        problems=bundle.place(problems),
        details={
            "missingByWorkflow": [{"workflowKey": key} | found for key, found in missing.items()],
            **{
                name: _once(item for found in missing.values() for item in found[name])
                for name in ("missingActions", "missingNodeTypes", "missingSchemaRefs")
            },
        },
        cure="add them to registry.yaml if the runtime has them, or take them out of the bundle",
    )


def _merged(derived: Mapping[str, Any], declared: Mapping[str, Any]) -> dict[str, list[Any]]:
    """Both lists of each kind as one; names of control blocks are nobody's dependency."""
    merged = {name: _once([*declared.get(name, ()), *derived[name]]) for name in derived}
    merged["nodeTypes"] = [name for name in merged["nodeTypes"] if not name.startswith("control.")]
    return merged


def _once(items: Iterable[Any]) -> list[Any]:
    """Each of `items` once, in the order in which it was first seen."""
    seen: list[Any] = []
    for item in items:
        if item not in seen:
            seen.append(item)
    return seen


def check_calls(bundle: Bundle, known: Iterable[Key]) -> None:
    """Raise InvalidInput for calls by key that lead nowhere; those by a foreign id are a warning only."""
    loose = {key: raw_calls(document) for key, document in bundle.documents.items()}
    problems = check_references(bundle.documents, known_keys=frozenset(known), held_raw_ids=loose)
    if problems:
        raise InvalidInput(
            f"{bundle.file}: {len(problems)} calls lead to no workflow; nothing was written",
            code="UNRESOLVED_REFERENCE",
            problems=bundle.place(problems),
            cure="import the workflows that are called together with their callers",
        )


def check_expected(
    expected: Mapping[Key, Digest | None], wanted: Mapping[Key, Digest], there: Mapping[Key, Digest]
) -> None:
    """Raise PlanStale for each workflow that is not as expected, InvalidInput for one not in the bundle."""
    if strangers := sorted(expected.keys() - wanted.keys()):
        raise InvalidInput(
            f"a digest is expected of {', '.join(strangers)}, which the bundle does not hold",
            code="INVALID_EXPECTATION",
            details={"keys": strangers},
            cure="expect digests of the bundle's own workflows only",
        )
    wrong = [key for key in sorted(expected) if there.get(key) != expected[key]]
    if wrong:
        raise PlanStale(
            f"the target holds something else than expected for {', '.join(wrong)}; nothing was written",
            code="DIGEST_MISMATCH",
            details={
                "mismatches": [
                    {"key": key, "expected": expected[key], "found": there.get(key)} for key in wrong
                ]
            },
            cure="read these workflows again, and decide again",
        )


def check_existing(
    bundle: Bundle,
    target: Target,
    ids: Mapping[Key, str],
    *,
    update: bool,
    wanted: Mapping[Key, Digest],
    there: Mapping[Key, Digest],
) -> None:
    """Raise Conflict for all that exists and may not be overwritten."""
    existing = [key for key in wanted if key in there]
    if update:
        existing = [key for key in existing if there[key] != wanted[key]]
        marks = target.ledger.marks(existing) if target.ledger is not None else {}
        existing = [key for key in existing if not _is_as_written(there[key], marks.get(key, ()))]
    if not existing:
        return
    what = "were edited in the database" if update else "exist already"
    raise Conflict(
        f"{len(existing)} of the bundle's workflows {what}: {', '.join(sorted(existing))}; nothing was written",
        code="WORKFLOW_KEY_CONFLICT",
        details={
            "workflowKey": existing[0],
            "existingWorkflowId": ids[existing[0]],
            "conflicts": [
                {
                    "key": key,
                    "existingWorkflowId": ids[key],
                    "state": "exists",
                    "repository": wanted[key],
                    "database": there[key],
                    "base": None,
                }
                for key in sorted(existing)
            ],
        },
        cure=f"`gitsync import --force {bundle.file}` overwrites them",
    )


def _is_as_written(digest: Digest, marks: Sequence[Mark]) -> bool:
    """Whether the database still holds what gitsync last wrote or saw, so that no edit is lost with it."""
    return bool(marks) and marks[0].digest == digest


def check_rules(
    bundle: Bundle, differing: Sequence[Key], held: Mapping[Key, Document], validator: Validator
) -> list[Problem]:
    """What the rules warn of in the documents that differ; raises InvalidInput for their errors.

    held: what the target holds of these keys; a fault that it has already is no error.
    """
    problems: list[Problem] = []
    for key in differing:
        found = validator.problems_without_text(bundle.documents[key], file=bundle.file)
        if key in held and _errors(found):
            found = forgive(found, validator.count_faults(held[key]))
        problems += found
    if errors := _errors(problems):
        rules = {problem.rule for problem in errors}
        raise InvalidInput(
            f"{bundle.file}: {plural(len(errors), 'problem')} in what would be written; nothing was written",
            code=rules.pop() if len(rules) == 1 else "INVALID_WORKFLOW",
            problems=bundle.place(errors),
            cure="mend the bundle, or set the severity of the rule in gitsync.yaml",
        )
    return bundle.place(problems)


def _errors(problems: Sequence[Problem]) -> list[Problem]:
    return [problem for problem in problems if problem.severity == Severity.ERROR]
