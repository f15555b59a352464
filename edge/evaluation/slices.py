"""Parts of a set of annotated pictures that deserve figures of their own: by size of the face, by colour, by light."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from edge.core.geometry import iou_matrix
from edge.core.records import Image
from edge.evaluation.coco import Annotated

Rows = NDArray[np.float64]
SIZES = ((12, 24), (24, 48), (48, 96), (96, float("inf")))
"""Shorter side of a face in pixels of the picture, from (with) ... to (without)."""
DARK = 60
"""Mean brightness, of 255, below which a picture is dark."""


def of_sizes(low: float, high: float) -> str:
    """The name of a slice of `SIZES`."""
    return f"{low} px and more" if high == float("inf") else f"{low}-{high} px"


def of(truth: Annotated, image: Image, rows: Rows, overlap: float) -> Iterator[tuple[str, Annotated, Rows]]:
    """The slices that a picture (RGB) belongs to: name, annotations, rows (N, 6) that count there.

    In a slice of sizes the other faces are to be ignored, and so are rows of another size that lie on no face of the
    slice from an IoU of `overlap` on, as COCO does with its area ranges.
    """
    sides = (truth.boxes[:, 2:] - truth.boxes[:, :2]).min(1, initial=np.inf)
    own = (rows[:, 2:4] - rows[:, :2]).min(1, initial=np.inf)
    for low, high in SIZES:
        inside = (sides >= low) & (sides < high)
        if (inside & ~truth.ignored).any():
            on = iou_matrix(rows, truth.boxes[inside]).max(1, initial=0) >= overlap
            keep = on | (own >= low) & (own < high)
            yield of_sizes(low, high), replace(truth, ignored=truth.ignored | ~inside), rows[keep]
    sample = image[::4, ::4].astype(np.int16)
    grey = np.abs(sample - sample.mean(2, keepdims=True)).mean() < 2
    yield "grey" if grey else "colour", truth, rows
    if sample.mean() < DARK:
        yield "dark", truth, rows
