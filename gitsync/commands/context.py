"""Where a command runs, on what, and who is told: all that it needs of the world, handed in."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeAlias, TypeVar

from gitsync.errors import Refused

if TYPE_CHECKING:
    from gitsync.commands.project import Project

T = TypeVar("T")
Counter: TypeAlias = Callable[[int, int], None]
"""Takes (done, total)."""


def direct(path: Path) -> Path:
    """The absolute path with each ``..`` taken as the system takes it, so that its parents are those of the file.

    What comes after the last ``..`` stays as it is, links included.
    """
    parts = path.absolute().parts
    if ".." not in parts:
        return path.absolute()
    after = len(parts) - parts[::-1].index("..")
    return Path(*parts[:after]).resolve().joinpath(*parts[after:])


class Caller(Protocol):
    """Whoever runs a command: what it hears meanwhile, and what it is asked."""

    def tell(self, text: str) -> None:
        """Hear a note or a warning, one or more lines without an end of line."""

    def confirm(self, question: str) -> None:
        """Return where the answer is yes; raise GitsyncError where it is not, or nobody can be asked."""

    def count(self, title: str) -> AbstractContextManager[Counter | None]:
        """Give a function to count long work with, or ``None`` where nobody looks."""


@dataclass(frozen=True, slots=True)
class Unattended:
    """A caller that cannot be asked.

    says_yes: answers every question with yes. on_note: is given each note and warning.
    """

    says_yes: bool = False
    on_note: Callable[[str], None] = lambda _text: None

    def tell(self, text: str) -> None:
        """Hand the note on."""
        self.on_note(text)

    def confirm(self, question: str) -> None:
        """Raise Refused (CONFIRMATION_NEEDED), unless it says yes to all."""
        if not self.says_yes:
            raise Refused(
                f"{question} Nobody is there to answer; nothing was written",
                code="CONFIRMATION_NEEDED",
                cure="open the project with `says_yes=True` if it is meant",
            )

    def count(self, title: str) -> AbstractContextManager[Counter | None]:
        """Count nothing."""
        return nullcontext()


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """Where a command runs and on what.

    where: the folder that paths are meant from, and in which or above which gitsync.yaml is looked for.
    variables: the environment variables that may be read. environment: its name, ``None`` for the default.
    base_url: of a server to work on instead of an environment. given: ``cookie``, ``token``, ``api_key`` and
    ``tenant`` for a server. lock_timeout: seconds to wait for another run on the same database.
    no_cache: read every workflow, also those whose rows are as they were. config_from: the revision whose
    gitsync.yaml says which environments there are. assume_complete: what is not shown is not there.
    """

    where: Path
    variables: Mapping[str, str] = field(default_factory=dict)
    environment: str | None = None
    base_url: str | None = None
    given: Mapping[str, str] = field(default_factory=dict)
    lock_timeout: float = 10.0
    no_cache: bool = False
    config_from: str | None = None
    assume_complete: bool = False
    caller: Caller = field(default_factory=Unattended)

    def tell(self, text: str) -> None:
        """Tell the caller."""
        self.caller.tell(text)

    def watch(self, title: str, items: Iterable[T], total: int) -> Iterator[T]:
        """Yield the items, counted for the caller."""
        with self.caller.count(title) as count:
            for done, item in enumerate(items, start=1):
                yield item
                if count is not None:
                    count(done, total)


def context_of(place: Project | Context) -> Context:
    """Return the context that a command runs in: `place` itself, or that of a project."""
    return place if isinstance(place, Context) else place.context
