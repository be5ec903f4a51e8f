"""``gitsync init``."""

from __future__ import annotations

import click

from gitsync.cli.options import common_options, examples, settings_of


@click.command(
    "init",
    epilog=examples(
        "gitsync init",
        "gitsync init --example",
        "gitsync -C workflows-repo init",
        "gitsync init --ci github --pre-commit --source https://git.example.com/gitsync.git@v1.0.0",
        "gitsync init --ci gitlab --source https://git.example.com/gitsync.git@v1.0.0 --diff",
    ),
)
@click.option("--example", is_flag=True, help="Add sample workflows and a registry, and commit it all.")
@click.option(
    "--ci",
    type=click.Choice(["github", "gitlab"]),
    multiple=True,
    help="Add the pipeline: a plan on each pull request, a deploy on merge.",
)
@click.option("--pre-commit", is_flag=True, help="Add the configuration of the pre-commit hooks.")
@click.option(
    "--source",
    metavar="REPO@REV",
    help="Where pipeline and hooks take gitsync from: what `git clone` takes, and a tag or commit.",
)
@click.option("--diff", "show_diff", is_flag=True, help="Show what would be written, and write nothing.")
@common_options
@click.pass_context
def command(
    context: click.Context,
    example: bool,
    ci: tuple[str, ...],
    pre_commit: bool,
    source: str | None,
    show_diff: bool,
) -> int:
    """Make a repository for workflows here: git, a configuration that explains itself, the folder.

    Uses the git repository that the folder is in, or makes one. Never overwrites a file: what is there already is
    kept, and named. -e NAME says which environment the pipeline deploys to (prod).
    """
    from gitsync.cli.emit import emit
    from gitsync.commands.init import init_repository

    if (ci or pre_commit) and not source:
        raise click.UsageError("--ci and --pre-commit need --source REPO@REV: where to take gitsync from")
    if source and not (ci or pre_commit):
        raise click.UsageError("--source says where --ci and --pre-commit take gitsync from; add one of them")
    settings = settings_of(context)
    report = init_repository(
        settings.context(), example=example, ci=ci, pre_commit=pre_commit, source=source, dry_run=show_diff
    )
    return emit(report, settings)
