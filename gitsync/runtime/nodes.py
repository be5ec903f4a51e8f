"""The steps that change values and call nothing: state.set, transform.assign and the two for e-mail."""

from __future__ import annotations

from collections.abc import Mapping
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any, Final

from gitsync.runtime.state import members, text_field
from gitsync.workflow.expressions import to_string

if TYPE_CHECKING:
    from gitsync.runtime.interpreter import Execution

_BREAKS: Final = frozenset({"br", "p", "div", "li", "tr", "h1", "h2", "h3", "h4", "h5", "h6", "blockquote"})
_UNSEEN: Final = frozenset({"script", "style", "head", "title"})


def set_state(execution: Execution, step: Mapping[str, Any]) -> None:
    """The step state.set."""
    config = members(step.get("config"), "config")
    execution.state.meta = {**execution.state.meta, "state": text_field(config, "state")}


def assign(execution: Execution, step: Mapping[str, Any]) -> None:
    """The step transform.assign."""
    config = members(step.get("config"), "config")
    state = execution.state
    execution.evaluator.assigned(
        config.get("assign"), state.node_context, state.assign, where="config.assign"
    )


def parse_body(execution: Execution, step: Mapping[str, Any]) -> None:
    """The step email.parseBody: what a stub says, else the text without markup."""
    text, html = _bodies(execution, step)
    parsed = {"text": text or text_of(html), "html": html}
    _save(execution, step, parsed, "payload.parsedEmail")


def render_comment_blocks(execution: Execution, step: Mapping[str, Any]) -> None:
    """The step email.renderCommentBlocks: what a stub says, else a paragraph for each line."""
    text, html = _bodies(execution, step)
    lines = (text_of(html) if html else text).splitlines()
    blocks = [
        {"type": "paragraph", "content": [{"type": "text", "text": line.strip()}]}
        for line in lines
        if line.strip()
    ]
    _save(execution, step, blocks, "payload.commentBlocks")


def text_of(html: str) -> str:
    """The text of a piece of HTML, a line for each block."""
    reader = _Text()
    reader.feed(html)
    reader.close()
    lines = [" ".join(line.split()) for line in "".join(reader.parts).splitlines()]
    return "\n".join(line for line in lines if line)


def _bodies(execution: Execution, step: Mapping[str, Any]) -> tuple[str, str]:
    """Text and HTML as the config's expressions give them, empty where there is none."""
    config = members(step.get("config"), "config")
    context = execution.state.node_context()
    bodies = [
        to_string(execution.evaluator.expression(config[name], context, where=f"config.{name}"))
        if config.get(name) is not None
        else ""
        for name in ("text", "html")
    ]
    return bodies[0], bodies[1]


def _save(execution: Execution, step: Mapping[str, Any], value: Any, usual: str) -> None:
    world, step_id = execution.world, str(step["id"])
    answer = world.outside.find((*execution.names(step_id), str(step["type"])), value)
    if answer is None:
        world.warn(
            f"step {step_id}: {step['type']} has a simple result here, the product's own is richer; "
            f"a stub for {step_id} can give it"
        )
    else:
        world.advance(answer.delay_ms)
        world.run.answers.append(
            (
                execution.key,
                step_id,
                {"returns": answer.returns} if answer.error is None else {"error": dict(answer.error)},
            )
        )
        value = answer.give()
    config = members(step.get("config"), "config")
    target = config.get("saveAs")
    execution.state.assign(target if isinstance(target, str) and target else usual, value)


class _Text(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.parts: list[str] = []
        self._unseen = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._unseen += tag in _UNSEEN
        if tag in _BREAKS:
            self.parts.append("\n")

    def handle_endtag(self, tag: str) -> None:
        self._unseen = max(self._unseen - (tag in _UNSEEN), 0)
        if tag in _BREAKS:
            self.parts.append("\n")

    def handle_data(self, data: str) -> None:
        if not self._unseen:
            self.parts.append(data)
