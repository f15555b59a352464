"""The latest frame wins; threads are led by events, never by sleeping."""

import gc
import threading
import weakref

import numpy as np
import pytest

from edge.cameras.latest_frame import LatestFrame
from edge.core.errors import CameraError
from edge.core.records import Frame

PATIENCE = 60.0  # seconds until a test gives up on a thread that hangs


class Staged:
    """A camera that gives one frame, and the rest, all at once, when `go` is set; ends or breaks after `finish`."""

    def __init__(self, frames, error=None):
        self.frames, self.error = frames, error
        self.go, self.given, self.finish, self.closed = (threading.Event() for _ in range(4))
        self.closed_by = None

    def __iter__(self):
        for i in range(self.frames):
            yield Frame(i, i / 10, np.zeros((2, 2, 3), np.uint8))
            if i == 0:
                assert self.go.wait(PATIENCE)
        self.given.set()
        assert self.finish.wait(PATIENCE)
        if self.error:
            raise self.error

    def close(self):
        self.closed_by = threading.current_thread().name
        self.closed.set()


def test_only_the_newest_unseen_frame_is_given():
    camera = Staged(5)
    newest = LatestFrame(camera)
    frames = iter(newest)
    assert next(frames).index == 0
    camera.go.set()
    assert camera.given.wait(PATIENCE)
    assert next(frames).index == 4
    assert newest.dropped == 3
    camera.finish.set()
    assert list(frames) == []
    assert newest.dropped == 3


def test_the_last_frame_is_seen_although_the_camera_has_ended():
    camera = Staged(3)
    frames = iter(LatestFrame(camera))
    assert next(frames).index == 0
    camera.go.set()
    camera.finish.set()
    assert camera.closed.wait(PATIENCE)
    assert [f.index for f in frames] == [2]


def test_an_error_comes_out_where_the_frames_do():
    camera = Staged(1, CameraError("camera 'x': unplugged"))
    frames = iter(LatestFrame(camera))
    next(frames)
    camera.go.set()
    camera.finish.set()
    with pytest.raises(CameraError, match="unplugged"):
        next(frames)
    assert camera.closed.wait(PATIENCE)


def test_the_reading_thread_closes_the_camera():
    camera = Staged(2)
    with LatestFrame(camera) as newest:
        next(iter(newest))
        camera.go.set()
        camera.finish.set()
    assert camera.closed.is_set()
    assert camera.closed_by == "camera"


def test_closing_ends_an_iteration_that_waits():
    camera = Staged(1)
    newest = LatestFrame(camera, patience=0.0)
    waiting, seen = threading.Event(), []

    def consume():
        for frame in newest:
            seen.append(frame.index)
            waiting.set()

    consumer = threading.Thread(target=consume, daemon=True)
    consumer.start()
    assert waiting.wait(PATIENCE)
    newest.close()  # the camera hangs in its read: nothing waits for it
    consumer.join(PATIENCE)
    assert not consumer.is_alive()
    assert seen == [0]
    assert not camera.closed.is_set()
    camera.go.set()
    camera.finish.set()
    assert camera.closed.wait(PATIENCE)


def test_closed_before_it_was_started():
    camera = Staged(1)
    newest = LatestFrame(camera)
    newest.close()
    assert camera.closed.is_set()
    assert list(newest) == []


@pytest.mark.fault("an error is kept", "a camera that raises", "no picture is kept with it", "at once")
def test_a_kept_error_holds_neither_pictures_nor_its_keeper():
    def failing():
        yield Frame(0, 0.0, np.zeros((2, 2, 3), np.uint8))
        try:
            raise OSError("the cause")
        except OSError as cause:
            raise CameraError("ended") from cause

    class Failing:
        def __iter__(self):
            return failing()

        def close(self):
            pass

    gc.collect()
    gc.disable()
    try:
        newest = LatestFrame(Failing())
        watched = weakref.ref(newest)
        newest.poll(PATIENCE)
        with pytest.raises(CameraError):
            newest.poll(PATIENCE)
        newest.close()
        del newest
        assert watched() is None, "the reader waits for a full collection, and the picture with it"
    finally:
        gc.enable()
