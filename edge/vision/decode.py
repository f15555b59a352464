"""From the detector's raw outputs to boxes: anchor-free cells.

A cell lies at the centre of each `stride` x `stride` square of the input, strides in order, row by row.
It outputs one logit (is the centre of a face here?) and the distances to the left, top, right and bottom
edges of the box in units of 2 x stride, as in FCOS (Tian et al., 2019, arXiv 1904.01355).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

STRIDES = (8, 16, 32)
UNIT = 2.0
"""Unit of the distances, in strides; it keeps the outputs near 1."""


def cells(width: int, height: int, strides: Sequence[int] = STRIDES) -> tuple[Array, Array]:
    """Centres (N, 2) and strides (N,) of all cells of an input, float32, in pixels."""
    grids, steps = [], []
    for s in strides:
        y, x = np.meshgrid((np.arange(height // s) + 0.5) * s, (np.arange(width // s) + 0.5) * s, indexing="ij")
        grids.append(np.stack([x, y], -1).reshape(-1, 2))
        steps.append(np.full(len(grids[-1]), s))
    return np.concatenate(grids).astype(np.float32), np.concatenate(steps).astype(np.float32)


def sigmoid(x: Array) -> Array:
    result: Array = 1 / (1 + np.exp(-np.maximum(x, -60)))
    return result


def logit(p: float) -> float:
    return float(np.log(p / (1 - p)))


def decode(logits: Array, distances: Array, centres: Array, strides: Array, threshold: float) -> Array:
    """Cells that score at least `threshold` (0..1): (M, 5) rows x0, y0, x1, y1, score in input pixels.

    `logits` (N, 1), `distances` (N, 4). Logits are compared first, which drops most cells at once.
    """
    logits = logits.reshape(-1)
    k = np.flatnonzero(logits >= logit(threshold))
    reach = np.maximum(distances[k], 0) * (strides[k, None] * UNIT)
    return np.hstack([centres[k] - reach[:, :2], centres[k] + reach[:, 2:], sigmoid(logits[k])[:, None]])
