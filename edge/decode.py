"""From the detector's raw outputs to boxes: anchor-free cells, then non-maximum suppression.

A cell lies at the centre of each `stride` x `stride` square of the input, strides in order, row by row.
It says one logit (is the middle of a face here?) and four distances left, top, right, bottom to the
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
    return np.c_[centres[k] - reach[:, :2], centres[k] + reach[:, 2:], sigmoid(logits[k])]


def suppress(rows: Array, overlap: float, limit: int) -> Array:
    """Greedy non-maximum suppression of (M, 5) rows, best score first; at most `limit` (K, 5) rows stay.

    A row that stays takes the mean of the boxes it suppresses and its own, weighted by score: neighbouring cells
    each measure the same face (box voting, Gidaris and Komodakis 2015, arXiv 1505.01749). It keeps its own score.
    Compares only the row just kept with those still in question: with a low threshold there are hundreds of rows,
    and most of them go with the first few faces.
    """
    rest = rows[np.argsort(-rows[:, 4], kind="stable")]
    kept: list[Array] = []
    while len(rest) and len(kept) < limit:
        best = rest[0]
        size = np.minimum(best[2:4], rest[:, 2:4]) - np.maximum(best[:2], rest[:, :2])
        common = np.maximum(size[:, 0], 0) * np.maximum(size[:, 1], 0)
        areas = (rest[:, 2] - rest[:, 0]) * (rest[:, 3] - rest[:, 1])
        clash = common > overlap * (areas[0] + areas - common)
        clash[0] = True
        voters = rest[clash]
        kept.append(np.r_[voters[:, 4] @ voters[:, :4] / voters[:, 4].sum(), best[4]])
        rest = rest[~clash]
    result: Array = np.array(kept, rows.dtype).reshape(-1, 5)
    return result
