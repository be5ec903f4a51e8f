"""What ``import gitsync`` offers: there, documented, and of one form."""

from __future__ import annotations

import inspect

import pytest

import gitsync
from gitsync import api

COMMANDS = [
    "apply", "diagnose", "diff", "export_bundle", "export_commit", "format", "import_bundle", "plan", "pull", "push",
    "run", "status", "test", "validate",
]  # fmt: skip


@pytest.mark.parametrize("name", api.__all__)
def test_each_name_is_there_and_says_in_its_docstring_what_it_is(name: str) -> None:
    value = getattr(gitsync, name)

    assert inspect.getdoc(value)
    assert name in dir(gitsync)


def test_the_functions_are_the_commands_and_what_they_need() -> None:
    functions = {name for name in api.__all__ if inspect.isfunction(getattr(gitsync, name))}

    assert functions == {*COMMANDS, "open_project", "read_saved_plan", "render_saved_plan"}


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_takes_a_project_first_and_returns_a_report_that_is_offered_as_well(name: str) -> None:
    signature = inspect.signature(getattr(gitsync, name))

    assert next(iter(signature.parameters)) == "project"
    assert signature.return_annotation.endswith("Report")
    assert signature.return_annotation in api.__all__


@pytest.mark.parametrize("name", ["pushes", "_private", "__wrapped__"])
def test_what_is_not_offered_is_not_there(name: str) -> None:
    with pytest.raises(AttributeError, match=name):
        getattr(gitsync, name)
