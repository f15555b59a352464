"""A page of parts that remember: a hub that a test fills, settings from texts, no loop and no camera."""

import numpy as np
import pytest

pytest.importorskip("starlette", reason="the extra web is not installed")

from starlette.testclient import TestClient

from edge import config
from edge.config import settings as defaults
from edge.core.geometry import Box
from edge.core.labels import Mask
from edge.core.records import Decision, Frame, Observation, Track
from edge.runtime.controls import Controls
from edge.testing.defaults import with_defaults
from edge.web import texts
from edge.web.access import Access
from edge.web.app import Page, app
from edge.web.board import Board
from edge.web.editor import Editor
from edge.web.exposition import Exposition
from edge.web.hub import Hub
from edge.web.logs import RecentLog
from edge.web.preview import Preview
from edge.web.worker import Governor, Worker

Preview = with_defaults(Preview, defaults.Web())

ADDRESS = "http://127.0.0.1:8765"


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


def observation(*states, index=0, t=1.0, blind=None, size=60, image=None, min_face=20.0):
    """A grey frame with a track per mask state, None for one without a decision."""
    image = np.full((240, 320, 3), 128, np.uint8) if image is None else image
    tracks = [Track(i, Box(20 + 70 * i, 80, 20 + 70 * i + size, 80 + size), 1.0, 5) for i, _ in enumerate(states)]
    decisions = [Decision(i, mask, 0.9, 1.0) for i, mask in enumerate(states) if mask]
    return Observation(Frame(index, t, image), tracks, decisions, blind, min_face=min_face)


class Stand:
    """`client` talks to `page`; `show` does what the loop does after each frame."""

    def __init__(self, folder, overrides=(), password="", token="", lasting=True, examine=list, state=None):
        self.clock, self.wall = Clock(), Clock()
        self.hub = Hub(self.clock, lambda: 1_780_000_000.0)
        self.reloads = 0
        self.file = folder / "base.toml"
        self.file.touch()
        self.overrides = ["camera.source=synthetic", *overrides]
        self.editor = Editor(self.read, folder / "page.toml", self.reload, lasting)
        web = self.read(self.editor.path).settings.web
        self.access = Access(password, token, b"k" * 32, self.wall, self.clock)
        board = Board(folder, folder, lambda *command: None, self.clock)
        self.log = RecentLog()
        self.controls = Controls()
        self.worker = Worker(Governor(share=1e6, credit=1e6))
        self.page = Page(
            self.hub,
            web,
            lambda: self.read(self.editor.path).settings,
            self.access,
            self.editor,
            self.log,
            board,
            Preview(self.hub, web.preview_fps, web.preview_width),
            Exposition(self.hub, board),
            texts.load(),
            examine,
            self.worker,
            self.controls,
            lambda: "the door",
            state,
        )
        self.app = app(self.page)
        self.client = TestClient(self.app, ADDRESS, follow_redirects=False)

    def read(self, path):
        files = [self.file, *([path] if path and path.exists() else [])]
        return config.read(files, ["web.port=8765", *self.overrides])

    def reload(self):
        self.reloads += 1

    def show(self, seen=None, alert=False, **report):
        self.hub.publish(seen, alert, {"state": "ok", "detail": "", "fps": 10.0, **report}, {})


@pytest.fixture
def stand(tmp_path):
    """The function that makes a Stand; what it made is closed in the end."""
    made = []

    def make(**options):
        made.append(Stand(tmp_path, **options))
        return made[-1]

    yield make
    for each in made:
        each.worker.close()


@pytest.fixture
def seen():
    """The function `observation` above."""
    return observation


@pytest.fixture
def masks():
    return Mask
