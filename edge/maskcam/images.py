"""Converts a caller's picture to the RGB bytes that the networks take, or says in one sentence what is wrong with it.

Nothing is guessed from the content of a picture: a guess that fails on dark pictures would be a wrong answer at night.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.core.errors import DataError
from edge.core.records import Image
from edge.vision.preprocess import PADDING

COLOURS = ("RGB", "BGR")


def colour_order(colour: str) -> str:
    """Returns `colour` if it is "RGB" or "BGR". Raises DataError for anything else."""
    if colour not in COLOURS:
        raise DataError(f"colour = {colour!r}: expected 'RGB' or 'BGR' (pictures of cv2.imread and cameras are BGR)")
    return colour


def as_rgb(image: Any, colour: str = "RGB") -> Image:
    """`image` as a contiguous (height, width, 3) uint8 RGB array; the original is not changed.

    image: (height, width) or (height, width, 1) grey; (height, width, 3); or (height, width, 4) with the alpha channel
    last, where transparent pixels become the grey of the padding. Colours are in the order `colour`. uint8, other
    integers from 0 to 255, or float from 0 to 1; any strides. Raises DataError for anything else.
    """
    pixels = _bytes(_picture(image))
    if pixels.ndim == 2 or pixels.shape[2] == 1:
        return np.ascontiguousarray(np.broadcast_to(pixels.reshape(*pixels.shape[:2], 1), (*pixels.shape[:2], 3)))
    if pixels.shape[2] == 4:
        pixels = _opaque(pixels)
    return np.ascontiguousarray(pixels[:, :, ::-1] if colour == "BGR" else pixels)


def _picture(image: Any) -> NDArray[Any]:
    """Returns `image` if it is one picture with one, three or four channels. Raises DataError otherwise."""
    if image is None:
        raise DataError("image is None: cv2.imread returns that for a file it cannot read; check the path")
    if isinstance(image, (str, bytes)) or hasattr(image, "__fspath__"):
        raise DataError("image is a path: expected an array; read the file with maskcam.read_image(path)")
    if not isinstance(image, np.ndarray):
        kind = f"{type(image).__module__.partition('.')[0]}.{type(image).__name__}"
        remedy = "numpy.asarray(image.convert('RGB'))" if hasattr(image, "convert") else "numpy.asarray(image)"
        raise DataError(f"image is a {kind}: expected a NumPy array, such as {remedy}")
    shape = image.shape
    if image.ndim == 3 and shape[0] in (1, 3, 4) and shape[2] not in (1, 3, 4):
        raise DataError(f"image of shape {shape} has its channels first: expected numpy.moveaxis(image, 0, -1)")
    if image.ndim == 4:
        raise DataError(f"image of shape {shape} is a batch: expected one picture at a time, such as images[0]")
    if image.ndim not in (2, 3) or (image.ndim == 3 and shape[2] not in (1, 3, 4)):
        raise DataError(
            f"image of shape {shape}: expected (height, width), or (height, width, 3) or (height, width, 4)"
        )
    if image.size == 0:
        raise DataError(f"image of shape {shape} is empty: expected at least one pixel")
    return np.asarray(image)


def _bytes(image: NDArray[Any]) -> Image:
    """The values as uint8, 0..255. Raises DataError for values out of range."""
    if image.dtype == np.uint8:
        return image
    if image.dtype.kind not in "iuf":
        raise DataError(f"image of type {image.dtype}: expected uint8, or float from 0 to 1")
    low, high = image.min(), image.max()
    if image.dtype.kind == "f":
        if not (low >= 0 and high <= 1):  # NaN fails both comparisons
            raise DataError(
                f"image of {image.dtype} from {low:g} to {high:g}: expected 0 to 1; "
                "for values up to 255 pass image.astype('uint8')"
            )
        return np.rint(image * 255.0).astype(np.uint8)
    if low < 0 or high > 255:
        raise DataError(
            f"image of {image.dtype} from {low} to {high}: expected 0 to 255; "
            "for 16 bits per channel pass (image >> 8).astype('uint8')"
        )
    return image.astype(np.uint8)


def _opaque(image: Image) -> Image:
    """(height, width, 4) -> (height, width, 3): blended over the grey that the networks know as padding."""
    alpha = image[:, :, 3:].astype(np.float32) / 255
    return np.rint(image[:, :, :3] * alpha + PADDING * (1 - alpha)).astype(np.uint8)
