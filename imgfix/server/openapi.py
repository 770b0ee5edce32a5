"""The description of the server for programs (OpenAPI 3.1), made of the same lists as the server itself."""

from __future__ import annotations

from typing import Any

from imgfix import __version__
from imgfix.server.fields import STEPS, VERBS, Field, Verb, default_of

TYPES: dict[str, dict[str, Any]] = {
    "flag": {"type": "boolean"},
    "whole": {"type": "integer"},
    "number": {"type": ["number", "string"]},
    "text": {"type": ["string", "number"]},
    "list": {
        "type": "array",
        "items": {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "number"}}]},
    },
    "file": {"type": "string"},
    "file or text": {"type": "string"},
    "recipe": {"type": "string"},
    "steps": {
        "type": "array",
        "items": {
            "type": "object",
            "properties": {"verb": {"type": "string", "enum": list(STEPS)}},
            "required": ["verb"],
        },
    },
}
_REFUSALS = {
    "400": "The fields contradict each other or make no sense",
    "401": "The token is missing or wrong",
    "403": "A foreign host or origin",
    "404": "No such file or job",
    "413": "Too many bytes or pixels",
    "415": "Of no kind that is worked on",
    "422": "The file cannot be read, or does not fit",
    "429": "The queue is full; see Retry-After",
    "503": "A model or an optional package is missing",
    "507": "Out of memory or of room",
}


def document() -> dict[str, Any]:
    """The whole description."""
    return {
        "openapi": "3.1.0",
        "info": {"title": "imgfix", "version": __version__, "license": {"name": "Apache-2.0"}},
        "security": [{"token": []}],
        "paths": {**{f"/v1/{verb.name}": {"post": _verb(verb)} for verb in VERBS.values()}, **_others()},
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "schemas": {"Error": _ERROR, "File": _FILE, "Job": _JOB, "Answer": _ANSWER},
        },
    }


def _property(verb: Verb, field: Field) -> dict[str, Any]:
    found = {**TYPES[field.kind], "description": field.help}
    default = default_of(verb, field)
    if default is not None:
        found["default"] = default
    return found | ({"enum": list(field.choices)} if field.choices else {})


def _verb(verb: Verb) -> dict[str, Any]:
    options = {field.name: _property(verb, field) for field in verb.fields}
    parts = {name: schema | {"format": "binary"} if "file" in _kind(verb, name) else schema
             for name, schema in options.items()}  # fmt: skip
    source = {"input": {"type": "string", "description": "id of an upload"}} if verb.takes_input else {}
    file = {"file": {"type": "string", "format": "binary"}} if verb.takes_input else {}
    answers: dict[str, Any] = {
        "200": {
            "description": "The result: its bytes, or with `Accept: application/json` what can be said of it",
            "content": {"application/json": {"schema": _ref("Answer")}, "application/octet-stream": {}},
        },
        "202": {"description": "It became a job", "content": {"application/json": {"schema": _ref("Job")}}},
    }
    return {
        "summary": verb.summary,
        "operationId": verb.name,
        "parameters": [_query("job", "1: as a job, whatever its size")],
        "requestBody": {
            "content": {
                "multipart/form-data": {"schema": {"type": "object", "properties": {**file, **source, **parts}}},
                "application/json": {"schema": {
                    "type": "object", "properties": {**source, **options}, "additionalProperties": False,
                    **({"required": ["input"]} if verb.takes_input else {}),
                }},
            }
        },
        "responses": answers | _refusals(),
    }  # fmt: skip


def _kind(verb: Verb, name: str) -> str:
    field = verb.find(name)
    return field.kind if field is not None else ""


def _others() -> dict[str, Any]:
    file, job = [_in_path("id")], [_in_path("id")]
    return {
        "/v1/uploads": {"post": {
            "summary": "Keep a picture or a clip", "operationId": "upload",
            "requestBody": {"content": {
                "multipart/form-data": {"schema": {
                    "type": "object", "properties": {"file": {"type": "string", "format": "binary"}},
                    "required": ["file"],
                }},
                "application/octet-stream": {},
            }},
            "parameters": [_query("name", "of a file that is sent as it is and not in a form")],
            "responses": {"201": _json("What it is", "File")} | _refusals(),
        }},
        "/v1/files/{id}": {
            "get": {
                "summary": "The bytes of an upload or a result", "operationId": "fetch",
                "parameters": [*file, _query("download", "1: to be saved, not shown")],
                "responses": {"200": {"description": "The file"}} | _refusals("401", "403", "404"),
            },
            "delete": {
                "summary": "Delete a file", "operationId": "delete", "parameters": file,
                "responses": {"204": {"description": "It is gone"}, "409": _json("A job needs it", "Error")}
                | _refusals("401", "403", "404"),
            },
        },
        "/v1/files/{id}/preview": {"get": {
            "summary": "A small upright copy in sRGB", "operationId": "preview",
            "parameters": [*file, _query("width", "pixels"), _query("time", "seconds, of a clip")],
            "responses": {"200": {"description": "JPEG, or PNG where it is transparent"}}
            | _refusals("401", "403", "404", "415", "422"),
        }},
        "/v1/jobs": {"get": {
            "summary": "Every job, the newest first", "operationId": "jobs",
            "responses": {"200": {"description": "The jobs", "content": {"application/json": {"schema": {
                "type": "object", "properties": {"jobs": {"type": "array", "items": _ref("Job")}},
            }}}}} | _refusals("401", "403"),
        }},
        "/v1/jobs/{id}": {
            "get": {
                "summary": "How a job stands", "operationId": "job", "parameters": job,
                "responses": {"200": _json("The job", "Job")} | _refusals("401", "403", "404"),
            },
            "delete": {
                "summary": "Cancel a job, or forget one that has ended", "operationId": "cancel", "parameters": job,
                "responses": {"202": _json("It ends", "Job"), "204": {"description": "It is forgotten"}}
                | _refusals("401", "403", "404"),
            },
        },
        "/v1/jobs/{id}/events": {"get": {
            "summary": "Server-sent events: progress, then done, failed or cancelled", "operationId": "events",
            "parameters": job,
            "responses": {"200": {"description": "The events", "content": {"text/event-stream": {}}}}
            | _refusals("401", "403", "404"),
        }},
        "/v1/models": {"get": {
            "summary": "The models, and whether they are here", "operationId": "models",
            "responses": {"200": {"description": "The models"}} | _refusals("401", "403"),
        }},
        "/v1/recipes": {"post": {
            "summary": "Read a recipe: its steps, as `run` takes them", "operationId": "recipe",
            "requestBody": {"content": {"application/json": {"schema": {
                "type": "object", "properties": {"recipe": {"type": "string", "description": "TOML"}},
                "required": ["recipe"], "additionalProperties": False,
            }}}},
            "responses": {"200": {"description": "Fields of `run`"}}
            | _refusals("400", "401", "403", "404", "413", "415"),
        }},
        "/v1/options/{verb}": {"get": {
            "summary": "The fields of a verb: type, default, choices, help", "operationId": "options",
            "parameters": [_in_path("verb")],
            "responses": {"200": {"description": "The fields"}} | _refusals("401", "403", "404"),
        }},
        "/healthz": {"get": {
            "summary": "Whether it works", "operationId": "health", "security": [],
            "responses": {"200": {"description": "It does"}, "503": {"description": "A worker has died"}},
        }},
        "/metrics": {"get": {
            "summary": "For Prometheus", "operationId": "metrics",
            "responses": {"200": {"description": "Text", "content": {"text/plain": {}}}} | _refusals("401", "403"),
        }},
    }  # fmt: skip


def _refusals(*statuses: str) -> dict[str, Any]:
    return {status: _json(_REFUSALS[status], "Error") for status in statuses or _REFUSALS}


def _json(description: str, schema: str) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": _ref(schema)}}}


def _ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def _query(name: str, description: str) -> dict[str, Any]:
    return {"name": name, "in": "query", "description": description, "schema": {"type": "string"}}


def _in_path(name: str) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}


def _object(required: tuple[str, ...], **properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(required)}


_TEXT, _WHOLE = {"type": "string"}, {"type": "integer"}
_ERROR = _object(
    ("error",),
    error=_object(
        ("message", "code"), message=_TEXT, hint={"type": ["string", "null"]},
        fields={"type": "array", "items": _TEXT}, code=_TEXT,
    ),
)  # fmt: skip
_FILE = _object(
    ("id", "name", "kind", "media_type", "width", "height", "bytes"),
    id=_TEXT, name=_TEXT, kind={"enum": ["image", "animation", "video", "sound"]}, media_type=_TEXT, width=_WHOLE,
    height=_WHOLE, bytes=_WHOLE, frames=_WHOLE, duration={"type": "number"},
)  # fmt: skip
_REGION = _object(
    ("kind", "name", "box"),
    kind=_TEXT, name=_TEXT, number=_WHOLE, score={"type": ["number", "null"]}, area=_WHOLE,
    box={"type": "array", "items": {"type": "number"}, "description": "left, top, right, bottom in pixels"},
)  # fmt: skip
_ANSWER = _object(
    ("status",),
    status=_TEXT, output=_ref("File"), outputs={"type": "array", "items": _ref("File")}, mask=_TEXT,
    regions={"type": "array", "items": _REGION}, result={"type": "object"}, command=_TEXT,
)  # fmt: skip
_JOB = _object(
    ("id", "status"),
    id=_TEXT, verb=_TEXT, status={"enum": ["queued", "running", "done", "failed", "cancelled"]},
    progress=_object(("done", "total", "unit"), done=_WHOLE, total=_WHOLE, unit=_TEXT), command=_TEXT,
    output=_ref("File"), outputs={"type": "array", "items": _ref("File")}, mask=_TEXT,
    regions={"type": "array", "items": _REGION}, result={"type": "object"},
    error={"type": "object"},
)  # fmt: skip
