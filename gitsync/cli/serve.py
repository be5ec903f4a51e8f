"""``gitsync serve``."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gitsync.cli.options import Settings, common_options, examples, settings_of

if TYPE_CHECKING:
    from gitsync.server.service import Service

_file = click.Path(path_type=Path, exists=True, dir_okay=False)


@click.command(
    "serve",
    epilog=examples(
        "gitsync serve",
        "gitsync serve -e prod --host 0.0.0.0 --tls-cert cert.pem --tls-key key.pem",
        "gitsync serve -e prod --host 0.0.0.0 --behind-proxy",
    ),
)
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8080,
    show_default=True,
    help="The port; 0 takes a free one and says which.",
)
@click.option("--tls-cert", type=_file, help="A PEM file with the certificate and its chain.")
@click.option("--tls-key", type=_file, help="A PEM file with the certificate's private key.")
@click.option(
    "--behind-proxy",
    is_flag=True,
    help="A proxy in front ends TLS and alone can reach this address; its X-Forwarded-For is believed.",
)
@click.option(
    "--in-place/--recreate",
    "in_place",
    default=None,
    help="How imports overwrite, unless they say themselves (gitsync.yaml: overwrite).",
)
@click.option(
    "--max-body",
    type=click.IntRange(1, 4096),
    default=32,
    show_default=True,
    metavar="MB",
    help="The largest body of a request, in megabytes (1,000 workflows take about 20).",
)
@click.option(
    "--time-limit",
    type=click.FloatRange(min=1, max=86400),
    default=60.0,
    show_default=True,
    metavar="SECONDS",
    help="How long a body may take to arrive, an import to wait for others, a client to take nothing of its answer, "
    "and PostgreSQL for one statement.",
)
@click.option("--new-tenant", is_flag=True, help="The tenant is meant to have no workflows yet.")
@common_options
@click.pass_context
def command(context: click.Context, /, **values: Any) -> int:
    """Offer the environment's database over HTTP: the product's own paths to list, read, export and import.

    Clients sign in with a token of `gitsync token add`. Ctrl-C or SIGTERM stops it after what runs. Needs the
    extra: pip install 'gitsync-workflows[server]'.
    """
    try:
        from gitsync.server.run import Address, check_address, listen, serve
    except ModuleNotFoundError as error:
        raise _missing_extra(error) from error
    from gitsync.commands.project import read_settings, registry_of
    from gitsync.commands.targets import database_url
    from gitsync.server.service import ServedDatabase, Service
    from gitsync.server.shared import Bounds, Shared

    gc.enable()  # commands that end soon do without; here what requests leave behind would pile up
    settings = settings_of(context)
    if (values["tls_cert"] is None) is not (values["tls_key"] is None):
        raise click.UsageError("--tls-cert and --tls-key go together")
    address = Address(
        values["host"], values["port"], values["tls_cert"], values["tls_key"], values["behind_proxy"]
    )
    check_address(address)
    config, folder = read_settings(settings.context())
    environment = config.environment(settings.environment, settings.variables)
    in_place = values["in_place"]
    served = ServedDatabase(
        database_url(environment, folder),
        environment.name,
        environment.tenant,
        environment.actor,
        in_place=environment.overwrite == "in-place" if in_place is None else in_place,
        new_tenant=values["new_tenant"],
        lock_timeout=settings.lock_timeout,
        statement_timeout=values["time_limit"],
    )
    registry_of(config, folder)  # a faulty one is an error now, not at the first request
    service = Service(served, registry=lambda: registry_of(config, folder))
    bounds = Bounds(values["max_body"] * 1024 * 1024, values["time_limit"], values["time_limit"])
    try:
        _look(settings, service, environment.name)
        with listen(address) as bound:
            serve(
                Shared(service, config.limits, config.rules, bounds),
                address,
                bound,
                on_listening=lambda url: settings.tell(f"listening on {url}; Ctrl-C or SIGTERM stops it"),
            )
    finally:
        service.close()
    settings.tell("stopped")
    return 0


def _look(settings: Settings, service: Service, name: str) -> None:
    """Say what is served, and what stands in the way of it; a database that is down may come up later."""
    from gitsync.errors import ConfigError, GitsyncError

    settings.tell(f"{name}: {service.address}")
    try:
        service.check_ready()
        if not service.tokens():
            settings.tell("warning: there is no token yet, so nobody can sign in: `gitsync token add NAME`")
    except ConfigError:
        raise
    except GitsyncError as error:
        settings.tell(f"warning: not ready: {error.message} [{error.code}]")
        if error.cure:
            settings.tell(f"  next: {error.cure}")


def _missing_extra(error: ModuleNotFoundError) -> Exception:
    from gitsync.errors import GitsyncError

    if error.name not in {"starlette", "uvicorn", "anyio", "prometheus_client"}:
        return error
    return GitsyncError(
        f"`gitsync serve` needs {error.name}, which is not installed",
        code="MISSING_EXTRA",
        cure="pip install 'gitsync-workflows[server]'",
    )
