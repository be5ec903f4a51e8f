"""The bundle as a side: what an import reads, and what an export writes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import Final

from gitsync.errors import PlanStale
from gitsync.sync.model import Action, Applied, Capabilities, Change, Deployment, Snapshot
from gitsync.workflow.bundle import Bundle, make_bundle, offline_id, read_bundle
from gitsync.workflow.canonical import canonical_bytes, document_digest
from gitsync.workflow.schema import accepts, iter_faults
from gitsync.workflow.types import Digest, Document, Key

Write = Callable[[bytes], None]


class BundleSide:
    """The workflows of one bundle, held in memory; `apply` hands the whole of it to `write`, once.

    content: what was read, nothing for a bundle that is being made. exported_at, id_of: see `make_bundle`;
    `id_of` is asked while writing, so it may know only then.
    """

    capabilities: Final = Capabilities(noun="bundle")

    def __init__(
        self,
        content: Bundle,
        *,
        write: Write | None = None,
        exported_at: str = "",
        id_of: Callable[[Key], str] = offline_id,
    ) -> None:
        self.content: Final = content
        self._documents = dict(content.documents)
        self._write = write
        self._exported_at = exported_at
        self._id_of = id_of

    @classmethod
    def read(cls, data: bytes, *, file: str) -> BundleSide:
        """The side of the bundle in `data`; raises InvalidInput, see `read_bundle`."""
        return cls(read_bundle(data, file=file))

    @property
    def _digests(self) -> dict[Key, Digest]:
        return {key: document_digest(document) for key, document in self._documents.items()}

    def snapshot(self) -> Snapshot:
        """Return key → digest of what it holds."""
        return Snapshot(self._digests, warnings=self.content.warnings)

    def load(self, keys: Collection[Key]) -> Iterator[tuple[Key, Document]]:
        """The documents of `keys` that are there, ordered by key."""
        for key in sorted(keys):
            if key in self._documents:
                yield key, self._documents[key]

    def apply(
        self, changes: Sequence[Change], documents: Iterable[tuple[Key, Document]], deployment: Deployment
    ) -> Applied:
        """Write the bundle with all changes made, and warn of what an import of it would refuse.

        Raises PlanStale where it holds something else.
        """
        held = self._digests
        if stale := [change.key for change in changes if held.get(change.key) != change.before]:
            raise PlanStale(
                f"the bundle {self.content.file} holds something else for {', '.join(stale)}",
                details={"keys": stale},
                cure="run the command again",
            )
        for change in changes:
            if change.action is Action.DELETE:
                del self._documents[change.key]
        self._documents |= dict(documents)
        bundle = make_bundle(self._documents.values(), exported_at=self._exported_at, id_of=self._id_of)
        faults = [] if accepts("bundle.v1", bundle) else iter_faults("bundle.v1", bundle)
        warnings = [
            f"an import will refuse it: {fault.as_json()['instancePath']}: {fault.message}"
            for fault in faults
        ]
        if self._write is not None:
            self._write(canonical_bytes(bundle))
        created = {change.key: self._id_of(change.key) for change in changes if change.after}
        return Applied(created=created, warnings=warnings)
