"""Which class a setting chooses, and what is said of packages that are not there."""

import sys

import pytest

from edge import assemble, config
from edge.core.errors import CameraError, EngineError, MissingPackage


@pytest.fixture
def module(tmp_path, monkeypatch):
    """Writes a module and makes it importable."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def write(name: str, text: str) -> None:
        (tmp_path / f"{name}.py").write_text(text)
        monkeypatch.delitem(sys.modules, name, raising=False)

    return write


def test_names_resolve_to_attributes(module):
    module("cam_good", "class Camera: pass")
    assert assemble.resolve("cam_good:Camera").__name__ == "Camera"


def test_a_missing_package_is_named_with_its_extra(module, monkeypatch):
    monkeypatch.setitem(sys.modules, "skimage", None)
    module("cam_missing", "import skimage.data")
    with pytest.raises(MissingPackage) as caught:
        assemble.resolve("cam_missing:Camera")
    said = f"package 'skimage' is not installed: {sys.executable} -m pip install 'scikit-image>=0.22' 'pooch>=1.6'"
    assert str(caught.value) == said


def test_a_package_that_does_not_load_is_told_from_one_that_is_missing(module):
    module("vendor_lib", "raise ImportError('libGL.so.1: cannot open shared object file', name='vendor_lib')")
    module("cam_vendor", "import vendor_lib")
    with pytest.raises(EngineError, match=r"'vendor_lib' is installed but does not load: libGL"):
        assemble.resolve("cam_vendor:Camera")


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("from edge.core.records import Nonsense", ImportError),
        ("import edge.nonsense", ModuleNotFoundError),
        ("1 / 0", ZeroDivisionError),
        ("", AttributeError),
    ],
)
def test_a_mistake_inside_maskcam_passes_as_it_is(module, text, error):
    module("cam_wrong", text)
    with pytest.raises(error) as caught:
        assemble.resolve("cam_wrong:Camera")
    assert type(caught.value) is error


class Asked(tuple):
    """The kind of a camera and what it was asked for."""

    def describe(self):
        return f"{self[0]} as the driver has it"


@pytest.fixture
def asked(monkeypatch):
    """Cameras that only note with what they were asked for."""
    for kind, target in {
        "pi": "pi.PiCamera",
        "csi": "csi.CsiCamera",
        "v4l2": "v4l2.V4L2Camera",
        "stream": "stream.StreamCamera",
        "synthetic": "synthetic.SyntheticCamera",
        "recording": "files.open_recording",
    }.items():
        monkeypatch.setattr(f"edge.cameras.{target}", lambda _kind=kind, **options: Asked((_kind, options)))

    def ask(source, live=True):
        return assemble.camera(config.load(None, [f"camera.source={source}", "camera.seed=3"]), live)

    return ask


SIZE = {"width": 640, "height": 480, "fps": 30.0}


@pytest.mark.parametrize(
    ("source", "kind", "options"),
    [
        ("0", "v4l2", {"device": "0", "format": "MJPG", "exposure": 0.0} | SIZE),
        ("/dev/v4l/by-id/usb", "v4l2", {"device": "/dev/v4l/by-id/usb", "format": "MJPG", "exposure": 0.0} | SIZE),
        ("pi", "pi", {"number": 0, "exposure": 0.0, "silence": 5.0} | SIZE),
        ("pi:1", "pi", {"number": 1, "exposure": 0.0, "silence": 5.0} | SIZE),
        ("csi:2", "csi", {"sensor": 2, "exposure": 0.0} | SIZE),
        ("rtsp://door/1", "stream", {"url": "rtsp://door/1", "timeout": 10.0, "silence": 5.0}),
        ("http://door/mjpg", "stream", {"url": "http://door/mjpg", "timeout": 10.0, "silence": 5.0}),
        ("synthetic", "synthetic", SIZE | {"duration": None, "seed": 3, "realtime": True}),
    ],
)
def test_a_live_source_chooses_its_camera(asked, source, kind, options):
    assert asked(source) == (kind, options)


def test_a_video_plays_in_real_time_when_live_and_as_fast_as_it_goes_when_replayed(asked, tmp_path):
    clip = tmp_path / "clip.mp4"
    clip.touch()
    assert asked(clip) == ("recording", {"path": clip, "realtime": True})
    assert asked(clip, live=False) == ("recording", {"path": clip, "realtime": False})
    assert asked("synthetic", live=False)[1]["realtime"] is False


def test_a_live_source_that_is_nothing_gets_one_line(asked, tmp_path):
    with pytest.raises(CameraError, match=r"^camera.source = '.*none.mp4' does not exist: expected an index"):
        asked(tmp_path / "none.mp4")
    with pytest.raises(CameraError, match=r"is a folder, which maskcam replay reads: expected"):
        asked(tmp_path)
