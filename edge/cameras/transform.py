"""Rotates and crops frames, and covers parts of them, before all other processing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import cv2
import numpy as np

from edge.cameras.base import Source
from edge.core.ports import Camera
from edge.core.records import Frame, Image

ROTATIONS = {90: cv2.ROTATE_90_CLOCKWISE, 180: cv2.ROTATE_180, 270: cv2.ROTATE_90_COUNTERCLOCKWISE}
FLIPS = {"horizontal": 1, "vertical": 0}
WHOLE = (0.0, 0.0, 1.0, 1.0)
GREY = 127
"""What covers a part of the picture, in all three colours: in the middle, so that its edges stand out least."""


class Transform(Source):
    """The frames of `camera`, with square pixels, rotated clockwise by `rotation` degrees, mirrored, cropped to
    `region`, and painted grey where they are `covered`.

    rotation: 0, 90, 180 or 270. flip: "none", "horizontal" (swaps left and right) or "vertical".
    region: x0, y0, x1, y1 as fractions 0..1 of the rotated picture. covered: any number of such areas of it.
    pixel_aspect: width of a pixel divided by its height; the longer side is kept, so that no detail is lost.
    All later coordinates, such as boxes of faces, are pixels of the resulting picture.
    It runs in the thread that reads the camera; cropping copies nothing, covering copies the picture.
    """

    def __init__(
        self,
        camera: Camera,
        rotation: int = 0,
        flip: str = "none",
        region: Sequence[float] = WHOLE,
        pixel_aspect: float = 1.0,
        covered: Sequence[Sequence[float]] = (),
    ) -> None:
        self._camera, self._region, self._covered = camera, region, covered
        self._wider, self._higher = max(pixel_aspect, 1.0), max(1 / pixel_aspect, 1.0)
        self._rotation, self._flip = ROTATIONS.get(rotation), FLIPS.get(flip)

    def __iter__(self) -> Iterator[Frame]:
        for frame in self._camera:
            yield replace(frame, image=self.apply(frame.image))

    def apply(self, image: Image) -> Image:
        turned: Any = image
        if max(self._wider, self._higher) > 1.0:
            turned = cv2.resize(turned, None, fx=self._wider, fy=self._higher, interpolation=cv2.INTER_LINEAR)
        if self._rotation is not None:
            turned = cv2.rotate(turned, self._rotation)
        if self._flip is not None:
            turned = cv2.flip(turned, self._flip)
        if self._covered:
            turned = np.array(turned)  # the picture itself may be the camera's, or a file's that is read again
        for area in self._covered:
            turned[_span(turned, area)] = GREY
        seen: Image = turned[_span(turned, self._region)]
        return seen

    def __getattr__(self, name: str) -> Any:
        """Other attributes of the camera, such as `fps`, `paths` and `skipped`."""
        return getattr(self._camera, name)

    def close(self) -> None:
        self._camera.close()


def _span(image: Image, area: Sequence[float]) -> tuple[slice, slice]:
    """Rows and columns of an area, at least one each."""
    (height, width), (x0, y0, x1, y1) = image.shape[:2], area
    left, top = min(round(x0 * width), width - 1), min(round(y0 * height), height - 1)
    return slice(top, max(round(y1 * height), top + 1)), slice(left, max(round(x1 * width), left + 1))
