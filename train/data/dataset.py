"""Labelled faces: the data sets of `edge.evaluation.formats` become `Sample`s; `decode` reads their pixels once.

A folder per class knows no boxes, so the whole picture is the face. Faces of unknown mask state and regions to ignore
are no samples. Where a set says how it is split or which pictures belong together (`cluster`), that is kept.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge.core.errors import DataError
from edge.core.geometry import Box
from edge.core.labels import CLASSIFIER_LABELS, INCORRECTLY_WORN, NOT_A_FACE, WITH_MASK, WITHOUT_MASK
from edge.core.progress import track
from edge.core.records import Image
from edge.evaluation import formats
from edge.evaluation.annotated import NAMES, Annotated, opened
from edge.vision import pictures as files
from edge.vision.preprocess import resize
from train.data.shelf import keep

NOTHING = np.zeros((0, 4), np.float32), np.zeros(0, np.int64), np.zeros(0, bool)
"""No boxes, categories and regions to ignore."""
NOSES = {"left": "nose_left", "right": "nose_right"}
"""Side of the picture that a head in profile looks to -> attribute of its annotation."""
EVEN = 0.5
"""Score of a box that no detector drew: it speaks neither for a face nor against one."""
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
    size: tuple[int, int] | None = None
    """Width and height of the picture as the annotations say, where they do."""
    nose: str = ""
    """"left" or "right" where the annotations say that the head is seen from the side; else ""."""
    score: float = EVEN
    """Of the detector that drew the box."""


@dataclass(frozen=True, slots=True, eq=False)
class Patch:
    """A decoded face with its surroundings, ready for `edge.vision.preprocess.crop`."""

    sample: Sample
    image: Image
    box: Box
    """Pixels of `image`."""
    side: float
    """Longer side of the face in pixels of the picture as it was stored."""


def read(path: Path, renamed: Mapping[str, str] | None = None, things: bool = False) -> list[Sample]:
    """Samples of a data set in any format of `edge.evaluation.formats`. Raises DataError.

    `renamed`, `things`: see `formats.read`.
    """
    samples = of_pictures(formats.read(path, renamed, things))
    if not samples:
        raise DataError(f"{path}: no labelled face in it; expected labels {', '.join(CLASSIFIER_LABELS)}")
    return samples


def of_pictures(pictures: Iterable[Annotated]) -> list[Sample]:
    """The faces whose mask state is known."""
    labels = {number: name for name, number in NAMES.items()}
    return [
        Sample(
            p.path,
            None if p.whole else Box(*box),
            labels[category],
            p.source or p.path.parent.parent.resolve().name,
            p.cluster,
            p.split,
            p.size,
            next((side for side, name in NOSES.items() if name in said), ""),
            score,
        )
        for p in pictures
        for box, category, ignored, said, score in zip(
            p.boxes.tolist(),
            p.categories.tolist(),
            p.ignored.tolist(),
            p.attributes or [frozenset()] * len(p.boxes),
            p.scores or [EVEN] * len(p.boxes),
            strict=True,
        )
        if labels[category] in CLASSIFIER_LABELS and (not ignored or labels[category] == NOT_A_FACE)
    ]


def picture(path: Path) -> Image | None:
    """The pixels as `edge.vision.pictures.read` gives them; None if there are none to be had.

    Raises DataError for a Git-LFS pointer: then the whole set is pointers, and skipping it would hide that.
    """
    return picture_of(Annotated(path, *NOTHING))


def picture_of(scene: Annotated) -> Image | None:
    """The same for an annotated picture; None also if it is not the one that was annotated."""
    try:
        return opened(scene)[1]
    except DataError as error:
        if "Git-LFS" in str(error):
            raise
        return None


def decode(samples: Sequence[Sample]) -> tuple[list[Patch], dict[Path, str]]:
    """Patches of `samples`, and the pictures that were skipped, each with the reason.

    Every picture is decoded once. Raises DataError where none can be used.
    """
    by_path: dict[Path, list[Sample]] = {}
    for sample in samples:
        by_path.setdefault(sample.path, []).append(sample)
    patches, skipped = [], {}
    for path, faces in track(by_path.items(), "reading"):
        try:
            image = opened(Annotated(path, *NOTHING, size=faces[0].size))[1]
        except DataError as error:
            if "Git-LFS" in str(error):
                raise
            skipped[path] = str(error)
            continue
        found = (cut(image, face) for face in faces)
        patches += [replace(patch, image=keep(patch.image)) for patch in found if patch is not None]
    if not patches:
        first = next(iter(skipped.values()), f"{samples[0].path}: its boxes lie outside of it")
        raise DataError(f"none of {len(by_path)} pictures can be used; the first: {first}")
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
    return replace(patch, image=keep(small), box=patch.box.scaled(k))


def backgrounds(path: Path, count: int, seed: int, renamed: Mapping[str, str] | None = None) -> list[Sample]:
    """Up to `count` places of a COCO file's pictures where nobody annotated a face, as samples of `not_a_face`.

    A place touches no annotated face, ignored ones included. A face that nobody annotated can be hit; of a few
    hundred places that is one or two. The picture keeps its cluster and split. Raises DataError.
    """
    rng, found = np.random.default_rng(seed), []
    pictures = formats.read(path, renamed, things=True)
    for k in rng.permutation(len(pictures))[:count]:
        picture = pictures[k]
        try:
            columns, rows = files.size(picture.path)
        except DataError:
            continue  # `decode` says which pictures are missing or damaged
        place = _free_place(columns, rows, picture.boxes, rng)
        if place:
            found.append(Sample(picture.path, place, NOT_A_FACE, "background", picture.cluster, picture.split))
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
    """Place of each face's label in `labels`: (N,). Incorrectly worn is bare for a network that does not tell."""
    places = {INCORRECTLY_WORN: labels.index(WITHOUT_MASK)} | {label: k for k, label in enumerate(labels)}
    return np.array([places[p.sample.label] for p in patches], np.int64)


def require_both(samples: Sequence[Sample], part: str) -> None:
    """Raises DataError unless masked and bare faces stand in `samples`."""
    counts, both = Counter(s.label for s in samples), (WITH_MASK, WITHOUT_MASK)
    if not all(counts[label] for label in both):
        said = ", ".join(f"{counts[label]} {label}" for label in both)
        raise DataError(f"{part}: {said} pictures; both classes are needed, give more --data")
