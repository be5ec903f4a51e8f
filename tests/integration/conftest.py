"""Databases as they are met in the field, for tests of the database side."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.instance import Instance, Kind, make_instance
from tests.support.product import Generation

SOME = [
    Kind("sqlite", Generation.CURRENT_UNIQUE),
    Kind("postgresql", Generation.SEED),
    Kind("postgresql", Generation.TENANT_ID),
    Kind("postgresql", Generation.CURRENT),
]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give `instance` the kinds that the module names as INSTANCES, by default some of each."""
    chosen = [mark.args[0] for mark in metafunc.definition.iter_markers("parametrize")]
    if "instance" in metafunc.fixturenames and "instance" not in chosen:
        kinds = getattr(metafunc.module, "INSTANCES", SOME)
        metafunc.parametrize("instance", kinds, ids=str, indirect=True)


@pytest.fixture
def instance(request: pytest.FixtureRequest, tmp_path: Path) -> Instance:
    """A database of one kind, with the product's tables of one generation."""
    kind: Kind = request.param
    url = (
        f"sqlite:///{tmp_path}/p.db"
        if kind.database == "sqlite"
        else request.getfixturevalue("postgres_database")
    )
    return make_instance(url, kind.generation, has_ledger=kind.has_ledger)


@pytest.fixture
def on_postgres(postgres_database: str) -> Instance:
    """PostgreSQL with the product's tables of today."""
    return make_instance(postgres_database, Generation.CURRENT)
