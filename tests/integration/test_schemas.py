"""Tables in a schema that the search path doesn't lead to are found and named, and nothing is made beside them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import inspect
from sqlalchemy.engine import make_url

from gitsync.doctor.database import check_database
from gitsync.errors import DatabaseError
from gitsync.stores.database.connect import make_engine
from gitsync.stores.database.init import init_database
from tests.support.documents import make_workflow
from tests.support.instance import Instance, Kind
from tests.support.product import TENANT, Generation, connected, make_product_tables

PRODUCT = ("workflow_definitions", "workflow_definition_versions")
USERS = ("workflow_runs", "tenant_workflow_schedule", "inbound_webhooks")
LEDGER = ("gitsync_deployments", "gitsync_deployment_items", "gitsync_tokens", "gitsync_alembic_version")


INSTANCES = [Kind("postgresql", Generation.CURRENT, has_ledger=False)]


@pytest.fixture
def deployer(instance: Instance) -> Iterator[str]:
    """The URL of a role that may do everything, and whose own schema comes first in its search path."""
    name = f"deployer_{make_url(instance.url).database}"
    for statement in (
        f'CREATE ROLE "{name}" LOGIN',
        f'CREATE SCHEMA "{name}" AUTHORIZATION "{name}"',
        f'GRANT ALL ON ALL TABLES IN SCHEMA public TO "{name}"',
        f'GRANT CREATE ON SCHEMA public TO "{name}"',
    ):
        instance.editor.execute(statement)
    yield make_url(instance.url).set(username=name).render_as_string(hide_password=False)
    instance.editor.execute(f'DROP OWNED BY "{name}" CASCADE')
    instance.editor.execute(f'DROP ROLE "{name}"')


def move(instance: Instance, schema: str, *tables: str) -> None:
    instance.editor.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
    for table in tables:
        instance.editor.execute(f"ALTER TABLE {table} SET SCHEMA {schema}")


def init(url: str, *, tenant: str | None = TENANT) -> list[str]:
    engine = make_engine(url, command="db init", lock_timeout=5)
    try:
        return init_database(engine, tenant=tenant)
    finally:
        engine.dispose()


def refused(url: str) -> DatabaseError:
    with pytest.raises(DatabaseError) as caught:
        init(url)
    return caught.value


def places(url: str) -> set[tuple[str, str]]:
    """Schema and table of all that could be gitsync's or the product's."""
    with connected(url) as connection:
        seen = inspect(connection)
        return {
            (schema, table)
            for schema in seen.get_schema_names()
            for table in seen.get_table_names(schema)
            if table.startswith(("workflow_definition", "gitsync_"))
        }


def with_option(url: str, error: DatabaseError) -> str:
    """The URL cured as the error says."""
    option = (error.cure or "").rpartition("`?")[2].rstrip("`")
    return f"{url}&{option}" if "?" in url else f"{url}?{option}"


@pytest.mark.parametrize("schema", ["app", '"My ""odd\\ schema, 2%"'])
def test_tables_in_another_schema_are_named_and_the_cure_cures(instance: Instance, schema: str) -> None:
    move(instance, schema, *PRODUCT)
    before = places(instance.url)

    error = refused(instance.url)

    assert error.code == "MISSING_TABLES"
    assert "in the schema " in error.message
    assert places(instance.url) == before
    cured = Instance(with_option(instance.url, error), instance.generation, instance.editor)
    init(cured.url)
    cured.push(make_workflow("w"))
    (name,) = error.details["schemas"]
    assert {place for place, _ in places(instance.url)} == {name}


def test_every_command_and_the_check_name_the_schema(instance: Instance) -> None:
    move(instance, "app", *PRODUCT)
    engine = make_engine(instance.url, command="db check", lock_timeout=5)

    with pytest.raises(DatabaseError) as caught, instance.open():
        pass
    findings = check_database(engine, tenant=TENANT)
    engine.dispose()

    assert "`?options=-csearch_path=app`" in (caught.value.cure or "")
    assert findings[-1].name == "tables"
    assert "schema app" in findings[-1].message


def test_the_check_warns_of_runs_that_nobody_would_count(instance: Instance) -> None:
    move(instance, "app", *PRODUCT)
    engine = make_engine(f"{instance.url}&options=-csearch_path=app", command="db check", lock_timeout=5)

    findings = check_database(engine, tenant=TENANT)
    engine.dispose()

    (found,) = (finding for finding in findings if "workflow_runs" in finding.message)
    assert "`?options=-csearch_path=app,public`" in found.cure


def test_half_of_a_pair_elsewhere_is_reached_by_both_schemas(instance: Instance) -> None:
    move(instance, "app", "workflow_definition_versions")

    error = refused(instance.url)

    assert "`?options=-csearch_path=public,app`" in (error.cure or "")
    assert init(with_option(instance.url, error))


def test_a_schema_that_the_role_may_not_use_says_so(instance: Instance, deployer: str) -> None:
    move(instance, "app", *PRODUCT)

    assert "GRANT USAGE ON SCHEMA app TO" in (refused(deployer).cure or "")


def test_the_ledger_is_made_beside_the_product_s_tables(instance: Instance, deployer: str) -> None:
    init(deployer)

    assert {place for place, _ in places(instance.url)} == {"public"}
    instance.push(make_workflow("w"))
    assert init(deployer) == init(instance.url) == []


def test_a_ledger_in_a_role_s_own_schema_is_named_and_no_second_one_made(
    instance: Instance, deployer: str
) -> None:
    init(instance.url)
    own = make_url(deployer).username
    move(instance, f'"{own}"', *LEDGER)
    before = places(instance.url)

    error = refused(instance.url)
    with pytest.raises(DatabaseError) as pushed:
        instance.push(make_workflow("w"))

    assert error.code == pushed.value.code == "MISSING_LEDGER"
    assert f"schema {own}" in error.message
    assert places(instance.url) == before
    cured = Instance(with_option(instance.url, error), instance.generation, instance.editor)
    cured.push(make_workflow("w"))
    instance.editor.execute(f'GRANT SELECT ON ALL TABLES IN SCHEMA "{own}" TO "{own}"')
    assert init(cured.url) == init(deployer) == []


def test_an_older_ledger_in_a_role_s_own_schema_is_brought_up_to_date_there(
    instance: Instance, deployer: str
) -> None:
    init(instance.url)
    own = make_url(deployer).username
    move(instance, f'"{own}"', *LEDGER)
    instance.editor.execute(f'DROP TABLE "{own}".gitsync_tokens')
    instance.editor.execute(f"UPDATE \"{own}\".gitsync_alembic_version SET version_num = '0001'")
    instance.editor.execute(f'GRANT ALL ON ALL TABLES IN SCHEMA "{own}" TO "{own}"')

    init(deployer)

    assert (own, "gitsync_tokens") in places(instance.url)
    assert ("public", "gitsync_tokens") not in places(instance.url)


def test_a_ledger_beside_another_instance_belongs_to_that_one(instance: Instance) -> None:
    init(instance.url)
    move(instance, "staging", *PRODUCT, *USERS, *LEDGER)
    make_product_tables(instance.url, Generation.CURRENT)

    assert init(instance.url) == ["ledger, version 0002"]

    assert {place for place, _ in places(instance.url)} == {"public", "staging"}
