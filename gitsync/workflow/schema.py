"""The JSON Schemas at work: a fast one says yes, a slow one says why not.

jsonschema-rs accepts in microseconds; jsonschema is imported only to explain a refusal. The schemas avoid
what the two see differently, and the one format they use, ``date-time``, is decided here for both.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pkgutil import get_data
from typing import Any, Final

from gitsync.workflow.types import Json

_DATE_TIME: Final = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})[Tt\s]([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.[0-9]+)?"
    r"(?:[Zz]|([+-])([0-9]{2})(?::?([0-9]{2}))?)"
)
_JSON_TYPES: Final = {dict: "object", list: "array", str: "string", bool: "boolean", type(None): "null"}


@dataclass(frozen=True, slots=True)
class SchemaFault:
    """One thing that a schema refuses.

    path: of the value refused. at: of the member that is to blame, `path` where it is the value itself.
    keyword, schema_path, params: as JSON Schema validators for JavaScript name them.
    """

    path: tuple[str | int, ...]
    at: tuple[str | int, ...]
    keyword: str
    schema_path: str
    message: str
    params: dict[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """The fault as it stands in an error's ``details.errors``."""
        escaped = (str(step).replace("~", "~0").replace("/", "~1") for step in self.path)
        return {
            "instancePath": "".join(f"/{step}" for step in escaped),
            "schemaPath": self.schema_path,
            "keyword": self.keyword,
            "params": self.params,
            "message": self.message,
        }


def load_schema(name: str) -> dict[str, Any]:
    """The schema `name`, such as ``workflow`` or ``bundle.v1``."""
    text = get_data("gitsync.schemas", f"{name}.schema.json")  # importlib.resources takes longer to import
    schema: dict[str, Any] = json.loads(text or b"")
    return schema


def accepts(name: str, value: Json) -> bool:
    """Whether `value` satisfies the schema `name`."""
    return _judge(name)(value)


def iter_faults(name: str, value: Json) -> Iterator[SchemaFault]:
    """Every fault of `value` under the schema `name`; takes milliseconds."""
    import jsonschema

    checker = jsonschema.FormatChecker(formats=())
    checker.checks("date-time")(is_date_time)
    validator = jsonschema.Draft7Validator(load_schema(name), format_checker=checker)
    for error in validator.iter_errors(value):
        yield from _faults(error)


def is_date_time(text: object) -> bool:
    """Whether `text` is a date and a time with an offset, as the product's validator reads it.

    A blank may stand for the T, an offset may lack its colon or minutes, and 23:59:60 UTC is a time.
    """
    if not isinstance(text, str):
        return True
    match = _DATE_TIME.fullmatch(text)
    if not match:
        return False
    year, month, day, hour, minute, second = (int(part) for part in match.groups()[:6])
    if not 1 <= month <= 12 or not 1 <= day <= _days(year, month):
        return False
    offset_hours, offset_minutes = int(match[8] or 0), int(match[9] or 0)
    if hour > 23 or minute > 59 or second > 60 or offset_hours > 23 or offset_minutes > 59:
        return False
    sign = -1 if match[7] == "-" else 1
    utc = hour * 60 + minute - sign * (offset_hours * 60 + offset_minutes)
    return second < 60 or utc % (24 * 60) == 23 * 60 + 59


def _days(year: int, month: int) -> int:
    import calendar

    if month == 2:
        return 29 if calendar.isleap(year) else 28
    return 30 if month in (4, 6, 9, 11) else 31


@cache
def _judge(name: str) -> Callable[[Any], bool]:
    import jsonschema_rs

    validator = jsonschema_rs.validator_for(
        load_schema(name), formats={"date-time": is_date_time}, validate_formats=True
    )
    return validator.is_valid


def _faults(error: Any) -> Iterator[SchemaFault]:
    import ast
    import difflib

    path = tuple(error.absolute_path)
    keyword = str(error.validator)
    schema_path = "#" + "".join(f"/{step}" for step in error.absolute_schema_path)
    expected = error.validator_value

    def fault(message: str, *, at: tuple[str | int, ...] = path, **params: Any) -> SchemaFault:
        return SchemaFault(path, at, keyword, schema_path, message, params)

    match keyword:
        case "required":
            name = ast.literal_eval(error.message.removesuffix(" is a required property"))
            yield fault(f"the field {_text(name)} is missing", missingProperty=name)
        case "additionalProperties":
            known = list(error.schema.get("properties", {}))
            for name in sorted(set(error.instance) - set(known)):
                near = difflib.get_close_matches(name, known, n=1)
                suggestion = f"; did you mean {_text(near[0])}?" if near else ""
                message = f"unknown field {_text(name)}{suggestion}"
                yield fault(message, at=(*path, name), additionalProperty=name)
        case "type":
            names = expected if isinstance(expected, list) else [expected]
            message = f"expected {' or '.join(names)}, got {type_name(error.instance)}"
            yield fault(message, type=",".join(names))
        case "const" | "enum":
            message = f"expected {_text(expected)}, got {_text(error.instance)}"
            yield fault(message, **{"allowedValue" if keyword == "const" else "allowedValues": expected})
        case "minLength" | "minItems" | "maxLength":
            is_short = keyword.startswith("min")
            yield fault("must not be empty" if is_short else f"longer than {expected}", limit=expected)
        case "minimum" | "maximum":
            comparison = ">=" if keyword == "minimum" else "<="
            message = f"{error.instance} is out of range: must be {comparison} {expected}"
            yield fault(message, comparison=comparison, limit=expected)
        case "pattern" | "format":
            message = f"{_text(error.instance)} does not match {expected}"
            yield fault(message, **{keyword: expected})
        case _:
            yield fault(str(error.message))


def type_name(value: object) -> str:
    """What JSON calls the type of `value`."""
    return _JSON_TYPES.get(type(value), "number")


def _text(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 80 else text[:77] + "..."
