"""Heads drawn by code: skin, hair, eyes, nose and mouth under some light. No person's picture is behind any of them.

They are what a check of forgetting can be made of without photos of people: nearly all of them are told right by a
classifier that knows faces, and no data set of a door holds them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.core.geometry import Box
from edge.core.labels import WITHOUT_MASK
from edge.core.records import Image
from train.augmentation import drawn_objects
from train.data.dataset import Patch, Sample

Floats = NDArray[np.float32]
SIDE = 256
"""Pixels of the square in which a head is drawn, before it is put in its place."""
AROUND = 144
"""Pixels of a picture of one head."""
SOURCE = "drawn faces"
DOWN, ACROSS = np.mgrid[-1 : 1 : SIDE * 1j, -1 : 1 : SIDE * 1j].astype(np.float32)
SKIN = ((255, 224, 196), (241, 194, 160), (224, 172, 125), (198, 134, 90), (141, 85, 50), (92, 58, 38))
HAIR = ((25, 20, 18), (60, 40, 28), (110, 75, 45), (190, 150, 95), (150, 150, 150), (120, 50, 30))
EYES = ((60, 40, 25), (90, 60, 30), (70, 100, 120), (80, 110, 70))


def draw(rng: np.random.Generator) -> Patch:
    """One bare head with its surroundings; the box is the face from forehead to chin and from ear to ear."""
    image = drawn_objects.wall(AROUND, AROUND, rng)
    x, y = AROUND * rng.uniform(0.46, 0.54), AROUND * rng.uniform(0.44, 0.52)
    box = head(image, x, y, AROUND * rng.uniform(0.5, 0.6), rng)
    return Patch(Sample(Path(SOURCE), box, WITHOUT_MASK, SOURCE), image, box, max(box.width, box.height))


def head(image: Image, x: float, y: float, height: float, rng: np.random.Generator) -> Box:
    """Draws one into `image` (RGB, changed in place), the middle of its face at x, y; returns the tight box."""
    sketch, opacity = np.zeros((SIDE, SIDE, 3), np.float32), np.zeros((SIDE, SIDE), np.uint8)
    half = np.array([rng.uniform(46, 54), 66.0]) * rng.uniform(0.97, 1.03)
    turn = rng.uniform(-10, 10)
    skin = np.array(SKIN[rng.integers(len(SKIN))], np.float32) * rng.uniform(0.9, 1.05)
    _person(sketch, opacity, half, turn, skin, rng)
    angle, scale = rng.uniform(-9, 9), height / (2 * half[1])
    move = cv2.getRotationMatrix2D((SIDE / 2, SIDE / 2), angle, scale)
    move[:, 2] += np.array([x - SIDE / 2, y - SIDE / 2])
    size = (image.shape[1], image.shape[0])
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    blur = max(0.6 / scale, 0.7)
    laid = cv2.warpAffine(cv2.GaussianBlur(_lit(sketch, rng), (0, 0), blur), move, size, flags=how)
    alpha = cv2.warpAffine(cv2.GaussianBlur(opacity, (0, 0), blur), move, size, flags=how)
    weight = alpha[..., None] * np.float32(1 / 255)
    image[:] = np.clip(image + weight * (laid - image), 0, 255).astype(np.uint8)
    return Box(x - half[0] * scale, y - half[1] * scale, x + half[0] * scale, y + half[1] * scale)


def _person(
    sketch: Floats, opacity: NDArray[np.uint8], half: NDArray[np.float64], turn: float, skin: Floats,
    rng: np.random.Generator,
) -> None:  # fmt: skip
    """Shoulders, neck, hair, head and features, from the back to the front. `turn`: the nose's offset, pixels."""
    middle = SIDE / 2
    hair, cloth = np.array(HAIR[rng.integers(len(HAIR))], np.float32), rng.uniform(20, 235, 3)
    covered = rng.random() < 0.15  # a headscarf
    if covered:
        hair = rng.uniform(20, 235, 3).astype(np.float32)
    long = covered or rng.random() < 0.45

    def shape(x: float, y: float, a: float, b: float, colour: Any, angle: float = 0, to: float = 360) -> None:
        centre, axes = (round(x * 16), round(y * 16)), (round(a * 16), round(b * 16))
        for canvas, value in ((sketch, tuple(map(float, np.ravel(colour)))), (opacity, 255)):
            cv2.ellipse(canvas, centre, axes, 0, angle, to, value, -1, cv2.LINE_8, 4)  # type: ignore[call-overload]

    a, b = half
    if long:
        shape(middle, middle + 14, a * rng.uniform(1.25, 1.45), b * rng.uniform(1.2, 1.5), hair)
    shape(middle, middle + b * 2.05, a * rng.uniform(1.9, 2.4), b * 0.8, cloth)
    shape(middle, middle + b * 1.05, a * 0.5, b * 0.55, skin * 0.82)
    for side in (-1, 1) if not covered else ():
        shape(middle + side * a, middle + 4, 7, 14, skin * 0.88)
    shape(middle, middle - b * 0.18, a * 1.12, b * rng.uniform(1.12, 1.28), hair if rng.random() < 0.92 else skin)
    shape(middle, middle, a, b, skin)
    shape(middle + turn * 0.3, middle + b * 0.32, a * 0.78, b * 0.66, skin * 1.02)
    shape(
        middle, middle - b * 0.95, a * rng.uniform(0.7, 1.0), b * rng.uniform(0.12, 0.32), hair
    )  # what hangs over the brow
    _features(shape, middle, half, turn, skin, hair if not covered else np.array((50, 40, 35), np.float32), rng)


def _features(shape, middle, half, turn, skin, hair, rng) -> None:  # type: ignore[no-untyped-def]
    a, b = half
    iris = EYES[rng.integers(len(EYES))]
    apart, level, wide = a * rng.uniform(0.4, 0.48), middle - b * rng.uniform(0.1, 0.2), rng.uniform(8.5, 11)
    opened = wide * rng.uniform(0.35, 0.55)
    for side in (-1, 1):
        x = middle + turn + side * apart
        shape(x, level - 1, wide * 1.35, opened * 2, skin * 0.86)
        shape(x, level, wide, opened, (236, 232, 228))
        shape(x + rng.uniform(-1, 1), level, opened * 0.95, opened * 0.95, iris)
        shape(x, level, opened * 0.5, opened * 0.5, (12, 10, 10))
        shape(x, level - opened, wide * 1.05, 1.6, skin * 0.4)
        shape(x, level - opened - rng.uniform(6, 9), wide * 1.3, rng.uniform(1.6, 3.2), hair * 0.9)
    nose = middle + b * rng.uniform(0.2, 0.28)
    shape(middle + turn * 1.4 + 3, (level + nose) / 2, 4, (nose - level) / 2, skin * 0.9)
    shape(middle + turn * 1.4, (level + nose) / 2, 3.5, (nose - level) / 2, skin * 1.08)
    shape(middle + turn * 1.6, nose, rng.uniform(9, 13), 6.5, skin * 0.94)
    for side in (-1, 1):
        shape(middle + turn * 1.6 + side * 5.5, nose + 3, 2.6, 1.7, skin * 0.45)
    mouth, lips = middle + b * rng.uniform(0.52, 0.6), np.clip(skin * np.array((0.85, 0.52, 0.52), np.float32), 0, 255)
    broad, open_by = rng.uniform(17, 24), rng.uniform(0, 7) if rng.random() < 0.3 else 0.0
    shape(middle + turn * 1.2, mouth, broad, 5 + open_by, lips)
    shape(middle + turn * 1.2, mouth, broad * 0.92, 1.2 + open_by, (70, 25, 28) if not open_by else (225, 215, 210))
    shape(middle + turn * 1.2, mouth + 13 + open_by, broad * 0.5, 2.5, skin * 0.87)
    if rng.random() < 0.18:  # a beard's shadow
        shape(middle + turn, mouth + 14, broad * 0.9, 7, hair * 0.6 + skin * 0.4)


def _lit(sketch: Floats, rng: np.random.Generator) -> Floats:
    """Light from a side, a soft shade to the edges of the head, grain."""
    angle, strength = rng.uniform(0, 2 * np.pi), rng.uniform(0, 0.45)
    light = 1 + strength * (np.cos(angle) * ACROSS + np.sin(angle) * DOWN)
    light *= (1.06 - 0.5 * (ACROSS**2 + 0.6 * DOWN**2)) * rng.uniform(0.75, 1.1)
    grain = rng.standard_normal((SIDE // 2, SIDE // 2), np.float32) * np.float32(rng.uniform(2, 9))
    coarse = cv2.resize(grain, (SIDE, SIDE), interpolation=cv2.INTER_LINEAR)
    lit: Floats = sketch * light.astype(np.float32)[..., None] + coarse[..., None]
    return lit
