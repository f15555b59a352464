"""An annotated picture, and how it is opened."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge.core import labels
from edge.core.errors import DataError
from edge.core.plain_text import plain
from edge.core.records import Image
from edge.vision import pictures

NAMES = {name: number for number, name in enumerate(labels.CATEGORIES, 1)}
"""Category -> its number; a box that is not a face is always `ignored` too."""
WITH_MASK, WITHOUT_MASK, INCORRECTLY_WORN, FACE, NOT_A_FACE = NAMES.values()
IGNORE = 0
"""Meaning of a class that is ignored."""
MOST = 1_000_000
"""Pixels: the longest side of a picture, and the largest coordinate of a box."""


@dataclass(frozen=True, eq=False)
class Annotated:
    """One picture and its boxes."""

    path: Path
    boxes: NDArray[np.float32]
    """(N, 4) x0, y0, x1, y1 in pixels; zeros if the picture is `whole`."""
    categories: NDArray[np.int64]
    """(N,) numbers from `NAMES`."""
    ignored: NDArray[np.bool_]
    """(N,) True for a region to ignore."""
    source: str = ""
    cluster: str = ""
    split: str = ""
    """"train", "val", or "" if the data does not say."""
    size: tuple[int, int] | None = None
    """Width and height in the annotations, if they are there."""
    whole: bool = False
    """The whole picture is one face: a folder per class has no boxes."""
    lone: bool = False
    """Only this one face of the picture is annotated: other detections are neither right nor wrong."""
    where: str = ""
    """File and entry of the annotation, for messages."""
    attributes: tuple[frozenset[str], ...] = ()
    """Attributes of each of the N boxes ("beard", "occluded"); empty if no box has any."""
    scores: tuple[float, ...] = ()
    """Of the detector that drew the N boxes, 0..1; empty where a person did."""


def opened(truth: Annotated) -> tuple[Annotated, Image]:
    """The pixels, and the annotation with the box of a `whole` picture filled in.

    Raises DataError if the picture cannot be read or is not the one that was annotated.
    """
    image = pictures.read(truth.path)
    height, width = image.shape[:2]
    if truth.size and max(abs(truth.size[0] - width), abs(truth.size[1] - height)) > 1:
        said = f"{truth.path}: is {width} x {height}, the annotation says {truth.size[0]} x {truth.size[1]}"
        turned = abs(truth.size[0] - height) <= 1 and abs(truth.size[1] - width) <= 1
        remedy = (
            "it was annotated without its EXIF turn: take that away (exiftool -Orientation= FILE) and turn nothing"
            if turned
            else "annotate these pictures, or bring back those that were annotated"
        )
        raise DataError(f"{said}: {remedy}")
    if truth.whole:
        truth = replace(truth, boxes=np.array([[0, 0, width, height]], np.float32))
    return truth, image


@dataclass
class Skipped:
    """The pictures of a set that could not be used, with the reasons."""

    total: int = 0
    reasons: list[tuple[Path, str]] = field(default_factory=list)

    def __str__(self) -> str:
        if not self.reasons:
            return ""
        return f"skipped {len(self.reasons)} of {self.total} pictures, the first is {plain(self.reasons[0][1])}"


def each(truths: Iterable[Annotated], skipped: Skipped) -> Iterator[tuple[Annotated, Image]]:
    """Yields `opened` of each picture; those that cannot be used go into `skipped`. Raises DataError if none can."""
    for truth in truths:
        skipped.total += 1
        try:
            yield opened(truth)
        except DataError as error:
            skipped.reasons.append((truth.path, str(error)))
    if skipped.total and skipped.total == len(skipped.reasons):
        raise DataError(f"none of the {skipped.total} pictures can be used; the first: {skipped.reasons[0][1]}")
