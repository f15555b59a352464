"""Slices of a set of annotated pictures that get figures of their own.

They are made by size of the face, by colour and light of the picture, for faces turned aside, by the look of the mask,
and by the attributes in the annotations.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from edge.core.geometry import iou_matrix
from edge.core.records import Image
from edge.evaluation.coco import WITH_MASK, Annotated

Rows = NDArray[np.float64]
SIZES = ((12, 24), (24, 48), (48, 96), (96, float("inf")))
"""Shorter side of a face in pixels of the picture: from (inclusive), to (exclusive)."""
DARK = 60
"""Mean brightness, of 255, below which a picture is dark."""
TURNED = 0.66
"""Width over height of a tight box below which a head is turned aside; of frontal faces 0.75 is usual."""
LARGE_ENOUGH = 24
"""Least height of a face, in pixels, for judging its outline and the look of its mask."""
BLACK, COLOURFUL, PATTERNED, SURGICAL = 70, 45, 30, 16
"""On a scale of 255: mean brightness below which a mask is dark; range of the mean colour from which a warm one is
coloured; standard deviation of the colour from which it is patterned; by how much a surgical one is more blue than red.
Chosen by inspecting 595 masked faces: half of "coloured or patterned" are plain masks beside skin; nine in ten of the
others are what their name says."""


def of_sizes(low: float, high: float) -> str:
    """The name of a slice in `SIZES`."""
    return f"{low} px and more" if high == float("inf") else f"{low}-{high} px"


def of(truth: Annotated, image: Image, rows: Rows, overlap: float) -> Iterator[tuple[str, Annotated, Rows]]:
    """The slices that a picture (RGB) belongs to: name, annotations, rows (N, 6) that count in it.

    In a slice by size the other faces are ignored, and so are rows of another size that match no face of the slice
    with an IoU of `overlap`, as COCO does for its area ranges.
    """
    sides = (truth.boxes[:, 2:] - truth.boxes[:, :2]).min(1, initial=np.inf)
    own = (rows[:, 2:4] - rows[:, :2]).min(1, initial=np.inf)
    for low, high in SIZES:
        inside = (sides >= low) & (sides < high)
        if (inside & ~truth.ignored).any():
            on = iou_matrix(rows, truth.boxes[inside]).max(1, initial=0) >= overlap
            keep = on | (own >= low) & (own < high)
            yield of_sizes(low, high), replace(truth, ignored=truth.ignored | ~inside), rows[keep]
    yield from _faces("turned aside", turned_aside(truth), truth, rows, overlap)
    readable = _readable(truth)
    looks = np.array(
        [
            look(image, box) if wanted else ""
            for box, wanted in zip(truth.boxes, readable & (truth.categories == WITH_MASK), strict=True)
        ]
    )
    for name in LOOKS:
        yield from _faces(f"{name} mask", looks == name, truth, rows, overlap)
    for name in sorted(frozenset().union(*truth.attributes)):
        chosen = np.array([name in said for said in truth.attributes]) & ~truth.ignored
        yield from _faces(f"attribute {name}", chosen, truth, rows, overlap)
    sample = image[::4, ::4].astype(np.int16)
    grey = np.abs(sample - sample.mean(2, keepdims=True)).mean() < 2
    yield "grey" if grey else "colour", truth, rows
    if sample.mean() < DARK:
        yield "dark", truth, rows


def turned_aside(truth: Annotated) -> NDArray[np.bool_]:
    """Which of the annotated faces (N,) are turned aside: those with narrow boxes that are large enough to tell."""
    width, height = (truth.boxes[:, 2:] - truth.boxes[:, :2]).T
    narrow: NDArray[np.bool_] = _readable(truth) & (width < TURNED * height)
    return narrow


def _readable(truth: Annotated) -> NDArray[np.bool_]:
    readable: NDArray[np.bool_] = ~truth.ignored & (truth.boxes[:, 3] - truth.boxes[:, 1] >= LARGE_ENOUGH)
    return readable


def _faces(
    name: str, chosen: NDArray[np.bool_], truth: Annotated, rows: Rows, overlap: float
) -> Iterator[tuple[str, Annotated, Rows]]:
    """A slice of the `chosen` faces alone; rows that match none of them are dropped."""
    if chosen.any():
        on = iou_matrix(rows, truth.boxes[chosen]).max(1, initial=0) >= overlap
        yield name, replace(truth, ignored=truth.ignored | ~chosen), rows[on]


LOOKS = ("dark", "blue or green", "white or grey", "coloured or patterned")


def look(image: Image, box: NDArray[np.float32]) -> str:
    """One of `LOOKS`, from the lower middle of the masked face `box` (x0, y0, x1, y1) in RGB; "" if out of view."""
    (x0, y0, x1, y1), (height, width) = box, image.shape[:2]
    top, bottom = (int(np.clip(y0 + k * (y1 - y0), 0, height)) for k in (0.58, 0.9))
    left, right = (int(np.clip(x0 + k * (x1 - x0), 0, width)) for k in (0.25, 0.75))
    cloth = image[top:bottom, left:right].reshape(-1, 3).astype(float)
    if not len(cloth):
        return ""
    red, green, blue = cloth.T
    mean = cloth.mean(0)
    varied = np.hypot((red - green).std(), ((red + green) / 2 - blue).std()) >= PATTERNED
    if mean.mean() < BLACK and not varied:
        return "dark"
    if varied or (mean[0] >= mean[2] and np.ptp(mean) >= COLOURFUL):
        return "coloured or patterned"
    return "blue or green" if mean[0] < mean[2] - SURGICAL else "white or grey"
