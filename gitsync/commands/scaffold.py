"""The files that ``init`` makes: those of the example repository, made to fit the one at hand."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from gitsync.errors import ConfigError

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

CONFIGURATION: Final = "gitsync.yaml"
PRE_COMMIT: Final = ".pre-commit-config.yaml"
GITLAB: Final = ".gitlab-ci.yml"
SCHEMA: Final = ".vscode/gitsync-workflow.schema.json"
PIPELINES: Final = {
    "github": (".github/workflows/gitsync.yml",),
    "gitlab": (".gitlab/gitsync.yml", GITLAB),
}
"""CI system → the files of its pipeline."""
ALWAYS: Final = (
    CONFIGURATION,
    ".gitignore",
    ".gitattributes",
    ".editorconfig",
    ".vscode/settings.json",
    SCHEMA,
)
AT_THE_TOP: Final = frozenset(name for names in PIPELINES.values() for name in names) | {PRE_COMMIT}
"""Files that only work at the repository's top."""
LISTS: Final = (".gitignore", ".gitattributes")
"""Files of independent lines: what is missing is added, and nothing else touched."""
_SOURCE: Final = "https://git.example.com/tools/gitsync.git"
_REVISION: Final = "v1.0.0"


@dataclass(frozen=True, slots=True)
class GitSource:
    """Where a pipeline takes gitsync from: what ``git clone`` takes, and a tag or commit."""

    repository: str
    revision: str


EXAMPLE: Final = GitSource(_SOURCE, _REVISION)
"""The source that the example repository names."""


@dataclass(frozen=True, slots=True)
class Scaffold:
    """What to make.

    prefix: the folder of ``gitsync.yaml`` from the repository's top, empty for the top itself.
    workflows: the folder of the files, from there. branch: whose pushes are deployed, to `environment`.
    """

    source: GitSource = EXAMPLE
    ci: Collection[str] = ()
    pre_commit: bool = False
    environment: str = "prod"
    branch: str = "main"
    prefix: str = ""
    workflows: str = "workflows"
    has_registry: bool = False

    def files(self) -> dict[str, bytes]:
        """Return path from the repository's top → content."""
        names = [*ALWAYS, *(name for system in self.ci for name in PIPELINES[system])]
        names += [PRE_COMMIT] if self.pre_commit else []
        shipped = dict(iter_example()) | {SCHEMA: make_schema()}
        return {
            name if name in AT_THE_TOP else self._below(name): self._fit(
                name, shipped[name].decode()
            ).encode()
            for name in names
        }

    def _below(self, name: str) -> str:
        return f"{self.prefix}/{name}" if self.prefix else name

    def _fit(self, name: str, text: str) -> str:
        """Return one of the example's files, with this repository's own names."""
        if name == CONFIGURATION:
            text = re.sub(r"(?m)^  prod:", f"  {self.environment}:", text)
            return text if self.has_registry else re.sub(r"(?m)^registry:", "# registry:", text)
        if name not in AT_THE_TOP:
            return text.replace("workflows/*.json", f"{self.workflows}/*.json")
        text = text.replace(_SOURCE, self.source.repository).replace(_REVISION, self.source.revision)
        text = text.replace("branches: [main]", f"branches: [{_scalar(self.branch)}]")
        text = re.sub(r"\bprod\b", self.environment, text)
        folder = _scalar(self.prefix or ".")
        return re.sub(r"(?m)^( *GITSYNC_FOLDER: )\.$", lambda at: at[1] + folder, text)


def parse_source(text: str, folder: Path) -> GitSource:
    """Return the source that ``REPO@REV`` names; a path is meant from `folder`. Raises ConfigError."""
    repository, at, revision = text.rpartition("@")
    if not at or not repository or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._+-]*", revision):
        raise ConfigError(
            f"--source is {_masked(text)!r}; expected REPO@REV",
            code="INVALID_SOURCE",
            cure="name what `git clone` takes, and a tag or commit: --source https://git.example.com/gitsync.git@v1.0.0",
        )
    if re.match(r"[a-z+]+://[^/]*:[^/@]*@", repository):
        raise ConfigError(
            f"--source {_masked(repository)} holds a password, which would be committed",
            code="INVALID_SOURCE",
            cure="leave it out, and let the pipeline's own git settings log in",
        )
    if re.search(r"[\s'\"\\#$`]", repository):
        raise ConfigError(
            f"--source {repository!r} holds a character that no address needs",
            code="INVALID_SOURCE",
            cure="write spaces and quotes in it as %20 and %22",
        )
    local = (folder / repository).resolve()
    return GitSource(str(local) if "://" not in repository and local.is_dir() else repository, revision)


def iter_example() -> Iterator[tuple[str, bytes]]:
    """Yield (path, content) of the example repository, as it is shipped with the package, sorted."""

    def collect(folder: Traversable, prefix: str) -> Iterator[tuple[str, bytes]]:
        for item in folder.iterdir():
            if item.name == "__pycache__" or item.name.endswith(".py") or item.name.startswith("gitsync.db"):
                continue
            if item.is_dir():
                yield from collect(item, f"{prefix}{item.name}/")
            else:
                yield prefix + item.name, item.read_bytes()

    yield from sorted(collect(files("gitsync.repo_layout_example"), ""))


def is_scaffold(name: str) -> bool:
    """Return whether the example's file `name` is made by init for any repository."""
    return name in ALWAYS or name in AT_THE_TOP


def make_schema() -> bytes:
    """Return the JSON Schema of a workflow's file in one piece, for an editor: definitions included."""
    schemas = files("gitsync.schemas")
    workflow: dict[str, Any] = json.loads((schemas / "workflow.schema.json").read_bytes())
    definition: dict[str, Any] = json.loads((schemas / "definition.schema.json").read_bytes())
    parts = definition.pop("definitions")
    definition.pop("$schema")
    fields = workflow["properties"]
    for holder in (fields["draft"], fields["publishedVersions"]["items"]):
        holder["properties"]["definition"] = {"$ref": "#/definitions/definition"}
    whole = workflow | {"definitions": {"definition": definition, **parts}}
    return (json.dumps(whole, indent=2, ensure_ascii=False) + "\n").encode()


def _masked(text: str) -> str:
    return re.sub(r"(://[^/@:]*:)[^/@]*@", r"\1***@", text)


def _scalar(text: str) -> str:
    """Return `text` as YAML that is read as text."""
    return text if re.fullmatch(r"[A-Za-z.][A-Za-z0-9._/-]*", text) else json.dumps(text)
