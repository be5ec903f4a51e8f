"""The commands under the very roles that the documentation has the SQL for."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import psycopg
import pytest
from sqlalchemy.engine import make_url

from gitsync.cli.bundles import now
from gitsync.commands.imports import ImportWishes
from gitsync.config import Config, Environment
from gitsync.errors import Refused
from gitsync.server.service import ImportRequest, ServedDatabase, Service
from tests.support.editor import Editor
from tests.support.loop import Loop, Ran, make_loop
from tests.support.postgres import libpq_url
from tests.support.product import OTHER_TENANT, TENANT, Generation, make_product_tables

PAGE = Path(__file__).parents[2] / "docs" / "database.md"
BEFORE, AFTER, POLICIES = re.findall(r"```sql\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
READER, DEPLOYER, MIGRATOR = ROLES = ("gitsync_reader", "gitsync_deployer", "gitsync_migrator")
ROW_SECURITY = "; ".join(
    f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY"
    for table in ("workflow_definitions", "workflow_definition_versions")
)


@dataclass(frozen=True, slots=True)
class Place:
    """A repository beside a product's database whose owner has made the roles."""

    loop: Loop
    url: str

    def run(self, role: str, *arguments: str) -> Ran:
        """One command line with the URL of `role`."""
        variables = {"GITSYNC_DATABASE_URL": url_of(self.url, role), "GITSYNC_TENANT": TENANT}
        return self.loop.gitsync(*arguments, variables=variables)

    def done(self, role: str, *arguments: str) -> Ran:
        """The same, which must succeed."""
        ran = self.run(role, *arguments)
        assert ran.code == 0, f"{role}: {arguments}: exit {ran.code}\n{ran.out}{ran.err}"
        return ran

    def execute(self, statements: str, role: str = "postgres") -> None:
        """SQL as `role`."""
        with psycopg.connect(libpq_url(url_of(self.url, role)), autocommit=True) as connection:
            connection.execute(statements.encode())

    def states(self, role: str) -> dict[str, str]:
        """Key → state as `role` sees it."""
        status = self.done(role, "status", "-o", "json").json
        return {row["key"]: row["state"] for row in status["workflows"]}


def url_of(url: str, role: str) -> str:
    parsed = make_url(url)
    return (parsed if role == "postgres" else parsed.set(username=role)).render_as_string(hide_password=False)


@contextmanager
def only_one(postgres_url: str) -> Iterator[psycopg.Connection]:
    """Roles belong to the whole server: tests that make the same ones take turns."""
    with psycopg.connect(libpq_url(postgres_url), autocommit=True) as connection:
        connection.execute("SELECT pg_advisory_lock(5871)")
        yield connection


@pytest.fixture
def made(postgres_url: str, postgres_database: str, tmp_path: Path) -> Iterator[Place]:
    """The product's tables, the three roles, and no ledger yet."""
    make_product_tables(postgres_database, Generation.CURRENT)
    loop = make_loop(tmp_path, url=postgres_database, tenant=TENANT, init=False)
    config = loop.repository.path / "gitsync.yaml"
    config.write_text("version: 1\nenvironments: {}\n")
    loop.repository.commit("Take the database from the environment")
    place = Place(replace(loop, editor=Editor(postgres_database, tenant=TENANT)), postgres_database)
    with only_one(postgres_url) as server:
        try:
            place.execute(BEFORE)
            yield place
        finally:
            for role in ROLES:
                place.execute(f"DROP OWNED BY {role} CASCADE")
                server.execute(f"DROP ROLE {role}".encode())


@pytest.fixture
def place(made: Place) -> Place:
    """The roles as the page leaves them."""
    made.done(MIGRATOR, "db", "init")
    made.execute(AFTER, MIGRATOR)
    return made


def test_the_page_s_roles_do_all_that_it_says(place: Place) -> None:
    place.loop.commit(a="a1", b="b1", c="c1")
    place.done(DEPLOYER, "push", "--new-tenant")
    place.loop.commit(a="a2", b="b2", c=None)
    place.done(DEPLOYER, "push", "--update", "--in-place", "a")
    place.done(DEPLOYER, "push", "--update", "--recreate", "b")
    place.done(DEPLOYER, "push", "--prune", "c")
    place.loop.editor.save("b", "b3")

    assert place.loop.editor.texts() == {"a": "a2", "b": "b3"}
    assert place.states(READER) == place.states(DEPLOYER) == {"a": "in-sync", "b": "database-ahead"}
    assert "b" in place.done(READER, "diff").out
    assert place.done(READER, "plan", "--update").code == 0
    place.done(READER, "pull", "--commit", "-m", "Pull")
    assert place.loop.text("b") == "b3"
    assert place.states(READER) == {"a": "in-sync", "b": "in-sync"}


def test_a_reader_writes_nothing_and_is_told_what_it_lacks(place: Place) -> None:
    place.loop.commit(a="a1")
    before = place.loop.editor.dump()

    pushed = place.run(READER, "push", "--new-tenant")
    checked = place.done(READER, "db", "check")

    assert pushed.code == 9
    assert "permission denied for table" in pushed.err
    assert "gitsync db check" in pushed.err
    assert (
        "gitsync_reader may read, but not write: it lacks INSERT, UPDATE, DELETE ON workflow_definitions"
        in checked.out
    )
    assert (
        "GRANT INSERT, UPDATE, DELETE ON workflow_definitions, workflow_definition_versions TO gitsync_reader; "
        "GRANT INSERT ON gitsync_deployments, gitsync_deployment_items TO gitsync_reader" in checked.out
    )
    assert place.loop.editor.dump() == before


def test_a_deployer_that_may_not_look_for_runs_is_told_so(place: Place) -> None:
    place.execute("REVOKE SELECT ON workflow_runs FROM gitsync_deployer")

    checked = place.done(DEPLOYER, "db", "check")

    assert "gitsync_deployer may read, but not write: it lacks SELECT ON workflow_runs" in checked.out
    assert "GRANT SELECT ON workflow_runs TO gitsync_deployer" in checked.out


def test_the_grants_that_a_check_prints_are_what_was_missing(place: Place) -> None:
    place.loop.commit(a="a1")
    checked = place.done(READER, "db", "check")

    for grant in re.findall(r"GRANT [^;\n]* TO gitsync_reader", checked.out):
        place.execute(grant, MIGRATOR if "gitsync_deployments" in grant else "postgres")

    place.done(READER, "push", "--new-tenant")
    assert "gitsync_reader may read and write" in place.done(READER, "db", "check").out


def test_a_deployer_is_sound_and_can_change_neither_tables_nor_the_ledger(place: Place) -> None:
    place.loop.commit(a="a1")
    place.done(DEPLOYER, "push", "--new-tenant")

    checked = place.done(DEPLOYER, "db", "check")

    assert "gitsync_deployer may read and write" in checked.out
    for statement in (
        "UPDATE gitsync_deployment_items SET digest = NULL",
        "DELETE FROM gitsync_deployments",
        "ALTER TABLE workflow_definitions ADD COLUMN x text",
        "CREATE TABLE mine (x text)",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            place.execute(statement, DEPLOYER)


def test_a_migrator_makes_the_ledger_and_reads_no_workflow(made: Place) -> None:
    made.loop.editor.create("a", "a1")

    made.done(MIGRATOR, "db", "init")
    assert "nothing to create" in made.done(MIGRATOR, "db", "init").out

    checked = made.run(MIGRATOR, "db", "check")
    assert checked.code == 1
    assert (
        "gitsync_migrator may not read all: it lacks SELECT, INSERT, UPDATE, DELETE ON workflow_definitions"
        in checked.out
    )
    assert (
        "GRANT SELECT, INSERT, UPDATE, DELETE ON workflow_definitions, workflow_definition_versions TO gitsync_migrator"
        in (checked.out)
    )
    status = made.run(MIGRATOR, "status")
    assert status.code == 9
    assert "permission denied for table workflow_definitions" in status.err


@pytest.mark.parametrize("role", [READER, DEPLOYER])
def test_before_the_ledger_is_made_a_role_looks_and_is_told_who_makes_it(made: Place, role: str) -> None:
    made.loop.editor.create("a", "a1")

    assert made.states(role) == {"a": "new-in-database"}
    made.done(role, "pull")
    pushed, initialised = made.run(role, "push"), made.run(role, "db", "init")
    checked = made.run(role, "db", "check")

    assert "MISSING_LEDGER" in pushed.err
    assert (initialised.code, "permission denied for schema public" in initialised.err) == (9, True)
    assert f"GRANT CREATE ON SCHEMA public TO {role}" in checked.out


@pytest.mark.parametrize("role", [READER, DEPLOYER])
def test_a_ledger_that_a_role_may_not_read_is_not_taken_for_none(made: Place, role: str) -> None:
    made.done(MIGRATOR, "db", "init")
    made.loop.editor.create("a", "a1")

    assert made.states(role) == {"a": "new-in-database"}
    pushed, checked = made.run(role, "push"), made.run(role, "db", "check")

    assert (pushed.code, "may not read gitsync_alembic_version, gitsync_deployment_items" in pushed.err) == (
        9,
        True,
    )
    rights = "SELECT, INSERT ON gitsync_deployments, gitsync_deployment_items"
    assert f"GRANT {rights} TO {role}; GRANT SELECT ON gitsync_alembic_version TO {role}" in checked.out


def test_under_row_level_security_the_page_s_policies_suffice(place: Place) -> None:
    Editor(place.url, tenant=OTHER_TENANT).create("theirs", "not ours")
    place.execute(f"{ROW_SECURITY}; {POLICIES}".replace("(true)", f"(tenant = '{TENANT}')"))
    place.loop.commit(a="a1", b="b1")

    place.done(DEPLOYER, "push", "--new-tenant")
    place.loop.commit(a="a2", b=None)
    place.done(DEPLOYER, "push", "--update", "--prune", "--in-place")
    place.loop.editor.save("a", "a3")

    assert place.states(READER) == {"a": "database-ahead"}
    place.done(READER, "pull", "--commit", "-m", "Pull")
    assert place.states(READER) == place.states(DEPLOYER) == {"a": "in-sync"}
    assert place.loop.editor.texts() == {"a": "a3", "theirs": "not ours"}
    checked = place.done(DEPLOYER, "db", "check").out
    assert "row-level security applies to workflow_definitions, workflow_definition_versions" in checked
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        place.execute(f"UPDATE workflow_definitions SET tenant = '{OTHER_TENANT}'", DEPLOYER)


def test_the_policies_stand_as_the_page_has_them(place: Place) -> None:
    place.execute(f"{ROW_SECURITY}; {POLICIES}")
    place.loop.commit(a="a1")

    place.done(DEPLOYER, "push", "--new-tenant")

    assert place.states(READER) == {"a": "in-sync"}


def test_policies_that_hide_everything_empty_no_repository(place: Place) -> None:
    place.loop.commit(a="a1")
    place.done(DEPLOYER, "push", "--new-tenant")
    place.execute(ROW_SECURITY)
    before = place.loop.editor.dump()

    pulled = place.run(READER, "pull", "--prune")
    pushed = place.run(DEPLOYER, "push", "--force", "--new-tenant")

    assert (pulled.code, place.loop.text("a")) == (6, "a1")
    assert "EMPTY_SOURCE" in pulled.err
    assert (pushed.code, "INCOMPLETE_SOURCE" in pushed.err) == (6, True)
    assert "row-level security" in place.done(READER, "db", "check").out
    assert place.loop.editor.dump() == before


HIDING = {
    "no policy": "",
    "some rows": "CREATE POLICY p ON {table} USING (workflow_id IS DISTINCT FROM '{hidden}')",
    "another tenant's": f"CREATE POLICY p ON {{table}} USING (tenant = '{OTHER_TENANT}')",
    "a setting": "CREATE POLICY p ON {table} USING (tenant = current_setting('app.tenant', true)::uuid)",
    "restricted": "CREATE POLICY p ON {table} USING (true); "
    "CREATE POLICY q ON {table} AS RESTRICTIVE USING (workflow_id IS DISTINCT FROM '{hidden}')",
    "for others": "CREATE POLICY p ON {table} TO gitsync_migrator USING (true)",
}
SHOWING = {
    "all": "CREATE POLICY p ON {table} USING (true)",
    "the tenant's": f"CREATE POLICY p ON {{table}} USING (tenant = '{TENANT}') WITH CHECK (true)",
    "all beside the product's": "CREATE POLICY p ON {table} USING (true); "
    "CREATE POLICY q ON {table} USING (tenant = current_setting('app.tenant', true)::uuid)",
}


def secure(place: Place, policies: str) -> None:
    """Two workflows, deployed and in git, under `policies` for each table; ``{hidden}`` is the id of one of them."""
    place.loop.commit(a="A1", b="B1")
    place.done(DEPLOYER, "push", "--new-tenant")
    hidden = place.loop.editor.id_of("b")
    place.execute(ROW_SECURITY)
    for table in ("workflow_definitions", "workflow_definition_versions"):
        place.execute(policies.format(table=table, hidden=hidden))


@pytest.mark.parametrize("policies", HIDING.values(), ids=HIDING)
def test_what_a_policy_may_hide_is_neither_deleted_nor_made_again(place: Place, policies: str) -> None:
    secure(place, policies)

    status = place.run(READER, "status")
    pull = place.run(DEPLOYER, "pull", "--prune", "b", "-o", "json")
    push = place.run(DEPLOYER, "push", "--force", "b", "-o", "json")
    plan = place.run(DEPLOYER, "plan", "--force", "b", "-o", "json")

    assert "row-level security may hide rows" in status.err
    assert "perhaps only hidden from you" in status.out
    for ran, found in ((pull, pull.json), (push, push.json), (plan, plan.json["wouldFail"])):
        assert (found["code"], "--assume-complete" in found["cure"]) == ("INCOMPLETE_SOURCE", True), ran
    assert (pull.code, push.code, place.loop.text("b")) == (6, 6, "B1")
    doctor = place.run(DEPLOYER, "db", "check")
    assert "row-level security applies to workflow_definitions" in doctor.out
    assert place.run(DEPLOYER, "pull", "--prune", "--assume-complete", "b").code == 0
    assert place.loop.text("b") is None


def test_no_branch_deletes_what_a_policy_may_hide(place: Place) -> None:
    secure(place, HIDING["some rows"])

    ran = place.run(DEPLOYER, "pull", "--branch", "edits", "--prune", "-o", "json")

    assert (ran.code, ran.json["code"]) == (6, "INCOMPLETE_SOURCE")
    assert place.loop.repository.git("branch", "--list", "edits") == ""


def test_a_deletion_that_nobody_committed_is_not_taken_for_the_database_s(place: Place) -> None:
    secure(place, HIDING["some rows"])
    place.loop.path("b").unlink()
    head = place.loop.repository.head

    place.done(DEPLOYER, "pull", "--commit", "--prune")
    assert place.loop.repository.head == head

    place.done(DEPLOYER, "pull", "--commit", "--prune", "--assume-complete")
    assert place.loop.repository.head != head


@pytest.mark.parametrize("policies", SHOWING.values(), ids=SHOWING)
def test_policies_that_show_the_whole_tenant_are_no_obstacle(place: Place, policies: str) -> None:
    secure(place, policies)
    place.loop.editor.delete("b")

    status = place.done(READER, "status")
    place.done(DEPLOYER, "pull", "--prune")

    assert "row-level security" not in status.err
    assert place.loop.text("b") is None
    assert "; its policies show this role all rows of the tenant" in place.run(DEPLOYER, "db", "check").out


def test_an_import_creates_nothing_that_a_policy_may_hide(place: Place, tmp_path: Path) -> None:
    secure(place, HIDING["some rows"])
    bundle = str(tmp_path / "bundle.json")
    place.done(READER, "export", "b", "--from-repo", "--out", bundle)

    refused = place.run(DEPLOYER, "import", bundle, "--in-place", "-o", "json")

    assert (refused.code, refused.json["code"]) == (6, "INCOMPLETE_SOURCE")


def test_the_server_s_import_creates_nothing_that_a_policy_may_hide(place: Place, tmp_path: Path) -> None:
    secure(place, HIDING["some rows"])
    bundle = tmp_path / "bundle.json"
    place.done(READER, "export", "b", "--from-repo", "--out", str(bundle))
    before = place.loop.editor.dump()

    url = url_of(place.url, DEPLOYER)
    served = ServedDatabase(url, Environment("prod", url, tenant=TENANT), Config("gitsync.yaml"))
    service = Service(served, registry=lambda: None, now=now)
    try:
        with pytest.raises(Refused) as refused:
            service.import_(ImportRequest(bundle.read_bytes(), ImportWishes(in_place=True)))
    finally:
        service.close()

    assert refused.value.code == "INCOMPLETE_SOURCE"
    assert place.loop.editor.dump() == before
