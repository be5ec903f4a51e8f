"""``gitsync init``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import click

from gitsync.cli.options import common_options, examples, settings_of

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable
    from pathlib import Path

    from gitsync.git import GitRepository

CONFIGURATION: Final = """\
# What gitsync keeps where. Every path is relative to this file.
version: 1

# The folder of the workflows: one canonical JSON file per key, workflows/<key>.json.
workflows: workflows

# What the target runtime offers (actions, nodeTypes, schemaRefs). With it, a push is refused
# that needs something the runtime hasn't got.
# registry: registry.yaml

# A push or pull that would touch more than this share of what exists is refused; the message
# names the option that lets it through.
limits: { overwrite: 30%, delete: 30% }

# The environment used without `-e NAME`.
default: dev

environments:
  # An embedded database in one file, made by `gitsync db init`.
  dev: { database: "sqlite:///gitsync.db" }

  # A live instance. ${…} is taken from the environment when this one is chosen.
  # actor: the user id that is written as the author; without one, business actions cannot run.
  # overwrite: in-place keeps workflow ids, which schedules, webhooks and runs refer to.
  # prod:
  #   database: "${GITSYNC_DATABASE_URL}"    # postgresql+psycopg://user:password@host/database
  #   tenant: "${GITSYNC_TENANT}"
  #   actor: "${GITSYNC_ACTOR}"
  #   overwrite: in-place
"""
IGNORED: Final = "gitsync.db\ngitsync.db-*\n"


@click.command(
    "init", epilog=examples("gitsync init", "gitsync init --example", "gitsync -C workflows-repo init")
)
@click.option("--example", is_flag=True, help="Add sample workflows and a registry, and commit them.")
@common_options
@click.pass_context
def command(context: click.Context, example: bool) -> int:
    """Make a repository for workflows here: git, a configuration that explains itself, the folder.

    Uses the git repository that the folder is in, or makes one. Never overwrites a file.
    """
    from gitsync.config import FILE_NAME
    from gitsync.errors import ConfigError, GitError
    from gitsync.git import GitRepository

    settings = settings_of(context)
    folder = settings.where
    files = (
        dict(_example_files())
        if example
        else {FILE_NAME: CONFIGURATION.encode(), ".gitignore": IGNORED.encode()}
    )
    there = sorted(name for name in files if (folder / name).exists() and name != ".gitignore")
    if there:
        raise ConfigError(
            f"{folder} has {', '.join(there)} already; nothing was written",
            code="ALREADY_THERE",
            cure="run it in an empty folder, or edit what is there",
        )
    try:
        git = GitRepository.open(folder)
        is_new = False
    except GitError as error:
        if error.code != "NOT_A_REPOSITORY":
            raise
        GitRepository.create(folder)
        git, is_new = GitRepository.open(folder), True
    stand_in = _stand_in(git) if example else ""
    for name, data in files.items():
        _write(folder / name, data)
    (folder / "workflows").mkdir(exist_ok=True)
    settings.tell(f"{'made a git repository and' if is_new else 'made'} {FILE_NAME} in {folder}")
    if example:
        prefix = folder.resolve().relative_to(git.top.resolve())
        git.commit(
            [(prefix / name).as_posix() for name in sorted(files)],
            "Add the example workflows\n",
            stand_in=stand_in,
        )
        settings.tell(f"committed {sum(name.startswith('workflows/') for name in files)} sample workflows")
        if stand_in:
            settings.tell(f"as {stand_in}, since git knows no user.name and user.email here")
        settings.tell("next: gitsync db init && gitsync push && gitsync status")
    else:
        settings.tell(
            f"next: look at {FILE_NAME}, then `gitsync db init` or, with a database, `gitsync status`"
        )
    return 0


def _stand_in(git: GitRepository) -> str:
    """The name to commit the samples under where git knows nobody; raises GitError where it cannot commit."""
    from gitsync.errors import GitError

    try:
        git.check_can_commit()
    except GitError as error:
        if error.code != "NO_IDENTITY":
            raise
        return "gitsync"
    return ""


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.name == ".gitignore" and path.exists():
        held = path.read_bytes().splitlines()
        missing = [line for line in data.splitlines() if line not in held]
        data = b"\n".join([*held, *missing]) + b"\n"
    path.write_bytes(data)


def _example_files() -> list[tuple[str, bytes]]:
    """(path, content) of the example repository, as it is shipped with the package."""
    from importlib.resources import files

    found: list[tuple[str, bytes]] = []

    def collect(folder: Traversable, prefix: str) -> None:
        for item in folder.iterdir():
            if item.name == "__pycache__" or item.name.endswith(".py") or item.name.startswith("gitsync.db"):
                continue
            if item.is_dir():
                collect(item, f"{prefix}{item.name}/")
            else:
                found.append((prefix + item.name, item.read_bytes()))

    collect(files("gitsync.repo_layout_example"), "")
    return sorted(found)
