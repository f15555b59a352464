"""What a trained detector gets wrong on its own training pictures, so that a second training sees more of it.

Hard example mining as in Sung and Poggio (1998, doi 10.1109/34.655648): false alarms and missed faces.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from edge.coco import Annotated
from edge.geometry import iou_matrix
from edge.records import Image
from train import data

Mistake = tuple[int, tuple[float, float, float, float]]
"""Index of the scene and x0, y0, x1, y1 in its pixels."""
FOUND_IOU, ALARM_IOU = 0.4, 0.2
"""A face is found from the first on; a box is a false alarm below the second: between them it is only ill placed."""
SMALLEST = 12.0
"""Missed faces with a shorter side, in pixels, are no mistakes."""


def find(
    scenes: Sequence[Annotated], detect: Callable[[Image], NDArray[np.float64]], cache: Path
) -> tuple[list[Mistake], list[Mistake]]:
    """False alarms and missed faces of `detect` (RGB picture -> rows x0, y0, x1, y1, score) on `scenes`.

    Kept in `cache` (JSON), so that a resumed training goes on with the same ones.
    """
    if not cache.exists():
        alarms: list[Mistake] = []
        missed: list[Mistake] = []
        for k, scene in enumerate(tqdm(scenes, "looking for mistakes", mininterval=5)):
            picture = data.picture(scene.path)
            if picture is not None:
                wrong, lost = of_one(detect(picture), scene.boxes, scene.ignored)
                alarms += [(k, box) for box in wrong]
                missed += [(k, box) for box in lost]
        part = cache.with_suffix(".part")
        part.write_text(json.dumps([alarms, missed]))
        part.replace(cache)
    both = [[(int(k), tuple(box)) for k, box in kind] for kind in json.loads(cache.read_text())]
    return both[0], both[1]


def of_one(
    rows: NDArray[np.float64], boxes: NDArray[np.float32], ignored: NDArray[np.bool_]
) -> tuple[list[tuple[float, ...]], list[tuple[float, ...]]]:
    """Boxes of the false alarms and of the missed faces of one picture."""
    overlap = iou_matrix(rows, boxes) if len(rows) and len(boxes) else np.zeros((len(rows), len(boxes)))
    wrong = rows[overlap.max(1, initial=0) < ALARM_IOU, :4]
    large = (boxes[:, 2:] - boxes[:, :2]).min(1, initial=np.inf) >= SMALLEST
    lost = boxes[(overlap.max(0, initial=0) < FOUND_IOU) & ~ignored & large]
    return [tuple(map(float, b)) for b in wrong], [tuple(map(float, b)) for b in lost]
