"""Detects unusable frames for which the camera raised no error."""

from __future__ import annotations

import hashlib
from collections import deque

import numpy as np

from edge.core.records import Image

SMALLEST = 16
"""Shortest side of a usable picture, in pixels."""
BLACK = 16
"""Value up to which a pixel is black (black level of video, ITU-R BT.601)."""
GRID = 8
"""Step between the pixels that are compared to detect a frozen picture, down and across."""


def fault(image: Image, shape: tuple[int, ...] | None) -> str:
    """Why `image` cannot be used, or ""; `shape`: of the frames before, None for the first one."""
    is_picture = isinstance(image, np.ndarray) and image.dtype == np.uint8 and image.ndim == 3
    if not is_picture or image.shape[2] != 3 or min(image.shape[:2]) < SMALLEST:
        kind = f"{image.dtype} {image.shape}" if isinstance(image, np.ndarray) else type(image).__name__
        return f"frames are no pictures ({kind})"
    if shape is not None and image.shape != shape:
        return "frames changed their size from {1}x{0} to {3}x{2}".format(*shape[:2], *image.shape[:2])
    return ""


LAST = 8
"""Number of remembered frames: more than the buffers that a stuck driver repeats."""


class Changes:
    """Tells a live picture from a frozen one or a repeated few: noise changes some pixels in every frame."""

    def __init__(self) -> None:
        self._seen: deque[bytes] = deque(maxlen=LAST)

    def sees(self, image: Image) -> bool:
        """Whether `image` differs from all remembered ones. Black ones pass: some cameras then remove all noise."""
        pixels = image[::GRID, ::GRID].tobytes()
        seen = hashlib.blake2b(pixels, digest_size=16).digest()
        changed = seen not in self._seen or max(pixels) <= BLACK
        if changed:
            self._seen.append(seen)
        return changed
