"""``gitsync run``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gitsync.cli.options import PAGES, common_options_with, examples, settings_of
from gitsync.cli.output import echo

if TYPE_CHECKING:
    from collections.abc import Callable

    from gitsync.cli.options import Settings
    from gitsync.runtime.model import StepTrace
    from gitsync.runtime.start import Start
    from gitsync.testing.testfile import Setting


@click.command(
    "run",
    epilog=examples(
        "gitsync run billing.dunning --payload invoice.json --stubs stubs.yaml",
        "gitsync run billing.dunning --draft --payload - < invoice.json",
        "gitsync run billing.dunning -e prod --version 3 -o json",
        "gitsync run billing.dunning --payload invoice.json --record tests/dunning.yaml",
    ),
)
@click.argument("key", metavar="KEY")
@click.option(
    "--payload", metavar="FILE", help="The payload, JSON or YAML; `-` reads stdin. Else a sample is made."
)
@click.option(
    "--event", metavar="FILE", help="An event instead: the trigger's mapping makes the payload of it."
)
@click.option("--stubs", metavar="FILE", help="What actions answer, and the script for waits: YAML.")
@click.option(
    "--version", type=click.IntRange(min=1), metavar="N", help="This published version (the newest)."
)
@click.option("--draft", is_flag=True, help="The draft, and not a published version.")
@click.option(
    "--ref", metavar="REV", help="From this commit; else from the files, or with -e from that database."
)
@click.option(
    "--actions", multiple=True, metavar="MODULE", help="A Python module whose ACTIONS answer calls."
)
@click.option(
    "--record", "target", metavar="FILE", type=click.Path(path_type=Path), help="Write the run as a test."
)
@common_options_with(*PAGES)
@click.pass_context
def command(context: click.Context, /, key: str, **values: Any) -> int:
    """Run a workflow here, as the product would, and show what it does.

    Nothing outside is touched: actions answer from --stubs, from Python functions, or with a sample of their
    schema. Exits 0 where the run succeeds, 4 where it fails or waits for something.
    """
    from gitsync.cli.emit import emit
    from gitsync.cli.files import write_output
    from gitsync.commands.project import open_project
    from gitsync.commands.run import check_free, run

    settings = settings_of(context)
    if values["draft"] and values["version"]:
        raise click.UsageError("--draft and --version are two definitions; choose one")
    if values["payload"] and values["event"]:
        raise click.UsageError("--payload and --event are two ways to start; choose one")
    if values["ref"] and settings.environment:
        raise click.UsageError("--ref and -e are two sources; choose one")
    start, setting = _start(settings, values), _setting(settings, values["stubs"])
    target = values["target"] and settings.place(values["target"])
    if target is not None:
        check_free(target)
    with open_project(settings.context()) as project:
        report = run(
            project,
            key,
            start=start,
            setting=setting,
            ref=values["ref"],
            actions=values["actions"],
            on_step=_teller(settings, setting),
        )
    code = emit(report, settings)
    if target is not None:
        target.parent.mkdir(parents=True, exist_ok=True)
        write_output(settings, str(target), report.recording.encode())
        settings.tell(f"recorded in {values['target']}; `gitsync test {values['target']}` runs it")
    return code


def _teller(settings: Settings, setting: Setting) -> Callable[[StepTrace], None] | None:
    """What draws the steps as they come, where somebody looks; secrets taken out."""
    from gitsync.cli.progress import is_shown
    from gitsync.render.run import Tree
    from gitsync.runtime.redact import Redactor

    if not is_shown(settings):
        return None
    tree, redactor = Tree(), Redactor(setting.secrets)

    def tell(step: StepTrace) -> None:
        for line in tree.lines(step):
            echo(redactor.text(line), err=True)

    return tell


def _start(settings: Settings, values: dict[str, Any]) -> Start:
    from gitsync.errors import InvalidInput
    from gitsync.runtime.start import DRAFT, Start

    version = DRAFT if values["draft"] else values["version"]
    if values["event"] is not None:
        event = read_value(settings, values["event"])
        if not isinstance(event, dict) or "payload" not in event:
            raise InvalidInput(
                f"{values['event']}: an event is an object with a payload, and perhaps name and correlationKey",
                code="INVALID_PAYLOAD",
            )
        return Start(version, event=event)
    if values["payload"] is None:
        return Start(version)
    return Start(version, read_value(settings, values["payload"]))


def _setting(settings: Settings, file: str | None) -> Setting:
    from gitsync.cli.files import read_input
    from gitsync.errors import InvalidInput, plural
    from gitsync.testing.testfile import Setting, read_outside

    if file is None:
        return Setting()
    setting, problems = read_outside(read_input(settings, file, what="the stubs"), file=file)
    if problems:
        raise InvalidInput(
            f"{file} has {plural(len(problems), 'problem')}",
            code="INVALID_STUBS",
            problems=problems,
            cure=f"mend {file}",
        )
    return setting


def read_value(settings: Settings, file: str) -> Any:
    """The JSON, or by its ending the YAML, in a file or on stdin; raises InvalidInput."""
    from gitsync.cli.files import read_input
    from gitsync.errors import InvalidInput
    from gitsync.workflow.parse import parse_json
    from gitsync.workflow.yaml_reader import read_located

    data = read_input(settings, file, what="a payload")
    if not file.endswith((".yaml", ".yml")):
        return parse_json(data, file="stdin" if file == "-" else file)
    located = read_located(data, file=file, rule="INVALID_PAYLOAD")
    if located.problems:
        raise InvalidInput(f"{file} cannot be read", code="INVALID_PAYLOAD", problems=located.problems)
    return located.value
