"""Downloads a package, with limits of size and time, because server and network are not trusted."""

from __future__ import annotations

import http.client
import shutil
import socket
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from edge.core import secrets
from edge.core.errors import UpdateError
from edge.operations.update.package import HEAD, PREFIX

LARGEST = 1 << 30
"""Upper limit in bytes, whatever a signed manifest says."""
RESERVE = 16 << 20
"""Bytes of disk that a download leaves free."""
WAIT, SLOWEST = 10.0, 4096.0
"""Seconds without an answer, and then the least average rate in bytes per second, before a download is aborted."""
HEADERS = 30.0
"""Seconds for all headers of an answer, including redirections."""


@contextmanager
def fetched(
    package: str,
    root: Path,
    bound: Callable[[Path], int] = lambda path: LARGEST,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[Path]:
    """The package as a file: itself, or a download in the folder `root`, removed when the block ends.

    `bound` gets the beginning of the file, with all of its manifest, and returns how many bytes the file may have; it
    raises UpdateError without a valid signature, so that no more is downloaded. A plain http:// address is as good as
    any, because the signature is checked. Raises UpdateError.
    """
    if "://" not in package:
        if not Path(package).is_file():
            raise UpdateError(f"{package}: no such file: expected a package that maskcam pack wrote")
        yield Path(package)
        return
    if not package.startswith(("http://", "https://")):
        raise UpdateError(f"{secrets.address(package)}: expected a file or an http(s):// address")
    with tempfile.NamedTemporaryFile(dir=root, prefix=PREFIX) as file:
        try:
            _download(package, file, bound, clock)
        except (OSError, ValueError, http.client.HTTPException) as error:
            if isinstance(error, urllib.error.HTTPError):
                error.close()
            reason = secrets.without(" ".join(str(error).split())[:200], [package]) or type(error).__name__
            raise UpdateError(f"{secrets.address(package)}: cannot be fetched: {reason}") from None
        yield Path(file.name)


def _download(package: str, file: Any, bound: Callable[[Path], int], clock: Callable[[], float]) -> None:
    path = Path(file.name)
    limit = min(LARGEST, shutil.disk_usage(path.parent).free - RESERVE)
    began, size, checked = clock(), 0, False
    with _opened(package) as answer:
        length = answer.length
        while chunk := answer.read1(1 << 16):
            size += len(chunk)
            if size > limit:
                raise UpdateError(
                    f"{secrets.address(package)}: larger than the {limit} bytes that it may have: nothing was installed"
                )
            file.write(chunk)
            if not checked and size >= HEAD:
                file.flush()
                limit, checked = min(limit, bound(path)), True
            if (seconds := clock() - began) > WAIT and size < SLOWEST * seconds:
                raise UpdateError(
                    f"{secrets.address(package)}: slower than {SLOWEST / 1024:.0f} kB/s: try again on a better network"
                )
    file.flush()
    if length is not None and size < length:
        raise UpdateError(f"{secrets.address(package)}: cut off after {size} bytes: try again")


@contextmanager
def _opened(package: str) -> Iterator[Any]:
    """The answer with its headers read. A timer aborts a server that sends them too slowly."""
    sockets: list[socket.socket] = []

    class Http(urllib.request.HTTPHandler):
        def http_open(self, request: urllib.request.Request) -> http.client.HTTPResponse:
            return self.do_open(_remembering(http.client.HTTPConnection, sockets), request)

    class Https(urllib.request.HTTPSHandler):
        def https_open(self, request: urllib.request.Request) -> http.client.HTTPResponse:
            return self.do_open(_remembering(http.client.HTTPSConnection, sockets), request)

    late = threading.Event()

    def cut() -> None:
        late.set()
        for each in sockets:
            each.shutdown(socket.SHUT_RDWR)

    opener = urllib.request.OpenerDirector()  # not build_opener: no file:, no ftp:
    for handler in (
        urllib.request.ProxyHandler,
        urllib.request.HTTPDefaultErrorHandler,
        urllib.request.HTTPRedirectHandler,
        urllib.request.HTTPErrorProcessor,
        urllib.request.UnknownHandler,
        Http,
        Https,
    ):
        opener.add_handler(handler())
    timer = threading.Timer(HEADERS, cut)
    timer.daemon = True
    timer.start()
    try:
        answer = opener.open(_request(package), timeout=WAIT)
    finally:
        timer.cancel()
    with answer:
        if late.is_set():  # an aborted connection looks like the end of the headers
            raise TimeoutError(f"no whole answer within {HEADERS:.0f} s")
        yield answer


def _request(package: str) -> urllib.request.Request:
    """name:password@ is sent as basic authentication, to this host alone, wherever it redirects to."""
    address, login = secrets.login(package)
    request = urllib.request.Request(address)
    if login:
        request.add_unredirected_header("Authorization", login)
    return request


def _remembering(kind: Any, sockets: list[socket.socket]) -> Any:
    """A connection class that records its sockets."""

    class Connection(kind):  # type: ignore[misc]
        def connect(self) -> None:
            super().connect()
            sockets.append(self.sock)

    return Connection
