"""Network cameras: RTSP and HTTP streams through OpenCV's FFmpeg."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator

import cv2

from edge.cameras.base import Source, arriving, capture
from edge.core.errors import CameraError
from edge.core.records import Frame

# Both are greedy on purpose: a password may hold any character, and hiding too much harms nobody.
USER_PASSWORD = re.compile(r"(://[^/@:]*:).*@")
QUERY_PASSWORD = re.compile(r"([?&][^=&]*(?:pass|pwd|token|key|auth|secret)[^=&]*=)[^&]*", re.IGNORECASE)


class StreamCamera(Source):
    """A stream by URL; `timeout` seconds to open it, `silence` to wait for a frame; `t` is the `clock` on arrival."""

    def __init__(
        self,
        url: str,
        timeout: float = 10.0,
        silence: float = 5.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = blanked(url)
        self._silence = silence
        self._clock = clock
        limits = {cv2.CAP_PROP_OPEN_TIMEOUT_MSEC: timeout, cv2.CAP_PROP_READ_TIMEOUT_MSEC: silence}
        milliseconds = [n for key, seconds in limits.items() for n in (key, round(seconds * 1000))]
        self._video = capture(url, cv2.CAP_FFMPEG, milliseconds)
        if not self._video.isOpened():
            raise CameraError(
                f"stream '{self.name}': cannot be opened within {timeout:g} s: check address and password"
            )

    def __iter__(self) -> Iterator[Frame]:
        yield from arriving(self._video, self._clock)
        raise CameraError(f"stream '{self.name}': ended, or silent for {self._silence:g} s")

    def describe(self) -> str:
        """Size and rate the stream announces; no password."""
        width, height, fps = (
            self._video.get(key) for key in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT, cv2.CAP_PROP_FPS)
        )
        return f"{self.name}: {width:.0f}x{height:.0f} at {fps:g} fps"

    def close(self) -> None:
        self._video.release()


def blanked(url: str) -> str:
    """`url` without its password, for messages."""
    return QUERY_PASSWORD.sub(r"\1***", USER_PASSWORD.sub(r"\1***@", url))
