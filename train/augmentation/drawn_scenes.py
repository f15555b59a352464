"""Scenes drawn by code: one to three people before a wall, half of them masked, among things that are no faces.

A check of what a face detector must not forget, without photos of people.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from edge.core.geometry import Box
from edge.core.records import Image
from edge.evaluation.annotated import WITH_MASK, WITHOUT_MASK, Annotated
from edge.vision import masks
from train.augmentation import drawn_faces, drawn_objects

WIDTH, HEIGHT = 640, 448
HEIGHTS = (24.0, 150.0)
"""Of a face, pixels, log-uniform."""
SOURCE = "drawn scenes"


def draw(rng: np.random.Generator) -> tuple[Annotated, Image]:
    """A scene (HEIGHT, WIDTH, 3), RGB, and its faces."""
    image = drawn_objects.wall(WIDTH, HEIGHT, rng)
    boxes: list[Box] = []
    categories = []
    for _ in range(int(rng.integers(1, 4))):
        height = float(np.exp(rng.uniform(*np.log(HEIGHTS))))
        x, y = rng.uniform(height, WIDTH - height), rng.uniform(height, HEIGHT - height)
        if any(abs(x - (b.x0 + b.x1) / 2) < 0.9 * (height + b.height) for b in boxes):
            continue  # shoulders must not hide a face
        box = drawn_faces.head(image, x, y, height, rng)
        masked = rng.random() < 0.5
        image = masks.draw(image, box, rng) if masked else image
        boxes.append(box)
        categories.append(WITH_MASK if masked else WITHOUT_MASK)
    corners = np.array([[b.x0, b.y0, b.x1, b.y1] for b in boxes], np.float32)
    grown = corners + np.array([-1, -1, 1, 1], np.float32) * (corners[:, 3] - corners[:, 1])[:, None]
    truth = Annotated(Path(SOURCE), corners, np.array(categories), np.zeros(len(boxes), bool), SOURCE)
    return truth, drawn_objects.put(image, grown, rng)
