"""Files that were made to break their reader: an error in words, a documented exit code, and nothing outside the folder."""

from __future__ import annotations

import hashlib
import json
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings

from gitsync.config import parse_config
from gitsync.errors import GitsyncError
from gitsync.rules.validator import Validator
from gitsync.stores.git.commit import examine
from gitsync.sync.model import Action, Change
from gitsync.sync.push import PushOptions
from gitsync.sync.saved_plan import SavedPlan, read_saved_plan, render_saved_plan
from gitsync.workflow.bundle import make_bundle, offline_id, read_bundle
from gitsync.workflow.canonical import canonical_bytes, digest_of
from gitsync.workflow.registry import read_registry
from gitsync.workflow.types import Digest, Key
from tests.support import figures
from tests.support.documents import make_file
from tests.support.effort import rounds
from tests.support.hostile import hostile
from tests.support.loop import Loop, Ran, make_config, make_loop

pytestmark = [
    pytest.mark.fuzz("inputs"),
    pytest.mark.filterwarnings("ignore:Generating overly large repr"),  # of what made a test fail
]

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "repo_layout_example"
CODES = {0, 1, 2, 3, 4, 5, 6, 7, 9, 64}
MEMORY = 600 * 2**20
READ, TYPED = 150, 12
"""How many inputs a reader gets in a round, and a whole command line."""

WORKFLOWS = [path.read_bytes() for path in sorted((EXAMPLE / "workflows").glob("*.json"))]
CONFIGS = [(EXAMPLE / "gitsync.yaml").read_bytes(), make_config("sqlite:///product.db", tenant="t").encode()]
REGISTRIES = [
    (EXAMPLE / "registry.yaml").read_bytes(),
    b"actions: [a@1, {actionId: b, version: 2}]\nnodeTypes: [x]\n",
]
BUNDLES = [
    json.dumps(
        make_bundle(map(json.loads, WORKFLOWS[:2]), exported_at="2026-01-25T12:00:00.000Z", id_of=offline_id)
    ).encode()
]


PLANS = [
    render_saved_plan(
        SavedPlan(
            "dev",
            "0" * 16,
            "c" * 40,
            ("a",),
            PushOptions(),
            7,
            (
                Change(Key("a"), Action.CREATE, None, Digest("a" * 40)),
                Change(Key("b"), Action.DELETE, Digest("b" * 40), None),
            ),
        )
    )
]


def sealed(data: bytes) -> bytes:
    """A plan's text with the hash that fits it, where it can have one: else only the hash would be tested."""
    try:
        content = json.loads(data)
        content.pop("sha256", None)
        return canonical_bytes({**content, "sha256": hashlib.sha256(canonical_bytes(content)).hexdigest()})
    except (AttributeError, ValueError, RecursionError, GitsyncError, TypeError):
        return data


def read_workflow(data: bytes) -> None:
    for registry in (None, read_registry(REGISTRIES[0], file="registry.yaml")):
        examine(
            data, key=Key("a"), file="workflows/a.json", validator=Validator(registry), oid=digest_of(data)
        )


def fault_of(read: Callable[[], object]) -> GitsyncError | None:
    """The error in words that reading raised, if any; all others come through."""
    try:
        read()
    except GitsyncError as error:
        return error
    return None


READERS: dict[str, tuple[list[bytes], Callable[[bytes], object]]] = {
    "gitsync.yaml": (CONFIGS, lambda data: parse_config(data, file="gitsync.yaml").environment(None, {})),
    "registry.yaml": (REGISTRIES, lambda data: read_registry(data, file="registry.yaml")),
    "workflow": (WORKFLOWS, read_workflow),
    "plan": (PLANS, lambda data: read_saved_plan(data, file="plan.json")),
    "plan-sealed": (PLANS, lambda data: read_saved_plan(sealed(data), file="plan.json")),
    "bundle": (BUNDLES, lambda data: read_bundle(data, file="bundle.json")),
}


@pytest.mark.parametrize("name", READERS)
def test_a_reader_returns_or_raises_an_error_in_words(name: str) -> None:
    texts, read = READERS[name]

    @settings(max_examples=READ)
    @given(hostile(texts))
    def check(data: bytes) -> None:
        figures.count("inputs")
        error = fault_of(lambda: read(data))
        assert error is None or (error.exit_code == 4 and 0 < len(error.message) < 100_000)

    for _ in rounds(1):
        check()


# ---------------------------------------------------------------- whole command lines


def outside(loop: Loop) -> dict[str, bytes]:
    """Every file beside the workflows' folder, git's own and the database."""
    top = loop.folder.parent
    skipped = (loop.folder / "workflows", loop.folder / ".git", top / "product.db")
    return {
        str(path): path.read_bytes()
        for path in top.rglob("*")
        if path.is_file() and not str(path).startswith(tuple(map(str, skipped)))
    }


def check_words(ran: Ran) -> None:
    assert ran.code in CODES, ran.err
    assert "internal error" not in ran.err + ran.out, ran.err
    assert "Traceback" not in ran.err + ran.out, ran.err


def run_each(loop: Loop, *commands: tuple[str, ...]) -> None:
    before = outside(loop)
    for words in commands:
        check_words(loop.gitsync(*words))
    assert outside(loop) == before


def test_commands_with_a_hostile_configuration(tmp_path: Path) -> None:
    loop = make_loop(tmp_path)
    loop.commit(a="A1")
    loop.push()

    @settings(max_examples=TYPED)
    @given(hostile(CONFIGS))
    def check(data: bytes) -> None:
        figures.count("inputs")
        loop.repository.write("gitsync.yaml", data)
        run_each(loop, ("status",), ("pull", "-o", "json"), ("db", "check"))

    for _ in rounds(1):
        check()


def test_commands_with_a_hostile_registry(tmp_path: Path) -> None:
    loop = make_loop(tmp_path)
    loop.repository.write("gitsync.yaml", make_config(loop.editor.url) + "registry: registry.yaml\n")

    @settings(max_examples=TYPED)
    @given(hostile(REGISTRIES))
    def check(data: bytes) -> None:
        figures.count("inputs")
        loop.repository.write("registry.yaml", data)
        loop.repository.commit(allow_empty=True)
        run_each(loop, ("plan",), ("push", "--force", "-o", "json"))

    for _ in rounds(1):
        check()


def test_commands_with_hostile_workflow_files(tmp_path: Path) -> None:
    loop = make_loop(tmp_path)
    loop.commit(a="A1", b="B1")
    loop.push()

    @settings(max_examples=TYPED)
    @given(hostile([make_file("a", "A2"), make_file("a", "A3", calls="key:b", versions=[1, 2]), *WORKFLOWS]))
    def check(data: bytes) -> None:
        figures.count("inputs")
        loop.repository.write("workflows/a.json", data)
        run_each(loop, ("status",), ("pull",))
        loop.repository.commit(allow_empty=True)
        run_each(
            loop, ("diff",), ("plan", "-o", "json"), ("push", "--force"), ("pull", "--force", "--commit")
        )

    for _ in rounds(1):
        check()


def test_commands_with_a_hostile_bundle(tmp_path: Path) -> None:
    loop = make_loop(tmp_path)

    @settings(max_examples=TYPED)
    @given(hostile(BUNDLES))
    def check(data: bytes) -> None:
        figures.count("inputs")
        (loop.folder / ".git" / "bundle.json").write_bytes(data)
        run_each(
            loop,
            ("import", "--force", ".git/bundle.json"),
            ("import", "--dry-run", "-o", "json", ".git/bundle.json"),
        )

    for _ in rounds(1):
        check()


def test_commands_with_hostile_rows(tmp_path: Path) -> None:
    loop = make_loop(tmp_path)
    loop.commit(a="A1", b="B1")
    loop.push()
    drafts = [json.dumps(json.loads(text)["draft"]["definition"]).encode() for text in WORKFLOWS]

    @settings(max_examples=TYPED)
    @given(hostile(drafts))
    def check(data: bytes) -> None:
        figures.count("inputs")
        loop.editor.write_text("a", data.decode(errors="replace").replace("\0", ""))
        run_each(loop, ("status",), ("diff", "-o", "json"), ("pull", "--force"), ("push", "--force", "b"))
        loop.repository.git("checkout", "--quiet", ".")

    for _ in rounds(1):
        check()


ODD_KEYS = ("..", ".", "../../outside", "/etc/passwd", "a/b", "a\\b", "A", "", " ", "a b", "a\nb", "ä", "-x", "x" * 201,
            ".git", ".gitsync-1-1.tmp", "con", "a.json", "a\u202e", "'", '"', "%", "$(false)", "key:a")  # fmt: skip


@pytest.mark.parametrize("key", ODD_KEYS)
def test_a_key_from_the_database_names_a_file_in_the_folder_or_none(tmp_path: Path, key: str) -> None:
    loop = make_loop(tmp_path)
    loop.commit(z="Z")
    loop.push()
    loop.editor.create(key, "odd")
    figures.count("inputs")

    run_each(loop, ("pull", "--force", "--commit"), ("status", "-o", "json"), ("push", "--force", "--prune"))

    written = {path.name for path in (loop.folder / "workflows").rglob("*")}
    assert written <= {"z.json", f"{key}.json"}


@pytest.mark.parametrize("name", ["workflows", "deep/er/workflows"])
def test_a_folder_that_is_a_symbolic_link_is_not_written_through(tmp_path: Path, name: str) -> None:
    loop = make_loop(tmp_path)
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / "er" / "workflows").mkdir(parents=True)
    loop.repository.write("gitsync.yaml", make_config(loop.editor.url) + f"workflows: {name}\n")
    link = loop.folder / name.partition("/")[0]
    link.symlink_to(elsewhere)
    loop.repository.commit()
    loop.editor.save("a", "A1")
    figures.count("inputs")

    ran = loop.gitsync("pull", "--force")

    assert ran.code == 4
    assert "UNSUPPORTED_FOLDER" in ran.err
    assert "symbolic link" in ran.err
    assert not [path for path in elsewhere.rglob("*") if path.is_file()]


@pytest.mark.parametrize("folder", [".git", ".git/hooks", "x/.GIT", "../outside", "/tmp", "a/../../b"])  # noqa: S108
def test_a_folder_outside_or_git_s_own_is_refused(tmp_path: Path, folder: str) -> None:
    loop = make_loop(tmp_path)
    loop.repository.write("gitsync.yaml", make_config(loop.editor.url) + f"workflows: {folder}\n")
    loop.editor.save("a", "A1")
    figures.count("inputs")

    ran = loop.gitsync("pull", "--force")

    assert (ran.code, "workflows: " in ran.err) == (4, True), ran.err


# ---------------------------------------------------------------- bombs


def alias_bomb(name: str) -> bytes:
    """A billion nodes, if each alias were a copy."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
    return "\n".join([*lines, f"{name}: *a9", ""]).encode()


BOMBS = {
    "gitsync.yaml-aliases": ("gitsync.yaml", alias_bomb("environments")),
    "gitsync.yaml-itself": ("gitsync.yaml", b"environments: &a { dev: *a }\n"),
    "gitsync.yaml-deep": ("gitsync.yaml", b"[" * 500_000),
    "gitsync.yaml-deep-mappings": ("gitsync.yaml", b"{a: " * 300_000),
    "registry.yaml-aliases": ("registry.yaml", alias_bomb("actions")),
    "registry.yaml-schema-of-aliases": (
        "registry.yaml",
        alias_bomb("x").replace(b"x: *a9", b"schemaRefs: [{ ref: r, schema: *a9 }]"),
    ),
    "registry.yaml-itself": ("registry.yaml", b"actions: &a [ *a ]\n"),
    "registry.yaml-deep": ("registry.yaml", b"actions: " + b"[" * 500_000),
    "workflow-deep": ("workflows/a.json", b"[" * 1_000_000),
    "workflow-deep-objects": ("workflows/a.json", b'{"a":' * 500_000 + b"1" + b"}" * 500_000),
    "workflow-long-number": ("workflows/a.json", b'{"a":' + b"9" * 5_000_000 + b"}"),
    "workflow-large-exponent": ("workflows/a.json", b'{"a":1e999999999,"b":-1e-999999999}'),
    "workflow-many-duplicates": ("workflows/a.json", b"{" + b'"a":1,' * 200_000 + b'"a":1}'),
    "workflow-many-faults": ("workflows/a.json", b"[" + b"NaN," * 200_000 + b"1]"),
    "bundle-deep": ("bundle.json", b"[" * 1_000_000),
    "bundle-many-faults": ("bundle.json", b"[" + b"NaN," * 200_000 + b"1]"),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_ends_by_a_limit_in_bounded_memory(tmp_path: Path, name: str) -> None:
    loop = make_loop(tmp_path)
    file, data = BOMBS[name]
    loop.repository.write("gitsync.yaml", make_config(loop.editor.url) + "registry: registry.yaml\n")
    loop.repository.write("registry.yaml", "actions: []\n")
    loop.repository.write(file, data)
    loop.repository.commit()
    figures.count("inputs")

    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "gitsync",
            *(["import", file] if file == "bundle.json" else ["push", "--force"]),
        ],
        cwd=loop.folder,
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY)),
    )

    assert done.returncode == 4, f"exit {done.returncode}\n{done.stderr[:2000]}"
    assert "internal error" not in done.stderr
    assert "Traceback" not in done.stderr
