"""An annotated picture as a clip: what a hand-held camera sees of people who hold still.

So a set of pictures tells what a decision over many frames makes of its faces, and of what looks like one. People who
walk, turn or put on a mask are in recordings alone.
"""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.core.geometry import Box
from edge.core.records import Frame, Image
from edge.evaluation.annotated import INCORRECTLY_WORN, WITH_MASK, WITHOUT_MASK, Annotated
from edge.evaluation.clips import Person
from edge.evaluation.scoring import Scorer

SECONDS, FPS = 3.0, 10.0
LABEL_EVERY = 5
"""Frames between two labelled boxes: half a second."""
SMALLEST = Scorer.min_side
"""Faces with a shorter side, in pixels, are labelled "unsure"."""
SWAY, TURN, ZOOM, FLICKER = 0.025, 1.5, 0.05, 0.06
"""How far the hand moves: in widths and heights of the picture, in degrees, and as shares of size and brightness."""
CLOSER = 1.05
"""Enlarged so that most of what lies beyond the border stays out of sight."""
WAVES = ((1.0, 0.15, 0.4), (0.4, 0.6, 1.2), (0.17, 1.5, 3.0))
"""What a movement is the sum of: its share, and between which frequencies (Hz) it lies."""
NOISE = 4.0
"""Standard deviation of the sensor's noise, in steps of 256."""
_OUTCOMES = {WITH_MASK: "on", WITHOUT_MASK: "off", INCORRECTLY_WORN: "incorrectly_worn"}


class MovedPicture:
    """A `Camera` of `SECONDS` at `FPS`, and the `people` in it; `seed` says how the hand moves."""

    def __init__(self, truth: Annotated, image: Image, seed: int) -> None:
        """`image`: RGB, the pixels of `truth`."""
        self._image, self._rng = image, np.random.default_rng(seed)
        height, width = image.shape[:2]
        t = np.arange(round(SECONDS * FPS)) / FPS
        self._light = 1 + FLICKER * self._wave(t)
        zoom, angle = CLOSER * np.exp(ZOOM * self._wave(t)), TURN * self._wave(t)
        away = SWAY * np.stack([width * self._wave(t), height * self._wave(t)], 1)
        self._moves = []
        for k in range(len(t)):
            move = cv2.getRotationMatrix2D((width / 2, height / 2), float(angle[k]), float(zoom[k]))
            move[:, 2] += away[k]
            self._moves.append(move)
        self.people = [self._person(truth, k, zoom) for k in range(len(truth.boxes))]

    def __iter__(self) -> Iterator[Frame]:
        height, width = self._image.shape[:2]
        for index, (move, light) in enumerate(zip(self._moves, self._light, strict=True)):
            seen = cv2.warpAffine(self._image, move, (width, height), borderMode=cv2.BORDER_REPLICATE)
            noise = self._rng.normal(0, NOISE, (height, width, 1))
            yield Frame(index, index / FPS, np.clip(seen * light + noise, 0, 255).astype(np.uint8))

    def close(self) -> None:
        """Nothing is open."""

    def _wave(self, t: NDArray[np.float64]) -> NDArray[np.float64]:
        """A smooth movement, about -1 to 1, at the times `t` (s)."""
        parts = [
            share * np.sin(2 * np.pi * (self._rng.uniform(low, high) * t + self._rng.uniform()))
            for share, low, high in WAVES
        ]
        return np.sum(parts, 0)

    def _person(self, truth: Annotated, number: int, zoom: NDArray[np.float64]) -> Person:
        box = truth.boxes[number].astype(float)
        centre, half = (box[:2] + box[2:]) / 2, (box[2:] - box[:2]) / 2
        unknown = truth.ignored[number] or 2 * half.min() < SMALLEST
        outcome = "unsure" if unknown else _OUTCOMES.get(int(truth.categories[number]), "unsure")
        last = len(self._moves) - 1
        boxes = []
        for k in sorted({*range(0, last, LABEL_EVERY), last}):
            middle = self._moves[k] @ [*centre, 1.0]
            boxes.append((k / FPS, Box(*(middle - half * zoom[k]), *(middle + half * zoom[k]))))
        return Person(str(number + 1), outcome, boxes)
