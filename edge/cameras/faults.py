"""What is wrong with a frame although the camera raised nothing."""

from __future__ import annotations

import hashlib
from collections import deque

import numpy as np

from edge.core.records import Image

SMALLEST = 16
"""Pixels: a picture with a shorter side is garbage."""
BLACK = 16
"""Byte up to which a pixel is black (the black of video, ITU-R BT.601)."""
GRID = 8
"""Every so many pixels, down and across, one is compared to tell whether the picture changes."""


def fault(image: Image, shape: tuple[int, ...] | None) -> str:
    """Why `image` cannot be used, "" when it can; `shape` is that of the frames before, None for a first one."""
    is_picture = isinstance(image, np.ndarray) and image.dtype == np.uint8 and image.ndim == 3
    if not is_picture or image.shape[2] != 3 or min(image.shape[:2]) < SMALLEST:
        kind = f"{image.dtype} {image.shape}" if isinstance(image, np.ndarray) else type(image).__name__
        return f"frames are no pictures ({kind})"
    if shape is not None and image.shape != shape:
        return "frames changed their size from {1}x{0} to {3}x{2}".format(*shape[:2], *image.shape[:2])
    return ""


LAST = 8
"""Frames that are remembered: a driver that repeats a ring of old buffers has fewer."""


class Changes:
    """Tells a living picture from a frozen one, or a few in turn: noise changes some pixels in every frame."""

    def __init__(self) -> None:
        self._seen: deque[bytes] = deque(maxlen=LAST)

    def sees(self, image: Image) -> bool:
        """Whether `image` differs from all of late. A black one passes: some cameras remove all noise then."""
        pixels = image[::GRID, ::GRID].tobytes()
        seen = hashlib.blake2b(pixels, digest_size=16).digest()
        changed = seen not in self._seen or max(pixels) <= BLACK
        if changed:
            self._seen.append(seen)
        return changed
