"""What `gitsync doctor` looks at over HTTP: the way to a server, its keys, and what the credentials may do."""

from __future__ import annotations

from collections.abc import Iterator

from gitsync.doctor.finding import Finding, fault, fine, warning
from gitsync.errors import AccessDenied, plural
from gitsync.stores.http.store import Api
from gitsync.sync.plan import UNREADABLE_CURES


def check_server(store: Api) -> Iterator[Finding]:
    """Yield what is found on a server; one that cannot be asked raises its error on the way."""
    yield fine("connection", f"{store.address}, {store.kind.name}")
    with store.open() as session:
        index = session.index
        keys = sorted(index.ids)
        yield fine("keys", f"{plural(len(keys), 'workflow')} with a key of its own")
        for twins in index.twins.values():
            yield fault("keys", twins.reason, UNREADABLE_CURES[twins.code])
        if index.unkeyed:
            yield warning(
                "unkeyed",
                f"{plural(len(index.unkeyed), 'workflow')} cannot be in git: without a key, or with one "
                "that can name no file",
                "give each a key in the product, or with `gitsync adopt` on its database",
            )
        dict(session.load(keys[:1]))  # whoever may export may import
    try:
        store.check_may_write()
    except AccessDenied as error:
        yield warning("rights", error.message, error.cure or "")
    else:
        yield fine("rights", "these credentials may write" if keys else "they show with the first workflow")
