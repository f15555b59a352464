"""The Jetson's camera port: no GStreamer is in OpenCV's wheels, so here the capture is a fake."""

import cv2
import numpy as np
import pytest

from edge.cameras import csi
from edge.config import settings as defaults
from edge.core.errors import CameraError
from edge.testing.defaults import with_defaults

CsiCamera = with_defaults(csi.CsiCamera, defaults.Camera())

NO_GSTREAMER = "  Video I/O:\n    FFMPEG:    YES\n    GStreamer:                   NO\n"


class FakeCapture:
    def __init__(self, opened=True):
        self.opened, self.frames, self.released = opened, 2, False

    def isOpened(self):  # noqa: N802 (OpenCV's name)
        return self.opened

    def read(self):
        self.frames -= 1
        return (True, np.full((48, 64, 3), (255, 0, 10), np.uint8)) if self.frames >= 0 else (False, None)

    def release(self):
        self.released = True


@pytest.fixture
def jetson(monkeypatch):
    """An OpenCV with GStreamer; returns the fake capture and what was opened."""
    fake = FakeCapture()
    fake.asked = []
    monkeypatch.setattr(cv2, "getBuildInformation", lambda: NO_GSTREAMER.replace("NO", "YES (1.20.3)"))
    monkeypatch.setattr(csi, "capture", lambda *args: fake.asked.append(args) or fake)
    return fake


def test_an_opencv_without_gstreamer_is_told_with_the_remedy(monkeypatch):
    monkeypatch.setattr(cv2, "getBuildInformation", lambda: NO_GSTREAMER)
    with pytest.raises(CameraError, match=r"'csi:0': this OpenCV \(4.*no GStreamer: use the one of JetPack \(sudo apt"):
        CsiCamera()


@pytest.mark.skipif("GStreamer:                   NO" not in cv2.getBuildInformation(), reason="OpenCV has GStreamer")
def test_the_wheel_of_this_machine_is_recognised():
    with pytest.raises(CameraError, match="no GStreamer"):
        CsiCamera()


def test_the_pipeline_keeps_the_newest_frame_alone(jetson):
    with CsiCamera(1, width=1280, height=720, fps=29.97, exposure=10.0) as camera:
        ((pipeline, backend),) = jetson.asked
        assert camera.describe() == f"csi:1: {pipeline}"
    assert backend == cv2.CAP_GSTREAMER
    assert pipeline == (
        'nvarguscamerasrc sensor-id=1 exposuretimerange="10000000 10000000"'
        " ! video/x-raw(memory:NVMM), width=1280, height=720, framerate=2997/100, format=NV12"
        " ! nvvidconv ! video/x-raw, format=BGRx ! videoconvert ! video/x-raw, format=BGR"
        " ! appsink drop=true max-buffers=1 sync=false"
    )
    assert jetson.released


def test_exposure_is_automatic_unless_said():
    assert "exposure" not in csi.pipeline(0, 640, 480, 30.0, 0.0)
    assert "framerate=30/1," in csi.pipeline(0, 640, 480, 30.0, 0.0)


def test_frames_are_rgb_and_the_end_is_an_error(jetson):
    arrivals, frames = iter([7.0, 7.5, 8.0]), []
    with pytest.raises(CameraError, match=r"'csi:0': gives no frames: sudo systemctl restart nvargus-daemon"):
        frames.extend(CsiCamera(clock=lambda: next(arrivals)))  # keeps what came before the error
    assert [(f.index, f.t, tuple(f.image[0, 0])) for f in frames] == [(0, 7.0, (10, 0, 255)), (1, 7.5, (10, 0, 255))]


def test_one_that_cannot_be_opened(jetson):
    jetson.opened = False
    with pytest.raises(CameraError, match="'csi:0': cannot be opened: check the ribbon cable"):
        CsiCamera()
