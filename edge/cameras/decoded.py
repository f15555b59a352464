"""Detects frames that OpenCV has not converted although it reports success.

OpenCV 4.13 and newer do not convert frames marked as interlaced: `retrieve` returns True with whatever is in memory,
black or part of another picture, the same for every frame. So if the first pictures of a capture are identical, the
source is opened again for brightness only: for a still scene both agree, for untouched memory they do not. If both are
black, later frames decide.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.cameras.base import quiet
from edge.core.errors import CameraError

SINCE = (4, 13)
"""First release of OpenCV with this behaviour."""
VERSION = tuple(int(part) for part in cv2.__version__.split(".")[:2])
PLANAR = frozenset({b"I420", b"IYUV", b"YV12", b"Y42B", b"422P", b"444P", b"Y41B", b"YUV9", b"NV12", b"NV21"})
"""Pixel formats (FFmpeg's tags) that begin with a byte of brightness per pixel."""
GRID = 8
"""Step between compared pixels, down and across."""
ALIKE = 0.9
"""Correlation of brightness from which two pictures show the same scene."""
OFF = 24.0
"""Mean difference of brightness (0..255) from which flat pictures differ; the range of video alone gives 16."""
BLACK = 16
"""Black level of video (ITU-R BT.601), as a byte."""


class Decoded:
    """Checks the first frames of one FFmpeg capture, until two differ.

    name: of the camera, for messages. again: opens the same source with the given parameters. patience: number of
    frames that may be black without noise; unlimited for a recording, which may begin like that.
    """

    def __init__(
        self,
        video: cv2.VideoCapture,
        name: str,
        again: Callable[[list[int]], cv2.VideoCapture],
        patience: float = math.inf,
    ) -> None:
        self._video, self._name, self._again, self._patience = video, name, again, patience
        self._first: cv2.typing.MatLike | None = None
        self._same = 0
        code = int(video.get(cv2.CAP_PROP_FOURCC)) & 0xFFFFFFFF
        # JPEG is never interlaced here, and black without any noise where a webcam is covered.
        self._trusted = VERSION < SINCE or code.to_bytes(4, "little").upper() in (b"MJPG", b"JPEG")

    def check(self, image: cv2.typing.MatLike) -> None:
        """Checks the retrieved `image` (BGR). Raises CameraError if the pictures were not converted."""
        if self._trusted:
            return
        if self._first is None:
            self._first = image
        self._same += 1
        if not np.array_equal(image[::GRID, ::GRID], self._first[::GRID, ::GRID]):
            self._trust()
        elif self._same == 2 or self._same >= self._patience:
            answer = self._asked(self._first)
            if answer is False or (answer is None and self._same >= self._patience):
                raise self._error()
            if answer:
                self._trust()

    def end(self) -> None:
        """Called at the end of the recording. Raises CameraError if all of it was the same black picture."""
        if not self._trusted and self._same > 1:
            raise self._error()

    def _trust(self) -> None:
        self._trusted, self._first = True, None

    def _dark(self, image: cv2.typing.MatLike | None) -> bool:
        return image is not None and bool(np.percentile(image[::GRID, ::GRID], 95) < BLACK)

    def _asked(self, image: cv2.typing.MatLike) -> bool | None:
        """Whether brightness confirms the picture; None if it is 0 although black is not 0 in video."""
        tag = int(self._video.get(cv2.CAP_PROP_CODEC_PIXEL_FORMAT)) & 0xFFFFFFFF
        if tag.to_bytes(4, "little") not in PLANAR:
            return True
        with quiet():  # it warns of an unknown format and returns the first plane, as intended
            other = self._again([cv2.CAP_PROP_CONVERT_RGB, 0])
            good, plane = other.read()
            other.release()
        if not good or plane.shape[:2] != image.shape[:2] or plane.ndim != 2 or plane.dtype != np.uint8:
            return True
        own = plane[::GRID, ::GRID].astype(np.float32)
        made = image[::GRID, ::GRID].astype(np.float32) @ np.array([0.114, 0.587, 0.299], np.float32)
        if min(own.std(), made.std()) > 1 and np.corrcoef(own.ravel(), made.ravel())[0, 1] >= ALIKE:
            return True
        if self._dark(image) and np.percentile(own, 95) < BLACK - 2:
            return None
        return (
            bool(min(own.std(), made.std()) <= 1)
            and min(_apart(own, made), _apart(own, (16 + made * 219 / 255).astype(np.float32))) <= OFF
        )

    def _error(self) -> CameraError:
        doubt = " (or a picture that is black without any noise)" if self._dark(self._first) else ""
        return CameraError(
            f"{self._name}: interlaced video, which OpenCV {cv2.__version__} does not convert{doubt}: set the camera "
            "or recorder to progressive (a recording: ffmpeg -i IN -vf bwdif OUT.mp4), or install "
            "'opencv-python-headless<4.13', which shows it"
        )


def _apart(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    return float(np.abs(a - b).mean())
