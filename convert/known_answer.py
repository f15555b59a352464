"""A picture without people and what the int8 network answers: proves a backend right before it is trusted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge.core.ports import Engine
from edge.core.records import Image


def pattern(width: int, height: int) -> Image:
    """Colour gradients, discs and bars (height, width, 3): every filter of a network has something to answer."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    x, y = x / width, y / height
    image = np.stack([255 * x, 255 * y, 127 + 127 * np.sin(9 * x + 5 * y)], -1)
    for cx, cy, r, colour in (
        (0.35, 0.4, 0.22, (226, 178, 150)),
        (0.28, 0.34, 0.03, (40, 30, 30)),
        (0.42, 0.34, 0.03, (40, 30, 30)),
    ):
        image[((x - cx) ** 2 + (y - cy) ** 2) < r * r] = colour
    image[(abs(x - 0.35) < 0.14) & (abs(y - 0.52) < 0.07)] = (150, 195, 225)
    image[(abs(x - 0.8) < 0.1) & (np.sin(60 * y) > 0)] = 20
    result: NDArray[np.uint8] = image.astype(np.uint8)
    return result


def write(path: Path, engine: Engine, outputs: list[str], width: int, height: int) -> None:
    """Saves the picture and the engine's answer to it, outputs by name."""
    image = pattern(width, height)
    answers = dict(zip(outputs, engine.infer(image), strict=True))
    np.savez_compressed(path, input=image, **answers)
