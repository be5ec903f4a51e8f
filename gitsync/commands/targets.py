"""Which store a command works on: the database of an environment, or a server over HTTP, opened here alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, urlsplit

from gitsync.commands.context import Context
from gitsync.config import Config, Environment, Server
from gitsync.errors import ConfigError, UsageError
from gitsync.stores.database.capabilities import DATABASE
from gitsync.stores.http.ability import PRODUCT

if TYPE_CHECKING:
    from gitsync.stores.database.store import Database
    from gitsync.stores.http.store import Api
    from gitsync.sync.model import Capabilities
    from gitsync.sync.stores import Target

_VARIABLES: Final = {
    "cookie": "GITSYNC_COOKIE",
    "token": "GITSYNC_TOKEN",
    "api_key": "GITSYNC_API_KEY",
    "tenant": "GITSYNC_TENANT",
}


def choose_environment(config: Config, context: Context) -> Environment:
    """The environment that a command works on: the server of ``--base-url``, or one of the configuration.

    Raises ConfigError, and UsageError where options for a server meet a database.
    """
    if context.base_url is not None:
        if context.environment is not None:
            raise UsageError("--base-url and -e name two targets; choose one")
        return _named_by_option(context, context.base_url)
    environment = config.environment(context.environment, context.variables, context.given)
    if environment.server is None and context.given:
        options = ", ".join(f"--{name.replace('_', '-')}" for name in sorted(context.given))
        raise UsageError(
            f"{options}: only for a server, and {environment.name} is a database; "
            "add --base-url, or choose an environment that has a url"
        )
    return environment


def _named_by_option(context: Context, url: str) -> Environment:
    """An environment of its own; what the command line does not say is looked for in the variables."""
    variables = {field: context.variables.get(name) or None for field, name in _VARIABLES.items()}
    tenant = context.given.get("tenant") or variables.pop("tenant", None)
    secrets = {field: text for field, text in context.given.items() if field != "tenant"}
    named = secrets or variables
    server = Server(url, cookie=named.get("cookie"), token=named.get("token"), api_key=named.get("api_key"))
    return Environment(urlsplit(url).netloc.rpartition("@")[2] or "server", "", tenant=tenant, server=server)


def least_capabilities(environment: Environment) -> Capabilities:
    """Return what the store of `environment` can do at the least, before it is opened."""
    return DATABASE if environment.server is None else PRODUCT.capabilities


@contextmanager
def open_store(
    environment: Environment,
    folder: Path,
    context: Context,
    *,
    command: str,
    in_place: bool = False,
    new_tenant: bool = False,
    cache: Path | None = None,
) -> Iterator[Target]:
    """Open the store of `environment`, a database or a server, to read from and to write to.

    folder: where a relative SQLite path is meant from. cache: a folder to keep a database's digests in.
    """
    if environment.server is None:
        with open_database(
            environment,
            folder,
            context,
            command=command,
            in_place=in_place,
            new_tenant=new_tenant,
            cache=cache,
        ) as database:
            yield database
        return
    with open_server(environment, context, in_place=in_place) as server:
        yield server


@contextmanager
def open_server(environment: Environment, context: Context, *, in_place: bool = False) -> Iterator[Api]:
    """Open the server of `environment`; say so where the way to it is not encrypted."""
    from gitsync.stores.http.access import Credentials, is_exposed
    from gitsync.stores.http.store import Api

    server = server_of(environment)
    credentials = Credentials(cookie=server.cookie, token=server.token, api_key=server.api_key)
    store = Api(server.url, credentials, tenant=environment.tenant, in_place=in_place)
    if is_exposed(server.url):
        context.tell(f"warning: {store.address} is not encrypted: whoever listens can take the credentials")
    with store:
        yield store


def server_of(environment: Environment) -> Server:
    """Return the environment's server; raise ConfigError (UNSUPPORTED_ENVIRONMENT) where it is a database."""
    if environment.server is None:
        raise ConfigError(
            f"{environment.name} is a database, and only a server tells what its runtime offers",
            code="UNSUPPORTED_ENVIRONMENT",
            cure="choose an environment that has `url:`, or add `--base-url URL`",
        )
    return environment.server


@contextmanager
def open_database(
    environment: Environment,
    folder: Path,
    context: Context,
    *,
    command: str,
    in_place: bool = False,
    new_tenant: bool = False,
    cache: Path | None = None,
) -> Iterator[Database]:
    """Open the database of `environment`; a relative SQLite path is meant from `folder`.

    cache: a folder to keep digests in, unless ``--no-cache`` says otherwise.
    """
    from gitsync.stores.database.store import Database

    with Database(
        database_url(environment, folder),
        environment=environment.name,
        tenant=environment.tenant,
        actor=environment.actor,
        command=command,
        in_place=in_place,
        lock_timeout=context.lock_timeout,
        new_tenant=new_tenant,
        cache=None if context.no_cache else cache,
    ) as database:
        yield database


def database_url(environment: Environment, folder: Path) -> str:
    """Return the environment's URL, a relative SQLite path made absolute.

    Raises ConfigError (UNSUPPORTED_ENVIRONMENT) where it is a server.
    """
    if environment.server is not None:
        raise ConfigError(
            f"{environment.name} is a server (it has a url); this command needs the database itself",
            code="UNSUPPORTED_ENVIRONMENT",
            cure="choose an environment that has `database:`, with `-e NAME`",
        )
    prefix = "sqlite:///"
    path = environment.database.removeprefix(prefix)
    if path == environment.database or path.startswith("/") or path in ("", ":memory:"):
        return environment.database
    return f"{prefix}{quote(str(folder))}/{path}"  # a URL reads %, ? and # in a folder's name as its own


def announce(context: Context, environment: Environment, target: Target) -> None:
    """Tell which target a command is going to read and write, before it does."""
    context.tell(f"{environment.name}: {target.address}")


def warn_of_hidden(target: Target) -> list[str]:
    """A warning where workflows may be hidden; of a server it is known once they were read."""
    may_hide = target.may_hide()
    return [f"{may_hide}, which then are not in the bundle"] if may_hide else []
