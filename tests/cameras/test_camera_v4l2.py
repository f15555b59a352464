"""V4L2 cameras: what is said when there is none, and what is asked of one (a fake capture: no camera needed)."""

import os

import cv2
import numpy as np
import pytest

from edge.cameras import v4l2
from edge.config import settings as defaults
from edge.core.errors import CameraError
from edge.testing.defaults import with_defaults

V4L2Camera = with_defaults(v4l2.V4L2Camera, defaults.Camera())


class FakeCapture:
    """A driver with one mode, 320x240 YUYV at 15 fps, that gives `frames` frames and then fails."""

    MODE = {  # noqa: RUF012 (never written to)
        cv2.CAP_PROP_FRAME_WIDTH: 320.0,
        cv2.CAP_PROP_FRAME_HEIGHT: 240.0,
        cv2.CAP_PROP_FPS: 15.0,
        cv2.CAP_PROP_FOURCC: float(cv2.VideoWriter.fourcc(*"YUYV")),
        cv2.CAP_PROP_AUTO_EXPOSURE: 3.0,
        cv2.CAP_PROP_EXPOSURE: 156.0,
    }

    def __init__(self, frames):
        self.frames, self.asked, self.released = frames, [], False
        self.known = ()

    def isOpened(self):  # noqa: N802 (OpenCV's name)
        return True

    def set(self, key, value):
        self.asked.append((key, value))
        return (key, value) in self.known

    def get(self, key):
        return self.MODE[key]

    def read(self):
        self.frames -= 1
        return (True, np.full((240, 320, 3), (255, 0, 10), np.uint8)) if self.frames >= 0 else (False, None)

    def release(self):
        self.released = True


@pytest.fixture
def device(tmp_path):
    path = tmp_path / "video0"
    path.touch()
    return path


@pytest.fixture
def fake(monkeypatch):
    capture, opened = FakeCapture(3), []
    monkeypatch.setattr(v4l2, "capture", lambda *args: opened.append(args) or capture)
    capture.opened = opened
    return capture


@pytest.mark.parametrize(
    ("device", "path"), [(97, "/dev/video97"), ("97", "/dev/video97"), ("/dev/v4l/by-id/usb-x", "/dev/v4l/by-id/usb-x")]
)
def test_a_camera_that_does_not_exist(monkeypatch, device, path):
    monkeypatch.setattr(v4l2, "devices", lambda: ["/dev/v4l/by-id/usb-cam", "/dev/video2"])
    with pytest.raises(CameraError, match="does not exist") as caught:
        V4L2Camera(device)
    assert f"'{path}'" in str(caught.value)
    assert str(caught.value).endswith("cameras of this machine: /dev/v4l/by-id/usb-cam, /dev/video2")


def test_no_permission_names_the_group(monkeypatch, device):
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # root, who runs many a test, may do anything
    with pytest.raises(CameraError, match=r"not permitted.*group 'video'"):
        V4L2Camera(str(device))


def test_a_file_that_is_no_camera_is_refused_by_opencv_itself(device, capfd):
    with pytest.raises(CameraError, match="cannot be opened: not a camera, or in use"):
        V4L2Camera(str(device))
    assert capfd.readouterr().err == ""


def test_asks_for_mjpg_first_and_a_short_buffer_and_tells_what_it_got(device, fake):
    with V4L2Camera(str(device), 1280, 720, 30.0) as camera:
        assert fake.opened == [(str(device), cv2.CAP_V4L2)]
        assert fake.asked[0] == (cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*"MJPG"))
        assert (cv2.CAP_PROP_BUFFERSIZE, 1) in fake.asked
        given = "320x240 YUYV at 15 fps, automatic exposure"
        expected = f"{device}: {given} (asked for 1280x720 MJPG at 30 fps)"
        assert camera.describe() == expected
    assert fake.released


def test_frames_are_rgb_stamped_on_arrival_and_the_end_is_an_error(device, fake):
    arrivals = iter([50.0, 50.5, 51.25, 61.0])
    frames = []
    with pytest.raises(CameraError, match="gives no frames: check cable and power"):
        frames.extend(V4L2Camera(str(device), clock=lambda: next(arrivals)))  # keeps what came before the error
    assert [(f.index, f.t) for f in frames] == [(0, 50.0), (1, 50.5), (2, 51.25)]
    assert {tuple(f.image[0, 0]) for f in frames} == {(10, 0, 255)}


def test_an_unplugged_camera_is_noticed_although_reads_succeed(device, fake):
    frames = iter(V4L2Camera(str(device)))
    next(frames)
    device.unlink()
    with pytest.raises(CameraError, match="unplugged"):
        next(frames)


def test_a_camera_that_is_gone_when_a_read_fails_was_unplugged(device, fake):
    fake.frames = 0
    camera = V4L2Camera(str(device))
    device.unlink()
    with pytest.raises(CameraError, match="unplugged"):
        list(camera)


@pytest.mark.parametrize(("format", "asked"), [("YUYV", ["YUYV"]), ("MJPG", ["MJPG"]), ("auto", [])])
def test_the_pixel_format_is_a_choice(device, fake, format, asked):
    V4L2Camera(str(device), format=format)
    given = [value for key, value in fake.asked if key == cv2.CAP_PROP_FOURCC]
    assert given == [cv2.VideoWriter.fourcc(*letters) for letters in asked]


def exposure(fake):
    return [(key, value) for key, value in fake.asked if key in (cv2.CAP_PROP_AUTO_EXPOSURE, cv2.CAP_PROP_EXPOSURE)]


def test_a_fixed_exposure_is_set_by_hand_in_the_units_of_linux(device, fake):
    camera = V4L2Camera(str(device), exposure=15.6)
    assert exposure(fake) == [(cv2.CAP_PROP_AUTO_EXPOSURE, 1), (cv2.CAP_PROP_EXPOSURE, 156)]
    fake.MODE = fake.MODE | {cv2.CAP_PROP_AUTO_EXPOSURE: 1.0}
    assert "exposed 15.6 ms" in camera.describe()


@pytest.mark.parametrize(("known", "asked"), [(3, [3]), (0, [3, 0])])
def test_automatic_exposure_is_asked_for_in_either_dialect(device, fake, known, asked):
    fake.known = [(cv2.CAP_PROP_AUTO_EXPOSURE, known)]
    V4L2Camera(str(device))
    assert exposure(fake) == [(cv2.CAP_PROP_AUTO_EXPOSURE, value) for value in asked]


def test_a_silent_read_is_shortened_in_opencv():
    assert int(os.environ["OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT"]) <= 3


@pytest.mark.fault("a loose plug", "the camera comes back as another /dev/videoN", "camera lost", "found by its port")
def test_a_camera_that_comes_back_under_another_number_is_found_by_its_port(monkeypatch, tmp_path, device, fake):
    ports = tmp_path / "by-path"
    ports.mkdir()
    monkeypatch.setattr(v4l2, "PORTS", ports)
    monkeypatch.setattr(v4l2, "_ports", {})
    assert V4L2Camera(str(device)).device == str(device), "without udev nothing is known of ports"
    (ports / "usb-0:1.2-video-index0").symlink_to("../video0")
    assert V4L2Camera(str(device)).device == str(device)
    device.unlink()
    with pytest.raises(CameraError, match="does not exist"):
        V4L2Camera(str(device))
    moved = tmp_path / "video2"
    moved.touch()
    (ports / "usb-0:1.2-video-index0").unlink()
    (ports / "usb-0:1.2-video-index0").symlink_to("../video2")
    device.touch()  # of another camera by now
    assert V4L2Camera(str(device)).device == str(moved)
    assert fake.opened[-1][0] == str(moved)
