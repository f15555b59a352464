"""The camera port of NVIDIA Jetson boards: Argus, through OpenCV's GStreamer."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from fractions import Fraction

import cv2

from edge.cameras.base import Source, arriving, capture
from edge.core.errors import CameraError
from edge.core.records import Frame


class CsiCamera(Source):
    """Camera number `sensor`; the board's image processor scales to the requested size.

    exposure: milliseconds, 0 for automatic. `t` is the `clock` on arrival.
    Raises CameraError if OpenCV was built without GStreamer, as every pip wheel is.
    """

    def __init__(
        self,
        sensor: int = 0,
        *,
        width: int,
        height: int,
        fps: float,
        exposure: float = 0.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._name, self._clock = f"csi:{sensor}", clock
        if not re.search(r"GStreamer:\s+YES", cv2.getBuildInformation()):
            raise CameraError(
                f"camera '{self._name}': this OpenCV ({cv2.__version__}, {cv2.__file__}) has no GStreamer: use the one "
                "of JetPack (sudo apt install python3-opencv; an environment made with --system-site-packages and "
                "without opencv-python)"
            )
        self._pipeline = pipeline(sensor, width, height, fps, exposure)
        self._video = capture(self._pipeline, cv2.CAP_GSTREAMER)
        if not self._video.isOpened():
            raise CameraError(
                f"camera '{self._name}': cannot be opened: check the ribbon cable, then "
                "sudo systemctl restart nvargus-daemon"
            )

    def describe(self) -> str:
        return f"{self._name}: {self._pipeline}"

    def __iter__(self) -> Iterator[Frame]:
        yield from arriving(self._video, self._clock)
        raise CameraError(f"camera '{self._name}': gives no frames: sudo systemctl restart nvargus-daemon")

    def close(self) -> None:
        self._video.release()


def pipeline(sensor: int, width: int, height: int, fps: float, exposure: float) -> str:
    """The GStreamer pipeline: only the newest frame, BGR as OpenCV expects. The exposure is a range in ns."""
    rate = Fraction(fps).limit_denominator(1001)
    fixed = f' exposuretimerange="{exposure * 1e6:.0f} {exposure * 1e6:.0f}"' if exposure else ""
    return (
        f"nvarguscamerasrc sensor-id={sensor}{fixed}"
        f" ! video/x-raw(memory:NVMM), width={width}, height={height},"
        f" framerate={rate.numerator}/{rate.denominator}, format=NV12"
        " ! nvvidconv ! video/x-raw, format=BGRx ! videoconvert ! video/x-raw, format=BGR"
        " ! appsink drop=true max-buffers=1 sync=false"
    )
