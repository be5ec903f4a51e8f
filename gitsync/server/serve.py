"""``serve``: one environment offered over HTTP, from its configuration to the end of the process."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from gitsync.commands.context import Context
from gitsync.commands.project import read_settings, registry_of
from gitsync.commands.targets import database_url
from gitsync.errors import ConfigError, GitsyncError
from gitsync.server.run import Address, check_address, listen, serve
from gitsync.server.service import ServedDatabase, Service
from gitsync.server.shared import Bounds, Shared


def serve_environment(
    context: Context,
    address: Address,
    *,
    now: Callable[[], str],
    in_place: bool | None = None,
    new_tenant: bool = False,
    max_body: int = Bounds().body,
    time_limit: float = Bounds().upload,
) -> None:
    """Offer the environment's database until SIGINT or SIGTERM; the caller is told the URL, and of the end.

    now: tells the time, RFC 3339 in UTC. in_place: how imports overwrite, ``None`` as the configuration says.
    max_body: bytes of a request. time_limit: seconds for a body to arrive, an import to wait for others, a client to
    take nothing of its answer, and PostgreSQL for one statement.
    Raises Refused (INSECURE_ADDRESS), ConfigError, GitsyncError (CANNOT_LISTEN).
    """
    check_address(address)
    config, folder = read_settings(context)
    environment = config.environment(context.environment, context.variables)
    if in_place is not None:
        environment = replace(environment, overwrite="in-place" if in_place else "recreate")
    served = ServedDatabase(
        database_url(environment, folder),
        environment,
        config,
        new_tenant=new_tenant,
        lock_timeout=context.lock_timeout,
        statement_timeout=time_limit,
    )
    registry_of(config, folder)  # a faulty one is an error now, not at the first request
    service = Service(served, registry=lambda: registry_of(config, folder), now=now)
    try:
        _look(context, service)
        with listen(address) as bound:
            serve(
                Shared(service, Bounds(max_body, time_limit, time_limit)),
                address,
                bound,
                on_listening=lambda url: context.tell(f"listening on {url}; Ctrl-C or SIGTERM stops it"),
            )
    finally:
        service.close()
    context.tell("stopped")


def _look(context: Context, service: Service) -> None:
    """Say what is served, and what stands in the way of it; a database that is down may come up later."""
    context.tell(f"{service.served.environment.name}: {service.address}")
    try:
        service.check_ready()
        if not service.tokens():
            context.tell("warning: there is no token yet, so nobody can sign in: `gitsync token add NAME`")
    except ConfigError:
        raise
    except GitsyncError as error:
        context.tell(f"warning: not ready: {error.message} [{error.code}]")
        if error.cure:
            context.tell(f"  next: {error.cure}")
