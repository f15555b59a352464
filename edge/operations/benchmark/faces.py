"""Frames with so many faces: one real face, copied, so that real networks find and judge every copy."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count

import cv2
import numpy as np

from edge.core.records import Face, Frame, Image
from edge.operations.benchmark.stages import measure_speed
from edge.runtime.pipeline import Pipeline
from edge.vision.preprocess import PADDING, crop

MARGIN = 0.5
"""Share of the face's longer side that is copied with it on each side."""
STEP = 1 / 30
"""Seconds from frame to frame: what a camera would give."""
WARM_UP = 8
"""Frames until everybody is known."""
LATER = 3600.0
"""Seconds after which nobody is remembered."""
GAP = 2
"""Pixels between two copies."""
LARGEST = 0.45
"""Most of the frame's shorter side that a copy covers: a few faces stand at a door, not in the lens."""


@dataclass(frozen=True)
class FacesResult:
    """Frames per second with `faces` copies of a face in the frame, of which `found` are seen."""

    faces: int
    found: float
    settled_fps: float
    """When all are known: each is looked at now and then."""
    judged_fps: float
    """When each is judged in every frame, as when all have just come."""


class Still:
    """A camera that shows one picture for ever, from `t` on, with `step` seconds from frame to frame."""

    def __init__(self, image: Image, t: float = 0.0, step: float = STEP) -> None:
        self._image, self._step = image, step
        self.t = t
        """Of the last frame."""

    def __iter__(self) -> Iterator[Frame]:
        for index in count():
            self.t += self._step
            yield Frame(index, self.t, self._image)

    def close(self) -> None:
        """Nothing to give back."""


def judged(recheck: float) -> float:
    """Seconds from frame to frame that leave nobody unjudged in any, although they are known."""
    return max(1.01 * recheck, STEP)


def portrait(image: Image, face: Face, side: int) -> Image:
    """The face with its surroundings as a square of `side` pixels."""
    return crop(image, face.box, side, side, MARGIN)


def picture(face: Image | None, number: int, width: int, height: int) -> Image:
    """`number` copies of a portrait in a grid on grey, RGB."""
    # A plain grey would pass for a covered lens, and noise of single pixels for no picture at all.
    squares = np.random.default_rng(0).integers(-40, 41, (height // 16 + 1, width // 16 + 1, 1))
    noise = squares.repeat(16, axis=0).repeat(16, axis=1)[:height, :width]
    frame: Image = np.repeat(np.clip(PADDING + noise, 0, 255), 3, axis=2).astype(np.uint8)
    if face is None or not number:
        return frame
    columns = math.ceil(math.sqrt(number * width / height))
    rows = math.ceil(number / columns)
    side = min(width // columns - GAP, height // rows - GAP, int(LARGEST * min(width, height)))
    copy = cv2.resize(face, (side, side), interpolation=cv2.INTER_AREA)
    for n in range(number):
        x = (2 * (n % columns) + 1) * width // (2 * columns) - side // 2
        y = (2 * (n // columns) + 1) * height // (2 * rows) - side // 2
        frame[y : y + side, x : x + side] = copy
    return frame


def rows(
    pipeline: Pipeline,
    face: Image | None,
    numbers: Sequence[int],
    size: tuple[int, int],
    seconds: float,
    recheck: float,
) -> list[FacesResult]:
    """A row per number of faces; without a portrait only that of none. Each takes about twice `seconds`.

    size: width and height of the frames. recheck: seconds after which the judge looks at a known face again.
    """
    found, t = [], LATER
    for number in numbers if face is not None else [n for n in numbers if n == 0]:
        image = picture(face, number, *size)
        settled = measure_speed(known := Still(image, t), pipeline, seconds, warm_up=WARM_UP)
        new = Still(image, known.t + LATER, judged(recheck))
        all_new = measure_speed(new, pipeline, seconds, warm_up=WARM_UP)
        found.append(FacesResult(number, settled.faces_per_frame, settled.fps, all_new.fps))
        t = new.t + LATER
    return found
