"""The rules about a file as such: its text, its header, its fields."""

from __future__ import annotations

from typing import Final

from gitsync.rules.rule import Example, Rule, Severity


def _file(text: str) -> Example:
    return Example("file", text)


RULES: Final = (
    Rule(
        "INVALID_JSON",
        "The file is JSON that every database and program reads alike",
        "Syntax, encoding (UTF-8 without BOM), merge conflict markers, pointers of Git LFS, `NaN`, half surrogate pairs, `\\u0000` and "
        "nesting beyond 200 levels. What one reader repairs and another refuses cannot be compared.",
        bad=(
            _file('{"key": "a",}'),
            _file('{"key": NaN}'),
            _file('{"key": "\\u0000"}'),
            _file("<<<<<<< HEAD\n{}"),
            _file("version https://git-lfs.github.com/spec/v1\noid sha256:4d7a2146\nsize 1830\n"),
        ),
        good=(Example("metadata", '{"description": "naïve 🔔"}'),),
        is_fixed=True,
    ),
    Rule(
        "FILE_TOO_LARGE",
        "The file is not larger than the configured limit",
        "`limits: { file: 16MiB }`, which is the default. A larger file may take minutes to judge, so it is not looked "
        "into. A pull writes what the database holds all the same, and warns.",
        bad=(Example("config", "version: 1\nlimits: { file: 900B }\n"),),
        good=(Example("config", "version: 1\nlimits: { file: 16MiB }\n"),),
        is_fixed=True,
        is_of_text=True,
    ),
    Rule(
        "DUPLICATE_JSON_KEY",
        "No object has the same key twice",
        "Readers keep the first, the last, or neither. Keep the one that is meant.",
        bad=(_file('{"key": "a", "key": "b"}'),),
        good=(Example("metadata", '{"retentionPolicyOverride": {"a": {"days": 1}, "b": {"days": 1}}}'),),
        is_fixed=True,
    ),
    Rule(
        "INVALID_WORKFLOW",
        "The file holds an object",
        "A workflow file is one JSON object; a list or a bare value is something else.",
        bad=(_file("[]"), _file('"workflow"')),
        good=(Example("document", "{}"),),
        is_fixed=True,
    ),
    Rule(
        "UNSUPPORTED_FORMAT",
        "The header says that this is a workflow file",
        '`"format": "gitsync.workflow"`. A bundle goes in with `gitsync import`.',
        bad=(
            Example("document", '{"format": "alga-psa.workflow-bundle"}'),
            Example("document", '{"format": null}'),
        ),
        good=(Example("document", '{"format": "gitsync.workflow"}'),),
        is_fixed=True,
    ),
    Rule(
        "UNSUPPORTED_FORMAT_VERSION",
        "The header names a version of the format that this gitsync reads",
        '`"formatVersion": 1`. A newer one needs a newer gitsync.',
        bad=(Example("document", '{"formatVersion": 2}'), Example("document", '{"formatVersion": "1"}')),
        good=(Example("document", '{"formatVersion": 1}'),),
        is_fixed=True,
    ),
    Rule(
        "INVALID_KEY",
        "Key and file name are a key",
        "`[a-z0-9][a-z0-9._-]*`, at most 200 characters: what every file system, database and URL takes.",
        bad=(
            Example("name", "Onboarding.json"),
            Example("name", "a b.json"),
            Example("name", "a.JSON"),
            Example("document", '{"key": "Onboarding"}'),
        ),
        good=(Example("name", "onboarding.client-2.json"),),
        is_fixed=True,
    ),
    Rule(
        "KEY_MISMATCH",
        "The key is the file's name",
        "The key is the identity of a workflow in every database, and its file is found by it.",
        bad=(Example("document", '{"key": "other"}'),),
        good=(Example("document", "{}"),),
        is_fixed=True,
    ),
    Rule(
        "INVALID_FILE",
        "The workflow is a regular file",
        "A link, a folder or a submodule has no content of its own to compare.",
        bad=(Example("name", "link.json -> a.json"),),
        good=(Example("name", "a.json"),),
        is_fixed=True,
    ),
    Rule(
        "SCHEMA_VALIDATION_FAILED",
        "The fields of the file are there, and of the right type",
        "The schema is `schemas/workflow.schema.json`: all fields, no others, integers within the range of "
        "their columns (32 bits).",
        bad=(
            Example("metadata", '{"naem": "A"}'),
            Example("metadata", '{"isPaused": "no"}'),
            Example("metadata", '{"concurrencyLimit": 3000000000}'),
            Example("metadata", '{"payloadSchemaMode": null}'),
            Example("metadata", '{"failureRateThreshold": "half"}'),
            Example("draft", '{"draftVersion": 1.5}'),
            Example(
                "steps", '[{"id": "a", "type": "action.call", "config": {"actionId": "x", "version": 1.5}}]'
            ),
        ),
        good=(Example("metadata", '{"concurrencyLimit": 5, "description": null}'),),
        is_fixed=True,
    ),
    Rule(
        "NUMBER_NOT_PORTABLE",
        "Numbers read back as themselves",
        "JavaScript and jsonb agree on integers up to ±(2^53−1) and on what a double holds; "
        "`failureRateThreshold` is kept with two decimals, below 1000. Write other numbers as text.",
        bad=(
            Example("metadata", '{"failureRateThreshold": 0.333}'),
            Example("metadata", '{"failureRateThreshold": 1000}'),
            Example("metadata", '{"retentionPolicyOverride": {"bytes": 9007199254740993}}'),
        ),
        good=(Example("metadata", '{"failureRateThreshold": 0.25}'),),
        is_fixed=True,
    ),
    Rule(
        "DUPLICATE_VERSION",
        "A version is published once",
        "Two published versions with one number cannot both be rows of the table.",
        bad=(
            Example(
                "document",
                '{"publishedVersions": [{"version": 1, "definition": {}, "payloadSchemaJson": null}, '
                '{"version": 1, "definition": {}, "payloadSchemaJson": null}]}',
            ),
        ),
        good=(Example("document", '{"publishedVersions": []}'),),
        is_fixed=True,
    ),
    Rule(
        "NOT_CANONICAL",
        "The file is in canonical form",
        "Sorted keys, two spaces, one LF at the end: then a diff shows what changed and nothing else. "
        "A push sends the same content either way. `gitsync fmt` writes the form.",
        bad=(Example("file", "(a valid workflow on one line)"),),
        good=(Example("document", "{}"),),
        draft=Severity.WARNING,
        published=Severity.WARNING,
        is_of_text=True,
    ),
    Rule(
        "STALE_DEPENDENCIES",
        "The declared dependencies are those of the definitions",
        "`dependencies` is derived: whoever reads a pull request sees in it what a change begins to need. "
        "A push sends what is derived. `gitsync fmt` writes it.",
        bad=(
            Example(
                "document", '{"dependencies": {"actions": [], "nodeTypes": ["state.set"], "schemaRefs": []}}'
            ),
        ),
        good=(Example("document", "{}"),),
        draft=Severity.WARNING,
        published=Severity.WARNING,
        is_of_text=True,
    ),
    Rule(
        "PAYLOAD_SCHEMA_MODE",
        "payloadSchemaMode is one that the product knows, and can be followed",
        "`pinned`, or `inferred`: then the payload's schema is that of the event, so the trigger must be one "
        "of type `event`. A workflow with another mode cannot be published in the product.",
        bad=(
            Example("metadata", '{"payloadSchemaMode": "pined"}'),
            Example("metadata", '{"payloadSchemaMode": "inferred"}'),
        ),
        good=(Example("metadata", '{"payloadSchemaMode": "pinned"}'),),
        draft=Severity.WARNING,
        published=Severity.WARNING,
    ),
)
