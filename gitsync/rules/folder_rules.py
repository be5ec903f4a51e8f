"""The rules about workflows together: names, calls, earlier revisions, and the files that configure gitsync."""

from __future__ import annotations

from typing import Final

from gitsync.rules.rule import Example, Rule, Severity
from gitsync.workflow.references import CALL


def _call(target: str, version: int = 1) -> str:
    return f'[{{"id": "c", "type": "{CALL}", "workflowId": "{target}", "workflowVersion": {version}}}]'


_VERSION: Final = (
    '{"publishedVersions": [{"version": 1, "payloadSchemaJson": null, "definition": {"id": "key:a", "version": 1, '
    '"name": "NAME", "payloadSchemaRef": "payload.A.v1", "steps": [{"id": "s", "type": "control.return"}]}}]}'
)

RULES: Final = (
    Rule(
        "UNPORTABLE_NAME",
        "The file can exist on every file system",
        "Windows keeps names such as `con`, `nul` or `com1` to itself, and there and on a Mac `A.json` and `a.json` "
        "are one file: such a repository cannot be checked out.",
        bad=(
            Example("name", "nul.json"),
            Example("name", "com1.orders.json"),
            Example("name", "A.json + a.json"),
        ),
        good=(Example("name", "console.json"),),
        draft=Severity.WARNING,
        published=Severity.WARNING,
    ),
    Rule(
        "FILE_OUT_OF_PLACE",
        "A workflow's file lies directly in the folder",
        "The folder of the workflows is flat. In a subfolder a workflow would seem deleted, so every command names it, "
        "and `--prune` deletes nothing while one is there. Move it back; a name such as `billing.dunning.json` groups "
        "as well.",
        bad=(Example("name", "billing/orders.json"),),
        good=(Example("name", "billing.orders.json"),),
        is_fixed=True,
        is_of_text=True,
    ),
    Rule(
        "UNRESOLVED_REFERENCE",
        "A called workflow exists",
        "`key:<key>` names a file of the folder. A push looks into the database too, and there it is always an error: "
        "with a workflow that only the database has, set this rule to `warning` here, or pull that workflow.",
        bad=(Example("steps", _call("key:nobody")),),
        good=(Example("steps", _call("key:other")),),
    ),
    Rule(
        "RAW_REFERENCE",
        "A called workflow is named by its key",
        "The id of one database's row means nothing in another database, and changes when the workflow is created "
        "anew. Write `key:<key>`, and give the called workflow a key if it has none.",
        bad=(Example("steps", _call("6f1c9a52-0000-4000-8000-000000000001")),),
        good=(Example("steps", _call("key:other")),),
        draft=Severity.WARNING,
        published=Severity.WARNING,
    ),
    Rule(
        "UNPUBLISHED_VERSION",
        "A called version is published",
        "A call runs exactly the version that it names. In a draft that version may be about to come.",
        bad=(Example("steps", _call("key:other", 7)),),
        good=(Example("steps", _call("key:other", 1)),),
        draft=Severity.WARNING,
    ),
    Rule(
        "CALL_CYCLE",
        "Workflows do not call each other in an endless circle",
        "Each run waits for the run that it starts. A call counts here unless it stands under an `if`, in a loop or in "
        "a `catch`, where something may decide against it.",
        bad=(Example("steps", _call("key:caller")),),
        good=(
            Example("steps", _call("key:other")),
            Example(
                "steps",
                '[{"id": "i", "type": "control.if", "condition": {"$expr": "payload.more"}, "then": '
                + _call("key:caller")
                + "}]",
            ),
        ),
        draft=Severity.WARNING,
        published=Severity.WARNING,
    ),
    Rule(
        "VERSION_REWRITTEN",
        "A published version stays as it is",
        "With `--against REV`: every version that is published at REV is still there, unchanged. Runs pin the "
        "content of their version, and whoever published it was promised that it stays. Publish another version.",
        bad=(
            Example("revision", _VERSION.replace("NAME", "B"), before=_VERSION),
            Example("revision", '{"publishedVersions": []}', before=_VERSION),
        ),
        good=(
            Example("revision", _VERSION, before=_VERSION),
            Example("revision", _VERSION, before='{"publishedVersions": []}'),
        ),
        is_of_text=True,
    ),
    Rule(
        "DRAFT_VERSION_BACK",
        "draftVersion does not go backwards",
        "With `--against REV`: the product counts drafts upwards. A lower number is mostly an old file copied back.",
        bad=(
            Example(
                "revision",
                '{"draft.draftVersion": 1}',
                before='{"draft.draftVersion": 2}',
            ),
        ),
        good=(Example("revision", '{"draft.draftVersion": 2}', before='{"draft.draftVersion": 2}'),),
        is_of_text=True,
    ),
    Rule(
        "INVALID_CONFIG",
        "gitsync.yaml and the registry are right",
        "Unknown keys, wrong types and unknown rules are errors, each with its line; a mistyped setting would "
        "otherwise be one that is not there. The schemas of a registry are JSON Schemas.",
        bad=(
            Example("config", "version: 1\nworkflow: flows\n"),
            Example("config", "version: 1\nvalidate: { rules: { secret: off } }\n"),
            Example("registry", "actions: [email.send]\n"),
            Example("registry", "actions: [{ actionId: a, version: 1, input: { type: strin } }]\n"),
        ),
        good=(
            Example("config", "version: 1\nvalidate: { rules: { secrets: warning } }\n"),
            Example("registry", "actions: [email.send@1]\n"),
        ),
        is_fixed=True,
        is_of_text=True,
    ),
    Rule(
        "MISSING_REGISTRY",
        "The registry that gitsync.yaml names is there",
        "Without it nothing says what the runtime offers. Take the line out where there is none.",
        bad=(Example("config", "version: 1\nregistry: gone.yaml\n"),),
        good=(Example("config", "version: 1\nregistry: registry.yaml\n"),),
        is_fixed=True,
        is_of_text=True,
    ),
)
