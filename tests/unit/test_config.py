"""``gitsync.yaml``: what it means, and how each fault in it is told."""

from __future__ import annotations

import pytest

from gitsync.config import Config, parse_config
from gitsync.errors import ConfigError
from gitsync.sync.limits import Limits

WHOLE = b"""\
version: 1
workflows: flows
registry: registry.yaml
limits: { overwrite: 50%, delete: 10% }
default: dev
environments:
  dev: { database: "sqlite:///gitsync.db" }
  prod: { database: "${URL}", tenant: "${TENANT}", actor: "${ACTOR}", overwrite: in-place }
  hosted: { url: "https://psa.example.com", cookie: "${COOKIE}" }
"""


@pytest.fixture
def config() -> Config:
    return parse_config(WHOLE, file="gitsync.yaml")


def test_everything_in_the_file_is_read(config: Config) -> None:
    assert (config.workflows, config.registry) == ("flows", "registry.yaml")
    assert config.limits == Limits(overwrite=0.5, delete=0.1)
    assert config.environment(None, {}).database == "sqlite:///gitsync.db"


def test_variables_are_expanded_for_the_chosen_environment_alone(config: Config) -> None:
    prod = config.environment("prod", {"URL": "postgresql://db/psa", "TENANT": "t", "ACTOR": ""})

    assert (prod.database, prod.tenant, prod.actor, prod.overwrite) == (
        "postgresql://db/psa",
        "t",
        None,
        "in-place",
    )


@pytest.mark.parametrize("variables", [{}, {"URL": ""}], ids=["unset", "empty"])
def test_a_variable_that_is_not_set_is_named(config: Config, variables: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match="needs the environment variable URL") as caught:
        config.environment("prod", variables)

    assert caught.value.code == "MISSING_VARIABLE"


@pytest.mark.parametrize(
    "name,variables,expected",
    [
        ("dev", {"GITSYNC_ENV": "prod", "GITSYNC_DATABASE_URL": "sqlite:///x.db"}, "dev"),
        (None, {"GITSYNC_ENV": "dev", "GITSYNC_DATABASE_URL": "sqlite:///x.db"}, "dev"),
        (None, {"GITSYNC_DATABASE_URL": "sqlite:///x.db"}, "environment-variable"),
        (None, {"GITSYNC_DATABASE_URL": ""}, "dev"),
    ],
)
def test_the_option_wins_over_variables_and_these_over_the_default(
    config: Config, name: str | None, variables: dict[str, str], expected: str
) -> None:
    assert config.environment(name, variables).name == expected


def test_an_unknown_environment_suggests_the_nearest(config: Config) -> None:
    with pytest.raises(ConfigError, match="did you mean 'prod'"):
        config.environment("prd", {})


@pytest.mark.parametrize(
    "text,message",
    [
        (b"version: 2\n", "gitsync.yaml:1:10: version: version is 2"),
        (b"workflows: w\n", "version is missing"),
        (
            b"version: 1\nworkflow: w\n",
            "gitsync.yaml:2:1: workflow: unknown key 'workflow'; did you mean 'workflows'",
        ),
        (b"version: 1\nversion: 1\n", "'version' is there twice"),
        (b"version: 1\nworkflows: ../else\n", "must lie inside"),
        (b"version: 1\nworkflows: /else\n", "must lie inside"),
        (b"version: 1\nlimits: { delete: 3 }\n", "'3' is no share"),
        (b"version: 1\nlimits: { delete: 130% }\n", "'130%' is no share"),
        (b"version: 1\ndefault: dve\nenvironments: { dev: { database: x } }\n", "did you mean 'dev'"),
        (b"version: 1\nenvironments: { dev: { databse: x } }\n", "did you mean 'database'"),
        (
            b"version: 1\nenvironments: { dev: { database: x, overwrite: no } }\n",
            "overwrite is `recreate` or",
        ),
        (b"version: 1\nenvironments: { dev: { database: x, url: y } }\n", "either `database` or `url`"),
        (b"version: 1\nenvironments: { 'a b': { database: x } }\n", "letters, digits"),
        (b"version: 1\nenvironments: [dev]\n", "expected a mapping"),
        (b"version: [1]\n", "expected a single value"),
        (b"version: 1\n  workflows: : x\n", "gitsync.yaml:2:"),
        (b"", "version is missing"),
    ],
)
def test_each_fault_is_told_with_its_place(text: bytes, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_config(text, file="gitsync.yaml")

    assert message in caught.value.message


def test_all_faults_are_told_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        parse_config(b"version: 3\nfolder: x\nlimits: { delete: x }\n", file="gitsync.yaml")

    assert len(caught.value.message.splitlines()) == 3


def test_a_secret_does_not_show_in_a_representation(config: Config) -> None:
    environment = config.environment("prod", {"URL": "postgresql://u:hunter2@db/psa"})

    assert "hunter2" not in repr(environment)
