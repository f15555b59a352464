"""`maskcam-train crops`: what a detector finds in annotated scenes, as a table that teaches the classifier.

On a device the classifier is asked about the boxes of a detector, and says "not a face" of some. So it learns from such
boxes: places where the detector sees a face and none is, and faces as the detector draws them where it doubts, which
is less tidy than annotations are. Each scene is looked at as it is, and again turned and badly lit, where a detector
doubts more often. The table has the detector's scores, for `train.classifier.beside_detector`.
"""

from __future__ import annotations

import csv
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.core.errors import DataError
from edge.core.geometry import Box, iou_matrix
from edge.core.labels import CLASSIFIER_LABELS, NOT_A_FACE
from edge.core.progress import track
from edge.core.records import Image
from edge.evaluation import formats
from edge.evaluation.annotated import NAMES, Annotated, Skipped, each
from edge.evaluation.formats.crops_table import NEEDED
from edge.evaluation.runner import NAMED_FROM
from edge.vision.preprocess import PADDING
from train.augmentation import photometric
from train.data import dataset
from train.settle.agreement import TEACHER_DOUBTS, near
from train.settle.teachers import Finder, Rows, of_bundle, opened

LOWEST = NAMED_FROM
"""Score from which a box is taken."""
SURE = 0.9
"""A face of the scene as it is with a higher score is not taken: its annotation shows the classifier the same."""
FOUND_IOU = 0.4
SMALLEST = 8.0
"""Pixels of the shorter side of a box."""
LONGEST = 224
"""Pixels of the longer side of a face on disk: twice the input of the classifier."""
LOOKS = 2
"""At each scene."""
TURN, SCALE = (12.0, 45.0), (0.75, 1.0)
"""Degrees and scale of the looks after the first."""
COLUMNS = (*NEEDED, "source", "cluster", "split", "score")


def run(paths: Sequence[Path], out: Path, bundle: Path | None, teachers: Sequence[Path], looks: int = LOOKS) -> None:
    """Writes `out`/crops.csv with the pictures in `out`/images, and prints how often it took what.

    paths: scenes whose every face is annotated or ignored. teachers: see `train.settle.annotations.run`; may be empty.
    looks: at each scene, the first at it as it is, the others at it turned and badly lit.
    Raises DataError, BundleError.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise DataError(f"--out {out}: exists already; expected a new folder, so that nothing in it is lost")
    scenes = [scene for path in paths for scene in formats.read(path)]
    if any(scene.lone or scene.whole for scene in scenes):
        raise DataError(f"{paths[0]}: single faces; expected whole scenes whose every face has a box")
    doubts, find = opened(teachers), of_bundle(bundle, LOWEST)
    cv2.setNumThreads(1)  # small networks in turn: threads would wait for one another
    out.parent.mkdir(parents=True, exist_ok=True)
    skipped = Skipped()
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=".crops-") as temporary:
        folder = Path(temporary) / "crops"
        (folder / "images").mkdir(parents=True)
        counts = Counter[str]()
        with (folder / "crops.csv").open("w", encoding="utf-8", newline="") as table:
            writer = csv.writer(table, lineterminator="\n")
            writer.writerow(COLUMNS)
            for number, (scene, image) in enumerate(each(track(scenes, "looking"), skipped)):
                patches = found(scene, image, find, doubts, np.random.default_rng(number), looks)
                for k, patch in enumerate(patches):
                    name = f"{number:06d}-{k:02d}.jpg"
                    _write(folder / "images" / name, patch.image)
                    writer.writerow(_row(name, patch))
                    counts[patch.sample.label] += 1
        folder.rename(out)
    said = ", ".join(f"{counts[label]} {label}" for label in CLASSIFIER_LABELS if counts[label]) or "nothing"
    print("\n".join(filter(None, [str(skipped), f"{out / 'crops.csv'}: {said}"])))


def _write(path: Path, image: Image) -> None:
    bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    path.write_bytes(cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, 95])[1].tobytes())


def _row(name: str, patch: dataset.Patch) -> list[str | float]:
    box, sample = patch.box, patch.sample
    corners = [round(v, 2) for v in (box.x0, box.y0, box.x1, box.y1)]
    return [name, sample.label, *corners, sample.source, sample.cluster, sample.split, round(sample.score, 4)]


def found(
    scene: Annotated,
    image: Image,
    find: Finder,
    teachers: Sequence[Finder],
    rng: np.random.Generator,
    looks: int = LOOKS,
) -> Iterator[dataset.Patch]:
    """The faces and things of one scene (RGB) that are worth a row, each with its surroundings."""
    doubtful = np.zeros((0, 4))
    for teacher in teachers:
        rows = teacher(image)
        doubtful = np.r_[doubtful, rows[rows[:, 4] >= TEACHER_DOUBTS, :4]]
    for look in range(looks):
        picture, matrix = altered(image, rng) if look else (image, None)
        sure = 1.0 if look else SURE
        boxes, places = (moved(rows, matrix) for rows in (scene.boxes.astype(float), doubtful))
        for row, label in taken(find(picture), replace(scene, boxes=boxes.astype(np.float32)), places, sure):
            sample = dataset.Sample(
                scene.path,
                Box(*row[:4].tolist()),
                label,
                f"found-{scene.source}",
                scene.cluster,
                scene.split,
                score=float(row[4]),
            )
            patch = dataset.cut(picture, sample)
            if patch:
                yield dataset.shrunk(patch, LONGEST)


def taken(rows: Rows, scene: Annotated, doubtful: Rows, sure: float) -> Iterator[tuple[NDArray[np.float64], str]]:
    """Which of a detector's `rows` (N, 5) are worth showing, each with its label.

    A face: its mask state is known, and its score is at most `sure`. A thing: nothing annotated or `doubtful` (M, 4)
    is near.
    """
    names = {number: name for name, number in NAMES.items()}
    overlap = iou_matrix(rows, scene.boxes)
    alone = ~near(rows, np.r_[scene.boxes, doubtful])
    for row, overlaps, thing in zip(rows, overlap, alone, strict=True):
        if min(row[2] - row[0], row[3] - row[1]) < SMALLEST or row[4] < LOWEST:
            continue
        if thing:
            yield row, NOT_A_FACE
        elif overlaps.max(initial=0) >= FOUND_IOU and row[4] <= sure:
            k = int(overlaps.argmax())
            label = names[int(scene.categories[k])]
            if not scene.ignored[k] and label in CLASSIFIER_LABELS:
                yield row, label


def altered(image: Image, rng: np.random.Generator) -> tuple[Image, NDArray[np.float64]]:
    """The picture turned, scaled and lit in another way, and the affine matrix (2, 3) that moved its pixels."""
    height, width = image.shape[:2]
    angle, scale = rng.choice([-1, 1]) * rng.uniform(*TURN), rng.uniform(*SCALE)
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), float(angle), float(scale))
    turned = cv2.warpAffine(image, matrix, (width, height), borderValue=(PADDING, PADDING, PADDING))
    return photometric.jitter(turned, rng), matrix  # type: ignore[arg-type,return-value]


def moved(boxes: Rows, matrix: NDArray[np.float64] | None) -> Rows:
    """`boxes` (N, 4) after `matrix`: a turned face is as wide and high as before, about its new middle."""
    if matrix is None:
        return boxes
    middles = (boxes[:, :2] + boxes[:, 2:]) / 2 @ matrix[:, :2].T + matrix[:, 2]
    half = (boxes[:, 2:] - boxes[:, :2]) / 2 * float(np.hypot(*matrix[0, :2]))
    return np.c_[middles - half, middles + half]
