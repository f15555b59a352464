"""Routes each path to its handler."""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from edge.core.errors import MaskcamError
from edge.runtime.controls import Controls
from edge.web import api, openapi, stream
from edge.web.access import Access
from edge.web.board import Board
from edge.web.editor import Editor
from edge.web.exposition import Exposition
from edge.web.guard import Guard, refused
from edge.web.hub import Hub
from edge.web.logs import RecentLog
from edge.web.preview import Preview
from edge.web.worker import Worker

if TYPE_CHECKING:
    from edge.config.service_sections import Web
    from edge.config.settings import Settings

log = logging.getLogger(__name__)

STATIC = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
PAGES = {"/": "page.html", "/login": "login.html", "/sign": "sign.html"}


@dataclass(frozen=True)
class Page:
    """What the handlers use."""

    hub: Hub
    web: Web
    settings: Callable[[], Settings]
    """The settings in force."""
    access: Access
    editor: Editor
    log: RecentLog
    board: Board
    preview: Preview
    exposition: Exposition
    texts: dict[str, dict[str, str]]
    """Texts of the sign, by language."""
    examine: Callable[[], list[dict[str, Any]]]
    """The doctor's findings; takes seconds."""
    work: Worker
    controls: Controls
    name: Callable[[], str]
    """The camera's name for people."""
    state: Path | None
    """The folder for packages of the update button; None if there is none."""


def app(page: Page) -> ASGIApp:
    """The ASGI application."""
    static = {f"/static/{name}": (kind, data) for name, kind, data in _files()}
    routes = [Route(path, _file(static[f"/static/{name}"])) for path, name in PAGES.items()]
    routes += [Route(path, _file(found)) for path, found in static.items() if not path.endswith(".html")]
    routes.append(Route("/favicon.ico", _file(static["/static/icon.svg"])))
    for path, method, call in [*api.ROUTES, *stream.ROUTES]:
        routes.append(Route(path, _bound(call, page), methods=[method]))
    routes.append(Route("/api/openapi.json", lambda request: JSONResponse(openapi.document(page.access.cookie))))
    inner = Starlette(routes=routes, exception_handlers={404: _missing, 405: _missing, 500: _broken})
    public = ("/sign", "/api/sign", "/api/sign/texts") if page.web.sign_public else ()
    return Guard(inner, page.access, page.web.names, public)


def _files() -> Sequence[tuple[str, str, bytes]]:
    folder = resources.files("edge.web") / "static"
    return [
        (item.name, STATIC[suffix], item.read_bytes())
        for item in folder.iterdir()
        if (suffix := Path(item.name).suffix) in STATIC
    ]


def _file(found: tuple[str, bytes]) -> Callable[[Request], Response]:
    kind, data = found
    tag = f'"{hash(data) & 0xFFFFFFFFFFFF:x}"'

    async def answer(request: Request) -> Response:
        headers = {"etag": tag, "cache-control": "no-cache"}
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers=headers)
        return Response(data, media_type=kind, headers=headers)

    return answer  # type: ignore[return-value]


def _bound(call: Callable[[Page, Request], Awaitable[Response]], page: Page) -> Callable[[Request], Any]:
    """The handler, with user errors returned as one line of JSON."""

    async def answer(request: Request) -> Response:
        try:
            return await call(page, request)
        except MaskcamError as error:
            return refused(422, str(error))
        except (json.JSONDecodeError, UnicodeDecodeError):
            return refused(400, "expected JSON")

    return answer


async def _missing(request: Request, error: Exception) -> Response:
    status = getattr(error, "status_code", 404)
    return refused(status, "nothing here; /api/openapi.json lists what there is" if status == 404 else "not that way")


async def _broken(request: Request, error: Exception) -> Response:
    log.error("the page: %s %s: %s: %s", request.method, request.url.path, type(error).__name__, error)
    return refused(500, "an error in maskcam; the log has the details")
