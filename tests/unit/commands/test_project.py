"""Where a relative SQLite path leads."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import make_url

from gitsync.commands.targets import database_url
from gitsync.config import Environment


@pytest.mark.parametrize("name", ["plain", "with space", "100%", "a%20b", "what?", "no#1", "Käse"])
def test_a_relative_database_lies_in_the_folder_of_the_configuration_whatever_its_name(name: str) -> None:
    folder = Path("/srv") / name

    url = database_url(Environment("dev", "sqlite:///data/gitsync.db"), folder)

    assert make_url(url).database == str(folder / "data/gitsync.db")


@pytest.mark.parametrize("url", ["sqlite:////var/lib/gitsync.db", "postgresql://db/psa"])
def test_any_other_address_stays_as_it_is(url: str) -> None:
    assert database_url(Environment("dev", url), Path("/srv")) == url
