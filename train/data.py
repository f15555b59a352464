"""Labelled faces: a folder per class, COCO or crops.csv become `Sample`s; `decode` reads their pixels once.

A folder per class knows no boxes, so the whole picture is the face. COCO categories go by their names;
faces of unknown mask state and `iscrowd` boxes are no samples. Where a set says how it is split (`train.json`
beside `val.json`, the column `split`) or which pictures belong together (`cluster`), that is kept.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pictures
from PIL import ImageOps, UnidentifiedImageError

from edge.core.errors import DataError
from edge.core.geometry import Box
from edge.core.labels import CLASSIFIER_LABELS, INCORRECTLY_WORN, NOT_A_FACE, WITH_MASK, WITHOUT_MASK
from edge.core.records import Image
from edge.evaluation import coco
from edge.vision.bundle import LFS_POINTER
from edge.vision.preprocess import resize

SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".webp"}
SURROUNDINGS = 0.65
"""Kept around a face, in sides of its box: enough for a margin of 0.35, a shift and a turn."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One labelled face of one picture."""

    path: Path
    box: Box | None
    """Pixels of the picture; None: the whole picture is the face."""
    label: str
    source: str
    cluster: str = ""
    """Pictures of one cluster are near-duplicates; "" where the data does not say."""
    split: str = ""
    """"train", "val", or "" where the data does not say."""


@dataclass(frozen=True, slots=True, eq=False)
class Patch:
    """A decoded face with its surroundings, ready for `edge.vision.preprocess.crop`."""

    sample: Sample
    image: Image
    box: Box
    """Pixels of `image`."""
    side: float
    """Longer side of the face in pixels of the picture as it was stored."""


def read(path: Path) -> list[Sample]:
    """Samples of a folder per class, a COCO .json or a crops .csv. Raises DataError."""
    if not path.exists():
        raise DataError(
            f"--data {path}: no such file or folder; expected a folder per class, a COCO .json or crops.csv"
        )
    try:
        if path.is_dir():
            samples = _folders(path)
        elif path.suffix == ".json":
            samples = _coco(path)
        elif path.suffix == ".csv":
            samples = _crops(path)
        else:
            raise DataError(f"--data {path}: expected a folder per class, a COCO .json or crops.csv")
    except (KeyError, TypeError, ValueError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"--data {path}: not readable as {path.suffix or 'folder'} ({error!r})") from error
    if not samples:
        raise DataError(f"--data {path}: no labelled face in it; expected labels {', '.join(CLASSIFIER_LABELS)}")
    return samples


def _folders(root: Path) -> list[Sample]:
    """`root`/with_mask/*.jpg, `root`/without_mask/*.jpg."""
    if (root / "crops.csv").is_file():
        return _crops(root / "crops.csv")
    folders = [root / label for label in CLASSIFIER_LABELS if (root / label).is_dir()]
    if not folders:
        raise DataError(f"--data {root}: expected the folders with_mask and without_mask (or crops.csv) in it")
    return [
        Sample(file, None, folder.name, root.resolve().name)
        for folder in folders
        for file in sorted(folder.rglob("*"))
        if file.suffix.lower() in SUFFIXES
    ]


def _coco(path: Path) -> list[Sample]:
    split = _split_of(path)
    labels = {number: name for name, number in coco.NAMES.items()}
    return [
        Sample(p.path, Box(*box), labels[category], p.source or path.parent.resolve().name, p.cluster, split)
        for p in coco.read(path)
        for box, category, ignored in zip(p.boxes.tolist(), p.categories.tolist(), p.ignored.tolist(), strict=True)
        if labels[category] in CLASSIFIER_LABELS and not ignored
    ]


def _split_of(path: Path) -> str:
    return next((s for s in ("train", "val") if path.stem.startswith(s)), "")


def _crops(path: Path) -> list[Sample]:
    """Columns file, label, x0, y0, x1, y1 and, as far as known, box (found or whole), source, cluster, split."""
    samples = []
    with path.open(newline="", encoding="utf-8") as lines:
        for row in csv.DictReader(lines):
            if row["label"] not in CLASSIFIER_LABELS:
                continue
            box = Box(*(float(row[k]) for k in ("x0", "y0", "x1", "y1")))
            samples.append(
                Sample(
                    path.parent / "images" / row["file"],
                    None if row.get("box") == "whole" else box,
                    row["label"],
                    row.get("source") or path.parent.resolve().name,
                    row.get("cluster") or "",
                    row.get("split") or "",
                )
            )
    return samples


def picture(path: Path) -> Image | None:
    """The pixels, RGB uint8 (H, W, 3), turned as the camera's EXIF says; None if damaged or truncated.

    Pillow and not OpenCV: OpenCV fills the missing part of a truncated JPEG with grey and only warns.
    Raises DataError for a Git-LFS pointer: then the whole set is pointers, and skipping it would hide that.
    """
    try:
        if path.stat().st_size < 1024 and path.read_bytes().startswith(LFS_POINTER):
            raise DataError(f"{path}: a Git-LFS pointer, not a picture; fetch the pictures with 'git lfs pull'")
        with Pictures.open(path) as opened:
            return np.asarray(ImageOps.exif_transpose(opened).convert("RGB"))
    except (UnidentifiedImageError, OSError, SyntaxError) as error:
        if isinstance(error, DataError):
            raise
        return None


def decode(samples: Sequence[Sample]) -> tuple[list[Patch], list[Path]]:
    """Patches of `samples`, and the pictures that were skipped because they are missing or damaged.

    Every picture is decoded once. Raises DataError where none can be used.
    """
    by_path: dict[Path, list[Sample]] = {}
    for sample in samples:
        by_path.setdefault(sample.path, []).append(sample)
    patches, skipped = [], []
    for path, faces in by_path.items():
        image = picture(path)
        if image is None:
            skipped.append(path)
        else:
            found = (cut(image, face) for face in faces)
            patches += [patch for patch in found if patch is not None]
    if not patches:
        raise DataError(f"{samples[0].path.parent}: none of {len(by_path)} pictures can be read; are they JPEG or PNG?")
    return patches, skipped


def cut(image: Image, sample: Sample) -> Patch | None:
    """The patch of one face; None if its box has no pixel inside the picture."""
    rows, columns = image.shape[:2]
    box = sample.box or Box(0, 0, columns, rows)
    if box.clipped(columns, rows).area < 1:
        return None
    outer = box.square(SURROUNDINGS).clipped(columns, rows)
    left, top = int(outer.x0), int(outer.y0)
    part = image[top : int(np.ceil(outer.y1)), left : int(np.ceil(outer.x1))]
    return Patch(sample, np.ascontiguousarray(part), box.moved(-left, -top), max(box.width, box.height))


def shrunk(patch: Patch, longest: int) -> Patch:
    """The same patch with a face of at most `longest` pixels: training has no use for more, and is faster."""
    k = longest / max(patch.box.width, patch.box.height)
    if k >= 1:
        return patch
    rows, columns = patch.image.shape[:2]
    small = resize(patch.image, max(round(columns * k), 1), max(round(rows * k), 1))
    return replace(patch, image=small, box=patch.box.scaled(k))


def backgrounds(path: Path, count: int, seed: int) -> list[Sample]:
    """Up to `count` places of a COCO file's pictures where nobody annotated a face, as samples of `not_a_face`.

    A place touches no annotated face, ignored ones included. A face that nobody annotated can be hit; of a few
    hundred places that is one or two. The picture keeps its cluster and split. Raises DataError.
    """
    rng, split, found = np.random.default_rng(seed), _split_of(path), []
    pictures = coco.read(path)
    for k in rng.permutation(len(pictures))[:count]:
        picture = pictures[k]
        try:
            with Pictures.open(picture.path) as opened:
                columns, rows = ImageOps.exif_transpose(opened).size
        except (UnidentifiedImageError, OSError, SyntaxError):
            continue  # `decode` says which pictures are missing or damaged
        place = _free_place(columns, rows, picture.boxes, rng)
        if place:
            found.append(Sample(picture.path, place, NOT_A_FACE, "background", picture.cluster, split))
    return found


def _free_place(columns: int, rows: int, boxes: NDArray[np.float32], rng: np.random.Generator) -> Box | None:
    """A box in the shape of a face that touches none of `boxes` (N, 4); None if a few tries find none."""
    for _ in range(20):
        height = float(np.exp(rng.uniform(np.log(16), np.log(max(min(columns, rows) / 2, 17)))))
        width = height * rng.uniform(0.7, 1)
        x, y = rng.uniform(0, max(columns - width, 1)), rng.uniform(0, max(rows - height, 1))
        apart = (boxes[:, 0] >= x + width) | (boxes[:, 2] <= x) | (boxes[:, 1] >= y + height) | (boxes[:, 3] <= y)
        if apart.all():
            return Box(x, y, x + width, y + height)
    return None


def truth(patches: Sequence[Patch], labels: Sequence[str]) -> NDArray[np.int64]:
    """Place of each face's label in `labels`: (N,). A mask worn wrongly is bare for a network that does not tell."""
    places = {INCORRECTLY_WORN: labels.index(WITHOUT_MASK)} | {label: k for k, label in enumerate(labels)}
    return np.array([places[p.sample.label] for p in patches], np.int64)


def require_both(samples: Sequence[Sample], part: str) -> None:
    """Raises DataError unless masked and bare faces stand in `samples`."""
    counts, both = Counter(s.label for s in samples), (WITH_MASK, WITHOUT_MASK)
    if not all(counts[label] for label in both):
        said = ", ".join(f"{counts[label]} {label}" for label in both)
        raise DataError(f"{part}: {said} pictures; both classes are needed, give more --data")
