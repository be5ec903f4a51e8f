"""When a workflow starts: the fields of a trigger that a schema cannot judge."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from gitsync.rules.rule import Spot

_LONGEST_CRON: Final = 128
_PART: Final = re.compile(r"(?:\*|([0-9]{1,3})(?:-([0-9]{1,3}))?)(?:/([0-9]{1,3}))?")
_FIELDS: Final = (
    ("minute", 0, 59),
    ("hour", 0, 23),
    ("day of the month", 1, 31),
    ("month", 1, 12),
    ("day of the week", 0, 7),
)
_TOO_OFTEN: Final = frozenset({"*", "*/1", "*/2", "*/3", "*/4"})


def check_trigger(trigger: Mapping[str, Any]) -> Iterator[Spot]:
    """Yield what is wrong with the times of a trigger."""
    kind = trigger.get("type")
    if kind == "schedule" and isinstance(at := trigger.get("runAt"), str) and at and not _is_instant(at):
        message = f'"{at}" is no time that ISO 8601 knows'
        yield Spot(trigger, "runAt", "INVALID_RUN_AT", message, "write it like 2026-03-31T08:00:00Z")
    if kind != "recurring":
        return
    if isinstance(cron := trigger.get("cron"), str) and cron and (message := cron_fault(cron)):
        yield Spot(trigger, "cron", "INVALID_CRON", message, "five fields: minute hour day month weekday")
    zone = trigger.get("timezone")
    if isinstance(zone, str) and zone and not _is_zone(zone):
        import difflib
        from zoneinfo import available_timezones

        near = difflib.get_close_matches(zone, sorted(available_timezones()), n=1)
        cure = f"did you mean {near[0]}?" if near else "write a name such as Europe/Berlin"
        yield Spot(trigger, "timezone", "INVALID_TIMEZONE", f'there is no time zone "{zone}"', cure)


def cron_fault(cron: str) -> str:
    """Return why the product refuses a cron expression; empty where it takes it."""
    if len(cron) > _LONGEST_CRON:
        return f"longer than {_LONGEST_CRON} characters"
    fields = cron.split()
    if len(fields) != len(_FIELDS):
        return f"expected {len(_FIELDS)} fields, got {len(fields)}"
    for text, (name, least, most) in zip(fields, _FIELDS, strict=True):
        if message := _field_fault(text, name, least, most):
            return message
    minute, hour, day, month, weekday = fields
    if day != "*" and weekday != "*":
        return "either a day of the month or a day of the week, not both"
    if minute in _TOO_OFTEN and hour == day == month == weekday == "*":
        return f'a minute field of "{minute}" would run more often than every five minutes'
    return ""


def _field_fault(text: str, name: str, least: int, most: int) -> str:
    for part in text.split(","):
        match = _PART.fullmatch(part)
        if match is None:
            return f'the {name} field "{text}" may hold digits, *, /, "," and - only'
        numbers = [int(group) for group in match.groups()[:2] if group]
        if any(not least <= number <= most for number in numbers):
            return f'the {name} field "{text}" goes beyond {least} to {most}'
        if len(numbers) == 2 and numbers[0] > numbers[1]:
            return f'the {name} field "{text}" has a range that runs backwards'
        if match[3] is not None and int(match[3]) == 0:
            return f'the {name} field "{text}" has a step of 0'
    return ""


def _is_instant(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def _is_zone(name: str) -> bool:
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return not available_timezones()  # a system without the data cannot say
    return True
