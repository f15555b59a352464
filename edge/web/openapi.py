"""The OpenAPI document of the API."""

from __future__ import annotations

from typing import Any

from edge import __version__

JSON = "application/json"
_SUMMARY = {
    ("/healthz", "get"): "Whether a frame was judged within the last seconds; needs no password",
    ("/metrics", "get"): "Metrics for Prometheus",
    ("/api/status", "get"): "State, camera, backends, counters, people now, board",
    ("/api/aim", "get"): "Faces with their size, brightness and tilt, and what to do about it",
    ("/api/events", "get"): "The newest events; server-sent with 'Accept: text/event-stream'",
    ("/api/log", "get"): "The newest lines of the log",
    ("/api/frame.jpg", "get"): "The newest frame with boxes; ?plain without",
    ("/api/preview.mjpeg", "get"): "The live picture as multipart JPEG",
    ("/api/sign", "get"): "What the door sign shows",
    ("/api/sign/texts", "get"): "Texts of the door sign by language",
    ("/api/settings", "get"): "Every setting with value, default, meaning and origin",
    ("/api/settings", "patch"): "Change settings; null takes back what the page had set",
    ("/api/cameras", "get"): "Cameras of this machine",
    ("/api/alert-test", "post"): "Show an alert on light and buzzer for 3 s",
    ("/api/snooze", "post"): "Suppress alerts for some seconds; 0 ends it, without a value: as the settings say",
    ("/api/wrong", "post"): "Report a wrong decision; if pictures are collected, one is kept",
    ("/api/history", "get"): "Counts per hour or day and mask share; ?since=24h or 7d, ?by=hour or day",
    ("/api/login", "post"): "Begin a session; needs no password but the one in the body",
    ("/api/logout", "post"): "End a session",
    ("/api/password", "post"): "Set or change the password of the page",
    ("/api/support", "get"): "The support file, a ZIP",
    ("/api/update", "get"): "Whether a package is waiting, whether a unit will install it, and the last outcome",
    ("/api/update", "post"): "Upload a package signed by maskcam pack",
    ("/api/openapi.json", "get"): "This document",
}
_TYPES = {
    "/metrics": "text/plain",
    "/api/frame.jpg": "image/jpeg",
    "/api/preview.mjpeg": "multipart/x-mixed-replace",
    "/api/support": "application/zip",
}
_BODIES: dict[tuple[str, str], dict[str, Any]] = {
    ("/api/settings", "patch"): {"type": "object", "example": {"camera.width": 1280}},
    ("/api/snooze", "post"): {"type": "object", "properties": {"seconds": {"type": "number", "minimum": 0}}},
    ("/api/login", "post"): {"type": "object", "properties": {"password": {"type": "string"}}},
    ("/api/password", "post"): {
        "type": "object",
        "properties": {"old": {"type": "string"}, "new": {"type": "string", "minLength": 10}},
        "required": ["new"],
    },
}
_ERRORS = {
    "400": "no JSON",
    "401": "no session, token or password",
    "403": "from another site, or a wrong password",
    "421": "a host name that is not this camera's",
    "422": "invalid request; one line per mistake",
    "429": "too many wrong attempts",
    "503": "not now",
}


def document(cookie: str) -> dict[str, Any]:
    """The document, OpenAPI 3.1. `cookie`: name of the session's cookie."""
    paths: dict[str, dict[str, Any]] = {}
    for (path, method), summary in _SUMMARY.items():
        paths.setdefault(path, {})[method] = _operation(path, method, summary)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "maskcam",
            "version": __version__,
            "description": "A mask camera. Times are ISO 8601 with an offset; days and hours are local.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "security": [{"session": []}, {"token": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "session": {"type": "apiKey", "in": "cookie", "name": cookie},
                "token": {"type": "http", "scheme": "bearer"},
            },
            "schemas": {"Error": {"type": "object", "properties": {"error": {"type": "string"}}}},
        },
    }


def _operation(path: str, method: str, summary: str) -> dict[str, Any]:
    error = {JSON: {"schema": {"$ref": "#/components/schemas/Error"}}}
    good = (
        "202" if (path, method) in (("/api/update", "post"), ("/api/snooze", "post"), ("/api/wrong", "post")) else "200"
    )
    schema: dict[str, Any] = {"type": "object"} if path not in _TYPES else {"type": "string"}
    operation: dict[str, Any] = {
        "summary": summary,
        "operationId": f"{method}_{path.strip('/').replace('/', '_').replace('.', '_').replace('-', '_')}",
        "responses": {
            good: {"description": "as asked", "content": {_TYPES.get(path, JSON): {"schema": schema}}},
            **{code: {"description": text, "content": error} for code, text in _ERRORS.items()},
        },
    }
    if path in ("/healthz", "/api/login"):
        operation["security"] = []
    if path in ("/api/events", "/api/log"):
        operation["parameters"] = [
            {"name": "after", "in": "query", "schema": {"type": "integer", "minimum": 0}, "description": "known number"}
        ]
    if path == "/api/history":
        operation["parameters"] = [
            {"name": "since", "in": "query", "schema": {"type": "string", "pattern": r"^\d{1,4}[hd]$"}},
            {"name": "by", "in": "query", "schema": {"enum": ["hour", "day"]}},
        ]
    if (path, method) in _BODIES:
        operation["requestBody"] = {"required": True, "content": {JSON: {"schema": _BODIES[path, method]}}}
    if (path, method) == ("/api/update", "post"):
        operation["requestBody"] = {"required": True, "content": {"application/octet-stream": {}}}
    return operation
