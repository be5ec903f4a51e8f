"""gitsync keeps workflows in a database in step with canonical JSON files in git.

    import os
    import gitsync

    with gitsync.open_project(".", environment="prod", variables=os.environ) as project:
        report = gitsync.push(project, policy=gitsync.PushPolicy.UPDATE)
        print(report.plan.changes, report.deployment)

Each command of the command line is a function here: it takes a project and keyword values, and returns a report.
It reads no environment variables but those handed in, asks nothing at a terminal, and prints nothing.

Look:   status, diff, plan, diagnose         write nothing
Bring:  push, apply, pull                    git → database, and back
Check:  validate, format, run, test          the files alone
Move:   export_bundle, export_commit, import_bundle

What cannot be done is raised as a `GitsyncError`: it says what, where and what to do next, and has a ``code``.
What else a report has to say stands in its ``error`` and ``notes``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from types import ModuleType

    from gitsync.api import *  # noqa: F403
else:  # a type checker would take whatever `__getattr__` is asked for as there

    def __getattr__(name: str) -> object:
        """Give what the public API has; it is imported when it is first asked for, since each start pays for an import."""
        if name == "__all__" or (not name.startswith("_") and name in _api().__all__):
            return getattr(_api(), name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

    def __dir__() -> list[str]:
        return sorted({*globals(), *_api().__all__})

    def _api() -> ModuleType:
        from importlib import import_module

        return import_module("gitsync.api")
