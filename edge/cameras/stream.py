"""Network cameras: RTSP and HTTP streams through OpenCV's FFmpeg."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import partial

import cv2

from edge.cameras.base import Source, arriving, capture, check_size, pixel_aspect
from edge.cameras.decoded import Decoded
from edge.core import secrets
from edge.core.errors import CameraError
from edge.core.records import Frame

OBLONG = {(960, 1080), (480, 1080), (640, 720), (704, 576), (704, 480), (720, 576), (720, 480), (352, 576), (352, 480)}
"""Sizes ("1080N", "720N", D1, half D1) with non-square pixels, which many streams do not announce."""

MOST_BLACK = 10
"""Number of frames at the beginning of a stream that may be the same black picture."""


class StreamCamera(Source):
    """A stream by URL; `timeout` seconds to open it, `silence` to wait for a frame; `t` is the `clock` on arrival."""

    def __init__(
        self,
        url: str,
        timeout: float,
        silence: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = secrets.address(url)
        self._silence = silence
        self._clock = clock
        limits = {cv2.CAP_PROP_OPEN_TIMEOUT_MSEC: timeout, cv2.CAP_PROP_READ_TIMEOUT_MSEC: silence}
        milliseconds = [n for key, seconds in limits.items() for n in (key, round(seconds * 1000))]
        self._video = capture(url, cv2.CAP_FFMPEG, milliseconds)
        if not self._video.isOpened():
            raise CameraError(
                f"stream '{self.name}': cannot be opened within {timeout:g} s: check address and password"
            )
        self._url, self._single = url, url.startswith("http")
        try:
            check_size(self._video, f"stream '{self.name}'")
        except CameraError:
            self.close()
            raise

    def __iter__(self) -> Iterator[Frame]:
        again = partial(capture, self._url, cv2.CAP_FFMPEG)
        decoded = Decoded(self._video, f"stream '{self.name}'", again, MOST_BLACK)
        frames = arriving(self._video, self._clock, decoded.check)
        first = next(frames, None)
        second = next(frames, None)  # before the first is returned: only two can show that neither was converted
        if first and self._single and not second:
            raise CameraError(
                f"stream '{self.name}': gives one picture and ends, as a snapshot's address does: expected the address "
                "of the camera's stream (MJPEG or RTSP; its manual or its page names it)"
            )
        yield from (frame for frame in (first, second) if frame)
        yield from frames
        raise CameraError(f"stream '{self.name}': ended, or silent for {self._silence:g} s")

    @property
    def pixel_aspect(self) -> float:
        """Width of a pixel divided by its height."""
        return pixel_aspect(self._video)

    def describe(self) -> str:
        """Announced size and frame rate, without the password."""
        width, height, fps = (
            self._video.get(key) for key in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT, cv2.CAP_PROP_FPS)
        )
        hint = ""
        if (round(width), round(height)) in OBLONG and self.pixel_aspect == 1.0:
            hint = "; recorders send this size of a wider picture: if faces look narrow, set camera.pixel_aspect"
        return f"{self.name}: {width:.0f}x{height:.0f} at {fps:g} fps{hint}"

    def close(self) -> None:
        self._video.release()
