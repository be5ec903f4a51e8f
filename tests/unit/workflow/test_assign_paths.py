"""What checks workflows and what runs them agree on where a step writes."""

from __future__ import annotations

import itertools

import pytest

from gitsync.rules.paths import assigned_name, path_fault
from gitsync.runtime.model import RunFault
from gitsync.runtime.paths import output_path, scoped_path
from gitsync.workflow.assign_paths import target_of

PARTS = ("", "payload", "vars", "meta", "error", "local", "x", "constructor", "a~1b")
PATHS = sorted(
    {
        start + separator.join(parts)
        for count in (1, 2, 3)
        for parts in itertools.product(PARTS, repeat=count)
        for separator in "./"
        for start in ("", "/")
    }
)


@pytest.mark.parametrize("is_strict", [True, False], ids=["strict", "bare"])
def test_the_interpreter_takes_what_the_validator_takes_and_sets_the_same_variable(is_strict: bool) -> None:
    rule = scoped_path if is_strict else output_path
    for path in PATHS:
        try:
            scope, segments = rule(path)
        except RunFault:
            assert path_fault(path, is_strict=is_strict), path
        else:
            assert path_fault(path, is_strict=is_strict) == "", path
            variable = segments[0] if scope in ("vars", "local") else ""
            assert assigned_name(path, is_strict=is_strict) == variable, path


@pytest.mark.parametrize(
    "path, strict, bare",
    [
        ("payload.a.b", ("payload", ["a", "b"]), ("payload", ["a", "b"])),
        ("meta.a", ("meta", ["a"]), ("vars", ["a"])),
        ("error.a", ("error", ["a"]), ("vars", ["error", "a"])),
        ("local.a", ("", ["local", "a"]), ("local", ["a"])),
        ("vars", ("", ["vars"]), ("vars", ["vars"])),
        ("/a~1b/c.d", ("payload", ["a/b", "c", "d"]), ("vars", ["a/b", "c", "d"])),
    ],
)
def test_where_a_path_leads(path: str, strict: tuple[str, list[str]], bare: tuple[str, list[str]]) -> None:
    assert target_of(path, is_strict=True) == strict
    assert target_of(path, is_strict=False) == bare
