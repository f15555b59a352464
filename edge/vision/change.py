"""Notices when a face with a decision changes, so that it is classified again at once and not only when it is due.

The colour of the lower half of the face is compared with that of the upper half: light and distance change both alike,
a mask that is put on or taken off changes only one. On the synthetic camera, with boxes that jitter by 4 %, two frames
half a second apart differ by 0.08 at most while the mask stays, and by 0.27 at least when it is put on or taken off.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edge.core.geometry import Box
from edge.core.records import Image, Track

LIMIT = 0.15
"""Root mean square, over the three colours, of the change of log(lower / upper) from which the face has changed."""
LOWER, UPPER = (0.60, 0.92, 0.25, 0.75), (0.12, 0.45, 0.20, 0.80)
"""Top, bottom, left and right of the compared parts, as fractions of the box: mouth and chin, forehead and eyes."""


class ChangeDetector:
    """limit: see LIMIT; 0: never. smallest: pixels of the shorter side from which faces are compared (default: all).

    It remembers what each track looked like when it was last classified.
    """

    def __init__(self, limit: float = LIMIT, smallest: float = 0.0) -> None:
        self.limit, self.smallest = limit, smallest
        self._seen: dict[int, NDArray[np.float32]] = {}
        self._now: dict[int, NDArray[np.float32]] = {}

    def changed(self, image: Image, tracks: Sequence[Track]) -> set[int]:
        """Ids of the tracks that look different in the frame `image` (RGB) than when they were last classified."""
        if not self.limit:
            return set()
        large = [track for track in tracks if min(track.box.width, track.box.height) >= self.smallest]
        self._now = {track.id: _signature(image, track.box) for track in large}
        self._seen = {id: kept for id, kept in self._seen.items() if id in self._now}
        return {id for id, kept in self._seen.items() if _distance(kept, self._now[id]) > self.limit}

    def classified(self, id: int) -> None:
        """Remembers the track as classified in the frame of the last call of `changed`."""
        if id in self._now:
            self._seen[id] = self._now[id]


def _signature(image: Image, box: Box) -> NDArray[np.float32]:
    """log(lower / upper) for red, green and blue: (3,)."""
    return np.asarray(np.log((_mean(image, box, LOWER) + 8) / (_mean(image, box, UPPER) + 8)), np.float32)


def _mean(image: Image, box: Box, part: Sequence[float]) -> NDArray[np.float32]:
    """Mean colour of the part of the box that lies in the picture; black if none does."""
    top, bottom, left, right = part
    height, width = image.shape[:2]
    inside = Box(
        box.x0 + left * box.width, box.y0 + top * box.height, box.x0 + right * box.width, box.y0 + bottom * box.height
    ).clipped(width, height)
    every = max(int(box.width) // 64, 1)  # for a face that fills the frame, some thousand pixels are enough
    pixels = image[int(inside.y0) : int(inside.y1) : every, int(inside.x0) : int(inside.x1) : every]
    if not pixels.size:
        return np.zeros(3, np.float32)
    return np.asarray(pixels.mean((0, 1)), np.float32)


def _distance(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    return float(np.sqrt(np.mean((a - b) ** 2)))
