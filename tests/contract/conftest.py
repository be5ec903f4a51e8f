"""The stores that the tests of this folder hold for, each new and alone."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from gitsync.workflow.types import Document
from tests.support.stores import ATOMIC, READABLE, TARGETS, WRITABLE, Held

Holding = Callable[..., AbstractContextManager[Held[Any]]]
"""Documents → the store that holds them."""


def _holding(request: pytest.FixtureRequest, folder: Path, kinds: dict[str, Any]) -> Holding:
    kind = request.param
    is_postgres = kind == "postgresql"
    url = request.getfixturevalue("postgres_database") if is_postgres else f"sqlite:///{folder}/product.db"

    def hold(*documents: Document) -> AbstractContextManager[Held[Any]]:
        made: AbstractContextManager[Held[Any]] = kinds[kind](folder / "held", url, *documents)
        return made

    (folder / "held").mkdir()
    return hold


@pytest.fixture(params=READABLE)
def readable(request: pytest.FixtureRequest, tmp_path: Path) -> Holding:
    """Each store there is."""
    return _holding(request, tmp_path, READABLE)


@pytest.fixture(params=WRITABLE)
def writable(request: pytest.FixtureRequest, tmp_path: Path) -> Holding:
    """Each store that can be written to."""
    return _holding(request, tmp_path, WRITABLE)


@pytest.fixture(params=ATOMIC)
def atomic(request: pytest.FixtureRequest, tmp_path: Path) -> Holding:
    """Each store that makes all changes or none."""
    return _holding(request, tmp_path, ATOMIC)


@pytest.fixture(params=TARGETS)
def target(request: pytest.FixtureRequest, tmp_path: Path) -> Holding:
    """Each store that a push can bring workflows into."""
    return _holding(request, tmp_path, TARGETS)
