"""Oblong pixels: what a recording or a stream says of them is followed, and a setting says it where they do not."""

from contextlib import ExitStack

import cv2
import pytest

from edge import config
from edge.assemble.source import camera, opened
from edge.cameras import base, files, stream


def y4m(path, aspect, width=96, height=108):
    """Three grey pictures, with the pixel aspect of the format's header, such as "A2:1"."""
    picture = b"FRAME\n" + b"\x55" * (width * height * 3 // 2)
    path.write_bytes(f"YUV4MPEG2 W{width} H{height} F10:1 Ip {aspect} C420jpeg\n".encode() + picture * 3)
    return path


def settings(path, *more):
    return config.load(None, [f"camera.source={path}", *more])


@pytest.mark.parametrize(
    ("said", "more", "shape"),
    [
        ("A2:1", [], (108, 192, 3)),
        ("A1:2", [], (216, 96, 3)),
        ("A0:0", [], (108, 96, 3)),  # not known
        ("A1:1", [], (108, 96, 3)),
        ("A99:1", [], (108, 96, 3)),  # not credible
        ("A1:1", ["camera.pixel_aspect=1.85"], (108, 178, 3)),
        ("A2:1", ["camera.pixel_aspect=1.0"], (108, 96, 3)),  # the setting wins
        ("A2:1", ["camera.rotation=90"], (192, 108, 3)),
    ],
)
def test_pixels_come_out_square(tmp_path, said, more, shape):
    with camera(settings(y4m(tmp_path / "a.y4m", said), *more), live=False) as source:
        assert [frame.image.shape for frame in source] == [shape] * 3


@pytest.mark.parametrize(("turned", "aspect"), [(0, 2.0), (90, 0.5), (180, 2.0), (270, 0.5)])
def test_the_aspect_is_that_of_the_picture_as_it_is_turned(turned, aspect):
    said = {cv2.CAP_PROP_SAR_NUM: 2.0, cv2.CAP_PROP_SAR_DEN: 1.0, cv2.CAP_PROP_ORIENTATION_META: float(turned)}

    class Video:
        def get(self, key):
            return said[key]

    assert base.pixel_aspect(Video()) == aspect


@pytest.mark.parametrize(
    ("size", "aspect", "hint"),
    [((960, 1080), 1.0, True), ((720, 576), 1.0, True), ((960, 1080), 1.85, False), ((1920, 1080), 1.0, False)],
)
def test_the_log_says_that_a_size_has_oblong_pixels(size, aspect, hint):
    class Video:
        def get(self, key):
            return {
                cv2.CAP_PROP_FRAME_WIDTH: size[0],
                cv2.CAP_PROP_FRAME_HEIGHT: size[1],
                cv2.CAP_PROP_SAR_NUM: aspect * 100,
                cv2.CAP_PROP_SAR_DEN: 100.0,
            }.get(key, 0.0)

    camera = object.__new__(stream.StreamCamera)
    camera.name, camera._video = "rtsp://door/...", Video()
    assert ("set camera.pixel_aspect" in camera.describe()) is hint


def test_boxes_are_pixels_of_what_comes_out(tmp_path):
    """The whole path of `maskcam replay`: what it opens for these settings is the widened picture."""
    with ExitStack() as stack:
        source, _, fps = opened(settings(y4m(tmp_path / "a.y4m", "A2:1")), False, stack)
        assert [frame.image.shape[1] for frame in source] == [192] * 3
        assert fps == 10.0


def test_a_plain_recording_is_not_touched(tmp_path):
    with camera(settings(y4m(tmp_path / "a.y4m", "A1:1")), live=False) as source:
        assert isinstance(source, files.VideoFile)
