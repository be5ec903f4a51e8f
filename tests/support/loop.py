"""The whole loop in a few lines: a repository, a database, the command line, and the product's editor.

A workflow here is told by one text, the description in its draft: ``write_file("a", "X1")`` and
``editor.save("a", "X1")`` hold the same content, so that a test reads like the history that it is about.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema

from gitsync.cli.main import run
from tests.support.documents import make_file, text_of
from tests.support.editor import Editor
from tests.support.git import TestRepository, clone, make_repository


@dataclass(frozen=True, slots=True)
class Ran:
    """What one command line left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """The result, of ``-o json``."""
        value: dict[str, Any] = json.JSONDecoder().raw_decode(self.out)[0]
        return value

    @property
    def changes(self) -> dict[str, str]:
        """Key → action, of ``-o json``."""
        return {change["key"]: change["action"] for change in self.json["changes"]}


def check_schema(ran: Ran, name: str) -> dict[str, Any]:
    """The one JSON document on stdout, which fits its schema."""
    schema = json.loads((files("gitsync.schemas") / f"{name}.schema.json").read_text())
    value: dict[str, Any] = json.loads(ran.out)
    jsonschema.Draft7Validator(schema).validate(value)
    assert value["format"] == f"gitsync.{name}"
    return value


def gitsync(*arguments: str, variables: Mapping[str, str] | None = None) -> Ran:
    """Run one command line in this process, with `variables` added to its environment."""
    out = io.TextIOWrapper(io.BytesIO(), "utf-8", newline="", write_through=True)  # as real: bytes below text
    err = io.StringIO()
    before = dict(os.environ)
    os.environ.update(variables or {})
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = run(list(arguments))
    finally:
        os.environ.clear()
        os.environ.update(before)
    written = out.detach()
    assert isinstance(written, io.BytesIO)
    return Ran(code, written.getvalue().decode(), err.getvalue())


@dataclass(frozen=True)
class Loop:
    """One clone with its ``gitsync.yaml``, and a database that both it and the editor write.

    prefix: the folder of ``gitsync.yaml`` from the clone's top, empty for the top itself.
    """

    repository: TestRepository
    editor: Editor
    prefix: str = ""

    @property
    def folder(self) -> Path:
        """The folder of ``gitsync.yaml``."""
        return self.repository.path / self.prefix

    def gitsync(self, *arguments: str, variables: Mapping[str, str] | None = None) -> Ran:
        """Run one command line in the loop's folder; what is asked is answered with yes."""
        new = ["--new-tenant"] if self.editor.tenant and arguments[0] in {"push", "plan"} else []
        return gitsync("-C", str(self.folder), "--yes", *arguments, *new, variables=variables)

    def push(self, *arguments: str) -> Ran:
        """``gitsync push -o json`` with `arguments`, which must succeed."""
        return _succeeded(self.gitsync("push", "-o", "json", *arguments))

    def pull(self, *arguments: str) -> Ran:
        """``gitsync pull -o json`` with `arguments`, which must succeed."""
        return _succeeded(self.gitsync("pull", "-o", "json", *arguments))

    def states(self, *arguments: str) -> dict[str, str]:
        """Key → state word, of ``gitsync status``."""
        status = _succeeded(self.gitsync("status", "-o", "json", *arguments))
        return {row["key"]: row["state"] for row in status.json["workflows"]}

    def path(self, key: str) -> Path:
        """The file of the workflow `key`."""
        return self.folder / "workflows" / f"{key}.json"

    def write_file(self, key: str, text: str, *, calls: str | None = None) -> Path:
        """Write the workflow's file, and no commit."""
        path = self.path(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(make_file(key, text, calls=calls))
        return path

    def commit(self, **texts: str | None) -> str:
        """The id of a commit in which each key says its text, or has no file (``None``)."""
        for key, text in texts.items():
            if text is None:
                self.path(key).unlink()
            else:
                self.write_file(key, text)
        return self.repository.commit(f"Set {texts}", allow_empty=True)

    def text(self, key: str) -> str | None:
        """What the file in the work tree says, ``None`` where there is none."""
        path = self.path(key)
        return text_of(path.read_bytes()) if path.exists() else None


def make_loop(
    folder: Path, *, url: str | None = None, tenant: str | None = None, prefix: str = "", init: bool = True
) -> Loop:
    """A repository in `folder` whose first commit is its configuration, with an initialised database.

    url: of the database, by default a new SQLite file beside the repository.
    """
    repository = make_repository(folder / "repository")
    address = url or f"sqlite:///{folder / 'product.db'}"
    loop = Loop(repository, Editor(address, tenant=tenant), prefix)
    repository.write(
        f"{prefix}/gitsync.yaml" if prefix else "gitsync.yaml", make_config(address, tenant=tenant)
    )
    repository.commit("Configure gitsync")
    if init:
        _succeeded(loop.gitsync("db", "init"))
    return loop


def make_config(url: str, *, tenant: str | None = None) -> str:
    """A ``gitsync.yaml`` whose one environment is the database at `url`."""
    facts = {"database": url} | ({"tenant": tenant} if tenant else {})
    return f"version: 1\ndefault: dev\nenvironments:\n  dev: {json.dumps(facts)}\n"


def second_clone(loop: Loop, folder: Path, *options: str) -> Loop:
    """Another clone of the loop's repository, at the same database."""
    return Loop(clone(loop.repository, folder, *options), loop.editor, loop.prefix)


def _succeeded(ran: Ran) -> Ran:
    assert ran.code == 0, f"exit {ran.code}\n{ran.out}{ran.err}"
    return ran
