"""Which faces are seen from the side, and to which side they look: from the landmarks of YuNet.

A mask on a head in profile looks unlike one from the front, and few sets hold any. The training draws one on a bare
face whose annotation has the attribute `nose_left` or `nose_right`.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from edge.core.geometry import iou_matrix
from edge.core.records import Image
from edge.evaluation.annotated import WITHOUT_MASK
from train.data.dataset import NOSES
from train.settle.teachers import Finder, Rows, landmarks

ASIDE = 0.17
"""Nose from the middle of the eyes, in widths of the face, from which a head is in profile: of 44 such faces, looked at
one by one, one was no face and one the back of a head."""
SAME = 0.4
"""Intersection over union from which a face with landmarks is the annotated one."""


def noses(path: Path) -> Finder:
    """RGB picture -> rows (N, 5) x0, y0, x1, y1 in pixels and the nose's place: 0 between the eyes, positive to the
    right, in widths of the face. `path`: YuNet's ONNX file."""
    find = landmarks(path)

    def offsets(image: Image) -> Rows:
        found = find(image)
        width = np.maximum(found[:, 2] - found[:, 0], 1e-6)
        return np.c_[found[:, :4], (found[:, 8] - (found[:, 4] + found[:, 6]) / 2) / width]

    return offsets


def mark(rows: list[dict[str, Any]], boxes: Rows, seen: Rows, said: Counter[str]) -> None:
    """Adds the attribute to the COCO annotations `rows` of bare faces in profile; `boxes` (M, 4) are theirs, `seen`
    (N, 5) those of `noses`."""
    if not len(rows) or not len(seen):
        return
    overlap = iou_matrix(boxes, seen[:, :4])
    for annotation, face, iou in zip(rows, overlap.argmax(1), overlap.max(1), strict=True):
        offset, bare = seen[face, 4], annotation["category_id"] == WITHOUT_MASK and not annotation.get("iscrowd")
        if bare and iou >= SAME and abs(offset) >= ASIDE:
            name = NOSES["right" if offset > 0 else "left"]
            annotation["attributes"] = annotation.get("attributes", {}) | {name: True}
            said["faces seen from the side"] += 1
