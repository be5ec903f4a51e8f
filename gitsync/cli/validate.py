"""``gitsync validate``."""

from __future__ import annotations

import click

from gitsync.cli.options import CHECKS, common_options_with, examples, settings_of


@click.command(
    "validate",
    epilog=examples(
        "gitsync validate",
        "gitsync validate workflows/onboarding.client.json",
        "gitsync validate --against origin/main --strict",
        "gitsync validate -o sarif > gitsync.sarif",
        "gitsync validate --explain SECRETS",
    ),
)
@click.argument("files", nargs=-1, metavar="[FILE]...")
@click.option("--strict", is_flag=True, help="Count warnings as errors.")
@click.option("--against", metavar="REV", help="Published versions stay as they are at this revision.")
@click.option(
    "--explain", metavar="RULE", help="Say what a rule wants, and why, with examples; look at no file."
)
@click.option(
    "--staged",
    is_flag=True,
    help="As a hook before a commit: judge what is staged, as it is staged, pass over what is none of gitsync's, "
    "and look for calls of what the commit deletes.",
)
@common_options_with(*CHECKS)
@click.pass_context
def command(
    context: click.Context,
    /,
    files: tuple[str, ...],
    strict: bool,
    against: str | None,
    explain: str | None,
    staged: bool,
) -> int:
    """Check workflow files, gitsync.yaml and the registry against every rule; needs no database.

    Without FILE all workflows and tests of the nearest gitsync.yaml are checked; a FILE's own gitsync.yaml is looked
    for from its folder upwards. All problems are listed, sorted by place. Exits 4 where one is an error.
    Severities are set in gitsync.yaml, under validate: rules:.
    """
    from gitsync.cli.emit import emit
    from gitsync.commands import validate

    settings = settings_of(context)
    if explain is not None:
        return _explain(explain)
    report = validate.validate(settings.context(), files, against=against, staged=staged, strict=strict)
    if not settings.is_output_chosen and settings.variables.get("GITHUB_ACTIONS") == "true":
        settings.output = "github"
    return emit(report, settings)


def _explain(name: str) -> int:
    """Print what a rule wants: prose, whatever form was asked for."""
    from gitsync.cli.output import echo
    from gitsync.commands.validate import explain
    from gitsync.render.rules import explain_text

    echo(explain_text(explain(name)), nl=False)
    return 0
