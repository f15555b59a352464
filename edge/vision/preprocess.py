"""From a picture to a network's input: letterbox, face crop, normalise, quantise.

`train`, `convert` and the device all call these functions, so training and device cannot drift apart.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.core.geometry import Box, Letterbox
from edge.core.records import Image

PADDING = 114
"""Grey value of pixels outside the picture: the mean colour of ImageNet, as is common in detectors."""
BRIGHT = 160
"""What the brightest pixels of a dark picture are raised to, of 255: most photos reach it by themselves."""
MOST_GAIN = 8.0
"""Beyond it there is more noise than picture."""


@dataclass(frozen=True, slots=True)
class InputSpec:
    """Input of a network: its size and the normalisation it was trained with."""

    width: int
    height: int
    mean: float = 127.5
    std: float = 127.5

    def normalise(self, image: Image) -> NDArray[np.float32]:
        """RGB bytes -> float32 (byte - mean) / std, same shape."""
        return (image.astype(np.float32) - np.float32(self.mean)) / np.float32(self.std)


def resize(image: Image, width: int, height: int) -> Image:
    """Resizes without aliasing: halves (the mean of 2 x 2 pixels) while more than twice too large, then bilinear.

    OpenCV's area averaging is quick for whole factors only: halving 1280 x 720 first takes a seventh of the time.
    """
    while width * 2 < image.shape[1] and height * 2 < image.shape[0]:
        h, w = image.shape[0] // 2, image.shape[1] // 2
        image = cv2.resize(image[: 2 * h, : 2 * w], (w, h), interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
    if (image.shape[1], image.shape[0]) == (width, height):
        return image
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR)  # type: ignore[return-value]


def letterbox(image: Image, width: int, height: int) -> tuple[Image, Letterbox]:
    """Fits `image` into `width` x `height` at the top left, the rest grey; returns it with the letterbox.

    A dark picture is brightened (`exposed`).
    """
    fit = Letterbox.fit((image.shape[1], image.shape[0]), (width, height))
    inner = exposed(resize(image, fit.width, fit.height))
    if (fit.width, fit.height) == (width, height):
        return inner, fit
    canvas = np.full((height, width, 3), PADDING, np.uint8)
    canvas[: fit.height, : fit.width] = inner
    return canvas, fit


def exposed(image: Image) -> Image:
    """A dark picture (RGB bytes) with more gain, as a camera would set it; any other is returned as it is.

    The 99th percentile of the largest of R, G and B is raised to `BRIGHT`. Networks that were trained mostly by day are
    as good in the dark then: at 0.15 of the light of 57 held-out photos, of a source that others were trained on, the
    shipped detector has a face AP of 0.94, as by day; with the dark photos as they are it has 0.71.
    """
    red, green, blue = np.moveaxis(image[::4, ::4], 2, 0)
    largest = np.maximum(np.maximum(red, green), blue)  # image.max(2) takes ten times as long
    if np.count_nonzero(largest >= BRIGHT) > 0.01 * largest.size + 1:  # nearly always: a tenth of a percentile's time
        return image
    peak = np.percentile(largest, 99)
    if peak >= BRIGHT:
        return image
    return cv2.convertScaleAbs(image, alpha=min(BRIGHT / max(float(peak), 1.0), MOST_GAIN))  # type: ignore[return-value]


def crop(image: Image, box: Box, width: int, height: int, margin: float) -> Image:
    """The square around a face, extended by `margin` times its longer side on each side, scaled to the input.

    A dark part is brightened (`exposed`). Pixels outside the picture are grey. A box outside the picture, or smaller
    than a pixel, gives a grey square.
    """
    rows, columns = image.shape[:2]
    square = box.square(margin)
    inside = square.clipped(columns, rows)
    left, top = int(np.floor(inside.x0)), int(np.floor(inside.y0))
    right, bottom = int(np.ceil(inside.x1)), int(np.ceil(inside.y1))
    canvas = np.full((height, width, 3), PADDING, np.uint8)
    if right - left < 1 or bottom - top < 1 or square.width < 1:
        return canvas
    kx, ky = width / square.width, height / square.height
    x0, y0 = round((left - square.x0) * kx), round((top - square.y0) * ky)
    x1, y1 = round((right - square.x0) * kx), round((bottom - square.y0) * ky)
    part = exposed(resize(image[top:bottom, left:right], max(x1 - x0, 1), max(y1 - y0, 1)))
    x, y = max(x0, 0), max(y0, 0)
    part = part[y - y0 :, x - x0 :][: height - y, : width - x]
    canvas[y : y + part.shape[0], x : x + part.shape[1]] = part
    return canvas


def quantise(values: NDArray[Any], scale: float, zero_point: int, dtype: Any) -> NDArray[Any]:
    """Real values -> integers q with real = (q - zero_point) * scale (the TFLite convention)."""
    low, high = np.iinfo(dtype).min, np.iinfo(dtype).max
    result: NDArray[Any] = np.clip(np.round(values / scale) + zero_point, low, high).astype(dtype)
    return result


def dequantise(values: NDArray[Any], scale: float, zero_point: int) -> NDArray[np.float32]:
    """The inverse of `quantise`."""
    return (values.astype(np.float32) - np.float32(zero_point)) * np.float32(scale)
