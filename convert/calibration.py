"""Representative inputs for the int8 ranges, made by `edge.vision.preprocess` as on the device."""

from __future__ import annotations

import random
from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.core.geometry import Box
from edge.core.records import Image
from edge.evaluation.coco import Annotated
from edge.vision.preprocess import InputSpec, crop, letterbox

Batch = list[NDArray[np.float32]]


def pictures(annotated: list[Annotated], count: int) -> Iterator[tuple[Annotated, Image]]:
    """Up to `count` readable pictures, the same ones every time, spread over the whole set."""
    order = list(range(len(annotated)))
    random.Random(0).shuffle(order)
    for k in order[:count]:
        bgr = cv2.imread(str(annotated[k].path))
        if bgr is not None:
            yield annotated[k], cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)


def for_detector(annotated: list[Annotated], count: int, spec: InputSpec) -> Iterator[Batch]:
    """Letterboxed pictures (1, height, width, 3) float32."""
    yield full_range(spec)
    for _, image in pictures(annotated, count):
        yield [spec.normalise(letterbox(image, spec.width, spec.height)[0])[None]]


def for_classifier(
    annotated: list[Annotated], count: int, spec: InputSpec, margin: float, things: bool = False
) -> Iterator[Batch]:
    """Face crops (1, height, width, 3) float32, one per picture so that crowds do not dominate.

    With `things`, for a network that can say "no face": what lies beside that face, too.
    """
    yield full_range(spec)
    for truth, image in pictures(annotated, count):
        faces = truth.boxes[~truth.ignored]
        if len(faces):
            box = Box(*faces[np.argmax(faces[:, 2] - faces[:, 0])].tolist())
            for one in (box, box.moved(1.5 * box.width, 0)) if things else (box,):
                yield [spec.normalise(crop(image, one, spec.width, spec.height, margin))[None]]


def full_range(spec: InputSpec) -> Batch:
    """Black to white, so that the input's int8 step is exactly one byte and the device can hand over raw pixels."""
    ramp = np.linspace(0, 255, spec.width * spec.height * 3).astype(np.uint8)
    return [spec.normalise(ramp.reshape(spec.height, spec.width, 3))[None]]
