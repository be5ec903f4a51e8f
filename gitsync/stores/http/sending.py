"""One import request: made, sent once, and its outcome found out whatever the answer was."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from gitsync.errors import GitsyncError, NotConverged, ServerError
from gitsync.stores.http.client import Client, Interrupted, Reply
from gitsync.stores.http.reading import LIST
from gitsync.sync.model import Action, Applied, Change
from gitsync.workflow.bundle import make_bundle, offline_id
from gitsync.workflow.canonical import canonical_bytes
from gitsync.workflow.types import Digest, Document, Json, Key

_log = logging.getLogger(__name__)
_EXPORTED_AT: Final = "1970-01-01T00:00:00.000Z"
"""What the bundle of an import says: nobody keeps it, and equal pushes are equal bytes."""


@dataclass(frozen=True, slots=True)
class Import:
    """Changes on their way to a server.

    documents: of the creates and updates. ids: key → id, of all that the server has.
    look: what the server holds of the documents now: digests, and ids by key.
    """

    client: Client
    changes: Sequence[Change]
    documents: Mapping[Key, Document]
    ids: Mapping[Key, str]
    look: Callable[[], tuple[Mapping[Key, Digest], Mapping[Key, str]]]

    def send(self, *, compares: bool, in_place: bool, discard_runs: bool) -> Applied:
        """What the import did.

        compares: the server understands what is expected of it, and refuses what differs; it is then also told
        how many workflows may be overwritten, whether their ids are to be kept, and whether runs may be lost.
        Raises what the server answers, ServerError (IMPORT_FAILED, OUTCOME_UNKNOWN) where it answers nothing, and
        NotConverged where it then holds something else than was sent.
        """
        overwrites = sum(change.action is Action.UPDATE for change in self.changes)
        query = {"force": "true" if overwrites or compares else "false"}
        if compares:
            query["maxOverwrites"] = str(overwrites)
            query |= {"inPlace": "true"} if in_place else {}
            query |= {"discardRuns": "true"} if discard_runs else {}
        try:
            answer = self.client.post(f"{LIST}/import", self._body(compares=compares), **query)
        except Interrupted as error:
            return self._settle(error)
        except KeyboardInterrupt:
            _log.warning("the import was on its way: `gitsync status` tells whether it took place")
            raise
        if answer.status not in (200, 201):
            refusal = self.client.refusal(answer, "the import")
            if isinstance(refusal, ServerError) and answer.status >= 500:
                return self._settle(refusal)
            raise refusal
        if isinstance(answer.body, dict) and answer.body.get("ok") is False:
            raise ServerError(
                f"{self.client.address} did not import: {self.client.mask(str(answer.body.get('errors')))}",
                code="IMPORT_REFUSED",
            )
        return self._read_back(answer)

    def _body(self, *, compares: bool) -> bytes:
        bundle: Json = make_bundle(
            self.documents.values(),
            exported_at=_EXPORTED_AT,
            id_of=lambda key: self.ids.get(key) or offline_id(key),
        )
        if not compares:
            return canonical_bytes(bundle)
        expected: dict[str, Json] = {change.key: change.before for change in self.changes}
        return canonical_bytes({"bundle": bundle, "expectedDigests": expected})

    def _read_back(self, answer: Reply | None) -> Applied:
        """Compare what the server now holds with what was meant."""
        now, ids = self.look()
        wrong = sorted(change.key for change in self.changes if now.get(change.key) != change.after)
        if wrong:
            raise NotConverged(
                f"{self.client.address} took the import, and now holds something else than was sent for "
                f"{', '.join(wrong)}; it is written there",
                details={"keys": wrong},
                cure=f"see what with `gitsync diff {wrong[0]}`",
            )
        body = answer.body if answer is not None and isinstance(answer.body, dict) else {}
        number = body.get("deployment")
        return Applied(
            created={key: ids[key] for key in self.documents},
            deleted=_ids_in(body.get("deletedWorkflows")),
            versions={
                key: [version["version"] for version in document["publishedVersions"]]
                for key, document in self.documents.items()
                if document["publishedVersions"]
            },
            number=number if isinstance(number, int) else None,
        )

    def _settle(self, error: GitsyncError) -> Applied:
        """Find out what became of an import that got no clear answer; never send it again."""
        try:
            now, _ = self.look()
        except GitsyncError as second:
            raise ServerError(
                f"{error}; whether the import took place cannot be told, for the server cannot be asked either",
                code="OUTCOME_UNKNOWN",
                cure="look with `gitsync status` when the server is back, before anything is sent again",
            ) from second
        if all(now.get(change.key) == change.after for change in self.changes):
            _log.warning("%s; but the server holds all that was sent: the import took place", error)
            return self._read_back(None)
        if all(now.get(change.key) == change.before for change in self.changes):
            raise ServerError(
                f"{error}; nothing had been written when the server was asked again just now",
                code="IMPORT_FAILED",
                cure="look with `gitsync status` in a moment, in case it is still at work; then try again",
            ) from error
        raise ServerError(
            f"{error}; the server now holds something else than before and than was sent",
            code="OUTCOME_UNKNOWN",
            cure="look with `gitsync status` and `gitsync diff` before anything is sent again",
        ) from error


def _ids_in(listed: Any) -> dict[Key, str]:
    """Key → id, of one of the lists in the product's summary."""
    rows = [row for row in listed if isinstance(row, dict)] if isinstance(listed, list) else []
    return {Key(str(row.get("key"))): str(row.get("workflowId")) for row in rows}
