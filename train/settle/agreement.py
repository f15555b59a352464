"""What the detectors say of one picture, and where they agree. Boxes are rows x0, y0, x1, y1 in pixels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edge.core.geometry import iou_matrix

Rows = NDArray[np.float64]
AGREED_IOU = 0.5
TEACHER_SURE, OWN_SURE, OWN_SEES = 0.5, 0.5, 0.25
"""Scores from which a teacher's face counts, and one of the bundle's; from the last a false alarm is worth showing."""
TEACHER_DOUBTS = 0.12
"""A teacher that says at least this of a place does not call it empty."""
INSIDE, SHARE = 0.85, (0.1, 0.62)
"""How much of a face must lie in a box, and which share of that box it may be, for the box to be a head."""
NEARBY = 0.3
"""A face that overlaps an annotated one by more (IoU), or lies mostly in it, is that one."""


def agreed_boxes(a: Rows, b: Rows) -> tuple[Rows, set[int], set[int]]:
    """Means (K, 4) of the boxes on which `a` and `b` agree, and which rows of each these are."""
    overlap = iou_matrix(a, b) if len(a) and len(b) else np.zeros((len(a), len(b)))
    boxes, of_a, of_b = [], set(), set()
    while overlap.size and overlap.max() >= AGREED_IOU:
        i, j = np.unravel_index(overlap.argmax(), overlap.shape)
        boxes.append((a[i, :4] + b[j, :4]) / 2)
        of_a.add(int(i))
        of_b.add(int(j))
        overlap[i], overlap[:, j] = -1, -1
    return np.array(boxes).reshape(-1, 4), of_a, of_b


def covered(boxes: Rows, others: Rows) -> NDArray[np.float64]:
    """(N, M): which share of each of `boxes` lies in each of `others`."""
    low = np.maximum(boxes[:, None, :2], others[None, :, :2])
    common = (np.minimum(boxes[:, None, 2:4], others[None, :, 2:4]) - low).clip(0).prod(-1)
    return common / np.maximum((boxes[:, 2:4] - boxes[:, :2]).prod(1), 1e-6)[:, None]


def near(boxes: Rows, others: Rows) -> NDArray[np.bool_]:
    """(N,): whether a box is one of `others`, or lies mostly in one, or holds most of one."""
    if not len(boxes) or not len(others):
        return np.zeros(len(boxes), bool)
    inside, around = covered(boxes, others), covered(others, boxes).T
    return (np.maximum(np.maximum(iou_matrix(boxes, others) / NEARBY, inside / 0.6), around / 0.6) >= 1).any(1)


class Findings:
    """What the detectors say of one picture: faces of which two are sure, places that one is sure of, false alarms."""

    def __init__(self, mine: Rows, teachers: Sequence[Rows]) -> None:
        sure = [t[t[:, 4] >= TEACHER_SURE] for t in teachers]
        agreed = [agreed_boxes(mine[mine[:, 4] >= OWN_SEES], t)[0] for t in sure] + [agreed_boxes(*sure)[0]]
        self.agreed = np.zeros((0, 4))
        for boxes in agreed:
            self.agreed = np.r_[self.agreed, boxes[~near(boxes, self.agreed)]]
        self.alone = np.concatenate([t[:, :4] for t in sure])
        self.alone = self.alone[~near(self.alone, self.agreed)]
        seen = np.concatenate([t[t[:, 4] >= TEACHER_DOUBTS, :4] for t in teachers] + [self.agreed])
        mine = mine[mine[:, 4] >= OWN_SEES]
        unseen = ~near(mine, seen)
        self.alarms = mine[unseen]
        doubtful = mine[~unseen & (mine[:, 4] >= OWN_SURE), :4]
        self.alone = np.r_[self.alone, doubtful[~near(doubtful, np.r_[self.agreed, self.alone])]]


def faces_in_heads(boxes: Rows, agreed: Rows) -> NDArray[np.int64]:
    """(K,): which face of `agreed` is the one inside the head that a box shows, or -1."""
    result = np.full(len(boxes), -1)
    if not len(boxes) or not len(agreed):
        return result
    area, whole = (agreed[:, 2:] - agreed[:, :2]).prod(1)[:, None], (boxes[:, 2:] - boxes[:, :2]).prod(1)[None]
    face = (covered(agreed, boxes) >= INSIDE) & (area >= SHARE[0] * whole) & (area <= SHARE[1] * whole)
    face &= (face.sum(1) == 1)[:, None]  # a face in two heads tells nothing of either
    for k in np.flatnonzero(face.sum(0) == 1):
        result[k] = int(np.flatnonzero(face[:, k])[0])
    return result
