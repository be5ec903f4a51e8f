"""The repository as a side: a commit to read from, and the work tree that a pull writes."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Final

from gitsync.errors import GitsyncError, InvalidInput, PlanStale, Problem, oversized_file
from gitsync.rules.calls import check_references
from gitsync.rules.names import (
    SUFFIX,
    WorkflowTree,
    doubtful_names,
    find_out_of_place,
    key_of_name,
)
from gitsync.rules.rule import Severity
from gitsync.rules.validator import Validator, forgive
from gitsync.stores.disk import Disk, misplaced_files
from gitsync.stores.files import Held, compare_and_set, look, remove_leftovers
from gitsync.stores.git import ZERO, GitRepository, TreeEntry, broken_object
from gitsync.stores.git.commits import Commits
from gitsync.sync.limits import LARGEST
from gitsync.sync.model import Action, Applied, Capabilities, Change, CommittedFiles, Deployment, Snapshot
from gitsync.workflow.canonical import canonical_bytes, digest_of, document_digest
from gitsync.workflow.faults import locate
from gitsync.workflow.parse import parse_again, parse_json
from gitsync.workflow.reading import parse_workflow, read_stored_document
from gitsync.workflow.references import called_keys, may_call, raw_calls
from gitsync.workflow.types import Digest, Document, Key

_REGULAR: Final = ("100644", "100755")


@dataclass(frozen=True, slots=True)
class Examined:
    """What a file holds, its faults, and what it refers to.

    digest: of the normal form, or the blob's own id where the file cannot be read.
    problems: errors and warnings.
    calls: keys that it calls. ids: calls by database id.
    """

    digest: Digest
    problems: tuple[Problem, ...] = ()
    calls: frozenset[Key] = field(default_factory=frozenset)
    ids: frozenset[str] = field(default_factory=frozenset)

    @property
    def errors(self) -> tuple[Problem, ...]:
        """Those problems that stop a push."""
        return tuple(problem for problem in self.problems if problem.severity == Severity.ERROR)

    def beside(self, held: Counter[tuple[str, str, str]]) -> Examined:
        """This, where the database holds these faults already (`Validator.count_faults`)."""
        return replace(self, problems=tuple(forgive(self.problems, held)))


class CommitSide:
    """The workflows in one commit of a repository.

    folder: of the workflow files, from the repository's top; empty for the top itself.
    commit: ZERO before the first commit. is_checked_out: it is what the work tree stands for.
    largest: bytes of a file that is still looked into. typed: the folder as one types it in a command, where that
    differs.
    """

    def __init__(
        self,
        git: GitRepository,
        *,
        folder: str,
        commit: str,
        is_checked_out: bool = False,
        largest: int = LARGEST,
        typed: str | None = None,
    ) -> None:
        self.typed = typed
        self.git, self.folder, self.commit = git, folder, commit
        self.is_checked_out, self.largest = is_checked_out, largest
        self.oversized: list[Problem] = []  # what a pull has written, and a push would refuse
        self._normal: set[str] = set()  # blobs that were examined, and are valid and normal as they stand

    @property
    def capabilities(self) -> Capabilities:
        """What it can do."""
        return Capabilities(noun="commit")

    @property
    def revision(self) -> str | None:
        """The commit, ``None`` before the first one."""
        return None if self.commit == ZERO else self.commit

    def path(self, key: Key) -> str:
        """The path of the key's file from the repository's top."""
        return f"{self.folder}/{key}{SUFFIX}" if self.folder else f"{key}{SUFFIX}"

    @cached_property
    def _tree(self) -> Mapping[str, TreeEntry]:
        return {} if self.commit == ZERO else self.git.tree(self.commit, self.folder)

    @cached_property
    def _workflows(self) -> WorkflowTree:
        return WorkflowTree({name: entry.mode in _REGULAR for name, entry in self._tree.items()})

    @cached_property
    def blobs(self) -> Mapping[Key, Digest]:
        """Key → blob id as it stands in the tree, normal or not."""
        return {key: Digest(self._tree[key + SUFFIX].oid) for key in self._workflows.keys}

    @cached_property
    def strays(self) -> Sequence[Problem]:
        """Files in the folder that can be no workflow."""
        prefix = f"{self.folder}/" if self.folder else ""
        return [
            Problem(prefix + name, rule=fault.rule, message=fault.message, cure=fault.cure)
            for name, fault in self._workflows.strays
        ]

    @cached_property
    def misplaced(self) -> Sequence[Problem]:
        """A FILE_OUT_OF_PLACE for each workflow's file in a subfolder, of the commit or of its work tree."""
        found = set(self._misplaced_in_tree())
        if self.is_checked_out:
            disk = Disk(self.git.top)
            with suppress(InvalidInput, OSError):  # whoever reads or writes there says what is in the way
                found |= {*misplaced_files(disk, disk.top / self.folder, shown=self.folder, typed=self.typed)}
        return sorted(found)

    def _misplaced_in_tree(self) -> list[Problem]:
        if not any(entry.kind == "tree" for entry in self._tree.values()):
            return []
        below = self.git.tree(self.commit, self.folder, is_deep=True)
        names = doubtful_names([name for name, entry in below.items() if entry.mode in _REGULAR])
        blobs = self.git.read_blobs(below[name].oid for name in names)
        contents = ((name, data) for name, (_, data) in zip(names, blobs, strict=True))
        return find_out_of_place(contents, folder=self.folder, taken=self._tree, typed=self.typed)

    def snapshot(self) -> Snapshot:
        """The tree as it stands: a blob that isn't in normal form has its own id here."""
        return Snapshot(self.blobs)

    def committed_files(self) -> CommittedFiles:
        """Return what git holds, for a store over whose way ``isSystem`` cannot be told."""
        keys = sorted(self.blobs)
        contents = self.git.read_blobs(self.blobs[key] for key in keys)
        system_keys = frozenset(
            key for key, (_, data) in zip(keys, contents, strict=True) if _is_system(data)
        )
        return CommittedFiles(self.blobs, system_keys, partial(self.git.have, kind="blob"))

    def examine(self, keys: Collection[Key], validator: Validator) -> Iterator[tuple[Key, Examined]]:
        """Each file's normal digest and all its faults; streamed, in the order of the keys."""
        ordered = sorted(key for key in keys if key in self.blobs)
        contents = self.git.read_blobs(self.blobs[key] for key in ordered)
        for key, (oid, data) in zip(ordered, contents, strict=True):
            if len(data) > self.largest:
                yield key, Examined(Digest(oid), self._too_large(key, data).problems)
                continue
            found = examine(data, key=key, file=self.path(key), validator=validator, oid=Digest(oid))
            if found.digest == oid and not found.errors:
                self._normal.add(oid)
            yield key, found

    def load(self, keys: Collection[Key]) -> Iterator[tuple[Key, Document]]:
        """The documents in normal form, ordered by key."""
        ordered = sorted(key for key in keys if key in self.blobs)
        contents = self.git.read_blobs(self.blobs[key] for key in ordered)
        for key, (oid, data) in zip(ordered, contents, strict=True):
            if oid in self._normal:
                yield key, parse_again(data)
            else:
                check_blob(data, oid)
                if len(data) > self.largest:
                    raise self._too_large(key, data)
                yield key, read_stored_document(data, file=self.path(key))

    def find_unresolved(
        self, keys: Collection[Key], *, known: Collection[Key], held: Mapping[Key, Collection[str]]
    ) -> list[Problem]:
        """An UNRESOLVED_REFERENCE, with its place, for each call in `keys` that leads nowhere."""
        problems: list[Problem] = []
        ordered = sorted(keys)
        contents = self.git.read_blobs(self.blobs[key] for key in ordered)
        for key, (_, data) in zip(ordered, contents, strict=True):
            files = {key: self.path(key)}
            document = read_stored_document(data, file=files[key])
            found = check_references({key: document}, known_keys=known, held_raw_ids=held, files=files)
            problems += locate(found, data)
        return problems

    def normalise(self, oids: Collection[str]) -> Mapping[str, Digest]:
        """Blob id → digest of its normal form; a blob that holds no workflow keeps its own id."""
        contents = self.git.read_blobs(sorted(oids))
        return {oid: normal_digest(data, oid, largest=self.largest) for oid, data in contents}

    def note_size(self, key: Key, data: bytes) -> bytes:
        """The data of a file that a pull writes; one that is too large for a push is noted in `oversized`."""
        if len(data) > self.largest:
            self.oversized += self._too_large(key, data).problems
        return data

    def _too_large(self, key: Key, data: bytes) -> InvalidInput:
        return oversized_file(self.path(key), size=len(data), most=self.largest)


class WorkTree(CommitSide):
    """The work tree over its HEAD: what a pull compares with, and writes.

    on_written: told the path of each file that an apply has written.
    """

    on_written: Callable[[str], None] | None = None

    def __init__(
        self,
        git: GitRepository,
        *,
        folder: str,
        commit: str,
        largest: int = LARGEST,
        typed: str | None = None,
    ) -> None:
        super().__init__(git, folder=folder, commit=commit, is_checked_out=True, largest=largest, typed=typed)

    @property
    def capabilities(self) -> Capabilities:
        """What it can do."""
        return Capabilities(noun="work tree")

    @property
    def uncommitted(self) -> Mapping[Key, Digest | None]:
        """Key → digest of each file that differs from HEAD, ``None`` where it is gone; ignored files count."""
        return self._looked[0]

    @cached_property
    def _looked(self) -> tuple[Mapping[Key, Digest | None], frozenset[Key]]:
        """What is uncommitted, and which files git doesn't look at, of those that are as in HEAD."""
        found: dict[Key, Digest | None] = {}
        unwatched_keys = set()
        unwatched = self.git.unwatched(self.folder)
        for path in sorted(self.git.uncommitted(self.folder) | unwatched):
            folder, _, name = path.rpartition("/")
            key = key_of_name(name)
            if folder != self.folder or key is None:
                continue
            digest = digest_held(look(self.git.top / path), largest=self.largest)
            if path in unwatched and (digest is None or digest == self.committed(key)):
                unwatched_keys.add(key)  # as in HEAD, or left out of a sparse checkout: no edit
            else:
                found[key] = digest
        return found, frozenset(unwatched_keys)

    def committed(self, key: Key) -> Digest | None:
        """The digest of the key's file in HEAD, ``None`` where it has none."""
        oid = self.blobs.get(key)
        return None if oid is None else self.normalise([oid])[oid]

    def apply(
        self, changes: Sequence[Change], documents: Iterable[tuple[Key, Document]], deployment: Deployment
    ) -> Applied:
        """Write each file aside and put it in place; delete what is to go.

        A file that no longer holds what the plan has seen is kept, and named in the result.
        Raises PlanStale where HEAD or the database has moved since the plan; each file is whole even then.
        """
        head, ending = self.git.resolve("HEAD") or ZERO, "nothing was written"
        if moved := self.changed_since(head, [self.path(change.key) for change in changes], ending=ending):
            raise PlanStale(
                f"{', '.join(sorted(moved))} was committed by somebody else meanwhile; {ending}",
                cure="run the pull again",
            )
        folder = self.git.top / self.folder
        self.git.check_holds(self.folder)
        self._check_inside(folder)
        remove_leftovers(folder)
        planned = {change.key: change for change in changes}
        kept = set()
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for key, document in documents:
                data = self.note_size(key, canonical_bytes(document))
                if digest_of(data) != planned[key].after:
                    raise PlanStale(
                        f"{key} changed in the database while it was pulled", cure="run the pull again"
                    )
                if not self._put(planned[key], data):
                    kept.add(key)
                elif self.on_written is not None:
                    self.on_written(self.path(key))
            for change in changes:
                if change.action is Action.DELETE and not self._put(change, None):
                    kept.add(change.key)
        except OSError as error:
            raise GitsyncError(
                f"cannot write {error.filename or folder}: {error.strerror}; files written so far are whole",
                code="CANNOT_WRITE",
                cure="mend the cause and pull again: it goes on where this run stopped",
            ) from error
        return Applied(kept=frozenset(kept))

    def changed_since(self, head: str, paths: Collection[str], *, ending: str) -> frozenset[str]:
        """Those of `paths` that were committed between the commit that the plan has seen and `head`.

        What the plan says of the others holds on `head`, too. Raises PlanStale where that cannot be told, since it
        isn't reached by plain commits alone; ending: what became of the pull, for the message.
        """
        changed = Commits.of(self.git).changed_since(self.commit, head, self.folder)
        if changed is None:
            raise PlanStale(
                f"HEAD has moved from {self.commit[:10]} to {head[:10]} meanwhile, by more than plain commits; {ending}",
                cure="run the pull again",
            )
        return changed.intersection(paths)

    def holds(self, key: Key, digest: Digest | None) -> bool:
        """Whether the key's file holds just the bytes of that digest, or isn't there where there is none."""
        held = look(self.git.top / self.path(key))
        return held is None if digest is None else held is not None and digest_of(held.data) == digest

    def _put(self, change: Change, data: bytes | None) -> bool:
        """Replace or delete one file, if it is as the plan has seen it; whether it was."""
        file = self.git.top / self.path(change.key)
        held = look(file)
        return self._is_as_planned(change, held) and compare_and_set(file, held, data)

    def _is_as_planned(self, change: Change, held: Held | None) -> bool:
        digest, key = digest_held(held, largest=self.largest), change.key
        if digest in (change.before, change.after):
            return True
        uncommitted, unwatched = self._looked
        if key in unwatched:
            return digest is None  # left out of a sparse checkout
        # a filter may make the file of a workflow unlike the commit's; git knows whether that is all
        return digest is not None and key not in uncommitted and not self.git.uncommitted(self.path(key))

    def _check_inside(self, folder: Path) -> None:
        """Raise where the folder is not what it seems: what is written through a link lies somewhere else."""
        for part in (folder, *folder.parents):
            if part == self.git.top:
                return
            if part.is_symlink():
                raise GitsyncError(
                    f"{part} is a symbolic link to {os.readlink(part)}; nothing was written",  # noqa: PTH115
                    code="CANNOT_WRITE",
                    cure="put the folder itself there: git keeps nothing behind a link",
                )


def digest_held(held: Held | None, *, largest: int | None = None) -> Digest | None:
    """The digest of a file in normal form, ``None`` where there is none; ZERO for what is no file."""
    if held is None:
        return None
    if not held.is_file:
        return Digest(ZERO)
    return normal_digest(held.data, digest_of(held.data), largest=largest)


def normal_digest(data: bytes, oid: str, *, largest: int | None = None) -> Digest:
    """The digest of a blob's normal form; its own id where it holds no workflow, or more than `largest` bytes."""
    check_blob(data, oid)
    if largest is not None and len(data) > largest:
        return Digest(oid)
    try:
        return document_digest(read_stored_document(data, file=oid))
    except InvalidInput:
        return Digest(oid)


def check_blob(data: bytes, oid: str) -> None:
    """Raise GitError where a blob isn't what its name says: git reads one that was exchanged without a word."""
    if digest_of(data) != oid:
        raise broken_object(oid)


def examine(data: bytes, *, key: Key, file: str, validator: Validator, oid: Digest) -> Examined:
    """The normal digest of one file, with every fault in it."""
    check_blob(data, oid)
    workflow = parse_workflow(data, file=file, key=key)
    problems, document = validator.check(workflow), workflow.document
    if document is None:
        return Examined(oid, problems)
    digest = oid if workflow.is_normal else workflow.digest or oid
    if not may_call(data):
        return Examined(digest, problems)
    return Examined(digest, problems, called_keys(document), raw_calls(document))


def _is_system(data: bytes) -> bool:
    """Tell whether a file's metadata say that it is a system workflow."""
    if b"isSystem" not in data:
        return False
    try:
        document = parse_json(data, file="")
    except InvalidInput:
        return False
    metadata = document.get("metadata") if isinstance(document, dict) else None
    return isinstance(metadata, dict) and metadata.get("isSystem") is True
