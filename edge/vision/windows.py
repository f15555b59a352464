"""Which input shape a frame gets, and windows for a frame of another shape than all of them, so that faces are not
scaled down more than needed.

A tall frame fills only a strip of a wide input: a portrait frame of 480 x 848 is scaled to 0.34 for 416 x 288, and to
0.49 for 288 x 416. Where a bundle has no such shape, two windows, one above the other, are scaled to 0.47. Each window
takes a run of the network.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

OVERLAP = 0.45
"""Share of the frame's divided side by which two windows overlap: a face of that size is whole in one of them.

On 205 tall held-out photos, of sources that others were trained on, 0.15 finds 58 of the 73 faces below a tenth of the
height, 0.45 finds 52 and one window 38; but of the 126 from a fifth to half of it 0.15 finds 101, 0.45 and one
window 116.
"""
WORTH = 1.25
"""Gain in the size of faces from which "auto" uses a second window."""
TALL = 1.2
"""Height in widths of a frame from which "auto" uses a second window: in square and very wide ones it cuts near faces
(face AP 0.946 -> 0.934 on 679 held-out pictures, of which 222 are square)."""
SEAM = 0.02
"""Share of a window's side: a box that ends this close to a seam counts as cut."""
SAME = 0.5
"""Share of the smaller of two boxes that overlaps along the seam from which they are one face."""

Window = tuple[int, int, int, int]
"""x0, y0, x1, y1 in pixels of the frame."""


def fitting(width: int, height: int, shapes: Sequence[tuple[int, int]]) -> tuple[int, int]:
    """The one of the network's input `shapes` (width, height) in which a frame is scaled down least."""
    return max(shapes, key=lambda shape: min(shape[0] / width, shape[1] / height))


def place(width: int, height: int, columns: int, rows: int, count: int | None) -> list[Window]:
    """`count` windows over a frame (width, height) for a network of `columns` x `rows`; None: one or two, as it pays.

    They are side by side along the side that is too long for the network.
    """
    if count is None:
        one, two = (_scale(place(width, height, columns, rows, n)[0], columns, rows) for n in (1, 2))
        count = 2 if height >= TALL * width and two >= WORTH * one else 1
    tall = height * columns >= width * rows
    longer = height if tall else width
    length = round(longer * (1 + (count - 1) * OVERLAP) / count)
    starts = [round(k * (longer - length) / max(count - 1, 1)) for k in range(count)]
    return [(0, a, width, a + length) if tall else (a, 0, a + length, height) for a in starts]


def _scale(window: Window, columns: int, rows: int) -> float:
    return min(columns / (window[2] - window[0]), rows / (window[3] - window[1]))


def merge(found: list[Array], windows: list[Window], width: int, height: int) -> Array:
    """Merges the rows (N, 5) of each window, in pixels of the frame; a box that a seam cut becomes one again.

    A cut box is dropped if another window saw the whole face; two halves are joined. Boxes that both windows saw whole
    are left to non-maximum suppression.
    """
    rows = np.concatenate(found)
    owner = np.repeat(np.arange(len(found)), [len(part) for part in found])
    cut = np.concatenate([_cut(part, w, width, height) for part, w in zip(found, windows, strict=True)])
    gone = np.zeros(len(rows), bool)
    for i in np.flatnonzero(cut)[np.argsort(-rows[cut, 4], kind="stable")]:
        others = np.flatnonzero((owner != owner[i]) & ~gone & (_common(rows[i], rows) >= SAME))
        whole = others[~cut[others]]
        if gone[i] or not len(others):
            continue
        if len(whole):
            gone[i] = True
            continue
        gone[others] = True
        both = np.r_[i, others]
        rows[i, :2], rows[i, 2:4] = rows[both, :2].min(0), rows[both, 2:4].max(0)
    kept: Array = rows[~gone]
    return kept[np.argsort(-kept[:, 4], kind="stable")]


def _cut(rows: Array, window: Window, width: int, height: int) -> Array:
    """Whether each box ends at a seam: an edge of the window that is not an edge of the frame."""
    x0, y0, x1, y1 = window
    x, y = SEAM * (x1 - x0), SEAM * (y1 - y0)
    at = [x0 > 0, y0 > 0, x1 < width, y1 < height]
    near = [rows[:, 0] < x0 + x, rows[:, 1] < y0 + y, rows[:, 2] > x1 - x, rows[:, 3] > y1 - y]
    return np.any([seam & edge for seam, edge in zip(at, near, strict=True)], 0)


def _common(row: Array, rows: Array) -> Array:
    """Overlap of `row` with each of `rows` as a share of the narrower one, horizontal or vertical, whichever is more; 0
    if they are apart."""
    size = np.minimum(row[2:4], rows[:, 2:4]) - np.maximum(row[:2], rows[:, :2])
    least = np.minimum(row[2:4] - row[:2], rows[:, 2:4] - rows[:, :2])
    share = size / np.maximum(least, 1e-6)
    result: Array = np.where((size > 0).all(1), share.max(1), 0.0)
    return result
