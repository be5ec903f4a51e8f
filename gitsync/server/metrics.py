"""What Prometheus is told: counts and durations, no names of workflows or tokens."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)

from gitsync import __version__

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"})


class Metrics:
    """The server's own counters, apart from any other in the process."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call] # a second series for each counter, which nobody asks for
        self.registry: Final = CollectorRegistry()
        self.in_flight = Gauge(
            "gitsync_http_requests_in_flight", "Requests being answered.", registry=self.registry
        )
        self._requests = Counter(
            "gitsync_http_requests",
            "Requests answered.",
            ["method", "route", "status"],
            registry=self.registry,
        )
        self._duration = Histogram(
            "gitsync_http_request_duration_seconds",
            "Time from a request's headers to the end of its answer.",
            ["route"],
            registry=self.registry,
            buckets=(0.005, 0.02, 0.1, 0.5, 2, 10, 60),
        )
        self._imports = Counter(
            "gitsync_imports",
            "Imports by outcome: written, unchanged, dry, refused (the client's doing) or failed.",
            ["outcome"],
            registry=self.registry,
        )
        self.importing = Gauge(
            "gitsync_imports_running", "1 where an import is written now.", registry=self.registry
        )
        self._workflows = Counter(
            "gitsync_imported_workflows", "Workflows written by imports.", ["action"], registry=self.registry
        )
        self.connections = Gauge("gitsync_connections", "Connections that are open.", registry=self.registry)
        self._cut = Counter(
            "gitsync_connections_cut",
            "Connections that the server has cut, by what it had waited for: head, body, taken (its answer), next "
            "(a request), or because another one needed the room, or found none (refused).",
            ["waited_for"],
            registry=self.registry,
        )
        self.ready = Gauge(
            "gitsync_ready", "1 where the last look found the database usable.", registry=self.registry
        )
        ProcessCollector(registry=self.registry)
        GCCollector(self.registry)
        info = Gauge("gitsync_info", "The version that runs.", ["version"], registry=self.registry)
        info.labels(__version__).set(1)
        for outcome in ("written", "unchanged", "dry", "refused", "failed"):
            self._imports.labels(outcome)
        for action in ("create", "update"):
            self._workflows.labels(action)

    def count_request(self, *, method: str, route: str, status: int, seconds: float) -> None:
        """Note one answer; what is no method of HTTP counts as one, so that clients make no series."""
        self._requests.labels(method if method in _METHODS else "other", route, str(status)).inc()
        self._duration.labels(route).observe(seconds)

    def count_cut(self, waited_for: str) -> None:
        """Note one connection that was cut."""
        self._cut.labels(waited_for).inc()

    def count_import(self, outcome: str, actions: Iterable[str] = ()) -> None:
        """Note one import, with what it did to each workflow that it wrote."""
        self._imports.labels(outcome).inc()
        for action in actions:
            self._workflows.labels(action).inc()

    def render(self) -> bytes:
        """Return all of it, in Prometheus's text form."""
        return generate_latest(self.registry)
