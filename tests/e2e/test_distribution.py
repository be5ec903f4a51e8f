from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
INSTALLED_AS = {
    "gitsync": "gitsync",
    "schemas": "gitsync/schemas",
    "repo_layout_example": "gitsync/repo_layout_example",
}
NEVER_SHIPPED = shutil.ignore_patterns("__pycache__", "*.pyc", "*.db", "*.db-*", ".git")


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what the wheel is built from: building writes into the folder."""
    folder = tmp_path_factory.mktemp("source")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder)
    for name in INSTALLED_AS:
        shutil.copytree(ROOT / name, folder / name, ignore=NEVER_SHIPPED)
    return folder


@pytest.fixture(scope="module")
def wheel(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built without network."""
    folder = tmp_path_factory.mktemp("wheel")
    options = ["--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--no-cache-dir"]
    home = tmp_path_factory.mktemp("home")  # pip asks other tools for their versions, which may write there
    settings = {"HOME": str(home), "PIP_CONFIG_FILE": os.devnull, "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    environment = {**os.environ, **settings}
    built = subprocess.run(
        [sys.executable, "-m", "pip", "wheel", *options, "--wheel-dir", str(folder), str(source)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stdout + built.stderr
    return next(folder.glob("gitsync_workflows-*.whl"))


def test_the_wheel_holds_every_module_schema_migration_and_example_file(source: Path, wheel: Path) -> None:
    expected = set(_shipped(source))

    with zipfile.ZipFile(wheel) as archive:
        found = {name for name in archive.namelist() if ".dist-info/" not in name}

    assert sorted(found) == sorted(expected)


def test_the_wheel_offers_the_command_and_carries_the_licence(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        info = next(name.partition("/")[0] for name in names if ".dist-info/" in name)
        commands = archive.read(f"{info}/entry_points.txt").decode()
        metadata = archive.read(f"{info}/METADATA").decode()

    assert "gitsync = gitsync.__main__:main" in commands
    assert "License-Expression: Apache-2.0" in metadata
    assert f"{info}/licenses/LICENSE" in names


@pytest.mark.parametrize("package", ["gitsync.schemas", "gitsync.repo_layout_example"])
def test_folders_beside_the_package_are_found_from_anywhere(package: str, tmp_path: Path) -> None:
    script = "import importlib.resources, sys; print(*[f.name for f in importlib.resources.files(sys.argv[1]).iterdir()])"

    done = subprocess.run(
        [sys.executable, "-I", "-c", script, package],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )

    folder = {"gitsync.schemas": "schemas"}.get(package, "repo_layout_example")
    assert {path.name for path in (ROOT / folder).iterdir()} <= set(done.stdout.split())


@pytest.mark.parametrize("name", ["build.txt", "runtime.txt", "dev.txt"])
def test_the_requirements_are_pinned_with_hashes_and_name_no_host(name: str) -> None:
    text = (ROOT / "requirements" / name).read_text(encoding="utf-8")
    lines = text.replace("\\\n", " ").splitlines()

    requirements = [line for line in lines if line and not line.lstrip().startswith("#")]

    assert [line for line in requirements if "==" not in line or "--hash=sha256:" not in line] == []
    assert "://" not in text


INSTALLING = (
    "Makefile",
    "README.md",
    "CONTRIBUTING.md",
    "action.yml",
    "repo_layout_example/.github/workflows/gitsync.yml",
    "repo_layout_example/.gitlab/gitsync.yml",
)


@pytest.mark.parametrize("name", INSTALLING)
def test_whatever_is_installed_has_a_hash_and_is_built_by_what_has_one(name: str) -> None:
    lines = [line for line in (ROOT / name).read_text(encoding="utf-8").splitlines() if "pip install" in line]

    assert lines
    assert [
        line
        for line in lines
        if "--require-hashes" not in line and not ("--no-deps" in line and "--no-build-isolation" in line)
    ] == []


def test_what_builds_gitsync_is_what_pyproject_asks_for() -> None:
    asked = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["build-system"]["requires"]
    pinned = re.findall(r"^([\w-]+)==(\S+)", (ROOT / "requirements/build.txt").read_text(), re.MULTILINE)
    dev = (ROOT / "requirements/dev.txt").read_text()

    assert {re.split(r"[<>=]", name)[0] for name in asked} == {name for name, _ in pinned}
    assert [name for name, version in pinned if f"\n{name}=={version} " not in dev] == []


def _shipped(source: Path) -> Iterator[str]:
    for folder, installed in INSTALLED_AS.items():
        for path in (source / folder).rglob("*"):
            if path.is_file():
                yield f"{installed}/{path.relative_to(source / folder).as_posix()}"
