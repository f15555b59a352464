"""From the settings to frames: what assemble makes of a live source, through real threads where nothing blocks."""

import threading
from contextlib import ExitStack

import numpy as np
import pytest

from edge import assemble, config
from edge.cameras import registry, v4l2
from edge.cameras.latest_frame import LatestFrame
from edge.cameras.reconnecting import ReconnectingCamera
from edge.cameras.transform import GREY
from edge.core.errors import ConfigError, MissingPackage
from edge.core.records import Frame

PATIENCE = 60.0


class Device:
    """A V4L2 capture of noise, 64 x 48, that fails after `frames` frames."""

    def __init__(self, frames):
        self.left, self.noise, self.released = frames, np.random.default_rng(0), threading.Event()

    def isOpened(self):  # noqa: N802 (OpenCV's name)
        return True

    def set(self, key, value):
        return True

    def get(self, key):
        return 0.0

    def read(self):
        self.left -= 1
        return self.left >= 0, self.noise.integers(0, 255, (48, 64, 3), np.uint8)

    def release(self):
        self.released.set()


@pytest.fixture
def plugged(tmp_path, monkeypatch):
    """The settings of a camera whose driver fails after three frames and, opened anew, works for long; its captures."""
    (tmp_path / "cam").touch()
    captures = []

    def open(*args):
        captures.append(Device(10**9 if captures else 3))
        return captures[-1]

    monkeypatch.setattr(v4l2, "capture", open)
    monkeypatch.setattr(assemble.source, "find", lambda source, live: registry.kinds()["v4l2"])

    def settings(*overrides):
        return config.load(None, [f"camera.source={tmp_path / 'cam'}", "camera.retry_first=0.1", *overrides])

    return settings, captures


def source(settings, stack):
    return assemble.source.opened(settings, True, stack)[0]


@pytest.fixture
def stack():
    with ExitStack() as stack:
        yield stack


def test_a_device_that_fails_is_opened_again_by_itself(plugged, stack, caplog):
    settings, captures = plugged
    caplog.set_level("DEBUG")
    camera = source(settings(), stack)
    assert isinstance(camera, ReconnectingCamera)
    while len(captures) < 2 or camera.state != "ok":
        camera.poll(PATIENCE)
    assert captures[0].released.wait(PATIENCE)
    assert camera.reopened == 1
    said = [record.getMessage() for record in caplog.records]
    assert [line for line in said if "lost" in line] == [
        f"camera lost: camera '{settings().camera.source}': gives no frames: check cable and power"
    ]
    assert sum("asked for 640x480 MJPG at 30 fps" in line for line in said) == 2, "told at every opening"


def test_the_view_is_applied_before_anybody_sees_a_frame(plugged, stack):
    settings, _ = plugged
    view = settings("camera.rotation=90", "camera.region=[0.0, 0.0, 0.5, 1.0]", "camera.covered=[[0, 0, 0.25, 1]]")
    image = source(view, stack).poll(PATIENCE).image
    assert image.shape == (64, 24, 3)
    assert (image[:, :12] == GREY).all()


def test_closing_gives_the_device_back(plugged, stack):
    settings, captures = plugged
    source(settings(), stack).poll(PATIENCE)
    stack.close()
    assert all(capture.released.wait(PATIENCE) for capture in captures)


def test_a_recording_played_live_ends(tmp_path, stack, monkeypatch):
    monkeypatch.setattr(assemble.source, "camera", lambda settings, live: Recording())
    camera = source(config.load(None, ["camera.source=synthetic"]), stack)
    assert isinstance(camera, LatestFrame)
    assert len(list(camera)) >= 1
    assert camera.state == "ended"


class Recording:
    def __iter__(self):
        yield Frame(0, 0.0, np.zeros((48, 64, 3), np.uint8))

    def close(self):
        pass


def test_what_is_not_installed_is_said_at_once(stack, monkeypatch):
    def missing(module):
        raise ModuleNotFoundError("No module named 'cv2'", name="cv2")

    monkeypatch.setattr(assemble.source.importlib, "import_module", missing)
    with pytest.raises(MissingPackage, match="'cv2'"):
        source(config.load(None, ["camera.source=pi"]), stack)


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("camera.rotation=45", "camera.rotation = 45: expected 0, 90, 180 or 270"),
        ("camera.flip=both", "camera.flip = \"both\": expected 'none', 'horizontal' or 'vertical'"),
        ("camera.format=H264", "camera.format = \"H264\": expected 'MJPG', 'YUYV' or 'auto'"),
        ("camera.region=[0.5, 0.0, 0.4, 1.0]", "region = [0.5, 0.0, 0.4, 1.0] must be left, top, right, bottom"),
        ("camera.region=[0.0, 0.0, 1.0]", "camera.region = [0.0, 0.0, 1.0]: expected"),
        ("camera.covered=[0.6, 0.0, 1.0, 0.3]", "camera.covered is no list of areas of four numbers: expected as"),
        ("camera.covered=[[0.6, 0.0, 1.0]]", "camera.covered is no list of areas of four numbers"),
        ("camera.covered=[[0.6, 0.0, 0.5, 0.3]]", "covered = [0.6, 0.0, 0.5, 0.3] must be left, top, right, bottom"),
        ("camera.covered=[[0, 0, 1, 1]]", "leaves nothing to see of region = [0.0, 0.0, 1.0, 1.0]"),
        ("camera.retry_first=60.0", "retry_first = 60.0 must not exceed retry_longest = 30.0"),
    ],
)
def test_impossible_settings_are_refused(override, said):
    with pytest.raises(ConfigError) as caught:
        config.load(None, [override])
    assert said in str(caught.value)


def test_whole_numbers_do_for_a_region():
    assert config.load(None, ["camera.region=[0, 0, 1, 0.5]"]).camera.region == [0, 0, 1, 0.5]
