"""What each route answers."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from gitsync import __version__
from gitsync.errors import GitsyncError
from gitsync.server.answers import HttpError, http_error, json_answer, written_answer
from gitsync.server.incoming import admit, read_import
from gitsync.server.lanes import Lane
from gitsync.server.metrics import CONTENT_TYPE
from gitsync.server.offers import find_schema, list_actions, list_nodes
from gitsync.server.openapi import make_openapi
from gitsync.server.service import not_found
from gitsync.server.shared import Shared
from gitsync.stores.database.tokens import Role
from gitsync.workflow.canonical import canonical_bytes
from gitsync.workflow.types import Json


class Routes:
    """The handlers, over what they share."""

    def __init__(self, shared: Shared) -> None:
        self._shared, self._service = shared, shared.service
        self._openapi = canonical_bytes(make_openapi())

    async def definitions(self, request: Request) -> Response:
        """Answer with the rows of all workflows; hidden ones for an admin alone, as the product has it."""
        token = await admit(self._shared, request, Role.READ)
        await _hold(request, self._shared.whole)
        return await self._written(self._service.definitions, with_hidden=token.role is Role.ADMIN)

    async def versions(self, request: Request) -> Response:
        """Answer with the published versions of one workflow."""
        await admit(self._shared, request, Role.READ)
        return await self._written(self._service.versions, request.path_params["id"])

    async def version(self, request: Request) -> Response:
        """Answer with one version, or the draft under its number."""
        await admit(self._shared, request, Role.READ)
        number = request.path_params["version"]
        if not (number.isascii() and number.isdigit() and len(number) < 10):
            raise not_found("Workflow version not found")
        return await self._written(self._service.version, request.path_params["id"], int(number))

    async def export(self, request: Request) -> Response:
        """Answer with the bundle of one workflow, its digest as entity tag."""
        await admit(self._shared, request, Role.ADMIN)
        data, digest = await self._shared.call(self._service.export_one, request.path_params["id"])
        return _bundle_answer(data, etag=f'"{digest}"')

    async def export_all(self, request: Request) -> Response:
        """Answer with the bundle of many workflows."""
        await admit(self._shared, request, Role.ADMIN)
        await _hold(request, self._shared.whole)
        patterns = request.query_params.getlist("key")
        return _bundle_answer(await self._shared.call(self._service.export, patterns))

    async def import_(self, request: Request) -> Response:
        """Answer with the summary of one import."""
        await admit(self._shared, request, Role.ADMIN)
        metrics = self._shared.metrics
        try:
            await _hold(request, self._shared.bodies)
            asked = await read_import(self._shared, request)
            async with self._shared.turn_to_write():
                summary = await self._shared.write(partial(self._service.import_, asked))
        except (GitsyncError, HttpError) as error:
            answer = error if isinstance(error, HttpError) else http_error(error)
            metrics.count_import("refused" if answer.status < 500 else "failed")
            raise
        except Exception:
            metrics.count_import("failed")
            raise
        actions = [change["action"] for change in summary["changes"]]
        if asked.dry_run:
            metrics.count_import("dry")
        else:
            metrics.count_import("written" if actions else "unchanged", actions)
        return json_answer(summary)

    async def actions(self, request: Request) -> Response:
        """Answer with the actions that the runtime offers."""
        await admit(self._shared, request, Role.READ)
        return await self._written(list_actions, self._service.registry)

    async def nodes(self, request: Request) -> Response:
        """Answer with the node types that the runtime offers."""
        await admit(self._shared, request, Role.READ)
        return await self._written(list_nodes, self._service.registry)

    async def schema(self, request: Request) -> Response:
        """Answer with one payload schema of the runtime."""
        await admit(self._shared, request, Role.READ)
        ref = request.path_params["ref"]
        return await self._written(find_schema, self._service.registry, ref)

    async def healthz(self, _request: Request) -> Response:
        """Answer that the process lives."""
        return json_answer({"status": "ok", "service": "gitsync", "version": __version__})

    async def readyz(self, _request: Request) -> Response:
        """Answer whether an import could be written now."""
        await self._shared.check_ready()
        return json_answer({"status": "ready"})

    async def metrics(self, _request: Request) -> Response:
        """Answer with counts and durations."""
        return Response(self._shared.metrics.render(), headers={"content-type": CONTENT_TYPE})

    async def describe(self, _request: Request) -> Response:
        """Answer with the description of all of this."""
        return written_answer(self._openapi)

    async def _written(self, find: Callable[..., Json], *arguments: Any, **named: Any) -> Response:
        """Return what a blocking function finds, written in its thread: a large answer would keep all others waiting."""
        data = await self._shared.call(lambda: canonical_bytes(find(*arguments, **named)))
        return written_answer(data)


async def _hold(request: Request, lane: Lane) -> None:
    """Take a place that is held until the answer has been sent."""
    await request.state.until_sent.enter_async_context(lane.turn())


def _bundle_answer(data: bytes, *, etag: str | None = None) -> Response:
    headers = {"content-disposition": 'attachment; filename="workflow-bundle.json"'}
    return written_answer(data, headers=headers | ({"etag": etag} if etag else {}))
