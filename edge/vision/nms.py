"""One box per face: non-maximum suppression by OpenCV, with votes of the boxes that go."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def suppress(rows: Array, nms_iou: float, limit: int) -> Array:
    """Greedy non-maximum suppression of (M, 5) rows, best score first; at most `limit` (K, 5) rows stay.

    A row that stays takes the mean of the boxes it suppresses and its own, weighted by score: neighbouring cells
    each measure the same face (box voting, Gidaris and Komodakis 2015, arXiv 1505.01749). It keeps its own score.
    """
    if not len(rows):
        return rows
    corners = rows[:, :4].astype(np.float64)
    sized = np.hstack([corners[:, :2], corners[:, 2:] - corners[:, :2]])
    said = cv2.dnn.NMSBoxes(sized.tolist(), rows[:, 4].tolist(), 0.0, nms_iou)
    kept = np.array(said, np.intp).reshape(-1)[:limit]  # OpenCV before 4.5.4, as on older Jetsons, says (K, 1)
    votes = _votes(corners, kept, nms_iou) * rows[:, 4]
    boxes = votes @ corners / votes.sum(1, keepdims=True)
    return np.c_[boxes, rows[kept, 4]].astype(rows.dtype)


def _votes(corners: Array, kept: Array, nms_iou: float) -> Array:
    """(K, M): whether the box of a row is the first of the kept ones' that this row overlaps."""
    own = corners[kept]
    size = np.minimum(own[:, None, 2:], corners[:, 2:]) - np.maximum(own[:, None, :2], corners[:, :2])
    common = np.maximum(size[..., 0], 0) * np.maximum(size[..., 1], 0)
    areas = (corners[:, 2] - corners[:, 0]) * (corners[:, 3] - corners[:, 1])
    clash = common > nms_iou * (areas[kept, None] + areas - common)
    first, order = clash.argmax(0), np.arange(len(kept))
    first[kept] = order  # also where this overlap and OpenCV's differ in the last digit
    clash[order, kept] = True
    return clash & (order[:, None] == first)
