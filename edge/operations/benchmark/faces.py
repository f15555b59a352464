"""Frames with a given number of faces: copies of one real face, so that the real networks find and judge each."""

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
"""Margin that is copied with the face on each side, as a share of its longer side."""
STEP = 1 / 30
"""Seconds from frame to frame, as from a camera."""
WARM_UP = 8
"""Frames until every face has a decision."""
LATER = 3600.0
"""Seconds after which every track has ended."""
GAP = 2
"""Gap between two copies, in pixels."""
LARGEST = 0.45
"""Largest side of a copy, as a share of the frame's shorter side: people stand at a door, not in the lens."""


@dataclass(frozen=True)
class FacesResult:
    """Frames per second with `faces` copies of a face in the frame, of which `found` are detected."""

    faces: int
    found: float
    settled_fps: float
    """With a decision about every face, which is then checked from time to time only."""
    judged_fps: float
    """With every face classified in every frame, as when all have just arrived."""


class Still:
    """A camera that repeats one picture, from time `t` on, with `step` seconds from frame to frame."""

    def __init__(self, image: Image, t: float = 0.0, step: float = STEP) -> None:
        self._image, self._step = image, step
        self.t = t
        """Time of the last frame."""

    def __iter__(self) -> Iterator[Frame]:
        for index in count():
            self.t += self._step
            yield Frame(index, self.t, self._image)

    def close(self) -> None:
        """Has nothing to release."""


def judged(recheck: float) -> float:
    """Seconds from frame to frame with which every face is classified in every frame, despite its decision."""
    return max(1.01 * recheck, STEP)


def portrait(image: Image, face: Face, side: int) -> Image:
    """The face with its margin as a square of `side` pixels."""
    return crop(image, face.box, side, side, MARGIN)


def picture(face: Image | None, number: int, width: int, height: int) -> Image:
    """`number` copies of a portrait in a grid on grey, RGB."""
    # Plain grey would count as a covered lens, and noise of single pixels as no picture at all.
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
    """A row per number of faces; without a portrait only the one without faces. Each takes about twice `seconds`.

    size: width and height of the frames. recheck: seconds after which a settled face is classified again.
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
