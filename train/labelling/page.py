"""The page of `maskcam-train label`: on this machine only, in the dress of the camera's own page."""

from __future__ import annotations

import json
import socket
from collections.abc import Awaitable, Callable
from contextlib import closing
from importlib import resources
from pathlib import Path
from typing import Any

import cv2
import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from edge.core.errors import DataError
from edge.core.plain_text import plain
from edge.evaluation.annotated import NAMES
from edge.vision import pictures
from edge.web.access import Access
from edge.web.guard import Guard, refused
from train.labelling.guesses import Guesses
from train.labelling.store import Face, Store

KINDS = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
BORROWED = ("page.css", "common.js", "icon.svg")
"""Of the camera's page."""
LARGEST = 1 << 20
"""Bytes of a request."""


class Labelling:
    """What the addresses answer from."""

    def __init__(self, store: Store, guesses: Guesses) -> None:
        self.store, self.guesses = store, guesses

    def state(self) -> dict[str, Any]:
        total = len(self.store.images)
        return {
            "file": str(self.store.file),
            "total": total,
            "labelled": self.store.done,
            "looked_at": min(self.guesses.looked_at, total),
            "unreadable": len(self.guesses.unreadable),
        }

    def picture(self, number: int) -> dict[str, Any]:
        """With the faces as they are labelled, else as they are guessed."""
        guessed = self.guesses.of(number) if not self.store.is_done(number) else []
        faces = guessed or self.store.faces(number)
        return {
            "id": number,
            "name": self.store.images[number]["file_name"],
            "why": self.store.why(number),
            "labelled": self.store.is_done(number),
            "faces": [{"bbox": list(f.box), "label": f.label, "sure": round(f.sure, 3)} for f in faces],
        }

    def keep(self, number: int, said: Any) -> None:
        """Raises DataError for what is no list of faces."""
        given = said.get("faces") if isinstance(said, dict) else None
        if not isinstance(given, list) or not all(isinstance(one, dict) for one in given):
            raise DataError("expected faces: a list of objects with bbox and label")
        faces = []
        for one in given:
            bbox = one.get("bbox")
            if not isinstance(bbox, list) or not all(type(v) in (int, float) for v in bbox):
                raise DataError("bbox: expected four numbers x, y, width, height in pixels")
            faces.append(Face(tuple(map(float, bbox)), str(one.get("label"))))  # type: ignore[arg-type]
        height, width = pictures.read(self.store.path(number)).shape[:2]
        self.store.keep(number, faces, (width, height))


Call = Callable[[Labelling, Request], Awaitable[Response]]


async def state(work: Labelling, request: Request) -> Response:
    return JSONResponse(work.state() | {"labels": list(NAMES)})


async def following(work: Labelling, request: Request) -> Response:
    """The picture to label next; `skipped`: ids that are put off."""
    words = request.query_params.get("skipped", "").split(",")
    number = work.guesses.next({int(w) for w in words if w.isascii() and w.isdigit() and len(w) < 12})
    return JSONResponse({"picture": None if number is None else work.picture(number), **work.state()})


async def one(work: Labelling, request: Request) -> Response:
    return JSONResponse({"picture": work.picture(_number(work, request)), **work.state()})


async def keep(work: Labelling, request: Request) -> Response:
    data = b""
    async for chunk in request.stream():
        data += chunk
        if len(data) > LARGEST:
            raise DataError(f"the request is larger than {LARGEST >> 10} kB")
    await run_in_threadpool(work.keep, _number(work, request), json.loads(data))
    return JSONResponse(work.state())


async def undo(work: Labelling, request: Request) -> Response:
    number = await run_in_threadpool(work.store.undo)
    if number is None:
        raise DataError("nothing to take back")
    return JSONResponse({"picture": work.picture(number), **work.state()})


async def jpeg(work: Labelling, request: Request) -> Response:
    """Upright, whatever the file: what the boxes are measured in."""
    image = await run_in_threadpool(pictures.read, work.store.path(_number(work, request)))
    good, data = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 92])
    return Response(data.tobytes(), media_type="image/jpeg") if good else refused(500, "not to be shown as JPEG")


def _number(work: Labelling, request: Request) -> int:
    number = int(request.path_params["number"])
    if number not in work.store.images:
        raise DataError(f"picture {number}: there is none of that number")
    return number


ROUTES: list[tuple[str, str, Call]] = [
    ("/api/state", "GET", state),
    ("/api/next", "GET", following),
    ("/api/picture/{number:int}", "GET", one),
    ("/api/picture/{number:int}", "POST", keep),
    ("/api/undo", "POST", undo),
    ("/picture/{number:int}.jpg", "GET", jpeg),
]


def app(work: Labelling) -> ASGIApp:
    """The ASGI application; other sites and other names for this machine are refused, as on the camera."""
    routes = [Route(path, _bound(call, work), methods=[method]) for path, method, call in ROUTES]
    for name, data in _files():
        path = "/" if name == "label.html" else f"/static/{name}"
        routes.append(Route(path, _file(data, KINDS[Path(name).suffix])))
    return Guard(Starlette(routes=routes), Access())


def _files() -> list[tuple[str, bytes]]:
    own, camera = resources.files("train.labelling") / "static", resources.files("edge.web") / "static"
    found = [(item.name, item.read_bytes()) for item in own.iterdir() if Path(item.name).suffix in KINDS]
    return found + [(name, (camera / name).read_bytes()) for name in BORROWED]


def _file(data: bytes, kind: str) -> Callable[[Request], Response]:
    return lambda request: Response(data, media_type=kind, headers={"cache-control": "no-cache"})


def _bound(call: Call, work: Labelling) -> Callable[[Request], Any]:
    async def answer(request: Request) -> Response:
        try:
            return await call(work, request)
        except DataError as error:
            return refused(422, str(error))
        except OSError as error:
            return refused(
                507, f"{work.store.file} cannot be written: {error.strerror}; nothing of this picture is kept"
            )
        except (json.JSONDecodeError, UnicodeDecodeError, RecursionError):
            return refused(400, "expected JSON")

    return answer


def run(path: Path, bundle: Path, port: int, opened: Callable[[str], None]) -> None:
    """Serves the page until Ctrl-C; `opened` is told its address. Raises DataError, BundleError, OSError."""
    store = Store(path)
    if store.skipped:
        whole = len(store.images) + len(store.skipped)
        print(f"skipped {len(store.skipped)} of {whole} pictures, the first is {plain(store.skipped[0])}", flush=True)
    with socket.create_server(("127.0.0.1", port)) as listening, closing(Guesses(store, bundle)) as guesses:
        opened(f"http://127.0.0.1:{listening.getsockname()[1]}/")
        config = uvicorn.Config(
            app(Labelling(store, guesses)),
            log_config=None,
            access_log=False,
            server_header=False,
            lifespan="off",
            ws="none",
        )
        uvicorn.Server(config).run([listening])
