"""The streaming paths: events as they happen, and the live picture as MJPEG."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from edge.web import api, views
from edge.web.guard import ADMITTED, refused

if TYPE_CHECKING:
    from edge.web.app import Page

LISTENERS, VIEWERS = 16, 4
"""Most clients of each stream at one time."""
EVERY = 0.25
"""Seconds between two checks for new events."""
SIGN_OF_LIFE = 15.0
"""Seconds without an event after which a comment is sent, to detect a dead connection."""
BOUNDARY = "maskcam-frame"
_open = {"listeners": 0, "viewers": 0}


async def events(page: Page, request: Request) -> Response:
    """JSON, or server-sent events if the client accepts them; `Last-Event-ID` or `after`: the last known event."""
    if "text/event-stream" not in request.headers.get("accept", ""):
        return await api.events(page, request)
    if _open["listeners"] >= LISTENERS:
        return refused(503, "too many listeners already")
    known = request.headers.get("last-event-id", "")
    run, _, number = known.rpartition("-")
    after = int(number) if number.isascii() and number.isdigit() and len(number) < 16 else page.hub.count
    if run and run != page.hub.run:  # numbers of an earlier run
        after = 0
    if "after" in request.query_params and not known:
        after = api._number(request, "after")
    if request.method == "HEAD":  # has no end otherwise
        return Response(media_type="text/event-stream")
    return StreamingResponse(_counted("listeners", request, _events(page, after)), media_type="text/event-stream")


async def preview(page: Page, request: Request) -> Response:
    """Multipart JPEG, for programs that take the URL of a camera."""
    if _open["viewers"] >= VIEWERS:
        return refused(503, "too many viewers already")
    kind = f"multipart/x-mixed-replace; boundary={BOUNDARY}"
    if request.method == "HEAD":
        return Response(media_type=kind)
    return StreamingResponse(_counted("viewers", request, _frames(page)), media_type=kind)


async def _counted(name: str, request: Request, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The chunks that are not empty, until the client's session ends."""
    _open[name] += 1
    try:
        async for chunk in chunks:
            if not request.scope[ADMITTED]():
                return
            if chunk:
                yield chunk
    finally:
        _open[name] -= 1


async def _events(page: Page, after: int) -> AsyncIterator[bytes]:
    if after > page.hub.count:
        after = 0
    yield b"retry: 2000\n\n"
    quiet = 0.0
    while True:
        told = page.hub.told(after) if page.hub.count > after else []
        for one in told:
            after = one.number
            record: dict[str, Any] = views.event(one)
            yield f"id: {page.hub.run}-{after}\nevent: {one.event.kind}\ndata: {json.dumps(record)}\n\n".encode()
        quiet = 0.0 if told else quiet + EVERY
        if quiet >= SIGN_OF_LIFE:
            quiet = 0.0
            yield b": alive\n\n"
        yield b""
        await asyncio.sleep(EVERY)


async def _frames(page: Page) -> AsyncIterator[bytes]:
    shown = -1
    while True:
        made = await page.work(page.preview.jpeg, free=True)
        if made and made[0] != shown:
            shown, data = made
            head = f"--{BOUNDARY}\r\nContent-Type: image/jpeg\r\nContent-Length: {len(data)}\r\n\r\n"
            yield head.encode() + data + b"\r\n"
        yield b""
        await asyncio.sleep(1 / page.web.preview_fps)


ROUTES: list[tuple[str, str, api.Call]] = [
    ("/api/events", "GET", events),
    ("/api/preview.mjpeg", "GET", preview),
]
