"""`maskcam-train settle`: one style of box, and every face annotated or ignored, before a training reads them.

Sets annotate anything from a tight face to a whole head, and no crowd to its last face. Both teach a detector what is
wrong. Here two detectors that were trained by others (the teachers) and the one of a bundle look at every picture:

- a face on which they agree inside a box of a whole head takes the place of that box;
- in a source that mostly draws whole heads, a head in which they agree on nothing is ignored;
- a place that nobody annotated is ignored when one of the three is sure of a face there. Of 60 such faces on which two
  agreed, looked at one by one, ten were hands, sleeves and dogs: good enough to ignore, not to teach;
- what only the bundle sees, and no teacher even doubts, is a false alarm.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from edge.backends import tflite
from edge.core.errors import DataError
from edge.core.geometry import iou_matrix
from edge.core.records import Image
from edge.evaluation import coco
from edge.vision import bundle as bundles
from edge.vision.detector import FaceDetector
from train import data

Rows = NDArray[np.float64]
Finder = Callable[[Image], Rows]
"""RGB picture -> rows (N, 5): x0, y0, x1, y1, score."""
AGREED_IOU = 0.5
TEACHER_SURE, OWN_SURE, OWN_SEES = 0.5, 0.5, 0.25
"""Scores from which a teacher's face counts, and one of the bundle's; from the last a false alarm is worth showing."""
TEACHER_DOUBTS = 0.12
"""A teacher that says at least this of a place does not call it empty."""
INSIDE, SHARE = 0.85, (0.1, 0.62)
"""How much of a face must lie in a box, and which share of that box it may be, for the box to be a head."""
HEADS = 0.25
"""A source that draws at least this share of its faces as heads is one of whole heads."""
NEARBY = 0.3
"""A face that overlaps an annotated one by more (IoU), or lies mostly in it, is that one."""


def yunet(path: Path, side: int = 640) -> Finder:
    """OpenCV's FaceDetectorYN (MIT), the longer side of the picture scaled to `side` pixels."""
    net = cv2.FaceDetectorYN.create(str(path), "", (side, side), 0.05, 0.4, 5000)

    def find(image: Image) -> Rows:
        k = side / max(image.shape[:2])
        small = cv2.resize(image, None, fx=k, fy=k, interpolation=cv2.INTER_AREA if k < 1 else cv2.INTER_LINEAR)
        net.setInputSize((small.shape[1], small.shape[0]))
        found = net.detect(cv2.cvtColor(small, cv2.COLOR_RGB2BGR))[1]
        if found is None:
            return np.zeros((0, 5))
        return np.c_[found[:, :2] / k, (found[:, :2] + found[:, 2:4]) / k, found[:, 14]]

    return find


def ultralight(path: Path) -> Finder:
    """Linzaer's RFB-640 for masked faces (MIT): input 640 x 480, (pixel - 127) / 128, any class but the background."""
    net = cv2.dnn.readNetFromONNX(str(path))

    def find(image: Image) -> Rows:
        h, w = image.shape[:2]
        net.setInput(cv2.dnn.blobFromImage(image, 1 / 128, (640, 480), (127, 127, 127)))
        scores, boxes = net.forward(["scores", "boxes"])
        best, boxes = scores[0, :, 1:].max(1), boxes[0] * [w, h, w, h]
        boxes, best = boxes[best > 0.05], best[best > 0.05]
        if not len(best):
            return np.zeros((0, 5))
        sides = np.c_[boxes[:, :2], boxes[:, 2:] - boxes[:, :2]]
        kept = np.array(cv2.dnn.NMSBoxes(sides.tolist(), best.tolist(), 0.0, 0.4)).reshape(-1).astype(int)
        return np.c_[boxes[kept], best[kept]]

    return find


def own(folder: Path | None) -> Finder:
    """The detector of a bundle (None: the shipped one) with tight boxes: what publishing added is taken off."""
    bundle = bundles.load(folder)
    engine = tflite.open(bundle, "detector", 1)
    detector = FaceDetector(engine, bundle.detector, threshold=0.05)
    grown = bundle.training.get("boxes", {}).get("growth", (0.0, 0.0, 0.0, 0.0))

    def find(image: Image) -> Rows:
        rows = detector.rows(image)
        return np.c_[tight(rows[:, :4], grown), rows[:, 4]]

    return find


def tight(boxes: Rows, grown: Sequence[float]) -> Rows:
    """`boxes` (N, 4) before their left, top, right and bottom edge moved out by shares `grown` of the sides."""
    left, top, right, bottom = grown
    side = (boxes[:, 2:] - boxes[:, :2]) / np.array([1 + left + right, 1 + top + bottom])
    low = boxes[:, :2] + side * [left, top]
    return np.c_[low, low + side]


def both(a: Rows, b: Rows) -> tuple[Rows, set[int], set[int]]:
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


class Looked:
    """What the detectors say of one picture: faces of which two are sure, places that one is sure of, false alarms."""

    def __init__(self, mine: Rows, teachers: Sequence[Rows]) -> None:
        sure = [t[t[:, 4] >= TEACHER_SURE] for t in teachers]
        agreed = [both(mine[mine[:, 4] >= OWN_SEES], t)[0] for t in sure] + [both(*sure)[0]]
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


def heads(boxes: Rows, agreed: Rows) -> NDArray[np.int64]:
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


def run(path: Path, out: Path, teachers: Sequence[Path], bundle: Path | None, trusted: Sequence[str]) -> None:
    """Reads the COCO file `path`, writes the settled one to `out`, and prints what was changed how often.

    `teachers`: the ONNX files of YuNet and of Ultra-Light RFB-640. `trusted`: sources whose annotations stay as they
    are; only false alarms are listed for them. Raises DataError.
    """
    for teacher in teachers:
        if not teacher.is_file():
            raise DataError(
                f"--teacher {teacher}: no such file; expected YuNet's ONNX file, then Ultra-Light RFB-640's"
            )
    coco.read(path)  # refuses what is no annotation with the reason
    cv2.setNumThreads(1)  # three small networks in turn: threads would wait for one another
    found = [make(teacher) for make, teacher in zip((yunet, ultralight), teachers, strict=True)]
    result, said = settled(json.loads(path.read_text()), path.parent / "images", own(bundle), found, trusted)
    out.write_text(json.dumps(result))
    print(f"{out}: " + ", ".join(f"{n} {what}" for what, n in sorted(said.items())))


def settled(
    annotated: dict[str, Any], images: Path, mine: Finder, teachers: Sequence[Finder], trusted: Sequence[str]
) -> tuple[dict[str, Any], Counter[str]]:
    """The annotations as the training should read them, with the list `false_alarms`; and how often what was done."""
    rows: dict[Any, list[dict[str, Any]]] = defaultdict(list)
    for annotation in annotated["annotations"]:
        rows[annotation["image_id"]].append(annotation)
    looks, said = {}, Counter[str]()
    for entry in tqdm(annotated["images"], "two teachers look", mininterval=10):
        image = data.picture(images / entry["file_name"])
        if image is None:
            said["pictures that cannot be read"] += 1
            continue
        looks[entry["id"]] = Looked(mine(image), [teacher(image) for teacher in teachers])
    if not looks:
        raise DataError(f"{images}: none of {len(annotated['images'])} pictures can be read")
    sources = {entry["id"]: entry.get("source", "") for entry in annotated["images"]}
    inside = {key: heads(_boxes(rows[key]), look.agreed) for key, look in looks.items()}
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
    rows: list[dict[str, Any]], look: Looked, inside: NDArray[np.int64], loose: bool, said: Counter[str]
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
