"""`maskcam-train settle`: one style of box, and every face annotated or ignored, before a training reads them.

Sets annotate anything from a tight face to a whole head, and no crowd to its last face. Both teach a detector what is
wrong. Here two detectors that were trained by others (the teachers) and the one of a bundle look at every picture:

- a face on which they agree inside a box of a whole head takes the place of that box;
- in a source that mostly draws whole heads, a head in which they agree on nothing is ignored;
- a place that nobody annotated is ignored when one of the three is sure of a face there. Of 60 such faces on which two
  agreed, looked at one by one, ten were hands, sleeves and dogs: good enough to ignore, not to teach;
- what only the bundle sees, and no teacher even doubts, is a false alarm;
- a bare face that is seen from the side is marked with the side that it looks to (`train.settle.profiles`).
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.core import files
from edge.core.errors import DataError
from edge.core.geometry import iou_matrix
from edge.core.progress import track
from edge.evaluation import coco
from train.data import dataset
from train.settle import profiles
from train.settle.agreement import AGREED_IOU, Findings, faces_in_heads, near
from train.settle.teachers import Finder, Rows, of_bundle, opened

HEADS = 0.25
"""A source that draws at least this share of its faces as heads is one of whole heads."""


def run(path: Path, out: Path, teachers: Sequence[Path], bundle: Path | None, trusted: Sequence[str]) -> None:
    """Reads the COCO file `path`, writes the settled one to `out`, and prints what was changed how often.

    `teachers`: the ONNX files of YuNet and of Ultra-Light RFB-640. `trusted`: sources whose annotations stay as they
    are; only false alarms are listed for them. Raises DataError.
    """
    coco.read(path)  # refuses what is no annotation with the reason
    cv2.setNumThreads(1)  # three small networks in turn: threads would wait for one another
    found = opened(teachers)
    raw, noses = json.loads(path.read_text()), profiles.noses(teachers[0])
    result, said = settled(raw, path.parent / "images", of_bundle(bundle), found, trusted, noses)
    files.write(out, json.dumps(result))
    print(f"{out}: " + ", ".join(f"{n} {what}" for what, n in sorted(said.items())))


def settled(
    annotated: dict[str, Any],
    images: Path,
    mine: Finder,
    teachers: Sequence[Finder],
    trusted: Sequence[str],
    noses: Finder = lambda image: np.zeros((0, 5)),
) -> tuple[dict[str, Any], Counter[str]]:
    """The annotations as the training should read them, with the list `false_alarms`; and how often what was done.

    `noses`: see `train.settle.profiles`.
    """
    rows: dict[Any, list[dict[str, Any]]] = defaultdict(list)
    for annotation in annotated["annotations"]:
        rows[annotation["image_id"]].append(annotation)
    looks, aside, said = {}, {}, Counter[str]()
    for entry in track(annotated["images"], "two teachers look"):
        image = dataset.picture(images / entry["file_name"])
        if image is None:
            said["pictures that cannot be read"] += 1
            continue
        looks[entry["id"]] = Findings(mine(image), [teacher(image) for teacher in teachers])
        aside[entry["id"]] = noses(image)
    if not looks:
        raise DataError(f"{images}: none of {len(annotated['images'])} pictures can be read")
    sources = {entry["id"]: entry.get("source", "") for entry in annotated["images"]}
    inside = {key: faces_in_heads(_boxes(rows[key]), look.agreed) for key, look in looks.items()}
    loose = _loose(inside, rows, sources)
    for source in sorted(loose):
        said[f"in {source}, a source of whole heads"] = sum(sources[key] == source for key in looks)
    annotations, alarms = [], []
    for entry in annotated["images"]:
        key = entry["id"]
        own_rows = [dict(a) for a in rows[key]]
        if key in looks:
            if sources[key] not in trusted:
                own_rows = _settle(own_rows, looks[key], inside[key], sources[key] in loose, said)
            profiles.mark(own_rows, _boxes(own_rows), aside[key], said)
            boxes = looks[key].alarms[~near(looks[key].alarms, _boxes(own_rows))]
            alarms += [{"image_id": key, "bbox": _xywh(b), "score": round(float(b[4]), 3)} for b in boxes]
        annotations += [a | {"image_id": key} for a in own_rows]
    for number, annotation in enumerate(annotations, 1):
        annotation["id"] = number
    said["false alarms"] = len(alarms)
    return annotated | {"annotations": annotations, "false_alarms": alarms}, said


def _boxes(rows: Sequence[dict[str, Any]]) -> Rows:
    """(N, 4) corners of COCO annotations."""
    xywh = np.array([a["bbox"] for a in rows], float).reshape(-1, 4)
    return np.c_[xywh[:, :2], xywh[:, :2] + xywh[:, 2:]]


def _xywh(box: Any) -> list[float]:
    return [round(float(v), 1) for v in (box[0], box[1], box[2] - box[0], box[3] - box[1])]


def _loose(
    inside: dict[Any, NDArray[np.int64]], rows: dict[Any, list[dict[str, Any]]], sources: dict[Any, str]
) -> set[str]:
    """Sources that draw whole heads."""
    faces, drawn = Counter[str](), Counter[str]()
    for key, which in inside.items():
        real = np.array([not a.get("iscrowd") for a in rows[key]], bool)
        faces[sources[key]] += int(real.sum())
        drawn[sources[key]] += int(((which >= 0) & real).sum())
    return {source for source, n in faces.items() if n and drawn[source] >= HEADS * n}


def _settle(
    rows: list[dict[str, Any]], look: Findings, inside: NDArray[np.int64], loose: bool, said: Counter[str]
) -> list[dict[str, Any]]:
    """The annotations of one picture, changed as the module says; `said` counts what was done."""
    tight_already = iou_matrix(_boxes(rows), look.agreed).max(1, initial=0) >= AGREED_IOU if rows else np.zeros(0, bool)
    for k, annotation in enumerate(rows):
        if annotation.get("iscrowd"):
            continue
        if inside[k] >= 0 and not tight_already[k]:
            annotation["bbox"] = _xywh(look.agreed[inside[k]])
            annotation["area"] = annotation["bbox"][2] * annotation["bbox"][3]
            said["heads drawn tight"] += 1
        elif loose and not tight_already[k]:
            annotation["iscrowd"] = 1
            said["heads ignored"] += 1
    unsettled = np.r_[look.agreed, look.alone]
    for box in unsettled[~near(unsettled, _boxes(rows))]:
        xywh = _xywh(box)
        rows.append({"category_id": 4, "bbox": xywh, "area": xywh[2] * xywh[3], "iscrowd": 1})
        said["unannotated places ignored"] += 1
    return rows
