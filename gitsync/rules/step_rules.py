"""The rules about definitions: structure, steps, expressions, triggers, and what the runtime offers."""

from __future__ import annotations

from typing import Final

from gitsync.rules.rule import Example, Rule, Severity


def _steps(*texts: str) -> tuple[Example, ...]:
    return tuple(Example("steps", f"[{text}]") for text in texts)


def _assign(path: str, expression: str, own_id: str = "a") -> str:
    config = f'{{"assign": {{"{path}": {{"$expr": "{expression}"}}}}}}'
    return f'{{"id": "{own_id}", "type": "transform.assign", "config": {config}}}'


def _action(mapping: str, name: str = "tickets.create") -> str:
    config = f'{{"actionId": "{name}", "version": 1, "inputMapping": {mapping}}}'
    return f'{{"id": "a", "type": "action.call", "config": {config}}}'


def _trigger(text: str) -> Example:
    return Example("definition", f'{{"trigger": {text}}}')


_STATE: Final = '{"id": "s", "type": "state.set", "config": {"state": "DONE"}}'
_RETURN: Final = '{"id": "r", "type": "control.return"}'
_ADD: Final = '{"title": "A", "priority": 1}'

RULES: Final = (
    Rule(
        "INVALID_DEFINITION",
        "A definition has the structure that the product reads",
        "The schema is `schemas/definition.schema.json`: known fields only, those that a type of step needs, retry "
        "and error policies, kinds of triggers (the metadata's too), filters of waits, names of secrets. The product's "
        "editor refuses to save anything else.",
        bad=(
            *_steps(
                '{"id": "a", "type": "state.set", "config": {"state": ""}}',
                '{"id": "a", "type": "control.while", "body": []}',
                '{"type": "control.return"}',
                '{"id": "a", "type": "control.if", "condition": {"$expr": "true"}}',
                '{"id": "a", "type": "state.set", "config": {"state": "X"}, "retry": {"maxAttempts": 0, "backoffMs": 1}}',
                '{"id": "a", "type": "action.call", "config": {"actionId": "x", "version": 1, "onError": {"policy": "skip"}}}',
                '{"id": "a", "type": "event.wait", "config": {"eventName": "E", "correlationKey": {"$expr": "payload.id"}, '
                '"filters": [{"path": "payload.a", "op": "in", "value": "b"}]}}',
            ),
            *_steps(_action('{"title": {"$secret": "lower_case"}}')),
            _trigger('{"type": "webhook"}'),
            Example("definition", '{"payloadSchemaRef": ""}'),
        ),
        good=_steps(
            '{"id": "a", "type": "control.if", "condition": {"$expr": "true"}, "then": []}',
            '{"id": "a", "type": "event.wait", "config": {"eventName": "E", "correlationKey": {"$expr": "payload.id"}, '
            '"filters": [{"path": "payload.a", "op": "in", "value": ["b"]}]}}',
        ),
    ),
    Rule(
        "DUPLICATE_STEP_ID",
        "Step ids are unique in the whole definition",
        "A run finds its place again by step ids, and the product refuses to publish.",
        bad=_steps(
            f"{_STATE}, {_STATE}",
            f'{_STATE}, {{"id": "i", "type": "control.if", "condition": {{"$expr": "true"}}, "then": [{_STATE}]}}',
        ),
        good=_steps(f"{_STATE}, {_RETURN}"),
    ),
    Rule(
        "MISSING_CONFIG",
        "A step that needs a config has one",
        "The product takes such a step while a draft is unfinished; a run fails at it.",
        bad=_steps('{"id": "a", "type": "action.call"}', '{"id": "a", "type": "transform.assign"}'),
        good=_steps(_STATE),
        draft=Severity.WARNING,
    ),
    Rule(
        "EMPTY_STEPS",
        "A published version has steps",
        "A run of a definition without steps fails. In a draft that is where everybody starts.",
        bad=(
            Example(
                "document",
                '{"publishedVersions": [{"version": 1, "payloadSchemaJson": null, "definition": {"id": "key:a", '
                '"version": 1, "name": "A", "payloadSchemaRef": "payload.A.v1", "steps": []}}]}',
            ),
        ),
        good=(*_steps(_STATE), *_steps("")),
        draft=Severity.OFF,
        published=Severity.WARNING,
    ),
    Rule(
        "INVALID_ASSIGN_PATH",
        "What a step writes to is a place that can be written",
        "`transform.assign` and the e-mail steps name a scope: `payload.`, `vars.`, `meta.`, `error.`, or `/` for a "
        "pointer into the payload. Elsewhere a bare name is a variable. `__proto__`, `prototype` and `constructor` "
        "are refused everywhere.",
        bad=_steps(
            _assign("total", "1"),
            _assign("payload", "1"),
            _assign("vars.__proto__.x", "1"),
            _assign("vars..x", "1"),
            '{"id": "a", "type": "action.call", "config": {"actionId": "x", "version": 1, "saveAs": ""}}',
        ),
        good=_steps(
            _assign("vars.total", "1"),
            _assign("/lines/0/total", "1"),
            '{"id": "a", "type": "action.call", "config": {"actionId": "x", "version": 1, "saveAs": "ticket"}}',
        ),
    ),
    Rule(
        "UNREACHABLE_STEP",
        "Every step can be reached",
        "`control.return` ends the whole run, so nothing after it in the same list is ever done.",
        bad=_steps(
            f"{_RETURN}, {_STATE}",
            f'{{"id": "i", "type": "control.if", "condition": {{"$expr": "true"}}, "then": [{_RETURN}], '
            f'"else": [{{"id": "r2", "type": "control.return"}}]}}, {_STATE}',
        ),
        good=_steps(
            f'{{"id": "i", "type": "control.if", "condition": {{"$expr": "true"}}, "then": [{_RETURN}]}}, {_STATE}'
        ),
        draft=Severity.WARNING,
        published=Severity.WARNING,
    ),
    Rule(
        "EMPTY_EXPRESSION",
        "Expressions are not empty",
        "The editor saves empty expressions in drafts; evaluating one fails.",
        bad=_steps(_assign("vars.a", ""), _assign("vars.a", "  ")),
        good=_steps(_assign("vars.a", "null")),
        draft=Severity.WARNING,
    ),
    Rule(
        "INVALID_EXPRESSION",
        "Expressions are JSONata",
        "The place in the message is the character inside the expression. `&&`, `||`, `!` and `===` are none of its "
        "operators: write `and`, `or`, `x = false` and `=`.",
        bad=_steps(_assign("vars.a", "payload.a +"), _assign("vars.a", "payload.a && payload.b")),
        good=_steps(_assign("vars.a", "payload.a and payload.b == 1")),
    ),
    Rule(
        "FORBIDDEN_FUNCTION",
        "Expressions call only what the runtime allows",
        "`nowIso()`, `coalesce(…)`, `len(x)`, `toString(x)` and `append(list, x)`: no other function of JSONata, "
        "and no function of one's own.",
        bad=_steps(_assign("vars.a", "$sum(payload.lines)"), _assign("vars.a", "function($x){$x}(1)")),
        good=_steps(_assign("vars.a", "coalesce(payload.a, len(payload.lines))")),
    ),
    Rule(
        "UNKNOWN_NAME",
        "Expressions read what exists where they stand",
        "`payload`, `vars`, `meta`, `error`; in control blocks, calls, waits and mappings also `local`, `system`, "
        "variables and the names of a loop (its item, `item`, `index`, `length`, `isFirst`, `isLast`) by their bare "
        "names; `childRun` where a call's outputs are mapped; `event` alone in a trigger's mapping.",
        bad=(
            *_steps(
                _assign("vars.a", "paylaod.id"),
                _assign("vars.a", "1") + ", " + _assign("vars.b", "a", "b"),
                _action('{"title": {"$expr": "index"}, "priority": 1}'),
            ),
            _trigger(
                '{"type": "event", "eventName": "E", "payloadMapping": {"id": {"$expr": "payload.id"}}}'
            ),
        ),
        good=(
            *_steps(
                _assign("vars.a", "payload.id"),
                _assign("vars.a", "1")
                + ", "
                + _action('{"title": {"$expr": "a"}, "priority": 1}').replace('"id": "a"', '"id": "b"'),
                '{"id": "e", "type": "control.forEach", "items": {"$expr": "payload.lines"}, "itemVar": "line", '
                '"body": [{"id": "i", "type": "control.if", "condition": {"$expr": "line.ok and isFirst"}, "then": []}]}',
            ),
            Example(
                "document",
                '{"metadata.trigger": {"type": "event", "eventName": "E"}, "draft.definition.trigger": '
                '{"type": "event", "eventName": "E", "payloadMapping": {"id": {"$expr": "event.payload.id"}}}}',
            ),
        ),
    ),
    Rule(
        "VARIABLE_NOT_SET",
        "A variable is read after something may have set it",
        "Steps run in their order. Reading a variable that nothing has set gives no value, which fails in most "
        "places; `coalesce(vars.x, …)` is safe, and may be meant.",
        bad=_steps(
            _assign("vars.a", "vars.b"),
            _assign("vars.a", "vars.b") + ", " + _assign("vars.b", "1", "b"),
        ),
        good=_steps(_assign("vars.b", "1") + ", " + _assign("vars.a", "vars.b", "b")),
        draft=Severity.WARNING,
        published=Severity.WARNING,
    ),
    Rule(
        "UNKNOWN_SPECIAL_KEY",
        "A field that begins with $ is $expr or $secret",
        "Any other is a literal to the runtime, and reaches the action as it is. `$secret` counts only alone.",
        bad=_steps(_action('{"title": {"$exp": "payload.title"}, "priority": 1}')),
        good=_steps(_action('{"title": {"$expr": "payload.title"}, "priority": 1}')),
        draft=Severity.WARNING,
        published=Severity.WARNING,
    ),
    Rule(
        "EXTRA_FIELD",
        "Nothing stands beside $expr",
        "An object with `$expr` is that expression. The product drops all other fields of it when the workflow is "
        "saved there.",
        bad=_steps(_action('{"title": {"$expr": "payload.title", "default": "A"}, "priority": 1}')),
        good=_steps(_action('{"title": {"$expr": "coalesce(payload.title, \\"A\\")"}, "priority": 1}')),
        draft=Severity.WARNING,
        published=Severity.WARNING,
    ),
    Rule(
        "MISSING_INPUT",
        "An action is given what it requires",
        "Known where the registry carries the action's input schema. A run fails at the step.",
        bad=_steps(
            _action('{"title": "A"}'), _action('{"title": "A", "priority": 1, "client": {"name": "B"}}')
        ),
        good=_steps(
            _action(_ADD), _action('{"title": "A", "priority": 1, "client": {"$expr": "payload.client"}}')
        ),
        draft=Severity.WARNING,
    ),
    Rule(
        "UNKNOWN_INPUT",
        "An action is given only what it takes",
        "Known where the registry carries the action's input schema, and that is closed. The runtime drops the rest.",
        bad=_steps(_action('{"title": "A", "priority": 1, "prioritty": 2}')),
        good=_steps(_action(_ADD)),
        draft=Severity.WARNING,
        published=Severity.WARNING,
    ),
    Rule(
        "INPUT_TYPE",
        "A literal has the type that the action's input asks for",
        "Known where the registry carries the action's input schema. What an expression gives is not known here.",
        bad=_steps(_action('{"title": "A", "priority": "high"}'), _action('{"title": "A", "priority": 9}')),
        good=_steps(_action(_ADD), _action('{"title": "A", "priority": {"$expr": "payload.p"}}')),
    ),
    Rule(
        "MISSING_DEPENDENCIES",
        "The runtime offers what the workflow needs",
        "Actions with their versions, node types and schema refs are those of `registry.yaml`. Without a registry "
        "nothing is checked.",
        bad=_steps(_action(_ADD, "tickets.craete"), '{"id": "a", "type": "fax.send"}'),
        good=_steps(_action(_ADD)),
    ),
    Rule(
        "INVALID_CRON",
        "A recurring trigger's cron expression is one that the product takes",
        "Five fields of digits, `*`, `/`, `,` and `-`; at most one of the two day fields; at most every five minutes.",
        bad=(
            _trigger('{"type": "recurring", "cron": "0 8 * *", "timezone": "UTC"}'),
            _trigger('{"type": "recurring", "cron": "0 8 1 * 1", "timezone": "UTC"}'),
            _trigger('{"type": "recurring", "cron": "*/2 * * * *", "timezone": "UTC"}'),
            _trigger('{"type": "recurring", "cron": "60 8 * * MON", "timezone": "UTC"}'),
        ),
        good=(_trigger('{"type": "recurring", "cron": "0,30 8-17 * * 1-5", "timezone": "UTC"}'),),
    ),
    Rule(
        "INVALID_TIMEZONE",
        "A recurring trigger names a time zone",
        "A name of the IANA database, such as `Europe/Berlin`.",
        bad=(_trigger('{"type": "recurring", "cron": "0 8 * * *", "timezone": "Europe/Berln"}'),),
        good=(_trigger('{"type": "recurring", "cron": "0 8 * * *", "timezone": "Europe/Berlin"}'),),
    ),
    Rule(
        "INVALID_RUN_AT",
        "A scheduled trigger names a time",
        "In the form of ISO 8601, such as `2026-03-31T08:00:00Z`.",
        bad=(_trigger('{"type": "schedule", "runAt": "tomorrow"}'),),
        good=(_trigger('{"type": "schedule", "runAt": "2026-03-31T08:00:00Z"}'),),
    ),
    Rule(
        "TRIGGER_MISMATCH",
        "The metadata's trigger is the definition's",
        "The product finds the workflows of an event by `metadata.trigger`, and then uses the definition's mapping: "
        "where the two name different events, runs start by an event that the definition does not know, or never.",
        bad=(
            Example(
                "document",
                '{"publishedVersions": [], "draft.definition.trigger": '
                '{"type": "event", "eventName": "TICKET_CREATED"}}',
            ),
            Example("metadata", '{"trigger": {"type": "event", "eventName": "TICKET_CREATED"}}'),
        ),
        good=(Example("document", "{}"),),
        draft=Severity.WARNING,
        published=Severity.WARNING,
    ),
    Rule(
        "SECRETS",
        "No secret stands in plain text",
        "Tokens in a known format (AWS, Azure, GitHub, GitLab, Slack, Stripe, OpenAI, private keys, URLs with a "
        "password and others), and literals under names such as `password` or `api_key`; found by detect-secrets. A "
        "secret in git is known to whoever ever cloned it: take it out, and replace it where it is used. "
        '`{"$secret": "NAME"}` names one that the product keeps.',
        bad=_steps(
            _action('{"title": "AKIA" , "priority": 1}').replace(
                '"AKIA" ', '"AKIA' + "Z2ZZ5QXZ7T3WPLMN" + '"'
            ),
            _action('{"title": "A", "priority": 1, "password": "hunter2-Tr0ub4dor"}'),
            _assign("vars.url", "'https://bot:pa55w0rd@example.com'"),
        ),
        good=_steps(
            _action('{"title": "A", "priority": 1, "password": {"$secret": "MAIL_PASSWORD"}}'),
            _action(
                '{"title": "00000000-aaaa-4bbb-8ccc-000000000001", "priority": 1, "password": "<password>"}'
            ),
        ),
    ),
)
