"""Databases as they are met in the field, for tests of the database side."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.product import Generation, Instance, make_instance

SOME = [
    ("sqlite", Generation.CURRENT_UNIQUE),
    ("postgresql", Generation.SEED),
    ("postgresql", Generation.TENANT_ID),
    ("postgresql", Generation.CURRENT),
]


@pytest.fixture(params=SOME, ids=lambda kind: f"{kind[0]}-{kind[1]}")
def instance(request: pytest.FixtureRequest, tmp_path: Path) -> Instance:
    """SQLite, and PostgreSQL with the product's tables of three generations."""
    kind, generation = request.param
    url = f"sqlite:///{tmp_path}/p.db" if kind == "sqlite" else request.getfixturevalue("postgres_database")
    return make_instance(url, generation)


@pytest.fixture
def on_postgres(postgres_database: str) -> Instance:
    """PostgreSQL with the product's tables of today."""
    return make_instance(postgres_database, Generation.CURRENT)
