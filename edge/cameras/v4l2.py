"""USB and other cameras that Linux shows as /dev/videoN."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2

from edge.cameras.base import Source, arriving, capture
from edge.core.errors import CameraError
from edge.core.records import Frame

PORTS = Path("/dev/v4l/by-path")
"""Links of udev, named after the port that a camera is connected to."""
_ports: dict[str, str] = {}
"""The link of the port of each camera that this process has opened by number."""

MANUAL, AUTOMATIC = 1, (3, 0)
"""Values of the control V4L2_CID_EXPOSURE_AUTO: webcams know aperture priority (3), other cameras automatic (0)."""


class V4L2Camera(Source):
    """A camera by index, "/dev/videoN" or, preferably, /dev/v4l/by-id/..., since numbers change when cameras are
    replugged.

    A camera that reappears under another number while the program runs, as after a loose plug, is found by its port.

    format: "MJPG", "YUYV", or "auto" for the driver's choice. USB 2 cannot carry raw
    pictures of more than VGA at full rate; MJPG costs a JPEG decoding per frame.
    exposure: milliseconds, 0 for automatic.
    The buffer is one frame, if the driver allows it, so that frames are fresh. `describe()` tells the actual format.
    `t` is the `clock` on arrival. A read of a camera that falls silent fails after the 3 s set in `edge.cameras.base`,
    so keep a watchdog out of this thread (`edge.cameras.latest_frame`).
    """

    def __init__(
        self,
        device: int | str,
        width: int,
        height: int,
        fps: float,
        format: str,
        exposure: float = 0.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.device = _followed(f"/dev/video{device}" if isinstance(device, int) or device.isdecimal() else device)
        self._asked = f"{width}x{height} {format} at {fps:g} fps"
        self._clock = clock
        _check(self.device)
        self._video = capture(self.device, cv2.CAP_V4L2)
        if not self._video.isOpened():
            raise CameraError(f"camera '{self.device}': cannot be opened: not a camera, or in use by another program")
        if format != "auto":  # before the size: the sizes depend on it
            self._video.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*format))
        for key, value in (
            (cv2.CAP_PROP_FRAME_WIDTH, width),
            (cv2.CAP_PROP_FRAME_HEIGHT, height),
            (cv2.CAP_PROP_FPS, fps),
            (cv2.CAP_PROP_BUFFERSIZE, 1),
        ):
            self._video.set(key, value)
        self._expose(exposure)

    def _expose(self, milliseconds: float) -> None:
        """A camera keeps its exposure after the program ends, so automatic exposure has to be requested too."""
        if not milliseconds:
            any(self._video.set(cv2.CAP_PROP_AUTO_EXPOSURE, value) for value in AUTOMATIC)
            return
        self._video.set(cv2.CAP_PROP_AUTO_EXPOSURE, MANUAL)
        self._video.set(cv2.CAP_PROP_EXPOSURE, round(milliseconds * 10))  # V4L2_CID_EXPOSURE_ABSOLUTE: 100 us

    def describe(self) -> str:
        """The actual format, with the requested one if it differs."""
        width, height, fps, code, mode, exposure = (
            self._video.get(key)
            for key in (
                cv2.CAP_PROP_FRAME_WIDTH,
                cv2.CAP_PROP_FRAME_HEIGHT,
                cv2.CAP_PROP_FPS,
                cv2.CAP_PROP_FOURCC,
                cv2.CAP_PROP_AUTO_EXPOSURE,
                cv2.CAP_PROP_EXPOSURE,
            )
        )
        letters = int(code).to_bytes(4, "little").decode("ascii", "replace").strip("\0 ")
        exposed = f"exposed {exposure / 10:g} ms" if mode == MANUAL else "automatic exposure"
        given = f"{width:.0f}x{height:.0f} {letters} at {fps:g} fps, {exposed}"
        return f"{self.device}: {given} (asked for {self._asked})"

    def __iter__(self) -> Iterator[Frame]:
        for frame in arriving(self._video, self._clock):
            self._check_plug()  # after an unplug a read can succeed with the last picture
            yield frame
        self._check_plug()
        raise CameraError(f"camera '{self.device}': gives no frames: check cable and power")

    def _check_plug(self) -> None:
        if not os.path.exists(self.device):
            raise CameraError(f"camera '{self.device}': unplugged")

    def close(self) -> None:
        self._video.release()


def _followed(device: str) -> str:
    """The device, or the current number of the camera at the same port."""
    port = _ports.get(device, "")
    if os.path.exists(port):
        return os.path.realpath(port)
    links = (path for path in _sorted(str(PORTS), "*") if os.path.realpath(path) == os.path.realpath(device))
    if os.path.exists(device) and not os.path.islink(device) and (link := next(links, None)):
        _ports[device] = str(link)
    return device


def devices() -> list[str]:
    """The cameras of this machine: stable names of udev if there are any, then /dev/videoN."""
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
