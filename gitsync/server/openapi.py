"""``/openapi.json``, built from the schemas in ``schemas/``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from gitsync import __version__
from gitsync.workflow.schema import load_schema

_REF: Final = "#/components/schemas/"
_UUID: Final = {"type": "string"}
_EVERYWHERE: Final = ("500", "503")
_PROBLEMS: Final = {
    "400": "The request or its bundle is wrong; nothing was written.",
    "401": "No token, or none in use.",
    "403": "The token has not the role that this takes.",
    "404": "There is no such thing.",
    "408": "The body came too slowly; nothing was written.",
    "409": "A conflict or a protection; nothing was written.",
    "412": "A workflow is not what the request expects; nothing was written.",
    "413": "The body is too large; nothing was written.",
    "500": "A fault of the server; nothing was written.",
    "503": "The database, or its lock, cannot be had now; nothing was written.",
}


def make_openapi() -> dict[str, Any]:
    """Return the description of every route, in OpenAPI 3.1."""
    base, registry = "/api/workflow-definitions", "/api/workflow/registry"
    identity = _path("id", "The workflow's id, a UUID.", _UUID)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "gitsync",
            "version": __version__,
            "description": "Import, export and reading of workflows; see docs/serve.md.",
        },
        "components": {
            "schemas": _components(),
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "cookie": {"type": "apiKey", "in": "cookie", "name": "gitsync-token"},
            },
        },
        "paths": {
            base: {"get": _read("listDefinitions", "All workflows, as rows.", "DefinitionList")},
            f"{base}/{{id}}/versions": {
                "get": _read(
                    "listVersions",
                    "The published versions, newest first.",
                    "VersionList",
                    identity,
                    also=["404"],
                )
            },
            f"{base}/{{id}}/{{version}}": {
                "get": _read(
                    "getVersion",
                    "One published version, or the draft under its number.",
                    "Version",
                    identity,
                    _path("version", "Its number.", {"type": "integer", "minimum": 0}),
                    also=["404"],
                )
            },
            f"{base}/{{id}}/export": {
                "get": _read(
                    "exportDefinition",
                    "One workflow as a bundle; the ETag is the workflow's digest.",
                    "Bundle",
                    identity,
                    also=["400", "403", "404", "409"],
                )
            },
            f"{base}/export": {
                "get": _read(
                    "exportDefinitions",
                    "Many workflows as one bundle, read at one moment.",
                    "Bundle",
                    {
                        "name": "key",
                        "in": "query",
                        "description": "A key or a glob, as often as wanted; without any, all workflows.",
                        "schema": {"type": "array", "items": {"type": "string"}},
                    },
                    also=["403", "404", "409"],
                )
            },
            f"{base}/import": {"post": _import()},
            f"{registry}/actions": {
                "get": _read("listActions", "The actions of the runtime.", "ActionList", also=["404"])
            },
            f"{registry}/nodes": {
                "get": _read("listNodes", "The node types of the runtime.", "NodeList", also=["404"])
            },
            f"{registry}/schemas/{{ref}}": {
                "get": _read(
                    "getSchema",
                    "One payload schema of the runtime.",
                    "Schema",
                    _path("ref", "Its name.", {"type": "string", "minLength": 1}),
                    also=["404"],
                )
            },
            "/healthz": {"get": _open("health", "Whether the process answers.", "Health")},
            "/readyz": {
                "get": _open("readiness", "Whether imports could be written now.", "Ready", also=["503"])
            },
            "/metrics": {
                "get": {
                    "operationId": "metrics",
                    "summary": "Counts and durations for Prometheus.",
                    "security": [],
                    "responses": {
                        "200": {
                            "description": "Prometheus's text form.",
                            "content": {"text/plain": {"schema": {"type": "string"}}},
                        }
                    },
                }
            },
            "/openapi.json": {"get": _open("describe", "This description.", "OpenApi")},
        },
        "security": [{"bearer": []}, {"cookie": []}],
    }


def _components() -> dict[str, Any]:
    """Return every shape: those of the server's own schema, and the bundle."""
    shapes = load_schema("server")["definitions"]
    bundle = load_schema("bundle.v1")
    return {**_redirected(shapes), "Bundle": {name: bundle[name] for name in bundle if name != "$schema"}}


def _redirected(value: Any) -> Any:
    """Return the schema with its references pointing to where OpenAPI keeps schemas."""
    if isinstance(value, dict):
        return {
            name: item.replace("#/definitions/", _REF) if name == "$ref" else _redirected(item)
            for name, item in value.items()
        }
    return [_redirected(item) for item in value] if isinstance(value, list) else value


def _read(
    name: str, summary: str, shape: str, *parameters: dict[str, Any], also: Sequence[str] = ()
) -> dict[str, Any]:
    return {
        "operationId": name,
        "summary": summary,
        **({"parameters": list(parameters)} if parameters else {}),
        "responses": _responses(shape, ["401", *also, *_EVERYWHERE]),
    }


def _open(name: str, summary: str, shape: str, *, also: Sequence[str] = ()) -> dict[str, Any]:
    """Return A route without a token."""
    return {
        "operationId": name,
        "summary": summary,
        "security": [],
        "responses": _responses(shape, also),
    }


def _import() -> dict[str, Any]:
    flag = {"enum": ["1", "true", "0", "false"]}
    queries = {
        "force": (
            "Overwrite what differs: 1 or true. Anything else is as if it were absent.",
            {"type": "string"},
        ),
        "update": ("Overwrite what is still as gitsync wrote it last.", flag),
        "inPlace": ("Keep the ids of what is overwritten, or not; else as the server is configured.", flag),
        "discardRuns": ("Let go of runs, schedules and webhooks that hang on what is overwritten.", flag),
        "dryRun": ("Check everything, write nothing.", flag),
        "maxOverwrites": (
            "Overwrite at most so many.",
            {"type": "integer", "minimum": 0, "maximum": 999999999},
        ),
    }
    return {
        "operationId": "importDefinitions",
        "summary": "Import a bundle, all of it in one transaction or nothing.",
        "parameters": [
            {"name": name, "in": "query", "description": text, "schema": schema}
            for name, (text, schema) in queries.items()
        ],
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": {"$ref": f"{_REF}ImportBody"}}},
        },
        "responses": _responses(
            "ImportSummary", ["400", "401", "403", "408", "409", "412", "413", *_EVERYWHERE]
        ),
    }


def _responses(shape: str, problems: Sequence[str]) -> dict[str, Any]:
    content = {"application/json": {"schema": {"$ref": f"{_REF}{shape}"}}}
    refused = {"application/json": {"schema": {"$ref": f"{_REF}Error"}}}
    return {
        "200": {"description": "It is so.", "content": content},
        **{status: {"description": _PROBLEMS[status], "content": refused} for status in problems},
    }


def _path(name: str, description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "description": description, "schema": schema}
