"""Every kind of place that holds workflows, made with some in it, for the tests that hold for all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeAlias, TypeVar

from gitsync.stores.bundle import BundleSide
from gitsync.stores.database.store import Database
from gitsync.stores.database.tokens import Role
from gitsync.stores.folder import Folder
from gitsync.stores.git import ZERO, GitRepository
from gitsync.stores.git.commit import CommitSide, WorkTree
from gitsync.stores.http.access import Credentials
from gitsync.stores.http.client import Patience
from gitsync.stores.http.store import Api
from gitsync.sync.exports import export_workflows
from gitsync.workflow.bundle import Bundle
from gitsync.workflow.canonical import canonical_bytes
from gitsync.workflow.types import Digest, Document, Key
from tests.support.git import make_repository
from tests.support.instance import Instance, make_instance
from tests.support.memory import MemoryDatabase, MemorySide
from tests.support.product import TENANT, Generation
from tests.support.product_api import SESSION, product_api
from tests.support.server import add_token, running_server

Target: TypeAlias = MemoryDatabase | Database | Api
"""What a push writes to."""
Writable: TypeAlias = Target | BundleSide | Folder | WorkTree | MemorySide
Readable: TypeAlias = Writable | CommitSide
AT = "2026-01-31T12:00:00Z"
SOON = Patience(attempts=4, pause=0.001)


S_co = TypeVar("S_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Held(Generic[S_co]):
    """A store that is open; digests: looks anew, from outside, at what it now holds."""

    store: S_co
    digests: Callable[[], dict[Key, Digest]]


Make: TypeAlias = Callable[..., AbstractContextManager[Held[Any]]]
"""(a folder, a new database's URL, documents) → the store that holds them."""


@contextmanager
def memory(folder: Path, url: str, *documents: Document) -> Iterator[Held[MemoryDatabase]]:
    """The test's own database in memory."""
    store = MemoryDatabase(*documents)
    yield Held(store, lambda: store.digests)


@contextmanager
def database(folder: Path, url: str, *documents: Document) -> Iterator[Held[Database]]:
    """A database with the product's tables and a ledger."""
    instance = _instance(url, *documents)
    with instance.open(new_tenant=True) as store:
        yield Held(store, instance.digests)


@contextmanager
def own_server(folder: Path, url: str, *documents: Document) -> Iterator[Held[Api]]:
    """gitsync's own server."""
    instance = _instance(url, *documents)
    with running_server(url, tenant=TENANT) as running, ExitStack() as stack:
        credentials = Credentials(token=add_token(url, Role.ADMIN, tenant=TENANT))
        store = stack.enter_context(Api(running.url, credentials, patience=SOON))
        yield Held(store, instance.digests)


@contextmanager
def product(folder: Path, url: str, *documents: Document) -> Iterator[Held[Api]]:
    """The product's API, asked by an administrator."""
    instance = _instance(url, *documents)
    with (
        product_api(url, tenant=TENANT) as api,
        Api(api.address, Credentials(cookie=SESSION), patience=SOON) as store,
    ):
        yield Held(store, instance.digests)


@contextmanager
def bundle(folder: Path, url: str, *documents: Document) -> Iterator[Held[BundleSide]]:
    """A bundle that was read; what is written replaces it."""
    file = folder / "bundle.json"

    def write(data: bytes) -> None:
        file.write_bytes(data)

    new = BundleSide(Bundle("new"), write=write, exported_at=AT)
    keys = [Key(document["key"]) for document in documents]
    export_workflows(MemorySide(*documents).load, new, keys)
    content = BundleSide.read(file.read_bytes(), file="bundle.json").content
    store = BundleSide(content, write=write, exported_at=AT)

    def digests() -> dict[Key, Digest]:
        return dict(BundleSide.read(file.read_bytes(), file="bundle.json").snapshot().digests)

    yield Held(store, digests)


@contextmanager
def folder(folder: Path, url: str, *documents: Document) -> Iterator[Held[Folder]]:
    """A folder of files, without git."""
    _write(folder, *documents)
    yield Held(Folder(folder), lambda: dict(Folder(folder).snapshot().digests))


@contextmanager
def commit(folder: Path, url: str, *documents: Document) -> Iterator[Held[CommitSide]]:
    """One commit."""
    git, head = _committed(folder, *documents)
    store = CommitSide(git, folder="workflows", commit=head)
    yield Held(store, lambda: dict(store.snapshot().digests))


@contextmanager
def work_tree(folder: Path, url: str, *documents: Document) -> Iterator[Held[WorkTree]]:
    """The files of a work tree, over the commit that holds them."""
    git, head = _committed(folder, *documents)
    files = git.top / "workflows"
    yield Held(WorkTree(git, folder="workflows", commit=head), lambda: dict(Folder(files).snapshot().digests))


def _instance(url: str, *documents: Document) -> Instance:
    instance = make_instance(url, Generation.CURRENT_UNIQUE)
    if documents:
        instance.push(*documents)
    return instance


def _write(folder: Path, *documents: Document) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for document in documents:
        (folder / f"{document['key']}.json").write_bytes(canonical_bytes(document))


def _committed(folder: Path, *documents: Document) -> tuple[GitRepository, str]:
    repository = make_repository(folder / "repository")
    _write(repository.path / "workflows", *documents)
    head = repository.commit("Write workflows") if documents else ZERO
    return GitRepository.open(repository.path), head


TARGETS = {
    "memory": memory,
    "sqlite": database,
    "postgresql": database,
    "own server": own_server,
    "product": product,
}
ATOMIC = {**TARGETS, "bundle": bundle, "folder": folder}
"""Those that make all changes or none; a work tree leaves the files that git does not hold."""
WRITABLE = {**ATOMIC, "work tree": work_tree}
READABLE = {**WRITABLE, "commit": commit}
