"""A contact sheet of a data set: doubtful labels first, then some of all."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from edge.core import labels
from edge.core.errors import DataError
from edge.core.files import write
from edge.core.geometry import Box
from edge.core.records import Image
from edge.evaluation.annotated import NAMES, Annotated, opened
from edge.vision.preprocess import crop
from train.inspection.survey import Doubt

TILE, ACROSS, ROWS = 150, 8, 6
"""Pixels of a tile, tiles in a row, rows."""
COLOURS = {
    labels.WITH_MASK: (43, 209, 155),
    labels.WITHOUT_MASK: (255, 107, 87),
    labels.INCORRECTLY_WORN: (255, 176, 46),
    labels.FACE: (200, 200, 200),
    labels.NOT_A_FACE: (154, 167, 255),
}


def write_sheet(path: Path, truths: Sequence[Annotated], doubts: Sequence[Doubt], seed: int = 0) -> int:
    """A JPEG or PNG by the suffix of `path`; returns the number of faces on it. Raises DataError, OSError."""
    by_path = {truth.path: truth for truth in truths}
    tiles = [
        _tile(by_path[d.path], Box(*d.box), d.label, f"? {d.says} {d.sure:.0%}") for d in doubts[: ACROSS * ROWS // 2]
    ]
    names = {number: name for name, number in NAMES.items()}
    for k in np.random.default_rng(seed).permutation(len(truths)):
        if len(tiles) >= ACROSS * ROWS:
            break
        truth = truths[k]
        for box, category in zip(truth.boxes.tolist()[:2], truth.categories.tolist()[:2], strict=True):
            tiles.append(_tile(truth, None if truth.whole else Box(*box), names[category], ""))
    found = [tile for tile in tiles if tile is not None][: ACROSS * ROWS]
    if not found:
        raise DataError(f"{path}: nothing to show: no picture of the set can be read")
    blank = np.full((TILE, TILE, 3), 32, np.uint8)
    found += [blank] * (-len(found) % ACROSS)
    rows = [np.hstack(found[k : k + ACROSS]) for k in range(0, len(found), ACROSS)]
    good, data = cv2.imencode(path.suffix or ".jpg", cv2.cvtColor(np.vstack(rows), cv2.COLOR_RGB2BGR))
    if not good:
        raise DataError(f"{path}: expected a name that ends in .jpg or .png")
    write(path, data.tobytes())
    return sum(tile is not None for tile in tiles[: ACROSS * ROWS])


def _tile(truth: Annotated, box: Box | None, label: str, said: str) -> Image | None:
    try:
        image = opened(truth)[1]
    except DataError:
        return None
    whole = Box(0, 0, image.shape[1], image.shape[0])
    tile = np.ascontiguousarray(crop(image, box or whole, TILE, TILE, 0.3 if box else 0.0))
    cv2.rectangle(tile, (1, 1), (TILE - 2, TILE - 2), COLOURS[label], 3)
    for text, at in ((label.replace("mask_worn_", ""), 16), (said, TILE - 8)):
        if text:
            cv2.putText(tile, text, (6, at), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (0, 0, 0), 3, cv2.LINE_AA)
            cv2.putText(tile, text, (6, at), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (255, 255, 255), 1, cv2.LINE_AA)
    return tile
