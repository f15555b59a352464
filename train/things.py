"""Draws what a detector takes for a face and is none: wheels, lamps, signs, windows, bricks.

Counter-examples for the classifier's label `not_a_face` beside real ones: no set of pictures holds enough wheels.
Everything is drawn over a wall of soft light with edges, such as stands behind any door.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.core.geometry import Box
from edge.core.labels import NOT_A_FACE
from edge.core.records import Image
from train.data import Patch, Sample

Floats = NDArray[np.float32]
SIDE = 112
"""Pixels of a drawing, of which the thing itself takes the middle half."""
SOURCE = "drawn things"


def draw(rng: np.random.Generator) -> Patch:
    """One drawn thing with its surroundings, its box a little off, as a detector's is."""
    image = _wall(rng)
    thing = (_wheel, _wheel, _lamp, _sign, _panes, _nothing)[rng.integers(6)]
    thing(image, rng)
    image += rng.normal(0, rng.uniform(0, 6), (SIDE, SIDE, 1)).astype(np.float32)
    half = rng.uniform(0.2, 0.3, 2) * SIDE
    box = Box(SIDE / 2 - half[0], SIDE / 2 - half[1], SIDE / 2 + half[0], SIDE / 2 + half[1])
    pixels: Image = np.clip(image, 0, 255).astype(np.uint8)
    return Patch(Sample(Path(SOURCE), box, NOT_A_FACE, SOURCE), pixels, box, max(box.width, box.height))


def _colour(rng: np.random.Generator, low: float = 10, high: float = 245) -> tuple[float, ...]:
    """Grey three times of five, any colour otherwise (RGB)."""
    grey = rng.uniform(low, high)
    return (grey,) * 3 if rng.random() < 0.6 else tuple(rng.uniform(low, high, 3))


def _wall(rng: np.random.Generator) -> Floats:
    """Light from one side and up to two edges: a corner, a door frame, the line of the floor."""
    y, x = np.mgrid[0 : 1 : SIDE * 1j, 0 : 1 : SIDE * 1j].astype(np.float32)
    angle = rng.uniform(0, 2 * np.pi)
    across = (np.cos(angle) * x + np.sin(angle) * y)[..., None]
    share = (across - across.min()) / np.ptp(across)
    image = np.array(_colour(rng, 30), np.float32) * (1 - share) + np.array(_colour(rng, 30), np.float32) * share
    for axis in (0, 1):
        if rng.random() < 0.4:
            part = [slice(None), slice(None)]
            part[axis] = slice(int(rng.integers(SIDE)), None)
            image[tuple(part)] *= rng.uniform(0.3, 0.9)
    return np.ascontiguousarray(image, np.float32)


def _middle(rng: np.random.Generator) -> tuple[int, int]:
    x, y = rng.uniform(0.42, 0.58, 2) * SIDE
    return round(x), round(y)


def _wheel(image: Floats, rng: np.random.Generator) -> None:
    """A disc or a tyre, spokes, bolts or holes, often seen at an angle."""
    centre, radius = _middle(rng), rng.uniform(0.2, 0.34) * SIDE
    axes = np.array([radius * rng.uniform(0.5, 1), radius])
    turn, count = rng.uniform(0, 2 * np.pi), int(rng.integers(3, 13))
    face, spoke = _colour(rng, 10, 110), _colour(rng, 80)
    tyre = (round(axes[0] * 1.25), round(axes[1] * 1.25))
    if rng.random() < 0.7:
        cv2.ellipse(image, centre, tyre, 0, 0, 360, _colour(rng, 5, 60), -1, cv2.LINE_AA)
    cv2.ellipse(image, centre, (round(axes[0]), round(axes[1])), 0, 0, 360, face, -1, cv2.LINE_AA)
    holes = rng.random() < 0.35
    for k in range(count):
        way = np.array([np.cos(turn + 2 * np.pi * k / count), np.sin(turn + 2 * np.pi * k / count)])
        end = np.round(np.array(centre) + axes * way * (0.6 if holes else rng.uniform(0.7, 0.95))).astype(int)
        if holes:
            cv2.circle(image, (int(end[0]), int(end[1])), max(round(radius / 7), 1), spoke, -1, cv2.LINE_AA)
        else:
            cv2.line(image, centre, (int(end[0]), int(end[1])), spoke, max(round(radius / 8), 1), cv2.LINE_AA)
    if rng.random() < 0.6:
        cv2.circle(image, centre, max(round(radius * rng.uniform(0.1, 0.3)), 1), _colour(rng), -1, cv2.LINE_AA)


def _lamp(image: Floats, rng: np.random.Generator) -> None:
    """A plain or a glowing disc, a ball, a clock's face: one ellipse with a rim or a light spot."""
    centre, radius = _middle(rng), rng.uniform(0.18, 0.32) * SIDE
    axes = (round(radius * rng.uniform(0.7, 1)), round(radius))
    cv2.ellipse(image, centre, axes, 0, 0, 360, _colour(rng), -1, cv2.LINE_AA)
    if rng.random() < 0.5:
        cv2.ellipse(image, centre, axes, 0, 0, 360, _colour(rng), max(round(radius / 8), 1), cv2.LINE_AA)
    spot = (round(centre[0] + radius * rng.uniform(-0.4, 0.4)), round(centre[1] + radius * rng.uniform(-0.4, 0.4)))
    cv2.circle(image, spot, max(round(radius * rng.uniform(0.1, 0.4)), 1), _colour(rng, 120), -1, cv2.LINE_AA)
    image[:] = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.3, 4))


def _sign(image: Floats, rng: np.random.Generator) -> None:
    """Letters, on a plate or on the wall."""
    if rng.random() < 0.6:
        low, high = rng.uniform(0.1, 0.3, 2) * SIDE, rng.uniform(0.7, 0.9, 2) * SIDE
        cv2.rectangle(image, (round(low[0]), round(low[1])), (round(high[0]), round(high[1])), _colour(rng), -1)
    for _ in range(int(rng.integers(1, 5))):
        text = "".join(chr(c) for c in rng.integers(48, 91, int(rng.integers(1, 5))))
        place = (round(rng.uniform(0.1, 0.5) * SIDE), round(rng.uniform(0.35, 0.8) * SIDE))
        size, font = float(rng.uniform(0.6, 2.5)), int(rng.integers(0, 8))
        cv2.putText(image, text, place, font, size, _colour(rng), int(rng.integers(1, 7)), cv2.LINE_AA)


def _panes(image: Floats, rng: np.random.Generator) -> None:
    """Bricks, tiles, windows, roofs, louvres, fences: one cell again and again, a little turned."""
    wide, high = rng.uniform(6, 45, 2)
    gap, colour = max(round(float(rng.uniform(1, 5))), 1), _colour(rng)
    layer = np.zeros((2 * SIDE, 2 * SIDE), np.float32)
    for row, y in enumerate(np.arange(0, 2 * SIDE, high)):
        cv2.line(layer, (0, round(y)), (2 * SIDE, round(y)), 1.0, gap)
        for x in np.arange(0, 2 * SIDE, wide) + (row % 2) * wide / 2 * rng.integers(2):
            cv2.line(layer, (round(x), round(y)), (round(x), round(y + high)), 1.0, gap)
    turn = cv2.getRotationMatrix2D((SIDE, SIDE), rng.uniform(-25, 25), 1)
    turn[:, 2] -= SIDE / 2
    weight = cv2.warpAffine(layer, turn, (SIDE, SIDE))[..., None] * rng.uniform(0.3, 1)
    image[:] = image * (1 - weight) + np.array(colour, np.float32) * weight


def _nothing(image: Floats, rng: np.random.Generator) -> None:
    """The wall alone, or with a soft texture: leaves, cloth, stone."""
    grain = rng.normal(0, rng.uniform(0, 60), (SIDE, SIDE, 1)).astype(np.float32)
    image += cv2.GaussianBlur(grain, (0, 0), rng.uniform(0.6, 6))[..., None] * 2
