"""Non-maximum suppression by OpenCV, with box voting."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def suppress(rows: Array, nms_iou: float, limit: int) -> Array:
    """Greedy non-maximum suppression of (M, 5) rows, best score first; returns at most `limit` rows (K, 5).

    A row that is kept gets the mean of its own box and of those it suppresses, weighted by score, since neighbouring
    cells measure the same face (box voting, Gidaris and Komodakis 2015, arXiv 1505.01749). It keeps its own score.
    """
    if not len(rows):
        return rows
    corners = rows[:, :4].astype(np.float64)
    sized = np.hstack([corners[:, :2], corners[:, 2:] - corners[:, :2]])
    said = cv2.dnn.NMSBoxes(sized.tolist(), rows[:, 4].tolist(), 0.0, nms_iou)
    kept = np.array(said, np.intp).reshape(-1)[:limit]  # OpenCV before 4.5.4, as on older Jetsons, returns (K, 1)
    votes = _votes(corners, kept, nms_iou) * rows[:, 4]
    boxes = votes @ corners / votes.sum(1, keepdims=True)
    return np.c_[boxes, rows[kept, 4]].astype(rows.dtype)


def _votes(corners: Array, kept: Array, nms_iou: float) -> Array:
    """(K, M): whether a kept row is the first one that overlaps this row."""
    own = corners[kept]
    size = np.minimum(own[:, None, 2:], corners[:, 2:]) - np.maximum(own[:, None, :2], corners[:, :2])
    common = np.maximum(size[..., 0], 0) * np.maximum(size[..., 1], 0)
    areas = (corners[:, 2] - corners[:, 0]) * (corners[:, 3] - corners[:, 1])
    clash = common > nms_iou * (areas[kept, None] + areas - common)
    first, order = clash.argmax(0), np.arange(len(kept))
    first[kept] = order  # even if this IoU and OpenCV's differ in the last digit
    clash[order, kept] = True
    return clash & (order[:, None] == first)
