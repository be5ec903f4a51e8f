"""A server as a side: the product's own HTTP API, or gitsync's.

It reads with what the credentials allow, and writes by one import request, which the server makes a
transaction. Nothing that a server cannot do is tried: `Api.capabilities` says it before anything is sent.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any, Final, Self

from gitsync.errors import AccessDenied, ConfigError, InvalidInput, PlanStale
from gitsync.stores.http.ability import GITSYNC, PRODUCT, ServerKind
from gitsync.stores.http.access import Credentials
from gitsync.stores.http.client import PATIENCE, Client, Patience
from gitsync.stores.http.offers import Offers, read_offers
from gitsync.stores.http.reading import Reader, Row
from gitsync.stores.http.sending import Import
from gitsync.sync.index import Index, make_index
from gitsync.sync.model import (
    Applied,
    Capabilities,
    Change,
    CommittedFiles,
    Deployment,
    Progress,
    Snapshot,
)
from gitsync.sync.plan import check_readable
from gitsync.sync.supported import find_unsupported
from gitsync.workflow.canonical import canonical_bytes, digest_of, document_digest
from gitsync.workflow.document import iter_definitions
from gitsync.workflow.parse import parse_stored
from gitsync.workflow.references import called_keys, to_references, warn_of_calls
from gitsync.workflow.types import Digest, Document, Key

_PROGRESS_STEP: Final = 20


class Api:
    """The workflows of one server; open it in a ``with``.

    url: of the server. tenant: whose workflows, where the server is asked with an API key; what a session
    belongs to is the server's to say, and is compared with it. in_place: ask to keep ids, of a server that
    can be asked.
    Raises ConfigError, ServerError or AccessDenied on entering.
    """

    def __init__(
        self,
        url: str,
        credentials: Credentials,
        *,
        tenant: str | None = None,
        in_place: bool = False,
        patience: Patience = PATIENCE,
    ) -> None:
        headers = {"x-tenant-id": tenant} if tenant else {}
        self._client = Client(url, credentials, headers=headers, patience=patience)
        self._reader = Reader(self._client, may_export=_may_export(credentials))
        self._tenant = tenant
        self._in_place = in_place
        self._listed: list[Row] | None = None
        self._texts: dict[Key, bytes] = {}
        self._found_tenant = tenant or ""
        self.address: Final = self._client.address
        self._system_keys: frozenset[Key] = frozenset()

    def __enter__(self) -> Self:
        self._client.__enter__()
        try:
            self._listed = self._list()
        except BaseException:
            self._client.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.__exit__(kind, error, trace)

    @property
    def ledger(self) -> None:
        """Nothing: a server tells nobody what it remembers of deployments; history alone says which side moved."""

    @property
    def usage(self) -> None:
        """Nothing: a server does not tell what hangs on a workflow; it protects its runs in its own way."""

    def identity(self) -> str:
        """What tells this server and tenant from every other: its address, and the tenant that its rows name."""
        return hashlib.sha256(f"{self.address}/{self._found_tenant}".encode()).hexdigest()[:16]

    # ---------------------------------------------------------------- reading

    @property
    def sees_all(self) -> bool:
        """Whether no workflow can be hidden from these credentials; known after `snapshot`."""
        return self._reader.sees_all

    def may_hide(self) -> str:
        """Why the server may not show every workflow; empty where it does, as `sees_all` tells."""
        return "" if self.sees_all else f"with these credentials {self.address} may be hiding workflows"

    def snapshot(
        self,
        *,
        keep: Mapping[Key, Digest] | None = None,
        files: CommittedFiles | None = None,
        progress: Progress | None = None,
    ) -> Snapshot:
        """Read everything that the server shows; raises ServerError, AccessDenied.

        Each workflow is read whole at one moment, all of them within a short time, not at one.
        See `Target.snapshot`; all documents are kept, whatever `keep` says, since a server is asked once.
        Since ``isSystem`` cannot be told over the product's API, a workflow counts as its file says, or as an earlier
        file did.
        """
        files = files or CommittedFiles()
        rows = self._take_rows()
        index = _index(rows)
        digests: dict[Key, Digest] = {}
        raw_calls: dict[Key, frozenset[str]] = {}
        self._texts, self._system_keys = {}, files.system_keys
        for key, document, left in self._documents(rows, index):
            data = canonical_bytes(self._as_told(document, is_system=key in self._system_keys))
            digests[key], self._texts[key] = digest_of(data), zlib.compress(data, 1)
            if left:
                raw_calls[key] = left
            if progress is not None and (
                len(digests) % _PROGRESS_STEP == 0 or len(digests) == len(index.ids)
            ):
                progress(len(digests), len(index.ids))
        digests |= self._as_before(digests, files)
        return Snapshot(
            digests,
            index.unkeyed,
            (*warn_of_calls(raw_calls), *self._standing_warnings()),
            index.twins,
            self.may_hide(),
            raw_calls,
            make_ids=lambda: index.ids,
        )

    @contextmanager
    def open(self) -> Iterator[ServerSession]:
        """Begin one look, at what the server now lists."""
        yield ServerSession(self._take_rows(), self._read)

    def load(self, keys: Collection[Key]) -> Iterator[tuple[Key, Document]]:
        """Yield the documents of `keys` that are there, ordered by key: as a snapshot saw them, else as they are now."""
        if not self._texts:
            yield from sorted(self._read(keys, self._take_rows())[0].items())
            return
        for key in sorted(self._texts.keys() & set(keys)):
            document: Any = parse_stored(zlib.decompress(self._texts[key]))
            yield key, document

    def _read(self, keys: Collection[Key], rows: Sequence[Row]) -> tuple[dict[Key, Document], Index]:
        """Return the documents of `keys` in the list `rows`, as they are now, and the ids of all workflows."""
        index, wanted = _index(rows), set(keys)
        check_readable(wanted, index.twins)
        found = {}
        for key, document, _ in self._documents([row for row in rows if row.get("key") in wanted], index):
            found[key] = self._as_told(document, is_system=key in self._system_keys)
        return found, index

    def _documents(self, rows: Sequence[Row], index: Index) -> Iterator[tuple[Key, Document, frozenset[str]]]:
        """Key, document and the called ids that belong to no key, of each row that has a usable key."""
        named = [row for row in rows if index.ids.get(row["key"]) == row["workflow_id"]]
        for key, document in self._reader.documents(named):
            left: set[str] = set()
            for definition in iter_definitions(document):
                left.update(to_references(definition, key=key, keys_by_id=index.keys_by_id))
            yield key, document, frozenset(left)

    def _as_before(self, digests: Mapping[Key, Digest], files: CommittedFiles) -> dict[Key, Digest]:
        """Digests of workflows that are what git once held, but for ``isSystem``, which then is as it was there."""
        if self.kind.capabilities.keeps_system:
            return {}
        others: dict[Key, tuple[Digest, bytes]] = {}
        for key, digest in digests.items():
            if key in files.digests and files.digests[key] != digest:
                document: Any = parse_stored(zlib.decompress(self._texts[key]))
                data = canonical_bytes(self._as_told(document, is_system=key not in self._system_keys))
                others[key] = digest_of(data), zlib.compress(data, 1)
        known = files.known({digest for digest, _ in others.values()} | {digests[key] for key in others})
        chosen = {
            key: found for key, found in others.items() if found[0] in known and digests[key] not in known
        }
        self._system_keys ^= chosen.keys()
        self._texts |= {key: text for key, (_, text) in chosen.items()}
        return {key: digest for key, (digest, _) in chosen.items()}

    def _as_told(self, document: Document, *, is_system: bool) -> Document:
        """The document, changed in place where the server does not tell what is a system workflow."""
        if not self.kind.capabilities.keeps_system:
            document["metadata"]["isSystem"] = is_system
        return document

    def _take_rows(self) -> list[Row]:
        """The rows that entering has listed, once; afterwards new ones."""
        rows, self._listed = self._listed, None
        return self._list() if rows is None else rows

    def _list(self) -> list[Row]:
        rows = self._reader.rows()
        tenants = {str(row["tenant"]) for row in rows if row.get("tenant")}
        if self._tenant and tenants and tenants != {self._tenant.lower()} and tenants != {self._tenant}:
            raise ConfigError(
                f"{self.address} shows workflows of the tenant {', '.join(sorted(tenants))}, "
                f"not of {self._tenant}; nothing was read or written",
                code="WRONG_TENANT",
                cure="a session shows its own user's tenant: sign in as a user of the right one, or correct `tenant`",
            )
        self._found_tenant = min(tenants, default=self._tenant or "")
        return rows

    def _standing_warnings(self) -> list[str]:
        warnings = []
        if not self.kind.capabilities.keeps_system:
            warnings.append("isSystem is not compared: over its API the product always says false")
        if not self.sees_all:
            warnings.append(
                "these credentials may not be an administrator's, from whom alone nothing is hidden: "
                "what is not shown is never taken for deleted"
            )
        return warnings

    def offers(self, refs: Collection[str]) -> Offers:
        """What the server's runtime offers; refs: schema refs that git names. See `read_offers`."""
        return read_offers(self._client, refs=refs, rows=self._take_rows())

    # ---------------------------------------------------------------- what cannot be done

    @property
    def capabilities(self) -> Capabilities:
        """What this kind of server can do; whether it takes an import is known once a workflow was read."""
        return replace(self.kind.capabilities, denied=self._denied_write())

    @property
    def kind(self) -> ServerKind:
        """Which kind of server it is, as its answers say."""
        return GITSYNC if self._reader.is_gitsync else PRODUCT

    def _denied_write(self) -> AccessDenied | None:
        """Return the error where it is known that the server would refuse an import."""
        return self.kind.denied_write(self.address) if self._reader.may_export is False else None

    def check_may_write(self) -> None:
        """Raise AccessDenied where it is known that the server would refuse an import."""
        if (denied := self._denied_write()) is not None:
            raise denied

    # ---------------------------------------------------------------- writing

    def apply(
        self, changes: Sequence[Change], documents: Iterable[tuple[Key, Document]], deployment: Deployment
    ) -> Applied:
        """Make all changes by one import, which the server takes whole or not at all.

        Raises InvalidInput (UNSUPPORTED_BY_SERVER) and AccessDenied before anything is sent, PlanStale, what the
        server answers, and NotConverged where it then holds something else: that has been written.
        """
        if not changes:
            return Applied()
        self.check_may_write()
        sent = {key: document for key, document in documents}  # noqa: C416 - they may have keys(), as a mapping has
        calls = {key: called_keys(document) for key, document in sent.items()}
        if problems := find_unsupported(self.capabilities, changes, calls, lambda key: f"{key}.json"):
            raise InvalidInput(
                f"{self.address} cannot do this; nothing was sent",
                code="UNSUPPORTED_BY_SERVER",
                problems=problems,
            )
        ids = self._check_fresh(changes)
        self._texts = {}
        one = Import(self._client, changes, sent, ids, lambda: self._held_now(sent))
        return one.send(
            compares=self.kind.capabilities.compares,
            in_place=self._in_place,
            discard_runs=deployment.protection.discard_runs,
        )

    def _check_fresh(self, changes: Sequence[Change]) -> Mapping[Key, str]:
        """Read again what is about to be overwritten, and return all ids.

        Raises PlanStale where it is not what the plan has seen.
        """
        documents, index = self._read([change.key for change in changes], self._take_rows())
        now = {key: document_digest(document) for key, document in documents.items()}
        stale = sorted(change.key for change in changes if now.get(change.key) != change.before)
        if stale:
            raise PlanStale(
                f"the server has changed since the plan was made: {', '.join(stale)}; nothing was sent",
                details={"keys": stale},
                cure="look with `gitsync status`, then run the command again",
            )
        return index.ids

    def _held_now(self, sent: Mapping[Key, Document]) -> tuple[Mapping[Key, Digest], Mapping[Key, str]]:
        """What the server holds of `sent`, and its ids; ``isSystem`` counts as sent where it is not kept."""
        marked = {key for key, document in sent.items() if document["metadata"]["isSystem"]}
        self._system_keys = (self._system_keys - sent.keys()) | marked
        documents, index = self._read(sent, self._take_rows())
        return {key: document_digest(document) for key, document in documents.items()}, index.ids


@dataclass(frozen=True, slots=True)
class ServerSession:
    """One look at a server: what it listed, and the documents of that; read: gives them, and the index."""

    rows: Sequence[Row]
    read: Callable[[Collection[Key], Sequence[Row]], tuple[Mapping[Key, Document], Index]]

    @property
    def index(self) -> Index:
        """Which workflow has which id, from the server's list alone."""
        return _index(self.rows)

    def load(self, keys: Collection[Key]) -> Iterator[tuple[Key, Document]]:
        """Yield the documents of `keys` that are there, ordered by key."""
        yield from sorted(self.read(keys, self.rows)[0].items())


def _index(rows: Sequence[Row]) -> Index:
    return make_index((row["workflow_id"], row.get("key"), str(row.get("name"))) for row in rows)


def _may_export(credentials: Credentials) -> bool | None:
    """An API key never may; of a session only an attempt can say."""
    return None if credentials.cookie or credentials.token else False
