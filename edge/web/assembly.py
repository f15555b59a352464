"""Builds the page from the settings, and opens it beside a run."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge.core.errors import MaskcamError, MissingPackage
from edge.runtime.controls import Controls
from edge.runtime.identity import origin
from edge.web import texts, update
from edge.web.hub import Hub

if TYPE_CHECKING:
    from edge.config import Loaded
    from edge.config.service_sections import Web
    from edge.config.settings import Settings

log = logging.getLogger(__name__)


@contextmanager
def opened(
    hub: Hub,
    loaded: Callable[[Path], Loaded],
    path: Path,
    lasting: bool,
    state: Path | None,
    reload: Callable[[], None],
    controls: Controls,
) -> Iterator[str]:
    """Runs the page beside the camera; yields its address, "" if it could not be opened.

    loaded: the settings with the page's file at a given path. path: the file that keeps changes made on the page;
    lasting: whether it is kept. state: the service's state directory. reload: makes the loop read the settings again.
    controls: receives requests to the run.
    A page that cannot be opened is logged: the camera matters more than the page.
    """
    web = loaded(path).settings.web
    if web is None:
        yield ""
        return
    try:
        server = _server(hub, web, loaded, path, lasting, state, reload, controls)
    except (MaskcamError, OSError) as error:
        log.error("the page cannot be opened at %s, port %d: %s; the camera runs without", web.address, web.port, error)
        yield ""
        return
    with closing(server):
        log.info("page: %s", address(web))
        yield address(web)


def address(web: Web) -> str:
    """The address for a browser on this machine."""
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(web.address, web.address)
    host = f"[{host}]" if ":" in host and not host.startswith("[") else host
    return f"{'https' if web.certificate else 'http'}://{host}:{web.port}/"


def _server(
    hub: Hub,
    web: Web,
    loaded: Callable[[Path], Loaded],
    path: Path,
    lasting: bool,
    state: Path | None,
    reload: Callable[[], None],
    controls: Controls,
) -> Any:
    try:
        from edge.web.access import Access, key_in
        from edge.web.app import Page, app
        from edge.web.board import Board
        from edge.web.editor import Editor
        from edge.web.exposition import Exposition
        from edge.web.logs import RecentLog
        from edge.web.preview import Preview
        from edge.web.server import PageServer
        from edge.web.worker import Governor, Worker
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package in ("", "edge"):
            raise
        raise MissingPackage(package, "web") from None
    said = texts.load(web.sign_texts)
    texts.chosen(web.sign_languages, said)
    if state:
        update.sweep(state)
    worker, current = Worker(Governor()), _Current(loaded, path)
    recent, board = RecentLog(), Board(folder=state or Path.cwd())
    page = Page(
        hub,
        web,
        current,
        Access(web.password, web.token, key_in(state), ended=state / "page.ended" if state else None),
        Editor(loaded, path, reload, lasting),
        recent,
        board,
        Preview(hub, web.preview_fps, web.preview_width),
        Exposition(hub, board),
        said,
        lambda: _findings(loaded, path),
        worker,
        controls,
        lambda: _name(current()),
        state,
    )
    logging.getLogger("uvicorn").setLevel(logging.CRITICAL)  # a line per broken request would fill the journal
    server = PageServer(app(page), worker.governor, web.address, web.port, web.certificate, web.key)
    logging.getLogger().addHandler(recent)
    return server


def _name(settings: Settings) -> str:
    device = origin(settings.device.name).device
    return f"{device}, {settings.camera.name}" if settings.camera.name else device


class _Current:
    """The settings with the page's file, read again if that file has changed."""

    def __init__(self, loaded: Callable[[Path], Loaded], path: Path) -> None:
        self._loaded, self._path = loaded, path
        self._kept: tuple[float, Settings] | None = None

    def __call__(self) -> Settings:
        at = self._path.stat().st_mtime if self._path.exists() else 0.0
        if self._kept is None or self._kept[0] != at:
            self._kept = at, self._loaded(self._path).settings
        return self._kept[1]


def _findings(loaded: Callable[[Path], Loaded], path: Path) -> list[dict[str, Any]]:
    from edge.operations.doctor.runner import examine

    return [finding.record() for finding in examine(lambda: loaded(path).settings, [path] if path.exists() else [])]
