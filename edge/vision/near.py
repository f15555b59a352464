"""Faces that fill the frame are found at half the scale.

A detector learns faces up to the size that its cells can measure. Someone at the lens is larger, and is found if the
frame is looked at once more at half the scale (docs/accuracy.md has figures). That look is taken only where the first
one saw a trace of such a face and, in a video, in the frame after one with a near face; it costs nothing while nobody
is near.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.core.geometry import Letterbox
from edge.core.records import Image
from edge.vision.preprocess import PADDING, letterbox

Array = NDArray[Any]

LEAST = 0.65
"""Height in frame heights from which a face is near."""
TRACE = 0.002
"""Score (0..1) of a box of that height which makes a second look worthwhile: an int8 network says 0.001 of most."""
VAIN = 5
"""Second looks without a near face after which only every fifth trace takes one: some backgrounds leave a trace for
ever (10 of 173 photos without a face did)."""
PART = 0.7
"""Share of a box that lies in a near face from which it is a part of that face, if it scores less."""


class SecondLook:
    """When a frame is looked at again: in a video also after one with a near face, and seldom where it is in vain."""

    def __init__(self, video: bool) -> None:
        self._video, self._near, self._traces, self._vain = video, False, 0, 0

    def due(self, rows: Array, height: int) -> bool:
        """Whether to look again. rows: candidates (M, 5) of the first look, in pixels of a frame of this height."""
        if not self._near:
            if not np.any(faces(rows, height)[:, 4] >= TRACE):
                return False
            self._traces += 1
        return self._near or self._vain < VAIN or self._traces % VAIN == 0

    def found(self, near: Array) -> None:
        """Takes note of the near faces (N, 5) of the second look."""
        if self._video:
            self._near = len(near) > 0
            self._vain = 0 if self._near else self._vain + 1


def half(image: Image, width: int, height: int) -> tuple[Image, Letterbox]:
    """The frame at half the scale of `letterbox`, in the same input."""
    small, fit = letterbox(image, width // 2, height // 2)
    canvas: Image = np.full((height, width, 3), PADDING, np.uint8)
    canvas[: small.shape[0], : small.shape[1]] = small
    return canvas, fit


def faces(rows: Array, height: int) -> Array:
    """The near ones of the second look's rows (N, 5): the others are left to the first look."""
    near: Array = rows[rows[:, 3] - rows[:, 1] >= LEAST * height]
    return near


def join(rows: Array, near: Array) -> Array:
    """Rows (N, 5) of the first look, without parts of near faces, and those; best first. A face may be in both."""
    size = np.minimum(rows[:, None, 2:4], near[:, 2:4]) - np.maximum(rows[:, None, :2], near[:, :2])
    areas = np.maximum((rows[:, 2:4] - rows[:, :2]).prod(1), 1e-6)
    inside = np.maximum(size, 0).prod(2) >= PART * areas[:, None]
    both = np.concatenate([rows[~(inside & (near[:, 4] > rows[:, 4, None])).any(1)], near])
    result: Array = both[np.argsort(-both[:, 4], kind="stable")]
    return result
