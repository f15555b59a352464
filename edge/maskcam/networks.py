"""The two networks of a bundle, usable separately."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

import numpy as np

from edge import assemble
from edge.config.settings import Settings
from edge.core.errors import DataError
from edge.core.geometry import Box
from edge.core.records import Face, Image, Verdict
from edge.vision import bundle as bundles
from edge.vision.classifier import MaskClassifier
from edge.vision.detector import FaceDetector

from .images import as_rgb, colour_order

DEFAULTS = Settings()
"""The default settings."""

N = TypeVar("N", bound="_Network")


class _Network:
    """An open network of a bundle; close it, or use it in a `with` statement. Not safe to share between threads."""

    _network = ""

    def __init__(self, bundle: str | Path | None, backend: str, threads: int, colour: str) -> None:
        self.colour = colour_order(colour)
        self.bundle = bundles.load(bundle)
        self._stack = ExitStack()
        self._engine = assemble.engine(self.bundle, self._network, backend, threads, self._stack)

    @property
    def backend(self) -> str:
        """Name of the backend that runs the network, such as "tflite"."""
        return self._engine.running

    def close(self) -> None:
        """Releases the network's memory and device. Closing twice is harmless."""
        self._stack.close()

    def __enter__(self: N) -> N:
        return self

    def __exit__(self, kind: type[BaseException] | None, e: BaseException | None, tb: TracebackType | None) -> None:
        self.close()


class Detector(_Network):
    """Finds faces in a picture.

    Args:
        bundle: folder of a model bundle; None for the one that comes with maskcam.
        backend: "auto" (the first that works on this machine's processor), "tflite", "opencv", "coral", "opencv-cuda"
            or "opencv-cuda-fp16". If it is not available the processor is used; the attribute `backend` then says so.
        threads: number of processor threads.
        threshold: score from 0 to 1 above which a box is a face; None for the bundle's operating point.
        nms_iou: intersection over union above which two boxes are one face; None for the bundle's value.
        colour: "RGB", or "BGR" for pictures of OpenCV (`cv2.imread`, `cv2.VideoCapture`).

    Raises:
        BundleError: the bundle is missing or damaged.
        EngineError: no backend can run it.
        MissingPackage: a package is not installed; the sentence says which.
        DataError: an argument is out of its range.
    """

    _network = "detector"

    def __init__(
        self,
        bundle: str | Path | None = None,
        *,
        backend: str = "auto",
        threads: int = DEFAULTS.backend.threads,
        threshold: float | None = None,
        nms_iou: float | None = None,
        colour: str = "RGB",
    ) -> None:
        for name, value in (("threshold", threshold), ("nms_iou", nms_iou)):
            if value is not None and not 0 < value < 1:
                raise DataError(
                    f"{name} = {value!r}: expected a number between 0 and 1, or None for the bundle's value"
                )
        super().__init__(bundle, backend, threads, colour)
        self._detector = FaceDetector(self._engine, self.bundle.detector, threshold, nms_iou)

    def detect(self, image: Image) -> list[Face]:
        """Finds the faces in a picture, best score first; boxes are in pixels of `image`.

        Args:
            image: (height, width, 3) uint8. Also grey, with alpha, float from 0 to 1, and any strides.

        Raises:
            DataError: `image` is not a picture; one sentence says why and what to do.
            EngineError: the backend failed.
        """
        return list(self._detector.detect(as_rgb(image, self.colour)))


class Classifier(_Network):
    """Tells whether a face wears a mask.

    Args:
        bundle: as for `Detector`.
        backend: as for `Detector`.
        threads: number of processor threads.
        unsure_below: probability (0.5 to 1) below which the answer is `Mask.UNSURE`.
        colour: "RGB", or "BGR" for pictures of OpenCV.

    Raises:
        BundleError: the bundle is missing or damaged.
        EngineError: no backend can run it.
        MissingPackage: a package is not installed; the sentence says which.
        DataError: an argument is out of its range.
    """

    _network = "classifier"

    def __init__(
        self,
        bundle: str | Path | None = None,
        *,
        backend: str = "auto",
        threads: int = DEFAULTS.backend.threads,
        unsure_below: float = DEFAULTS.decision.unsure_below,
        colour: str = "RGB",
    ) -> None:
        if not 0.5 <= unsure_below < 1:
            raise DataError(f"unsure_below = {unsure_below!r}: expected a number from 0.5 to 1")
        super().__init__(bundle, backend, threads, colour)
        not_a_face = DEFAULTS.decision.not_a_face
        joint = self.bundle.detector.joint_threshold
        self._classifier = MaskClassifier(self._engine, self.bundle.classifier, unsure_below, not_a_face, joint)

    def classify(self, image: Image, face: Face | Box | Any = None) -> Verdict:
        """The mask state of one face.

        Args:
            image: the whole picture, as for `Detector.detect`: the surroundings of the face are used too.
            face: a `Face`, a `Box`, or four numbers x0, y0, x1, y1 in pixels of `image`; None if the picture shows
                only the face, cut from forehead to chin and from ear to ear.

        Raises:
            DataError: `image` is not a picture, or `face` is not a box within it.
            EngineError: the backend failed.
        """
        rgb = as_rgb(image, self.colour)
        return self._classifier.classify(rgb, _box(face, rgb), face.score if isinstance(face, Face) else None)

    def probabilities(self, image: Image, face: Face | Box | Any = None) -> dict[str, float]:
        """Probability (0 to 1) of each label of the bundle; arguments and errors as for `classify`."""
        rgb = as_rgb(image, self.colour)
        values = self._classifier.probabilities(rgb, _box(face, rgb))
        return dict(zip(self.bundle.classifier.labels, map(float, values), strict=True))


def _box(face: Any, image: Image) -> Box:
    """The box of a face, at least partly within `image`. Raises DataError."""
    height, width = image.shape[:2]
    if face is None:
        return Box(0, 0, width, height)
    box = face.box if isinstance(face, Face) else face
    if not isinstance(box, Box):
        try:
            numbers = np.asarray(box, np.float64).reshape(-1).tolist()
            box = Box(*numbers)
        except (TypeError, ValueError):
            raise DataError(f"face = {face!r}: expected a Face, a Box or four numbers x0, y0, x1, y1") from None
    finite = np.isfinite([box.x0, box.y0, box.x1, box.y1]).all()
    if not finite or box.clipped(width, height).area <= 0:
        raise DataError(f"face = {box}: expected x0 < x1 and y0 < y1, within the picture of {width} x {height} pixels")
    return box
