"""Network cameras: RTSP and HTTP streams through OpenCV's FFmpeg."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from itertools import count

import cv2

from edge.camera import Source, capture
from edge.errors import CameraError
from edge.records import Frame

# Both are greedy on purpose: a password may hold any character, and hiding too much harms nobody.
USER_PASSWORD = re.compile(r"(://[^/@:]*:).*@")
QUERY_PASSWORD = re.compile(r"([?&][^=&]*(?:pass|pwd|token|key|auth|secret)[^=&]*=)[^&]*", re.IGNORECASE)


class StreamCamera(Source):
    """A stream by URL; `timeout` seconds to open and to wait for each frame. `t` is the time of arrival."""

    def __init__(self, url: str, timeout: float = 10.0, clock: Callable[[], float] = time.monotonic) -> None:
        self.name = blanked(url)
        self._timeout = timeout
        self._clock = clock
        milliseconds = round(timeout * 1000)
        limits = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, milliseconds, cv2.CAP_PROP_READ_TIMEOUT_MSEC, milliseconds]
        self._video = capture(url, cv2.CAP_FFMPEG, limits)
        if not self._video.isOpened():
            raise CameraError(
                f"stream '{self.name}': cannot be opened within {timeout:g} s: check address and password"
            )

    def __iter__(self) -> Iterator[Frame]:
        start: float | None = None
        for index in count():
            good, image = self._video.read()
            t = self._clock()
            if not good:
                raise CameraError(
                    f"stream '{self.name}': ended, or silent for {self._timeout:g} s, after {index} frames"
                )
            start = t if start is None else start
            yield Frame(index, t - start, cv2.cvtColor(image, cv2.COLOR_BGR2RGB))  # type: ignore[arg-type]

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
