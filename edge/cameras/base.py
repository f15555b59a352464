"""What sources of frames share: closing, waiting with a limit, real time, OpenCV's capture."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

from edge.cameras import allocation
from edge.cameras.allocation import MOST_PIXELS
from edge.core.errors import CameraError
from edge.core.records import Frame

if TYPE_CHECKING:
    import cv2

# FFmpeg's own lines could hold the password of a camera's URL. OpenCV asks once, when it first uses FFmpeg.
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
# Seconds a read of a silent V4L2 camera takes to fail, 10 by default; CAP_PROP_READ_TIMEOUT_MSEC is for FFmpeg and
# GStreamer alone. OpenCV asks once, at its first wait for a frame.
os.environ.setdefault("OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT", "3")

S = TypeVar("S", bound="Source")

STARTING, OK, ENDED = "starting", "ok", "ended"
"""`Live.state`; the fourth is "lost: " and the reason."""


class Source(ABC):
    """A camera that can be used in a `with`; see `edge.core.ports.Camera`."""

    @abstractmethod
    def __iter__(self) -> Iterator[Frame]: ...

    def close(self) -> None:  # noqa: B027 (most sources have something to close, not all)
        """Closes the device or the file; may be called twice."""

    def __enter__(self: S) -> S:
        return self

    def __exit__(self, kind: type[BaseException] | None, e: BaseException | None, tb: TracebackType | None) -> None:
        self.close()


class Live(Source):
    """A camera that is polled with a time limit, so that the caller can do other work."""

    state = STARTING
    """STARTING until the first frame, OK, "lost: REASON", or ENDED, after which no frame comes."""

    @abstractmethod
    def poll(self, timeout: float) -> Frame | None:
        """The newest unseen frame; None if none arrived within `timeout` seconds, or if `state` is ENDED."""

    def __iter__(self) -> Iterator[Frame]:
        while self.state != ENDED:
            frame = self.poll(1.0)
            if frame is not None:
                yield frame


class Pace:
    """Plays a recording in real time; the first frame starts the clock.

    A frame more than one `period` (seconds) late is dropped, as with a camera. One frame per second passes however late
    it is, so that a slow machine still sees something.
    """

    def __init__(self, period: float, clock: Callable[[], float], sleep: Callable[[float], None]) -> None:
        self._period, self._clock, self._sleep = period, clock, sleep
        self._start: float | None = None
        self._passed = 0.0

    def admits(self, t: float) -> bool:
        """Waits until `t` (seconds of the recording) is due; False if the frame should be dropped."""
        if self._start is None:
            self._start = self._clock() - t
        early = self._start + t - self._clock()
        if early > 0:
            self._sleep(early)
        if -early > self._period and t - self._passed < 1.0:
            return False
        self._passed = t
        return True


def capture(source: str, backend: int, parameters: Sequence[int] = ()) -> cv2.VideoCapture:
    """OpenCV's capture, opened or not; OpenCV's own messages are suppressed."""
    import cv2

    allocation.limit()
    with quiet():
        return cv2.VideoCapture(source, backend, parameters)


@contextmanager
def quiet() -> Iterator[None]:
    """Suppresses OpenCV's own messages."""
    import cv2

    logging: Any = getattr(cv2.utils, "logging", cv2)  # in OpenCV 4.6 these are at the top level
    level = logging.getLogLevel()
    logging.setLogLevel(0)
    try:
        yield
    finally:
        logging.setLogLevel(level)


def check_size(video: cv2.VideoCapture, name: str) -> None:
    """Raises CameraError for frames that would fill the memory of a small board, before one is decoded."""
    import cv2

    width, height = (int(video.get(key)) for key in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT))
    if width * height > MOST_PIXELS:
        raise CameraError(f"{name}: pictures of {width}x{height}: expected at most {MOST_PIXELS // 10**6} megapixels")


def pixel_aspect(video: cv2.VideoCapture) -> float:
    """Width of a pixel divided by its height, as the recording or stream states; 1 if it does not, or not credibly."""
    import cv2

    wide, high = video.get(cv2.CAP_PROP_SAR_NUM), video.get(cv2.CAP_PROP_SAR_DEN)
    aspect = wide / high if wide > 0 and high > 0 else 1.0
    if round(video.get(cv2.CAP_PROP_ORIENTATION_META)) % 180:  # OpenCV rotates the picture, not the aspect ratio
        aspect = 1 / aspect
    return aspect if 0.2 <= aspect <= 5.0 and abs(aspect - 1) > 0.01 else 1.0


def arriving(
    video: cv2.VideoCapture, clock: Callable[[], float], check: Callable[[cv2.typing.MatLike], None] | None = None
) -> Iterator[Frame]:
    """Frames of a live capture until a read fails; `t` is the `clock` (s) on arrival.

    check: called with every picture (BGR) first; may raise CameraError.
    """
    import cv2

    for index in count():
        good, image = video.read()
        t = clock()
        if not good:
            return
        if check:
            check(image)
        yield Frame(index, t, cv2.cvtColor(image, cv2.COLOR_BGR2RGB))  # type: ignore[arg-type]
