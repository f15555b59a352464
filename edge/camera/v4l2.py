"""USB and other cameras that Linux shows as /dev/videoN."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import cv2

from edge.camera import Source, capture
from edge.errors import CameraError
from edge.records import Frame


class V4L2Camera(Source):
    """A camera by index, "/dev/videoN" or, best, /dev/v4l/by-id/...: the numbers move when cameras are replugged.

    Asks for MJPG, because raw pictures of more than VGA do not fit through USB 2 at full rate, and for a
    buffer of one frame, so that a frame is fresh. The driver gives what it can: `describe()` says what.
    When the feed stalls OpenCV's read blocks for 10 s before CameraError: keep a watchdog out of this
    thread (`edge.camera.newest`).
    """

    def __init__(
        self,
        device: int | str,
        width: int = 640,
        height: int = 480,
        fps: float = 30.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.device = f"/dev/video{device}" if isinstance(device, int) or device.isdecimal() else device
        self._asked = f"{width}x{height} MJPG at {fps:g} fps"
        self._clock = clock
        _check(self.device)
        self._video = capture(self.device, cv2.CAP_V4L2)
        if not self._video.isOpened():
            raise CameraError(f"camera '{self.device}': cannot be opened: not a camera, or in use by another program")
        for key, value in (
            (cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*"MJPG")),  # before the size: the sizes depend on it
            (cv2.CAP_PROP_FRAME_WIDTH, width),
            (cv2.CAP_PROP_FRAME_HEIGHT, height),
            (cv2.CAP_PROP_FPS, fps),
            (cv2.CAP_PROP_BUFFERSIZE, 1),
        ):
            self._video.set(key, value)

    def describe(self) -> str:
        """What the driver really gives, beside what was asked for."""
        width, height, fps, code = (
            self._video.get(key)
            for key in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT, cv2.CAP_PROP_FPS, cv2.CAP_PROP_FOURCC)
        )
        letters = int(code).to_bytes(4, "little").decode("ascii", "replace").strip("\0 ")
        return f"{self.device}: {width:.0f}x{height:.0f} {letters} at {fps:g} fps (asked for {self._asked})"

    def __iter__(self) -> Iterator[Frame]:
        start: float | None = None
        for index in count():
            good, image = self._video.read()
            t = self._clock()
            if not os.path.exists(self.device):  # a read can succeed, with the last picture, after an unplug
                raise CameraError(f"camera '{self.device}': unplugged after {index} frames")
            if not good:
                raise CameraError(f"camera '{self.device}': gave no frame after {index} frames: check cable and power")
            start = t if start is None else start
            yield Frame(index, t - start, cv2.cvtColor(image, cv2.COLOR_BGR2RGB))  # type: ignore[arg-type]

    def close(self) -> None:
        self._video.release()


def devices() -> list[str]:
    """The cameras of this machine: their stable names when udev made some, then /dev/videoN."""
    return [str(p) for folder, name in (("/dev/v4l/by-id", "*"), ("/dev", "video*")) for p in _sorted(folder, name)]


def _sorted(folder: str, name: str) -> list[Path]:
    return sorted(Path(folder).glob(name))


def _check(device: str) -> None:
    if not os.path.exists(device):
        there = ", ".join(devices()) or "none"
        raise CameraError(f"camera '{device}': does not exist; cameras of this machine: {there}")
    if not os.access(device, os.R_OK | os.W_OK):
        raise CameraError(
            f"camera '{device}': not permitted: add the user to the group 'video' (sudo usermod -aG video USER)"
        )
