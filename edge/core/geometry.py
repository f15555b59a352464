"""Boxes and the letterbox: pure arithmetic on immutable values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Box:
    """Axis-aligned box in pixels: (x0, y0) top left, (x1, y1) bottom right, exclusive."""

    x0: float
    y0: float
    x1: float
    y1: float

    @property
    def width(self) -> float:
        return self.x1 - self.x0

    @property
    def height(self) -> float:
        return self.y1 - self.y0

    @property
    def centre(self) -> tuple[float, float]:
        return (self.x0 + self.x1) / 2, (self.y0 + self.y1) / 2

    @property
    def area(self) -> float:
        return max(self.width, 0.0) * max(self.height, 0.0)

    def moved(self, dx: float, dy: float) -> Box:
        return Box(self.x0 + dx, self.y0 + dy, self.x1 + dx, self.y1 + dy)

    def scaled(self, k: float) -> Box:
        """The same box in a picture whose sides were multiplied by `k`."""
        return Box(self.x0 * k, self.y0 * k, self.x1 * k, self.y1 * k)

    def clipped(self, width: float, height: float) -> Box:
        """The part inside a picture of `width` x `height`."""
        return Box(
            min(max(self.x0, 0.0), width),
            min(max(self.y0, 0.0), height),
            min(max(self.x1, 0.0), width),
            min(max(self.y1, 0.0), height),
        )

    def square(self, margin: float) -> Box:
        """Square on the same centre; its side is the longer side times (1 + 2 * `margin`)."""
        (x, y), half = self.centre, max(self.width, self.height) * (0.5 + margin)
        return Box(x - half, y - half, x + half, y + half)

    def intersection(self, other: Box) -> float:
        """Area of the intersection in square pixels."""
        w = min(self.x1, other.x1) - max(self.x0, other.x0)
        h = min(self.y1, other.y1) - max(self.y0, other.y0)
        return max(w, 0.0) * max(h, 0.0)

    def iou(self, other: Box) -> float:
        """Intersection over union, 0..1."""
        common = self.intersection(other)
        union = self.area + other.area - common
        return common / union if union > 0 else 0.0


@dataclass(frozen=True, slots=True)
class Letterbox:
    """How a picture is placed in a network's input: scaled by `scale` (both axes), in the top left corner.

    In the corner, not in the middle, so that mapping back is a single factor.
    """

    scale: float
    width: int
    """Pixels of the input that the picture covers, from the left."""
    height: int
    """... and from the top."""

    @classmethod
    def fit(cls, picture: tuple[int, int], canvas: tuple[int, int]) -> Letterbox:
        """The largest letterbox of a `picture` (width, height) in a `canvas` (width, height)."""
        scale = min(canvas[0] / picture[0], canvas[1] / picture[1])
        width = min(max(round(picture[0] * scale), 1), canvas[0])
        height = min(max(round(picture[1] * scale), 1), canvas[1])
        return cls(scale, width, height)

    def forward(self, box: Box) -> Box:
        """Picture pixels -> input pixels."""
        return box.scaled(self.scale)

    def inverse(self, box: Box) -> Box:
        """Input pixels -> picture pixels."""
        return box.scaled(1 / self.scale)


def iou_matrix(a: Array, b: Array) -> Array:
    """Intersection over union of boxes `a` (N, 4) and `b` (M, 4), x0 y0 x1 y1: (N, M); further columns do not count.

    A box whose corners are the wrong way round overlaps nothing.
    """
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, 2:4], b[None, :, 2:4])
    common = np.clip(high - low, 0, None).prod(-1)
    area_a, area_b = ((each[:, 2:4] - each[:, :2]).prod(1) for each in (a, b))
    result: Array = common / np.maximum(area_a[:, None] + area_b[None] - common, 1e-9)
    return result
