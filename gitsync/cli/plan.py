"""``gitsync plan``."""

from __future__ import annotations

from typing import Any

import click

from gitsync.cli.options import (
    PAGES,
    cache_option,
    common_options_with,
    complete_option,
    config_from_option,
    examples,
    exit_code_option,
    keys_argument,
    ref_option,
    server_options,
    settings_of,
)
from gitsync.cli.policy import policy_options, wishes_of


@click.command(
    "plan",
    epilog=examples(
        "gitsync plan --update",
        "gitsync plan --update --prune --exit-code",
        "gitsync plan --ref origin/main -o json",
        "gitsync plan --update --test",
        "gitsync plan --update --out plan.json && gitsync apply plan.json",
    ),
)
@keys_argument
@ref_option
@config_from_option
@exit_code_option
@policy_options
@click.option("--out", metavar="FILE", help="Save the plan, for `gitsync apply FILE`.")
@cache_option
@complete_option
@server_options
@common_options_with(*PAGES)
@click.pass_context
def command(
    context: click.Context,
    /,
    keys: tuple[str, ...],
    ref: str,
    exit_code: bool,
    out: str | None,
    **values: Any,
) -> int:
    """Show what a push with the same options would do, and write nothing.

    Every problem that would stop the push is listed: invalid files, conflicts, limits, and what would be lost.
    With --out, a plan that nothing stops is saved with its policy, for `gitsync apply` to do exactly that.
    With --config-from, a revision without gitsync.yaml has no environment to plan for: that is said, and no error.
    """
    from gitsync.cli.emit import emit
    from gitsync.cli.files import write_output
    from gitsync.commands.project import NoTrustedConfiguration, open_project
    from gitsync.commands.push import SkippedPlan, plan
    from gitsync.sync.saved_plan import render_saved_plan

    settings = settings_of(context)
    wishes = wishes_of(keys, ref, values)
    try:
        with open_project(settings.context()) as project:
            report = plan(project, with_words=settings.is_markdown, **wishes)
            code = emit(report, settings)
    except NoTrustedConfiguration as error:
        name = settings.environment or settings.variables.get("GITSYNC_ENV") or ""
        return emit(SkippedPlan(name, f"no plan: {error.message}"), settings)
    if out is not None and report.saved is None:
        settings.tell(f"{out} was not written, since a push would stop")
        return code
    if out is not None and report.saved is not None:
        write_output(settings, out, render_saved_plan(report.saved))
        settings.tell(f"saved as {out}; next: `gitsync apply {out}`")
    return code if exit_code else 0
