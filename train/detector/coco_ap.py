"""COCO average precision of a face detector, by the COCO authors' own code (pycocotools)."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from edge.core.records import Image
from edge.evaluation.coco import Annotated
from train.data import dataset


def coco_ap(scenes: list[Annotated], find: Callable[[Image], NDArray[np.float64]]) -> dict[str, float]:
    """AP (IoU 0.5:0.95), AP50, AP75 and AP by size (area below 32^2, to 96^2, above) of a face detector.

    `find(RGB picture) -> (M, 5)` rows x0, y0, x1, y1, score in pixels. Regions to ignore are COCO's `iscrowd`.
    """
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    results: list[dict[str, Any]] = []
    for n, scene in enumerate(scenes, 1):
        picture = dataset.picture_of(scene)
        if picture is None:
            continue
        images.append({"id": n, "width": picture.shape[1], "height": picture.shape[0]})
        for (x0, y0, x1, y1), ignored in zip(scene.boxes.tolist(), scene.ignored.tolist(), strict=True):
            box = {"bbox": [x0, y0, x1 - x0, y1 - y0], "area": (x1 - x0) * (y1 - y0), "iscrowd": int(ignored)}
            annotations.append({"id": len(annotations) + 1, "image_id": n, "category_id": 1, **box})
        for x0, y0, x1, y1, score in find(picture).tolist():
            results.append({"image_id": n, "category_id": 1, "bbox": [x0, y0, x1 - x0, y1 - y0], "score": score})
    names = ("AP", "AP50", "AP75", "AP_small", "AP_medium", "AP_large")
    if not results:
        return dict.fromkeys(names, 0.0)
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO()
        truth.dataset = {
            "info": {},
            "images": images,
            "annotations": annotations,
            "categories": [{"id": 1, "name": "face"}],
        }
        truth.createIndex()
        evaluation = COCOeval(truth, truth.loadRes(results), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return dict(zip(names, map(float, evaluation.stats[:6]), strict=True))
