"""The Raspberry Pi's camera over a fake that has only the calls in use, with picamera2's signatures."""

import inspect
import sys
import types
from concurrent.futures import TimeoutError as NoFrame

import numpy as np
import pytest

from edge.cameras.pi import PiCamera
from edge.config import settings as defaults
from edge.core.errors import CameraError, MissingPackage
from edge.testing.defaults import with_defaults

PiCamera = with_defaults(PiCamera, defaults.Camera())

PURPLE = (200, 10, 90)
"""The scene, RGB."""


class FakePicamera2:
    """A camera that remembers what it was asked for; `frames` of them, then it falls silent as a stuck one does."""

    cameras = ({"Model": "imx708", "Location": 2, "Rotation": 180, "Id": "/base/soc/i2c0mux/imx708@1a", "Num": 0},)
    controls = ("FrameDurationLimits", "ExposureTime", "AnalogueGain")
    made: list = []  # noqa: RUF012 (the fixture empties it)

    def __init__(self, camera_num=0, verbose_console=None, tuning=None, allocator=None):
        self.number, self.frames, self.calls, self.config = camera_num, 3, [], None
        FakePicamera2.made.append(self)

    @staticmethod
    def global_camera_info():
        return list(FakePicamera2.cameras)

    @property
    def camera_controls(self):
        return dict.fromkeys(FakePicamera2.controls, (0, 1, 0))

    def create_video_configuration(
        self,
        main={},  # noqa: B006 (as picamera2 has it)
        lores=None,
        raw={},  # noqa: B006
        transform=None,
        colour_space=None,
        buffer_count=6,
        controls={},  # noqa: B006
        display="main",
        encode="main",
        queue=True,
        sensor={},  # noqa: B006
        use_case="video",
    ):
        assert all(side % 2 == 0 for side in main["size"]), "libcamera wants even sizes"
        assert set(controls) <= set(FakePicamera2.controls), "Control is not advertised by libcamera"
        return {"main": main, "raw": raw, "controls": controls}

    def configure(self, camera_config=None):
        self.config = camera_config

    def camera_configuration(self):
        return self.config

    def start(self, config=None, show_preview=False):
        self.calls.append("start")

    def capture_array(self, name="main", wait=None, signal_function=None):
        assert name == "main"
        self.frames -= 1
        if self.frames < 0:
            assert wait is not None, "would hang for ever"
            raise NoFrame
        width, height = self.config["main"]["size"]
        bgr_in_memory = self.config["main"]["format"] == "RGB888"  # and "BGR888" is RGB, says its manual
        return np.full((height, width, 3), PURPLE[::-1] if bgr_in_memory else PURPLE, np.uint8)

    def cancel_all_and_flush(self):
        self.calls.append("cancel")

    def close(self):
        self.calls.append("close")


@pytest.fixture
def fake(monkeypatch):
    module = types.ModuleType("picamera2")
    module.Picamera2 = FakePicamera2
    monkeypatch.setitem(sys.modules, "picamera2", module)
    monkeypatch.setattr(FakePicamera2, "made", [])
    return FakePicamera2


def test_frames_are_rgb_and_stamped_on_arrival(fake):
    arrivals, frames = iter([50.0, 50.5, 51.0]), []
    camera = PiCamera(width=64, height=48, clock=lambda: next(arrivals))
    with pytest.raises(CameraError, match=r"camera 'pi:0': silent for 3 s: check ribbon cable and power"):
        frames.extend(camera)  # keeps what came before the error
    assert [(f.index, f.t) for f in frames] == [(0, 50.0), (1, 50.5), (2, 51.0)]
    assert {f.image.shape for f in frames} == {(48, 64, 3)}
    assert {tuple(f.image[5, 5]) for f in frames} == {PURPLE}


def test_the_stream_is_asked_for_as_the_settings_say(fake):
    camera = PiCamera(0, width=641, height=481, fps=25.0, exposure=12.5)
    (made,) = fake.made
    assert made.config["main"] == {"size": (640, 480), "format": "BGR888"}
    assert made.config["raw"] is None, "an unused stream of raw pictures takes memory"
    assert made.config["controls"] == {"FrameDurationLimits": (40000, 40000), "ExposureTime": 12500}
    assert camera.describe() == "pi:0: imx708, 640x480 BGR888"


def test_exposure_is_automatic_unless_said(fake):
    PiCamera()
    assert "ExposureTime" not in fake.made[0].config["controls"]


def test_a_camera_without_the_controls_is_opened_without_them(fake, monkeypatch):
    monkeypatch.setattr(fake, "controls", ())
    PiCamera(exposure=3.0)
    assert fake.made[0].config["controls"] == {}


def test_closing_twice_closes_once(fake):
    with PiCamera() as camera:
        next(iter(camera))
    camera.close()
    assert fake.made[0].calls == ["start", "close"]


def test_a_stuck_camera_is_freed_of_its_capture_before_it_is_closed(fake):
    camera = PiCamera(width=64, height=48)
    with pytest.raises(CameraError):
        list(camera)
    camera.close()
    assert fake.made[0].calls == ["start", "cancel", "close"]


@pytest.mark.parametrize(("cameras", "number"), [((), 0), (FakePicamera2.cameras, 1)])
def test_no_camera_there(fake, monkeypatch, cameras, number):
    monkeypatch.setattr(fake, "cameras", cameras)
    with pytest.raises(CameraError, match=rf"'pi:{number}': does not exist, libcamera finds {len(cameras)}: check"):
        PiCamera(number)
    assert fake.made == []


def test_one_that_cannot_be_configured_is_given_back(fake, monkeypatch):
    def fail(self, config=None):
        raise RuntimeError("Failed to configure camera")

    monkeypatch.setattr(fake, "configure", fail)
    with pytest.raises(CameraError, match=r"'pi:0': cannot be opened.*Failed to configure camera"):
        PiCamera()
    assert fake.made[0].calls == ["close"]


def test_without_the_package_apt_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "picamera2", None)
    with pytest.raises(MissingPackage, match=r"'picamera2'.*apt install python3-picamera2.*--system-site-packages"):
        PiCamera()


def test_a_package_that_does_not_load_says_why(monkeypatch, tmp_path):
    (tmp_path / "picamera2.py").write_text("raise ValueError('numpy.dtype size changed')")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "picamera2", raising=False)
    with pytest.raises(CameraError, match=r"does not load \(numpy.dtype size changed\).*numpy<2"):
        PiCamera()


CALLS = [name for name, what in vars(FakePicamera2).items() if inspect.isroutine(what) or isinstance(what, property)]


@pytest.mark.parametrize("name", CALLS)
def test_the_fake_has_the_signatures_of_the_real_one(name):
    real = pytest.importorskip("picamera2", reason="picamera2 and libcamera are not installed").Picamera2
    here, there = getattr(FakePicamera2, name), getattr(real, name)
    if callable(here):
        assert list(inspect.signature(here).parameters) == list(inspect.signature(there).parameters)
    else:
        assert isinstance(there, property)
