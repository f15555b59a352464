"""Representative inputs for the int8 ranges, made by `edge.vision.preprocess` as on the device."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from edge.core.geometry import Box
from edge.core.progress import track
from edge.core.records import Image
from edge.evaluation.annotated import Annotated, Skipped, each
from edge.vision.preprocess import InputSpec, crop, letterbox

Batch = list[NDArray[np.float32]]


def pictures(annotated: list[Annotated], count: int) -> Iterator[tuple[Annotated, Image]]:
    """Up to `count` of the pictures that can be used, the same ones every time, spread over the whole set."""
    order = list(range(len(annotated)))
    random.Random(0).shuffle(order)
    return each((annotated[k] for k in order[:count]), Skipped())


def every(annotated: Sequence[Annotated], what: str) -> Iterator[tuple[Annotated, Image]]:
    """All of the pictures that can be used, with a line of progress: `what` is done with them."""
    return track(pictures(list(annotated), len(annotated)), what, len(annotated))


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
            around = 0 if truth.whole else margin
            beside = things and not truth.whole
            for one in (box, box.moved(1.5 * box.width, 0)) if beside else (box,):
                yield [spec.normalise(crop(image, one, spec.width, spec.height, around))[None]]


def full_range(spec: InputSpec) -> Batch:
    """Black to white, so that the input's int8 step is exactly one byte and the device can hand over raw pixels."""
    ramp = np.linspace(0, 255, spec.width * spec.height * 3).astype(np.uint8)
    return [spec.normalise(ramp.reshape(spec.height, spec.width, 3))[None]]
