"""The drawing of the house: which room may import which.

cli → commands → doctor, testing, stores, sync, rules → workflow → errors
cli → render → the reports of commands;  server → commands, render;  stores → sync → rules → workflow
testing → runtime → workflow
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "gitsync"
GROUND = {"errors", "masking", "printable"}
WORKFLOW = GROUND | {"schemas", "workflow"}
RULES = WORKFLOW | {"rules"}
SYNC = RULES | {"sync"}
STORES = SYNC | {"stores"}
TESTING = WORKFLOW | {"runtime", "testing"}
COMMANDS = STORES | TESTING | {"commands", "config", "doctor"}
ALLOWED = {
    "errors": {"errors"},
    "masking": {"masking"},
    "printable": {"printable"},
    "logs": GROUND | {"logs"},
    "workflow": WORKFLOW,
    "rules": RULES,
    "sync": SYNC,
    "config": SYNC | {"config"},
    "stores": STORES,
    "runtime": WORKFLOW | {"runtime"},
    "testing": TESTING,
    "doctor": STORES | {"config", "doctor"},
    "commands": COMMANDS,
    "render": COMMANDS | {"render"},
    "api": COMMANDS | {"api"},
    "server": COMMANDS | {"logs", "render", "server"},
    "cli": COMMANDS | {"cli", "logs", "render", "repo_layout_example", "server"},
}
TWINS = {"Fault", "Files", "Index", "Reading", "Start", "Verdict"}
"""Names that classes of several modules have; it only shrinks."""
PURE = ("workflow", "rules", "sync", "runtime")


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported(path: Path) -> set[str]:
    """The full names of the modules that a file imports, wherever in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module or "")
    return names


MODULES = sorted(
    path for path in PACKAGE.rglob("*.py") if room_of(path) in ALLOWED and "migrations" not in path.parts
)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_imports_only_what_lies_below_it(path: Path) -> None:
    rooms = {name.split(".")[1] for name in imported(path) if name.startswith("gitsync.")}

    assert rooms <= ALLOWED[room_of(path)]


def test_no_room_is_left_out_of_the_drawing() -> None:
    rooms = {room_of(path) for path in PACKAGE.rglob("*.py") if not room_of(path).startswith("_")}

    assert rooms == set(ALLOWED)


def test_the_page_on_the_architecture_has_every_room_and_names_no_module_that_is_not_there() -> None:
    page = (PACKAGE.parent / "docs" / "architecture.md").read_text(encoding="utf-8")
    table = page.partition("| room |")[2].partition("\n\n")[0]
    rooms = {name for row in table.splitlines()[2:] for name in re.findall(r"`(\w+)`", row.split("|")[1])}
    modules = set(re.findall(r"`([a-z_/]+\.py)`", page))

    assert rooms == set(ALLOWED)
    assert len(modules) > 20
    assert [
        name for name in modules if not any((top / name).exists() for top in (PACKAGE, PACKAGE.parent))
    ] == []


@pytest.mark.parametrize(
    "path",
    [path for path in MODULES if room_of(path) in PURE],
    ids=lambda path: str(path.relative_to(PACKAGE)),
)
def test_what_a_workflow_is_and_how_it_is_decided_know_neither_git_nor_sql_nor_click(path: Path) -> None:
    roots = {name.split(".")[0] for name in imported(path)}

    assert not roots & {"click", "git", "os", "rich", "sqlalchemy", "subprocess", "psycopg"}


def test_only_the_command_line_looks_at_the_environment_the_clock_and_the_terminal() -> None:
    looks = {
        ("os", "environ"), ("os", "getenv"), ("os", "getcwd"), ("Path", "cwd"), ("datetime", "now"), ("time", "time"),
        ("sys", "argv"), ("sys", "stdin"), ("sys", "stdout"), ("sys", "stderr"),
    }  # fmt: skip
    looking = {
        (str(path.relative_to(PACKAGE)), f"{node.value.id}.{node.attr}")
        for path in MODULES
        if room_of(path) != "cli"
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
        if (node.value.id, node.attr) in looks
    }

    assert looking == {
        ("server/run.py", "sys.stderr"),  # the log of `serve`
        ("stores/git/library.py", "os.environ"),  # what GitPython writes there is taken back
        ("stores/git/process.py", "os.environ"),  # what git is started with
    }
    importing = {
        room_of(path) for path in MODULES if "click" in {name.split(".")[0] for name in imported(path)}
    }
    assert importing == {"cli"}


def test_processes_are_started_in_one_place() -> None:
    starting = {str(path.relative_to(PACKAGE)) for path in MODULES if "subprocess" in imported(path)}

    assert starting == {"stores/git/process.py"}


def test_no_everyday_command_imports_gitpython() -> None:
    names = {str(path.relative_to(PACKAGE)): imported(path) for path in MODULES}

    assert [path for path, found in names.items() if "git" in found] == ["stores/git/library.py"]
    users = {path for path, found in names.items() if "gitsync.stores.git.library" in found}
    assert users == {"commands/init.py", "doctor/repository.py"}


def test_everything_that_is_printed_passes_one_door() -> None:
    ways = ("click.echo(", "Console(")
    door = PACKAGE / "cli" / "output.py"

    found = [
        f"{path.name}: {way}"
        for path in MODULES
        if path != door and room_of(path) in {"cli", "render"}
        for way in ways
        if re.search(rf"(?<![\w.]){re.escape(way)}", path.read_text(encoding="utf-8"))
    ]

    assert found == ["progress.py: Console("]  # a bar of gitsync's own words


def test_calls_between_workflows_are_looked_for_in_one_module() -> None:
    """Elsewhere the step's type is a name in a table of what is done with each type, and never searched for."""
    tables = {"render/run.py", "rules/folder_rules.py", "rules/walk.py", "runtime/interpreter.py"}
    trees = {str(path.relative_to(PACKAGE)): ast.parse(path.read_text(encoding="utf-8")) for path in MODULES}

    literal = {name for name, tree in trees.items() if any("callWorkflow" in text for text in texts_of(tree))}
    named = {
        name
        for name, tree in trees.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and "CALL" in {alias.name for alias in node.names}
    }

    assert (literal, named) == ({"workflow/references.py"}, tables)


def texts_of(tree: ast.Module) -> list[str]:
    """The texts and bytes in a module's code, but for those that stand alone: docstrings."""
    alone = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    constants = [node for node in ast.walk(tree) if isinstance(node, ast.Constant) and id(node) not in alone]
    return [str(node.value) for node in constants if isinstance(node.value, (str, bytes))]


def test_counts_and_lists_are_put_in_words_in_one_module() -> None:
    """Blocks of Markdown and of the terminal count lines by their room, and say so in words of their own."""
    by_hand = re.compile(r"""\{(?:'s'|"s"|''|"") if [^{}\n]* else|and \{[^{}]*\} more\b""")

    found = {
        f"{path.relative_to(PACKAGE)}: {match[0]}"
        for path in MODULES
        if path.name != "errors.py"
        for match in by_hand.finditer(path.read_text(encoding="utf-8"))
    }

    assert found == {
        "render/markdown.py: and {left} more",
        "render/page.py: and {left} more",
        "render/text.py: and {len(changes) - most} more",
        "render/words.py: and {len(delta.changed) - MOST_LISTED} more",
    }


def test_a_class_has_a_name_of_its_own() -> None:
    names = Counter(
        node.name
        for path in MODULES
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    )

    assert {name for name, count in names.items() if count > 1} <= TWINS
