"""Where a trained detector and the annotations of its training pictures differ, and who is to be believed.

False alarms and missed faces are shown more often in a second training: hard example mining as in Sung and Poggio
(1998, doi 10.1109/34.655648). But where a set drew a whole head and the detector says a face inside it, the face's box
is taken instead: two styles of box for the same thing teach neither. And where the detector is sure of a face that
nobody annotated, it is mostly right, for crowds are never annotated to the last face: such a place is ignored.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge.core import files
from edge.core.geometry import iou_matrix
from edge.core.progress import track
from edge.core.records import Image
from edge.evaluation.coco import FACE, Annotated
from edge.evaluation.slices import turned_aside
from train.data import dataset

Corners = tuple[float, float, float, float]
Place = tuple[int, Corners]
"""Index of the scene and x0, y0, x1, y1 in its pixels."""
FOUND_IOU, ALARM_IOU = 0.4, 0.2
"""A face is found from the first on; a box is a false alarm below the second: between them it is only ill placed."""
INSIDE, SHARE = 0.85, (0.1, 0.6)
"""How much of a face must lie in a box, and which share of that box it may be, for the box to be a head."""
SURE = 0.8
"""Score from which an unannotated face is believed. Of 48 such boxes from 0.65 on, looked at one by one, 18 showed a
face, most of them above 0.8; of 48 between 0.3 and 0.5, four."""
SMALLEST = 12.0
"""Missed faces with a shorter side, in pixels, are none."""


def find(
    scenes: Sequence[Annotated], detect: Callable[[Image], NDArray[np.float64]], cache: Path, sure: float = SURE
) -> tuple[list[Place], list[Place], list[Annotated]]:
    """False alarms and missed faces of `detect` (RGB picture -> rows x0, y0, x1, y1, score), and `scenes` corrected.

    Kept in `cache` (JSON), so that a resumed training goes on with the same ones.
    """
    if not cache.exists():
        alarms: list[Place] = []
        missed: list[Place] = []
        heads, forgotten = {}, {}
        for k, scene in enumerate(track(scenes, "looking for hard examples")):
            picture = dataset.picture_of(scene)
            if picture is not None:
                rows = detect(picture)
                boxes = redrawn(rows, scene.boxes, scene.ignored)
                if (boxes != scene.boxes).any():
                    heads[k] = boxes.tolist()
                believed = rows[:, 4] >= sure
                alarms += [(k, box) for box in of_one(rows[~believed], boxes, scene.ignored)[0]]
                missed += [(k, box) for box in of_one(rows, boxes, scene.ignored)[1]]
                if unannotated := of_one(rows[believed], boxes, scene.ignored)[0]:
                    forgotten[k] = unannotated
        files.write(cache, json.dumps([alarms, missed, heads, forgotten]))
    kept = json.loads(cache.read_text())
    alarms, missed = ([(int(k), _corners(box)) for k, box in kind] for kind in kept[:2])
    better = list(scenes)
    for k, boxes in kept[2].items():
        better[int(k)] = replace(scenes[int(k)], boxes=np.array(boxes, np.float32))
    for k, boxes in kept[3].items():
        better[int(k)] = with_ignored(better[int(k)], np.array(boxes, np.float32))
    return alarms, missed, better


def listed(paths: Sequence[Path], scenes: Sequence[Annotated]) -> list[Place]:
    """The false alarms that `maskcam-train settle` wrote into COCO files; empty where none of them is settled."""
    index, found = {scene.path: k for k, scene in enumerate(scenes)}, []
    for path in paths:
        known = json.loads(path.read_text(encoding="utf-8-sig")) if path.suffix == ".json" else {}
        names = {entry["id"]: path.parent / "images" / entry["file_name"] for entry in known.get("images", ())}
        for alarm in known.get("false_alarms", ()):
            x, y, w, h = alarm["bbox"]
            if (k := index.get(names[alarm["image_id"]])) is not None:
                found.append((k, (x, y, x + w, y + h)))
    return found


def turned(scenes: Sequence[Annotated]) -> list[Place]:
    """Faces of heads that are turned aside: narrow boxes, large enough to tell, not cut by the picture's left edge."""
    found: list[Place] = []
    for k, scene in enumerate(scenes):
        narrow = turned_aside(scene) & (scene.boxes[:, 0] > 1)
        found += [(k, _corners(box)) for box in scene.boxes[narrow].tolist()]
    return found


def with_ignored(scene: Annotated, boxes: NDArray[np.float32]) -> Annotated:
    """`scene` with `boxes` (N, 4) as further regions to ignore."""
    return replace(
        scene,
        boxes=np.r_[scene.boxes, boxes],
        categories=np.r_[scene.categories, np.full(len(boxes), FACE)],
        ignored=np.r_[scene.ignored, np.full(len(boxes), True)],
        attributes=scene.attributes and scene.attributes + (frozenset(),) * len(boxes),
    )


def redrawn(rows: NDArray[np.float64], boxes: NDArray[np.float32], ignored: NDArray[np.bool_]) -> NDArray[np.float32]:
    """`boxes` (K, 4) with each head in which `rows` (N, 5) say one face, and none as large as the head, drawn tight."""
    result = boxes.copy()
    if not len(rows):
        return result
    low = np.maximum(rows[:, None, :2], boxes[None, :, :2])
    common = (np.minimum(rows[:, None, 2:4], boxes[None, :, 2:]) - low).clip(0).prod(-1)
    own, whole = (rows[:, 2:4] - rows[:, :2]).prod(1)[:, None], (boxes[:, 2:] - boxes[:, :2]).prod(1)[None]
    face = (common >= INSIDE * own) & (own >= SHARE[0] * whole) & (own <= SHARE[1] * whole)
    face &= (face.sum(1) == 1)[:, None]  # a face in two heads tells nothing of either
    head = (face.sum(0) == 1) & (iou_matrix(rows, boxes).max(0) < SHARE[1]) & ~ignored
    for k in np.flatnonzero(head):
        result[k] = rows[np.flatnonzero(face[:, k])[0], :4]
    return result


def of_one(
    rows: NDArray[np.float64], boxes: NDArray[np.float32], ignored: NDArray[np.bool_]
) -> tuple[list[Corners], list[Corners]]:
    """Boxes of the false alarms and of the missed faces of one picture."""
    overlap = iou_matrix(rows, boxes) if len(rows) and len(boxes) else np.zeros((len(rows), len(boxes)))
    wrong = rows[overlap.max(1, initial=0) < ALARM_IOU, :4]
    large = (boxes[:, 2:] - boxes[:, :2]).min(1, initial=np.inf) >= SMALLEST
    lost = boxes[(overlap.max(0, initial=0) < FOUND_IOU) & ~ignored & large]
    return [_corners(b) for b in wrong], [_corners(b) for b in lost]


def _corners(row: Sequence[float]) -> Corners:
    x0, y0, x1, y1 = map(float, row)
    return x0, y0, x1, y1
