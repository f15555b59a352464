"""Checks every request before it is handled: its host, its origin, and its login.

host: unknown names are refused, so that a foreign site whose name resolves to this machine (DNS rebinding) reads
    nothing.
origin: requests that change something are accepted only from our own pages and from programs. Browsers send `Origin`
    or `Sec-Fetch-Site` with them, and the cookie is SameSite=Strict as well.
"""

from __future__ import annotations

import socket
from collections.abc import Collection
from ipaddress import ip_address
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import cookie_parser
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from edge.core.plain_text import plain
from edge.web.access import Access

SAFE = ("GET", "HEAD", "OPTIONS")
OPEN = ("/login", "/healthz", "/api/login", "/favicon.ico")
"""Paths that need no password, besides those under /static/."""
ADMITTED = "maskcam.admitted"
"""Key of the ASGI scope: a function that says whether the request would be accepted now."""
HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
}


class Guard:
    """ASGI middleware around `app`.

    names: further host names besides addresses, localhost, and the machine's own name with and without ".local".
    public: further open paths besides OPEN.
    """

    def __init__(self, app: ASGIApp, access: Access, names: Collection[str] = (), public: Collection[str] = ()) -> None:
        self._app, self._access, self._public = app, access, {*OPEN, *public}
        own = socket.gethostname().lower()
        self._names = {"localhost", own, own.partition(".")[0] + ".local", *(name.lower() for name in names)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        headers = Headers(scope=scope)
        refusal = self._refusal(scope, headers)
        scope[ADMITTED] = lambda: self._admits(scope, headers)

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                ours = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    ours[name] = value
                ours.setdefault("cache-control", "no-store")
            await send(message)

        await (refusal or self._app)(scope, receive, answer)

    def _refusal(self, scope: Scope, headers: Headers) -> Response | None:
        host = headers.get("host", "")
        if not self._is_ours(host):
            return refused(
                421, f"this machine is not called '{host[:80]}': use its address; a camera's names are web.names"
            )
        if scope["method"] not in SAFE and not _same_origin(scope, headers, host):
            return refused(403, "the request comes from another site: open the page itself")
        if self._anybody(scope) or self._access.admits_session(self._session(headers)):
            return None
        return self._stranger(scope, headers)

    def _anybody(self, scope: Scope) -> bool:
        path = str(scope["path"])
        return path in self._public or path.startswith("/static/") or self._access.open

    def _session(self, headers: Headers) -> str:
        return cookie_parser(headers.get("cookie", "")).get(self._access.cookie, "")

    def _admits(self, scope: Scope, headers: Headers) -> bool:
        """Whether a request that was accepted would be accepted now: a stream ends with its session."""
        if self._anybody(scope) or self._access.admits_session(self._session(headers)):
            return True
        return self._access.admits_token(_bearer(headers))

    def _is_ours(self, host: str) -> bool:
        try:
            name = (urlsplit(f"//{host}").hostname or "").rstrip(".")
        except ValueError:
            return False
        try:
            ip_address(name)
            return True  # an address needs no name resolution
        except ValueError:
            return name in self._names

    def _stranger(self, scope: Scope, headers: Headers) -> Response | None:
        """The refusal of a request without a session; None if it has a token."""
        path, secret = str(scope["path"]), _bearer(headers)
        address = scope["client"][0] if scope.get("client") else ""
        if secret:
            wait = self._access.throttle.wait(address)
            if wait:
                return too_often(wait)
            if self._access.admits_token(secret):
                return None
            self._access.throttle.failed(address)
        elif scope["method"] in SAFE and "text/html" in headers.get("accept", ""):
            return RedirectResponse(f"/login?next={path}" if path in ("/sign",) else "/login", 303)
        response = refused(401, "log in at /login, or send 'Authorization: Bearer TOKEN' (or the password)")
        response.headers["www-authenticate"] = "Bearer"
        return response


def _bearer(headers: Headers) -> str:
    kind, _, secret = headers.get("authorization", "").partition(" ")
    return secret.strip() if kind.lower() == "bearer" else ""


def refused(status: int, why: str) -> Response:
    """The form of every error of the API."""
    return JSONResponse({"error": plain(why)}, status)


def too_often(wait: float) -> Response:
    response = refused(429, f"too many wrong attempts: wait {wait:.0f} s")
    response.headers["retry-after"] = str(int(wait) + 1)
    return response


def _same_origin(scope: Scope, headers: Headers, host: str) -> bool:
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    if site is not None and site not in ("same-origin", "none"):
        return False
    return origin is None or origin == f"{scope['scheme']}://{host}"
