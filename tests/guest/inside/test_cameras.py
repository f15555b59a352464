"""Real V4L2 devices through edge.cameras.base: v4l2loopback, which shows what it is fed, and vivid, which can fail."""

import subprocess
import time
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest
from conftest import HERE, LOOPBACK, VIVID, until

from edge.cameras.reconnecting import ReconnectingCamera
from edge.cameras.v4l2 import V4L2Camera
from edge.config import settings as defaults
from edge.core.errors import CameraError
from edge.testing.defaults import with_defaults
from edge.vision.visibility import DARK, Visibility

ReconnectingCamera = with_defaults(ReconnectingCamera, defaults.Camera(), first_within=15.0)
V4L2Camera = with_defaults(V4L2Camera, defaults.Camera())
Visibility = with_defaults(Visibility, defaults.Visibility())

LOST_AFTER = 5.0
SLACK = 3.0
"""Seconds: an emulated processor is slow, and not alone."""


class Watch:
    """Looks at a ReconnectingCamera and keeps the newest picture: all of a minute would not fit into the machine.

    No poll may take longer than it was allowed, whatever the camera does.
    """

    def __init__(self, camera) -> None:
        self.camera, self.longest = camera, 0.0
        self.times, self.indices = [], []
        """Of all frames."""
        self.image = None

    def until(self, holds, seconds):
        """Polls until `holds(state, frame)`; returns the seconds it took."""
        began = time.monotonic()
        while (passed := time.monotonic() - began) < seconds:
            asked = time.monotonic()
            frame = self.camera.poll(0.5)
            self.longest = max(self.longest, time.monotonic() - asked)
            if frame is not None:
                self.times.append(frame.t)
                self.indices.append(frame.index)
                self.image = frame.image
            if holds(self.camera.state, frame):
                return passed
        raise AssertionError(f"not within {seconds} s: {self.camera.state}, {len(self.times)} frames")

    def lost(self, seconds):
        return self.until(lambda state, frame: state.startswith("lost"), seconds)

    def sees(self, seconds, count=5):
        """Waits for so many frames in a row."""
        wanted = len(self.times) + count
        return self.until(lambda state, frame: len(self.times) >= wanted, seconds)


@pytest.fixture
def watch():
    """watch(device, asked={...}, ...) -> Watch; the rest goes to ReconnectingCamera."""
    cameras = []

    def start(device, asked=None, **options):
        opened = partial(V4L2Camera, device, **asked or {})
        cameras.append(ReconnectingCamera(opened, lost_after=LOST_AFTER, retry_longest=4.0, **options))
        return Watch(cameras[-1])

    yield start
    for camera in cameras:
        camera.close()
        print(f"reopened {camera.reopened} times, {camera.faults} faulty frames, {camera.dropped} dropped")


def test_frames_come_as_they_were_fed(feed, watch):
    feed("scene", 10)
    seen = watch(LOOPBACK)
    seen.sees(40, count=20)
    raw = np.fromfile(HERE / "scene.yuyv", np.uint8).reshape(-1, 480, 640, 2)
    fed = [cv2.cvtColor(picture, cv2.COLOR_YUV2RGB_YUYV).astype(int) for picture in raw[:20]]
    error = min(np.abs(picture - seen.image).mean() for picture in fed)
    rate = 19 / (seen.times[-1] - seen.times[-20])
    print(f"{rate:.1f} frames a second, off by {error:.2f} of 255 on average")
    assert error < 2
    assert 4 < rate < 16


def test_a_read_of_a_silent_camera_is_given_up_after_three_seconds_not_ten(feed):
    feeder = feed("scene", 10)
    until(feed_is_there, 40)
    with V4L2Camera(LOOPBACK) as camera:
        print(camera.describe())
        frames = iter(camera)
        for _ in range(5):
            next(frames)
        feeder.kill()
        arrivals = [time.monotonic()]
        with pytest.raises(CameraError, match="gives no frames"):
            arrivals.extend(frame.t for frame in frames)
    took = time.monotonic() - arrivals[-1]
    print(f"the read failed {took:.2f} s after the last frame")
    assert 2.5 < took < 3 + SLACK


def feed_is_there() -> bool:
    """With exclusive_caps a loopback device can be opened as a camera only while it is fed."""
    try:
        V4L2Camera(LOOPBACK).close()
        return True
    except CameraError:
        return False


def test_a_camera_that_falls_silent_is_lost_in_time_and_comes_back_by_itself(feed, watch):
    feeder, seen = feed("scene", 10), watch(LOOPBACK)
    seen.sees(40)
    feeder.kill()
    lost = seen.lost(LOST_AFTER + SLACK)
    reason = seen.camera.state
    time.sleep(1)
    feed("scene", 10)
    back = seen.sees(40)
    print(
        f"lost after {lost:.1f} s ({reason}), 5 frames {back:.1f} s after the feeder; longest poll {seen.longest:.2f} s"
    )
    assert seen.longest < 0.5 + SLACK / 2
    assert seen.indices == list(range(len(seen.indices)))


def test_a_camera_that_comes_back_with_another_size(feed, watch):
    feeder, seen = feed("scene", 10), watch(LOOPBACK)
    seen.sees(40)
    assert seen.image.shape == (480, 640, 3)
    feeder.kill()
    seen.lost(LOST_AFTER + SLACK)
    time.sleep(3)  # until the last reader has let go, the driver keeps the old format
    feed("scene", 10, "320x240")
    seen.sees(40)
    assert seen.image.shape == (240, 320, 3)


def test_garbage_is_no_picture_and_pictures_are(feed, watch):
    feeder = feed("garbage", 10)
    until(feed_is_there, 40)
    seen = watch(LOOPBACK)
    seen.lost(40)
    print(seen.camera.state)
    # For a picture that it cannot decode OpenCV hands out the last one again.
    assert "the picture has not changed" in seen.camera.state
    feeder.kill()
    time.sleep(4)
    feed("jpeg", 5)
    seen.sees(60)
    assert seen.image.shape == (480, 640, 3)


def test_one_frame_a_second_is_a_camera_too(feed, watch):
    feed("scene", 1)
    seen = watch(LOOPBACK)
    seen.sees(60, count=10)  # every picture five times: five seconds without a change
    rate = 9 / (seen.times[-1] - seen.times[-10])
    print(f"{rate:.2f} frames a second")
    assert 0.8 < rate < 1.2
    assert (seen.camera.state, seen.camera.faults) == ("ok", 0)


@pytest.fixture
def set_clock():
    """Sets the clock of the machine, set_clock("+2 days"); afterwards it is right again."""
    right, since = time.time(), time.monotonic()

    def set_to(when):
        subprocess.run(["date", "--set", when], check=True, stdout=subprocess.DEVNULL)

    yield set_to
    set_to(f"@{right + time.monotonic() - since:.0f}")


def test_the_clock_of_the_machine_may_jump(feed, watch, set_clock):
    feed("scene", 10)
    seen = watch(LOOPBACK)
    seen.sees(40)
    before, reopened = time.time(), seen.camera.reopened  # until the feeder is there, opening fails
    for jump in ("+2 days", "-400 days"):
        set_clock(jump)
        seen.sees(20, count=10)
    assert abs(time.time() - before) > 300 * 86400
    gaps = np.diff(seen.times)
    print(f"gaps between frames {gaps.min():.2f} to {gaps.max():.2f} s")
    assert gaps.min() >= 0
    assert gaps.max() < SLACK
    assert seen.camera.reopened == reopened


def test_the_driver_gives_another_size_than_asked_and_it_is_told(vivid, watch):
    with V4L2Camera(VIVID, 500, 400, 12.0) as camera:
        said = camera.describe()
    print(said)
    assert "asked for 500x400 MJPG at 12 fps" in said
    given = said.split()[1]
    assert given != "500x400"
    seen = watch(VIVID, {"width": 500, "height": 400})
    seen.sees(40)
    height, width = seen.image.shape[:2]
    assert f"{width}x{height}" == given


def test_disconnected_it_is_lost_and_found_again(vivid, watch):
    seen = watch(VIVID)
    seen.sees(40)
    vivid(disconnect=1)
    lost = seen.lost(LOST_AFTER + SLACK)
    reason = seen.camera.state
    back = seen.sees(40)
    print(f"disconnect: lost after {lost:.1f} s ({reason}), 5 frames {back:.1f} s later")


def test_pulled_out_and_plugged_in_again(vivid, watch):
    """The device goes from /dev, as with a webcam's cable."""
    driver, seen = Path("/sys/bus/platform/drivers/vivid"), watch(VIVID)
    seen.sees(40)
    (driver / "unbind").write_text("vivid.0")
    lost = seen.lost(LOST_AFTER + SLACK)
    reason = seen.camera.state
    assert not Path(VIVID).exists()
    seen.until(lambda state, frame: "does not exist" in state, 10)
    (driver / "bind").write_text("vivid.0")
    back = seen.sees(40)
    print(f"unplugged: lost after {lost:.1f} s ({reason}), 5 frames {back:.1f} s after the plug")


@pytest.mark.parametrize(
    ("error", "reopened"),
    [("inject_fatal_streaming_error", 1), ("inject_vidioc_qbuf_error", 0)],
    ids=["fatal", "a buffer that is refused costs nothing but itself"],
)
def test_after_an_error_of_the_driver_frames_go_on(vivid, watch, error, reopened):
    seen = watch(VIVID)
    seen.sees(40)
    vivid(**{error: 1})
    took = seen.sees(60, count=30)
    print(f"{error}: 30 frames in {took:.1f} s")
    assert seen.camera.reopened == reopened


def test_a_camera_that_does_not_start_is_tried_again(vivid, watch):
    vivid(inject_vidioc_streamon_error=1)
    seen = watch(VIVID)
    seen.sees(60)
    print(f"reopened {seen.camera.reopened} times")
    assert seen.camera.reopened >= 1


def test_a_frozen_picture_is_a_lost_camera(vivid, watch):
    vivid(osd_text_mode=2)  # without the running text the pattern stands still
    seen = watch(VIVID, frozen_after=4.0)
    took = seen.lost(60)
    print(f"{seen.camera.state}, after {took:.1f} s")
    assert "has not changed for 4 s" in seen.camera.state
    count = len(seen.times)
    seen.until(lambda state, frame: seen.camera.reopened >= 2, 60)
    assert len(seen.times) == count  # opened again, the same picture is still not news
    vivid(osd_text_mode=0)
    seen.sees(60)


def test_black_is_neither_frozen_nor_judged(vivid, watch):
    vivid(osd_text_mode=2, test_pattern=5)
    seen, visibility, said = watch(VIVID, frozen_after=4.0), Visibility(hold=0.0), set()

    def six_seconds_passed(state, frame):
        if frame is not None:
            said.add(visibility.update(frame.image, frame.t))
        return frame is not None and frame.t > 6

    seen.until(six_seconds_passed, 60)
    assert seen.camera.state == "ok"
    assert said == {DARK}
    vivid(test_pattern=4, osd_text_mode=0)
    seen.until(lambda state, frame: frame is not None and visibility.update(frame.image, frame.t) is None, 40)
