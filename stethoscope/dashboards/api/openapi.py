"""The API's own description (OpenAPI 3.1.0), made from the table of operations."""

from __future__ import annotations

import math
from collections.abc import Iterable
from functools import cache
from importlib import metadata
from typing import Any, Final

from stethoscope.dashboards.api.operations import OPERATIONS, Operation
from stethoscope.dashboards.api.parameters import VIEW, WINDOW, Parameter
from stethoscope.dashboards.api.schema import Schema, Schemas

JSON: Final = "application/json"
PROBLEM_JSON: Final = "application/problem+json"

_ABOUT: Final = """What Stethoscope has recorded of a service, of all its workers together, dead and alive.

Times are in seconds, sizes in bytes, shares from 0 to 1; the end of a name says which. Quantiles are at most
1 % off. A number that does not exist, such as a quantile of nothing, is null."""

_PROBLEM: Final[Schema] = {
    "type": "object",
    "description": "A problem (RFC 9457).",
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "What was expected, what came, and what to do."},
    },
    "required": ["type", "title", "status", "detail"],
}

_SESSION_BODY: Final[Schema] = {
    "type": "object",
    "properties": {"token": {"type": "string", "minLength": 1, "maxLength": 1000}},
    "required": ["token"],
    "additionalProperties": False,
}

_OWN_HEADER: Final = {
    "name": "X-Stethoscope",
    "in": "header",
    "required": False,
    "description": "Any value. Needed where the token is not in the request: other sites cannot make a browser send it.",
    "schema": {"type": "string"},
}


@cache
def document() -> dict[str, Any]:
    """The whole description. Not to be changed."""
    schemas = Schemas()
    schemas.named["Problem"] = _PROBLEM
    paths = {f"/{operation.path}": {"get": _reading(operation, schemas)} for operation in OPERATIONS}
    paths |= {"/openapi.json": {"get": _description()}, "/stream": {"get": _stream()}}
    paths |= {
        "/reset": {"post": _reset()},
        "/session": {"get": _signed_in(), "post": _sign_in(), "delete": _sign_out()},
    }
    return {
        "openapi": "3.1.0",
        "info": {"title": "Stethoscope metrics API", "version": metadata.version("stethoscope"), "description": _ABOUT},
        # The address of this document is a sibling of all paths.
        "servers": [{"url": "."}],
        "security": [{"token": []}, {"session": []}],
        "paths": paths,
        "components": {
            "schemas": dict(sorted(schemas.named.items())),
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer"},
                "session": {"type": "apiKey", "in": "cookie", "name": "stethoscope_session"},
            },
        },
    }


def _reading(operation: Operation, schemas: Schemas) -> dict[str, Any]:
    place = operation.place
    parameters = [_parameter(parameter) for parameter in operation.parameters]
    if place:
        parameters.append(
            {"name": place, "in": "path", "required": True, "schema": {"type": "string", "pattern": "^[^/?#]+$"}}
        )
    missing = ("404",) if place or any(parameter.required for parameter in operation.parameters) else ()
    return {
        "operationId": operation.path.replace("/", "_")
        .replace("-", "_")
        .translate({ord(brace): None for brace in "{}"}),
        "summary": operation.summary,
        "tags": [operation.tag],
        "parameters": parameters,
        "responses": {
            "200": {"description": operation.summary, "content": {JSON: {"schema": schemas.of(operation.shape)}}},
            "304": {"description": "As it was when the answer with the ETag of If-None-Match was sent."},
            **_problems("400", "401", "403", *missing, "405", "500"),
        },
    }


def _parameter(parameter: Parameter) -> dict[str, Any]:
    schema: Schema = {"type": parameter.type}
    if parameter.choices:
        schema["enum"] = list(parameter.choices)
    if math.isfinite(parameter.low):
        schema["minimum"] = parameter.low
    if math.isfinite(parameter.high):
        schema["maximum"] = parameter.high
    if parameter.default is not None:
        schema["default"] = parameter.default
    return {
        "name": parameter.name,
        "in": "query",
        "description": parameter.description,
        "required": parameter.required,
        "schema": schema,
    }


def _description() -> dict[str, Any]:
    return {
        "operationId": "openapi",
        "summary": "This description",
        "tags": ["about"],
        "responses": {
            "200": {"description": "This description", "content": {JSON: {"schema": {"type": "object"}}}},
            **_problems("400", "401", "403", "405"),
        },
    }


def _stream() -> dict[str, Any]:
    return {
        "operationId": "stream",
        "summary": "One view of the page again and again, as server-sent events, until the client leaves",
        "description": "Every two seconds an event `tick` with the document, or `failed` with a `detail` that says why there is none.",
        "tags": ["overview"],
        "parameters": [_parameter(VIEW), _parameter(WINDOW)],
        "responses": {
            "200": {"description": "Events", "content": {"text/event-stream": {"schema": {"type": "string"}}}},
            **_problems("400", "401", "403", "405"),
        },
    }


def _reset() -> dict[str, Any]:
    return {
        "operationId": "reset",
        "summary": "Show numbers since now",
        "description": "In this API and on the page, for all workers, until the machine is restarted. "
        "What Prometheus scrapes goes on as it was: its counters never go back.",
        "tags": ["about"],
        "parameters": [_OWN_HEADER],
        "responses": {"204": {"description": "Done."}, **_problems("400", "401", "403", "405", "500", "503")},
    }


def _signed_in() -> dict[str, Any]:
    schema = {"type": "object", "required": ["signed_in"], "properties": {"signed_in": {"type": "boolean"}}}
    return {
        "operationId": "signed_in",
        "summary": "Whether whoever asks may read the rest of this",
        "tags": ["about"],
        "security": [],
        "responses": {
            "200": {"description": "Whether.", "content": {JSON: {"schema": schema}}},
            **_problems("405", "500"),
        },
    }


def _sign_in() -> dict[str, Any]:
    return {
        "operationId": "sign_in",
        "summary": "Give the token, be given a cookie",
        "tags": ["about"],
        "security": [],
        "requestBody": {"required": True, "content": {JSON: {"schema": _SESSION_BODY}}},
        "responses": {
            "204": {"description": "Signed in for 12 hours."},
            **_problems("400", "401", "405", "415"),
        },
    }


def _sign_out() -> dict[str, Any]:
    return {
        "operationId": "sign_out",
        "summary": "Forget the cookie",
        "tags": ["about"],
        "security": [],
        "responses": {"204": {"description": "Signed out."}, **_problems("400", "405")},
    }


_PROBLEM_NAMES: Final = {
    "400": "The query or the body is not valid; the detail says what was expected.",
    "401": "Not signed in, or a wrong token.",
    "403": "Not allowed.",
    "404": "There is no such thing, or not any more.",
    "405": "Not by this method; Allow says by which.",
    "415": "The body is not JSON.",
    "500": "A failure of Stethoscope's; the log says more.",
    "503": "Nothing can be written now.",
}


def _problems(*statuses: str) -> dict[str, Any]:
    return _described(statuses)


def _described(statuses: Iterable[str]) -> dict[str, Any]:
    content = {PROBLEM_JSON: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {status: {"description": _PROBLEM_NAMES[status], "content": content} for status in statuses}
