"""The paths that answer at once."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from edge.assemble.sinks import history_file
from edge.core import json_text
from edge.core.errors import ConfigError
from edge.history.reader import History
from edge.web import aim, cameras, lights, passwords, support, update, views
from edge.web.access import LASTS
from edge.web.editor import without_secrets
from edge.web.guard import refused, too_often
from edge.web.hub import LOST

if TYPE_CHECKING:
    from edge.web.app import Page

LARGEST = 64 << 10
"""Largest request body in bytes, packages apart."""


async def body(request: Request) -> dict[str, Any]:
    """The request's JSON object. Raises ConfigError for anything else, or a body that is too large."""
    data = b""
    async for chunk in request.stream():
        data += chunk
        if len(data) > LARGEST:
            raise ConfigError(f"the request is larger than {LARGEST >> 10} kB")
    found = json_text.parse(data or b"{}")
    if not isinstance(found, dict):
        raise ConfigError("expected a JSON object")
    return found


async def health(page: Page, request: Request) -> Response:
    why = views.unhealthy(page.hub.snapshot, page.hub.clock(), page.web.healthy_within)
    return JSONResponse({"healthy": not why, "why": why}, 503 if why else 200)


async def metrics(page: Page, request: Request) -> Response:
    text = await page.work(page.exposition.text)
    return Response(text, media_type="text/plain; version=0.0.4; charset=utf-8")


async def status(page: Page, request: Request) -> Response:
    board = page.board.report() if page.board.fresh else await page.work(page.board.report)
    hub = page.hub
    said = views.status(hub.snapshot, hub.clock(), hub.started, board)
    said["name"] = page.name()
    said["setup"] = page.editor.lasting and page.editor.untouched
    said["guarded"] = not page.access.open
    said["lasting"] = page.editor.lasting
    return JSONResponse(said)


async def aiming(page: Page, request: Request) -> Response:
    observation, camera = page.hub.snapshot.observation, page.settings().camera
    parts = {"region": camera.region, "covered": camera.covered}
    if observation is None:
        report = page.hub.snapshot.report
        why = report.get("detail") or report.get("state") if report.get("state") == LOST else None
        return JSONResponse({"faces": [], **parts, "blind": why})
    faces = await page.work(aim.advice, observation)
    return JSONResponse({"faces": faces, **parts, "blind": observation.blind})


async def events(page: Page, request: Request) -> Response:
    told = [views.event(told) for told in page.hub.told(_number(request, "after"))]
    return JSONResponse({"run": page.hub.run, "events": told})


async def log(page: Page, request: Request) -> Response:
    return JSONResponse({"run": page.hub.run, "lines": page.log.lines(_number(request, "after"))})


async def frame(page: Page, request: Request) -> Response:
    made = await page.work(page.preview.jpeg, "plain" in request.query_params, free=True)
    if made is None:
        return Response(status_code=204)
    index, data = made
    tag = f'"{index}"'
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers={"etag": tag})
    return Response(data, media_type="image/jpeg", headers={"etag": tag})


async def sign(page: Page, request: Request) -> Response:
    return JSONResponse(views.sign(page.hub.snapshot, page.hub.clock()))


async def sign_texts(page: Page, request: Request) -> Response:
    return JSONResponse({"languages": page.web.sign_languages, "texts": page.texts})


async def settings(page: Page, request: Request) -> Response:
    found = await page.work(page.editor.describe)
    return JSONResponse({"settings": found, "lasting": page.editor.lasting})


async def change(page: Page, request: Request) -> Response:
    values = await body(request)
    if any(isinstance(value, float) and not math.isfinite(value) for value in values.values()):
        raise ConfigError("expected finite numbers")
    restart = await page.work(page.editor.change, values)
    return JSONResponse({"saved": list(values), "restart": restart, "lasting": page.editor.lasting})


async def listed_cameras(page: Page, request: Request) -> Response:
    shown = without_secrets("source", page.settings().camera.source)
    return JSONResponse({"cameras": await page.work(cameras.found, shown)})


async def test_lights(page: Page, request: Request) -> Response:
    chosen = page.settings().sinks
    shown = [f"{name} ({found.driver})" for name in ("gpio", "buzzer") if (found := getattr(chosen, name))]
    if not shown:
        raise ConfigError("no light is switched on: expected a section such as [sinks.gpio] in the settings")
    if why := views.darkened(page.hub.snapshot, page.hub.clock()):
        raise ConfigError(f"{why}: the light shows that and no alert; try again when it is over")
    lights.show(page.hub, 3.0)
    return JSONResponse({"shown": shown, "seconds": 3})


async def snooze(page: Page, request: Request) -> Response:
    """`seconds`: none for the length in the settings, 0 ends it."""
    seconds = (await body(request)).get("seconds")
    number = isinstance(seconds, int | float) and seconds is not True
    if seconds is not None and not (number and 0 <= seconds <= 7 * 86400):
        raise ConfigError(f"seconds = {str(seconds)[:40]}: expected a number from 0 to {7 * 86400}, or none")
    page.controls.snooze(None if seconds is None else float(seconds))
    return JSONResponse({"asked": seconds}, 202)


async def wrong(page: Page, request: Request) -> Response:
    if not page.hub.snapshot.report.get("collecting"):
        raise ConfigError("no pictures are collected: the section [collect] in the settings file turns it on")
    page.controls.wrong()
    return JSONResponse({"taken": True}, 202)


async def history(page: Page, request: Request) -> Response:
    """`since`: such as 24h or 7d; `by`: hour or day, chosen by the length if missing."""
    since = re.fullmatch(r"(\d{1,4})([hd])", request.query_params.get("since", "24h"))
    by = request.query_params.get("by", "")
    if since is None or by not in ("", "hour", "day"):
        raise ConfigError("expected since=24h or since=7d, and by=hour or by=day")
    hours = int(since[1]) * (24 if since[2] == "d" else 1)
    by = by or ("hour" if hours <= 72 else "day")
    section = page.settings().sinks.history
    if section is None:
        return JSONResponse({"kept": False, "by": by, "counts": []})
    past, now = History(history_file(section)), time.time()
    since_then = now - 3600 * hours
    # Nothing may have been written yet; a file that cannot be read is another thing than nobody who came.
    counts = await page.work(past.counts, by, since_then) if past.path.exists() else []
    return JSONResponse(views.history(counts, by, since_then, now))


async def login(page: Page, request: Request) -> Response:
    given = await body(request)
    address = request.client.host if request.client else ""
    wait = page.access.throttle.wait(address)
    if wait:
        return too_often(wait)
    page.access.throttle.failed(address)  # counted first: many attempts at the same moment are as many
    if not await page.work(page.access.admits_password, str(given.get("password", ""))[:1000]):
        return refused(401, "wrong password")
    page.access.throttle.passed(address)
    return _logged_in(page, request)


async def logout(page: Page, request: Request) -> Response:
    await page.work(page.access.end, request.cookies.get(page.access.cookie, ""))
    response = JSONResponse({})
    response.delete_cookie(page.access.cookie, path="/")
    return response


async def password(page: Page, request: Request) -> Response:
    """Sets the password; if there is one already, it must be given too."""
    given = await body(request)
    new, old = str(given.get("new", "")), str(given.get("old", ""))[:1000]
    address = request.client.host if request.client else ""
    wait = page.access.throttle.wait(address)
    if wait:
        return too_often(wait)
    if page.access.password:
        page.access.throttle.failed(address)
        if not await page.work(page.access.admits_password, old):
            return refused(403, "the old password is wrong")
        page.access.throttle.passed(address)
    if not passwords.SHORTEST <= len(new) <= 1000:
        raise ConfigError(f"the new password is too short: expected {passwords.SHORTEST} characters or more")
    made = await page.work(passwords.hashed, new)
    await page.work(page.editor.change, {"web.password": made}, True)
    page.access.password = made
    return _logged_in(page, request)


async def support_file(page: Page, request: Request) -> Response:
    lines = [f"{line['time']} {line['level']}: {line['text']}" for line in page.log.lines()]
    hub, board = page.hub, page.board

    def build() -> bytes:
        said = views.status(hub.snapshot, hub.clock(), hub.started, board.report())
        return support.archive(page.editor.describe(), page.examine(), lines, said)

    headers = {"content-disposition": 'attachment; filename="maskcam-support.zip"'}
    return Response(await page.work(build), media_type="application/zip", headers=headers)


async def take_update(page: Page, request: Request) -> Response:
    if page.state is None:
        raise ConfigError("updates are for an installed service: maskcam update FILE does it by hand")
    what = await update.take(request.stream(), page.state, page.settings().update.key, page.work)
    return JSONResponse({"taken": what, "installs": update.report(page.state)["installs"]}, 202)


async def updates(page: Page, request: Request) -> Response:
    return JSONResponse(await page.work(update.report, page.state))


def _logged_in(page: Page, request: Request) -> Response:
    response = JSONResponse({})
    response.set_cookie(
        page.access.cookie,
        page.access.session(),
        max_age=LASTS,
        path="/",
        secure=request.url.scheme == "https",
        httponly=True,
        samesite="strict",
    )
    return response


def _number(request: Request, name: str) -> int:
    text = request.query_params.get(name, "0")
    if not (text.isascii() and text.isdigit() and len(text) < 16):
        raise ConfigError(f"{name}: expected a whole number")
    return int(text)


Call = Callable[["Page", Request], Awaitable[Response]]
ROUTES: list[tuple[str, str, Call]] = [
    ("/healthz", "GET", health),
    ("/metrics", "GET", metrics),
    ("/api/status", "GET", status),
    ("/api/aim", "GET", aiming),
    ("/api/log", "GET", log),
    ("/api/frame.jpg", "GET", frame),
    ("/api/sign", "GET", sign),
    ("/api/sign/texts", "GET", sign_texts),
    ("/api/settings", "GET", settings),
    ("/api/settings", "PATCH", change),
    ("/api/cameras", "GET", listed_cameras),
    ("/api/alert-test", "POST", test_lights),
    ("/api/snooze", "POST", snooze),
    ("/api/wrong", "POST", wrong),
    ("/api/history", "GET", history),
    ("/api/login", "POST", login),
    ("/api/logout", "POST", logout),
    ("/api/password", "POST", password),
    ("/api/support", "GET", support_file),
    ("/api/update", "GET", updates),
    ("/api/update", "POST", take_update),
]
