"""From the detector's raw outputs to boxes: anchor-free cells, then non-maximum suppression.

A cell lies at the centre of each `stride` x `stride` square of the input, strides in order, row by row.
It says one logit (is the middle of a face here?) and four distances left, top, right, bottom to the
edges of the box in units of 2 x stride, as in FCOS (Tian et al., 2019, arXiv 1904.01355).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

STRIDES = (8, 16, 32)
UNIT = 2.0
"""Distances are said in units of `UNIT` x stride, which keeps the outputs near 1."""


def cells(width: int, height: int, strides: Sequence[int] = STRIDES) -> tuple[Array, Array]:
    """Centres (N, 2) and strides (N,) of all cells of an input, float32, in pixels."""
    grids, steps = [], []
    for s in strides:
        y, x = np.meshgrid((np.arange(height // s) + 0.5) * s, (np.arange(width // s) + 0.5) * s, indexing="ij")
        grids.append(np.stack([x, y], -1).reshape(-1, 2))
        steps.append(np.full(len(grids[-1]), s))
    return np.concatenate(grids).astype(np.float32), np.concatenate(steps).astype(np.float32)


def sigmoid(x: Array) -> Array:
    result: Array = 1 / (1 + np.exp(-np.clip(x, -60, 60)))
    return result


def logit(p: float) -> float:
    return float(np.log(p / (1 - p)))


def decode(logits: Array, distances: Array, centres: Array, strides: Array, threshold: float) -> Array:
    """Cells that score at least `threshold` (0..1): (M, 5) rows x0, y0, x1, y1, score in input pixels.

    `logits` (N, 1), `distances` (N, 4). Compares logits first: most cells never leave this line.
    """
    logits = logits.reshape(-1)
    k = np.flatnonzero(logits >= logit(threshold))
    reach = np.maximum(distances[k], 0) * (strides[k, None] * UNIT)
    return np.hstack([centres[k] - reach[:, :2], centres[k] + reach[:, 2:], sigmoid(logits[k])[:, None]])


def suppress(rows: Array, overlap: float, limit: int) -> Array:
    """Greedy non-maximum suppression of (M, 5) rows, best score first; at most `limit` (K, 5) rows stay.

    A row that stays takes the mean of the boxes it suppresses and its own, weighted by score: neighbouring cells
    each measure the same face (box voting, Gidaris and Komodakis 2015, arXiv 1505.01749). It keeps its own score.
    """
    if not len(rows):
        return rows
    corners = rows[:, :4].astype(np.float64)
    sized = np.hstack([corners[:, :2], corners[:, 2:] - corners[:, :2]])
    kept: Array = np.array(cv2.dnn.NMSBoxes(sized, rows[:, 4], 0.0, overlap))[:limit]  # type: ignore[arg-type]
    votes = _votes(corners, kept, overlap) * rows[:, 4]
    boxes = votes @ corners / votes.sum(1, keepdims=True)
    return np.c_[boxes, rows[kept, 4]].astype(rows.dtype)


def _votes(corners: Array, kept: Array, overlap: float) -> Array:
    """(K, M): whether the box of a row is the first of the kept ones' that this row overlaps."""
    own = corners[kept]
    size = np.minimum(own[:, None, 2:], corners[:, 2:]) - np.maximum(own[:, None, :2], corners[:, :2])
    common = np.maximum(size[..., 0], 0) * np.maximum(size[..., 1], 0)
    areas = (corners[:, 2] - corners[:, 0]) * (corners[:, 3] - corners[:, 1])
    clash = common > overlap * (areas[kept, None] + areas - common)
    first, order = clash.argmax(0), np.arange(len(kept))
    first[kept] = order  # also where this overlap and OpenCV's differ in the last digit
    clash[order, kept] = True
    return clash & (order[:, None] == first)
