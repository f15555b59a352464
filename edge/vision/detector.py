"""Finds faces in a full frame with the bundle's detector on any engine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.core.geometry import Box
from edge.core.metrics import Timers
from edge.core.ports import Engine
from edge.core.records import Face, Image
from edge.vision import near, windows
from edge.vision.bundle import DetectorSpec
from edge.vision.decode import cells, decode
from edge.vision.nms import suppress
from edge.vision.preprocess import InputSpec, letterbox

MOST_FACES = 100


def float_rows(
    outputs: Callable[[NDArray[np.float32]], Sequence[Any]],
    width: int,
    height: int,
    threshold: float,
    nms_iou: float,
) -> Callable[[Image], NDArray[np.float64]]:
    """A float detector as a function picture (RGB) -> rows (N, 5) x0, y0, x1, y1, score in pixels of the picture.

    `outputs` maps a normalised batch of one picture to scores (1, N, 1) and distances (1, N, 4), such as a network in
    training, before it is in a bundle.
    """
    spec, (centres, strides) = InputSpec(width, height), cells(width, height)

    def rows(image: Image) -> NDArray[np.float64]:
        small, fit = letterbox(image, width, height)
        logits, distances = (np.asarray(output)[0] for output in outputs(spec.normalise(small)[None]))
        found = suppress(decode(logits, distances, centres, strides, threshold), nms_iou, MOST_FACES)
        found[:, :4] /= fit.scale
        return found.astype(np.float64)

    return rows


class FaceDetector:
    """Letterbox, network, decode, suppress; boxes come back in pixels of the full frame.

    A frame gets the input shape that suits it, of those that the engine takes (`edge.core.ports.Shaped`). One of a
    very different shape is divided into windows (`edge.vision.windows`), a run each; for a face that fills the frame
    there is one more (`edge.vision.near`).
    """

    def __init__(
        self,
        engine: Engine,
        spec: DetectorSpec,
        threshold: float | None = None,
        nms_iou: float | None = None,
        timers: Timers | None = None,
        count: int | None = None,
        min_face: float = 0.0,
        video: bool = False,
    ):
        """`threshold` (score 0..1) and `nms_iou` default to the bundle's operating point.

        `count`: number of windows per frame; None: chosen by the shape of the frame.

        `min_face`: a box with a shorter side below this, in pixels, is not classified, so that it needs the score of
        the detector alone.

        `video`: frames follow one another, so that where a near face was the next frame is looked at twice, too.

        `timers`: measure the scaling of the picture as "resize"; the caller measures the whole.
        """
        self._engine = engine
        self._shapes = list(getattr(engine, "shapes", ())) or [(spec.input.width, spec.input.height)]
        self._cells = {(width, height): cells(width, height, spec.strides) for width, height in self._shapes}
        self._threshold = spec.score_threshold if threshold is None else threshold
        self._nms_iou = spec.nms_iou if nms_iou is None else nms_iou
        self._timers = timers or Timers()
        self._count, self._min_face, self._alone = count, min_face, spec.score_threshold
        self._second = near.SecondLook(video)

    def rows(self, image: Image) -> NDArray[np.float64]:
        """Faces as rows (N, 5): x0, y0, x1, y1 in pixels of `image` (RGB), score; best first."""
        height, width = image.shape[:2]
        shape = windows.fitting(width, height, self._shapes)
        places = windows.place(width, height, *shape, self._count)
        looks = [self._look(image[y0:y1, x0:x1], shape) + np.array([x0, y0, x0, y0, 0]) for x0, y0, x1, y1 in places]
        parts = [self._faces(look, place) for look, place in zip(looks, places, strict=True)]
        found = parts[0]
        if len(places) > 1:
            found = suppress(windows.merge(parts, places, width, height), self._nms_iou, MOST_FACES)
        if self._second.due(np.concatenate(looks), height):
            seen = near.faces(self._faces(self._look(image, shape, near.half), (0, 0, width, height)), height)
            self._second.found(seen)
            found = suppress(near.join(found, seen), self._nms_iou, MOST_FACES)
        return found

    def _look(
        self, image: Image, shape: tuple[int, int], fitted: Callable[[Image, int, int], Any] = letterbox
    ) -> NDArray[np.float64]:
        """One run of the network with an input of `shape` (width, height): candidates (M, 5) in pixels of `image`,
        those below the threshold too.
        """
        with self._timers("resize"):
            small, fit = fitted(image, *shape)
        logits, distances = self._engine.infer(small)
        lowest = min(self._threshold, near.TRACE)
        found = decode(logits, distances, *self._cells[shape], lowest).astype(np.float64)
        found[:, :4] /= fit.scale
        return found

    def _faces(self, candidates: NDArray[np.float64], place: windows.Window) -> NDArray[np.float64]:
        """The faces among the candidates of one look, clipped to its part of the frame."""
        found = suppress(candidates[candidates[:, 4] >= self._threshold], self._nms_iou, MOST_FACES)
        found[:, :4] = np.clip(found[:, :4], place[:2] * 2, place[2:] * 2)
        return found

    def detect(self, image: Image) -> Sequence[Face]:
        """See `edge.core.ports.Detector`."""
        rows = self.rows(image)
        sides = (rows[:, 2:4] - rows[:, :2]).min(1, initial=np.inf)
        rows = rows[(sides >= self._min_face) | (rows[:, 4] >= self._alone)]
        return [Face(Box(*row[:4]), row[4]) for row in rows.tolist()]
