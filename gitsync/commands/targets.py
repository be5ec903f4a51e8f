"""Which side a command works on: the database of an environment, or a server over HTTP.

Every command that works on either opens it here, and learns here what a server cannot do.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias
from urllib.parse import urlsplit

from gitsync.commands.context import Context
from gitsync.config import Config, Environment, Server
from gitsync.errors import UsageError

if TYPE_CHECKING:
    from gitsync.errors import GitsyncError, Problem
    from gitsync.stores.database.store import Database
    from gitsync.stores.git.commit import CommitSide
    from gitsync.stores.http.store import Api
    from gitsync.sync.compare import Comparison
    from gitsync.sync.model import Action, Change
    from gitsync.sync.plan import Plan
    from gitsync.workflow.types import Key

    Target: TypeAlias = Database | Api

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


@contextmanager
def open_side(
    environment: Environment,
    folder: Path,
    context: Context,
    *,
    command: str,
    in_place: bool = False,
    new_tenant: bool = False,
) -> Iterator[Database | Api]:
    """The side of `environment`, a database or a server, to read from and to write to.

    folder: where a relative SQLite path is meant from.
    """
    if environment.server is None:
        from gitsync.commands.project import connect

        with connect(
            environment, folder, context, command=command, in_place=in_place, new_tenant=new_tenant
        ) as database:
            yield database
        return
    with (
        open_server(environment, context, in_place=in_place) as side,
        context.caller.count("reading the server") as count,
    ):
        side.on_progress = count
        yield side


@contextmanager
def open_server(environment: Environment, context: Context, *, in_place: bool = False) -> Iterator[Api]:
    """The side of a server; says so where the way to it is not encrypted."""
    from gitsync.stores.http.access import Credentials, is_exposed
    from gitsync.stores.http.store import Api

    server = environment.server
    assert server is not None
    credentials = Credentials(cookie=server.cookie, token=server.token, api_key=server.api_key)
    side = Api(server.url, credentials, tenant=environment.tenant, in_place=in_place)
    if is_exposed(server.url):
        context.tell(f"warning: {side.address} is not encrypted: whoever listens can take the credentials")
    with side:
        yield side


def follow_files(target: Target, side: CommitSide) -> None:
    """Let a server's workflows count as system ones where their files say so: over its API it cannot be told."""
    from gitsync.stores.http.store import Api, Files

    if not isinstance(target, Api) or target.ability.keeps_system:
        return
    keys = sorted(side.blobs)
    contents = side.git.read_blobs(side.blobs[key] for key in keys)
    system_keys = frozenset(key for key, (_, data) in zip(keys, contents, strict=True) if _is_system(data))
    target.files = Files(side.blobs, system_keys, partial(side.git.have, kind="blob"))


def find_obstacles(target: Target, plan: Plan, comparison: Comparison, side: CommitSide) -> list[Problem]:
    """What of a plan the target cannot do at all, one problem each; a database can do everything."""
    from gitsync.stores.http.store import Api

    if not isinstance(target, Api):
        return []
    calls = {key: facts.calls for key, facts in comparison.facts.items()}
    return target.obstacles(plan.changes, calls, side.path)


def find_unsupported(
    target: Target, context: Context, plan: Plan, comparison: Comparison, side: CommitSide
) -> GitsyncError | None:
    """Return the error for what the target cannot do with a plan, and for what it may hold already."""
    calls = {key: facts.calls for key, facts in comparison.facts.items()}
    return unsupported_changes(target, plan.changes, calls, side.path) or doubtful_creates(
        target, context, plan.changes, may_hide=comparison.database.may_hide
    )


def doubtful_creates(
    target: Target, context: Context, changes: Sequence[Change], *, may_hide: str
) -> GitsyncError | None:
    """Return the error where a database may hold what would be created; a server refuses that by itself."""
    from gitsync.stores.http.store import Api
    from gitsync.sync.model import Action

    if isinstance(target, Api):
        return None
    return incomplete_source(target, context, changes, Action.CREATE, may_hide=may_hide)


def unsupported_changes(
    target: Target,
    changes: Sequence[Change],
    calls: Mapping[Key, Collection[Key]],
    path: Callable[[Key], str],
) -> GitsyncError | None:
    """Return the error for what the target cannot do: AccessDenied, or UNSUPPORTED_BY_SERVER with all of it.

    calls: key → the keys that it calls. path: where a key's document lies.
    """
    from gitsync.errors import InvalidInput
    from gitsync.stores.http.store import Api

    if not isinstance(target, Api) or not changes:
        return None
    if (denied := target.denied_write()) is not None:
        return denied
    problems = target.obstacles(changes, calls, path)
    if not problems:
        return None
    return InvalidInput(
        f"{len(problems)} of {len(changes)} changes cannot be made over the API of {target.address}; "
        "nothing was sent",
        code="UNSUPPORTED_BY_SERVER",
        problems=problems,
        cure=problems[0].cure,
    )


def tell_limits(target: Target, changes: Sequence[Change], context: Context) -> None:
    """Say what a person should know before changes are sent to a server."""
    from gitsync.stores.http.store import Api

    if isinstance(target, Api):
        for note in target.notes(changes):
            context.tell(f"note: {note}")


def warn_of_hidden(target: Target) -> list[str]:
    """A warning where workflows may be hidden; of a server it is known once they were read."""
    may_hide = target.may_hide()
    return [f"{may_hide}, which then are not in the bundle"] if may_hide else []


def incomplete_source(
    target: Target, context: Context, changes: Sequence[Change], action: Action, *, may_hide: str
) -> GitsyncError | None:
    """Return the error where `action` would follow from the absence of what may only be hidden; may_hide: why."""
    from gitsync.stores.http.store import Api
    from gitsync.sync.plan import find_incomplete

    if context.assume_complete:
        return None
    if isinstance(target, Api):
        cure = "sign in as an administrator (`--cookie`), from whom nothing is hidden"
    else:
        cure = "let a policy show this role all rows of the tenant, or give it BYPASSRLS (`gitsync db check`)"
    return find_incomplete(changes, action, may_hide=may_hide, cure=cure)


def _is_system(data: bytes) -> bool:
    """Whether a file's metadata say that it is a system workflow."""
    if b"isSystem" not in data:
        return False
    from gitsync.errors import InvalidInput
    from gitsync.workflow.parse import parse_json

    try:
        document = parse_json(data, file="")
    except InvalidInput:
        return False
    metadata = document.get("metadata") if isinstance(document, dict) else None
    return isinstance(metadata, dict) and metadata.get("isSystem") is True
