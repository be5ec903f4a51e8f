"""The files of one folder, judged: each by itself, then the calls between them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from gitsync.errors import Problem
from gitsync.rules.history import Base, history_faults
from gitsync.rules.together import UNKNOWN, Circles, Links, call_faults, is_clean, links_of
from gitsync.rules.validator import Validator
from gitsync.workflow.document import REFERENCE
from gitsync.workflow.reading import WorkflowFile
from gitsync.workflow.references import may_call
from gitsync.workflow.types import Key

Read = Callable[[Key], WorkflowFile]


@dataclass
class FolderLinks(Mapping[Key, Links]):
    """What each workflow of a folder offers and asks; those not yet known are read when asked for."""

    keys_of_files: frozenset[Key]
    read: Read
    known: dict[Key, Links] = field(default_factory=dict)

    def __getitem__(self, key: Key) -> Links:
        if key not in self.keys_of_files:
            raise KeyError(key)
        if key not in self.known:
            self.known[key] = links_in(self.read(key))
        return self.known[key]

    def __contains__(self, key: object) -> bool:
        return key in self.keys_of_files

    def __iter__(self) -> Iterator[Key]:
        return iter(self.keys_of_files)

    def __len__(self) -> int:
        return len(self.keys_of_files)


def links_in(file: WorkflowFile) -> Links:
    """Return what the workflow of a file offers and asks."""
    if file.document is None:
        return UNKNOWN
    if not may_call(file.data):
        return Links(frozenset(entry["version"] for entry in file.document["publishedVersions"]))
    return links_of(file.document)


def check_files(
    keys: Sequence[Key], read: Read, validator: Validator, *, base: Base | None = None
) -> tuple[list[Problem], dict[Key, Links]]:
    """Return the problems of each file by itself, and what each offers and asks.

    base: an earlier revision, whose published versions must be there still.
    """
    problems: list[Problem] = []
    links: dict[Key, Links] = {}
    for key in keys:
        file = read(key)
        links[key] = links_in(file)
        problems += validator.check(file)
        if base is not None and file.document is not None and key in base.documents:
            faults = list(history_faults(base.documents[key], file.document, revision=base.revision))
            problems += validator.place(faults, file)
    return problems, links


def check_calls(
    keys: Iterable[Key], links: FolderLinks, validator: Validator, *, of: Collection[Key] | None = None
) -> Iterator[Problem]:
    """Yield what is wrong with the calls of `keys`; with `of`: which of their calls of these lead nowhere."""
    callers = [key for key in keys if links[key].calls]
    circles = Circles(links, callers if of is None else ())
    for key in callers:
        if is_clean(key, links, circles):
            continue  # most are, and need no second parse
        file = links.read(key)
        if file.document is None:
            continue
        faults = list(call_faults(file.document, links, circles))
        if of is not None:
            faults = [fault for fault in faults if fault.rule == "UNRESOLVED_REFERENCE"]
        yield from validator.place(faults, file)


def mentions(data: bytes, keys: Collection[Key]) -> bool:
    """Return whether a file's text has a call of one of `keys` as canonical form writes it; quick."""
    return may_call(data) and any(f'"{REFERENCE}{key}"'.encode() in data for key in keys)
