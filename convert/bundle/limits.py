"""The limits of a bundle in pictures: one face made ever harder to see, and what the networks say of it.

The face is the synthetic camera's (public domain), so that the pictures may stand in a model card.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np

from edge.cameras.synthetic import SyntheticCamera
from edge.core.geometry import Box, iou_matrix
from edge.core.records import Image
from edge.evaluation.runner import BundleDetector
from edge.evaluation.scoring import BARE, INCORRECT, MASKED, Scorer
from edge.vision import masks
from edge.vision.preprocess import PADDING

TILE, SEED = 150, 8
GREY = (PADDING,) * 3
RIGHT, WRONG = (0, 160, 0), (220, 0, 0)
"""RGB"""
Scene = tuple[Image, Box]
Change = Callable[[Image, Box, float], Scene]


def far(image: Image, face: Box, height: float) -> Scene:
    """The whole picture shrunk until the face is `height` pixels high, on grey."""
    k = height / face.height
    small = cv2.resize(image, None, fx=k, fy=k, interpolation=cv2.INTER_AREA)
    result = np.full_like(image, PADDING)
    rows, columns = min(len(small), len(image)), min(small.shape[1], image.shape[1])
    result[:rows, :columns] = small[:rows, :columns]
    return result, face.scaled(k)


def dark(image: Image, face: Box, gain: float) -> Scene:
    """Less light, and the noise that a sensor then has."""
    noise = np.random.default_rng(SEED).normal(0, 3, image.shape)
    return np.clip(image * gain + noise, 0, 255).astype(np.uint8), face


def turned(image: Image, face: Box, degrees: float) -> Scene:
    """The camera hung askew."""
    (x, y), (height, width) = face.centre, image.shape[:2]
    matrix = cv2.getRotationMatrix2D((x, y), degrees, 1)
    cos, sin = abs(matrix[0, :2])
    w, h = (face.width * cos + face.height * sin) / 2, (face.width * sin + face.height * cos) / 2
    return cv2.warpAffine(image, matrix, (width, height), borderValue=GREY), Box(x - w, y - h, x + w, y + h)  # type: ignore[return-value]


def blurred(image: Image, face: Box, sigma: float) -> Scene:
    """Out of focus, by `sigma` pixels."""
    return (cv2.GaussianBlur(image, (0, 0), sigma) if sigma else image), face  # type: ignore[return-value]


CHANGES: dict[str, tuple[Change, tuple[float, ...], str]] = {
    "far": (far, (100, 40, 24, 16, 10), "{:.0f} px"),
    "dark": (dark, (1, 0.3, 0.1, 0.05, 0.02), "light {:g}"),
    "askew": (turned, (0, 20, 45, 90, 180), "{:.0f} deg"),
    "blurred": (blurred, (0, 2, 4, 6, 9), "sigma {:g} px"),
}
LOWERED = (0.0, 0.1, 0.2, 0.3, 0.4)
"""How far a mask hangs too low, in heights of the face."""


def cases() -> Iterator[tuple[str, bool, Image, Box]]:
    """Title, whether a mask is worn (over mouth and nose), picture (RGB) and the face's box, row by row."""
    bare, face = _scene()
    masked = masks.draw(bare, face, np.random.default_rng(SEED))
    for name, (change, steps, text) in CHANGES.items():
        for on, image in ((False, bare), (True, masked)):
            for step in steps:
                yield f"{name}: {text.format(step)}", on, *change(image, face, step)
    for share in LOWERED:
        low = masks.draw(bare, face, np.random.default_rng(SEED), share)
        yield f"lowered: {share:.0%}", share < masks.NOSE_FREE, low, face


def sheet(detector: BundleDetector, path: Path) -> None:
    """Draws every case with what `detector` says of it, framed green where it is right, red where not."""
    tiles = [_tile(title, on, image, face, detector) for title, on, image, face in cases()]
    rows = [np.hstack(tiles[k : k + len(LOWERED)]) for k in range(0, len(tiles), len(LOWERED))]
    cv2.imwrite(str(path), cv2.cvtColor(np.vstack(rows), cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 85])


def _scene() -> Scene:
    """A frame of the bare face, some hundred pixels high."""
    camera = SyntheticCamera(realtime=False)
    t = min(np.arange(0, 4, 0.1), key=lambda t: abs(camera.face_at(t).height - 100))
    return camera.image_at(float(t)), camera.face_at(float(t))


def _tile(title: str, on: bool, image: Image, face: Box, detector: BundleDetector) -> Image:
    rows = detector.rows(image)
    rows = rows[rows[:, 4] >= detector.operating]
    overlap = iou_matrix(rows, np.array([[face.x0, face.y0, face.x1, face.y1]]))[:, 0] if len(rows) else np.zeros(1)
    found = overlap.max() >= Scorer.threshold
    label = rows[overlap.argmax(), 5] if found else -1
    said = {-1: "not found", BARE: "no mask", MASKED: "mask", INCORRECT: "incorrectly worn"}[int(label)]
    square = face.square(0.6)
    matrix = np.array([[TILE / square.width, 0, 0], [0, TILE / square.width, 0]], np.float64)
    matrix[:, 2] = -np.array([square.x0, square.y0]) * TILE / square.width
    tile = cv2.warpAffine(image, matrix, (TILE, TILE), borderValue=GREY)
    colour = RIGHT if found and (label == MASKED) == on else WRONG
    cv2.rectangle(tile, (0, 0), (TILE - 1, TILE - 1), colour, 4)
    for text, y in ((title, 16), (said, TILE - 9)):
        for paint, thickness in (((0, 0, 0), 3), ((255, 255, 255), 1)):
            cv2.putText(tile, text, (7, y), cv2.FONT_HERSHEY_SIMPLEX, 0.42, paint, thickness, cv2.LINE_AA)
    return tile  # type: ignore[return-value]
