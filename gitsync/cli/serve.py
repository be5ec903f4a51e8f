"""``gitsync serve``."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import Any

import click

from gitsync.cli.options import common_options, examples, settings_of

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
    from gitsync.server.extra import missing_extra

    try:
        from gitsync.server.run import Address
        from gitsync.server.serve import serve_environment
    except ModuleNotFoundError as error:
        raise missing_extra(error) from error
    from gitsync.cli.bundles import now

    gc.enable()  # commands that end soon do without; here what requests leave behind would pile up
    cert, key = values["tls_cert"], values["tls_key"]
    if (cert is None) is not (key is None):
        raise click.UsageError("--tls-cert and --tls-key go together")
    serve_environment(
        settings_of(context).context(),
        Address(values["host"], values["port"], cert, key, values["behind_proxy"]),
        now=now,
        in_place=values["in_place"],
        new_tenant=values["new_tenant"],
        max_body=values["max_body"] * 1024 * 1024,
        time_limit=values["time_limit"],
    )
    return 0
