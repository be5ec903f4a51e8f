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
limits: { overwrite: 50%, delete: 10%, file: 3 MiB }
default: dev
environments:
  dev: { database: "sqlite:///gitsync.db" }
  prod: { database: "${GITSYNC_URL}", tenant: "${GITSYNC_TENANT}", actor: "${GITSYNC_ACTOR}", overwrite: in-place }
  hosted: { url: "https://psa.example.com", cookie: "${GITSYNC_COOKIE}" }
"""


@pytest.fixture
def config() -> Config:
    return parse_config(WHOLE, file="gitsync.yaml")


def test_everything_in_the_file_is_read(config: Config) -> None:
    assert (config.workflows, config.registry) == ("flows", "registry.yaml")
    assert config.limits == Limits(overwrite=0.5, delete=0.1, file=3 << 20)
    assert config.environment(None, {}).database == "sqlite:///gitsync.db"


def test_variables_are_expanded_for_the_chosen_environment_alone(config: Config) -> None:
    prod = config.environment(
        "prod", {"GITSYNC_URL": "postgresql://db/psa", "GITSYNC_TENANT": "t", "GITSYNC_ACTOR": ""}
    )

    assert (prod.database, prod.tenant, prod.actor, prod.overwrite) == (
        "postgresql://db/psa",
        "t",
        None,
        "in-place",
    )


@pytest.mark.parametrize("variables", [{}, {"GITSYNC_URL": ""}], ids=["unset", "empty"])
def test_a_variable_that_is_not_set_is_named(config: Config, variables: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match="needs the environment variable GITSYNC_URL") as caught:
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
        (b"version: 1\nlimits: { file: 16 MB }\n", "'16 MB' is no size; write it as 16MiB"),
        (b"version: 1\nlimits: { file: 30% }\n", "'30%' is no size"),
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
    environment = config.environment("prod", {"GITSYNC_URL": "postgresql://u:hunter2@db/psa"})

    assert "hunter2" not in repr(environment)


def asking(line: str) -> Config:
    return parse_config(f"version: 1\nenvironments:\n  prod: {{ {line} }}\n".encode(), file="gitsync.yaml")


@pytest.mark.parametrize(
    "line",
    [
        'database: "postgresql://db/${GITHUB_TOKEN}"',
        'database: "sqlite:///x.db", actor: "${GITHUB_TOKEN}"',
        'database: "sqlite:///x.db", tenant: "${HOME}"',
        'url: "https://${AWS_SECRET_ACCESS_KEY}.example.com", token: "t"',
        'url: "https://psa.example.com", token: "${CI_JOB_TOKEN}"',
    ],
)
def test_a_variable_that_is_not_gitsyncs_own_is_not_expanded(line: str) -> None:
    name = line.partition("${")[2].partition("}")[0]

    with pytest.raises(ConfigError, match=f"asks for the variable {name}, and only GITSYNC_") as caught:
        asking(line).environment("prod", {name: "value-of-it", "GITSYNC_DATABASE_URL": "sqlite:///x.db"})

    assert caught.value.code == "VARIABLE_NOT_ALLOWED"
    assert caught.value.exit_code == 4
    assert f"`export GITSYNC_ALLOW_VARIABLES={name}`" in (caught.value.cure or "")
    assert "value-of-it" not in f"{caught.value.message} {caught.value.cure}"


def test_the_process_allows_variables_by_name() -> None:
    config = asking('database: "postgresql://${PGUSER}:${PGPASSWORD}@db/psa"')
    variables = {"PGUSER": "u", "PGPASSWORD": "p"}

    with pytest.raises(ConfigError, match="PGUSER") as caught:
        config.environment("prod", variables)
    allowed = config.environment("prod", variables | {"GITSYNC_ALLOW_VARIABLES": "PGUSER, PGPASSWORD"})

    assert "GITSYNC_ALLOW_VARIABLES=PGUSER,PGPASSWORD`" in (caught.value.cure or "")
    assert allowed.database == "postgresql://u:p@db/psa"


@pytest.mark.parametrize(
    "name",
    [
        "GITSYNC_DATABASE_URL",
        "GITSYNC_TOKEN",
        "GITSYNC_PROD_COOKIE",
        "GITSYNC_EU_API_KEY",
        "GITSYNC_COMMENT_TOKEN",
    ],
)
@pytest.mark.parametrize("field", ["actor", "tenant", "url"])
def test_a_credential_is_not_expanded_where_it_would_be_shown(field: str, name: str) -> None:
    rest = 'token: "t"' if field == "url" else 'database: "sqlite:///x.db"'

    with pytest.raises(ConfigError, match=f"{field} asks for the variable {name}, which may hold") as caught:
        asking(f'{rest}, {field}: "x${{{name}}}"').environment("prod", {name: "value-of-it"})

    assert caught.value.code == "VARIABLE_NOT_ALLOWED"
    assert caught.value.cure == f"write ${{GITSYNC_{field.upper()}}} there"


def test_what_was_allowed_counts_as_a_credential() -> None:
    config = asking('database: "sqlite:///x.db", tenant: "${PSA}"')

    with pytest.raises(ConfigError, match="PSA, which may hold a credential"):
        config.environment("prod", {"PSA": "t", "GITSYNC_ALLOW_VARIABLES": "PSA"})
