"""The detectors that look at every picture: two that others trained, and the one of a bundle."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.backends import tflite
from edge.backends.shaped import alone
from edge.core.errors import DataError
from edge.core.native_output import silence_native_output
from edge.core.plain_text import plain
from edge.core.records import Image
from edge.vision import bundle as bundles
from edge.vision.detector import FaceDetector

Rows = NDArray[np.float64]
Finder = Callable[[Image], Rows]
"""RGB picture -> rows (N, 5): x0, y0, x1, y1, score."""


def opened(paths: Sequence[Path]) -> list[Finder]:
    """YuNet, then Ultra-Light RFB-640, of as many files as are given. Raises DataError."""
    expected = "expected YuNet's ONNX file, then Ultra-Light RFB-640's"
    if len(paths) > 2:
        raise DataError(f"--teacher: {len(paths)} given; {expected}")
    found = []
    for make, path in zip((yunet, ultralight), paths, strict=False):
        if not path.is_file():
            raise DataError(f"--teacher {path}: no such file; {expected}")
        try:
            found.append(make(path))
            found[-1](np.zeros((64, 64, 3), np.uint8))  # another network opens, and fails when it is asked
        except (cv2.error, SystemError, ValueError, TypeError, IndexError) as error:
            reason = plain(" ".join(str(error).split()))[:160]
            raise DataError(f"--teacher {path}: is not the network that is wanted ({reason}); {expected}") from error
    return found


def yunet(path: Path, side: int = 640) -> Finder:
    """OpenCV's FaceDetectorYN (MIT), the longer side of the picture scaled to `side` pixels."""
    every = landmarks(path, side)
    return lambda image: every(image)[:, [0, 1, 2, 3, 14]]


def landmarks(path: Path, side: int = 640) -> Finder:
    """The same with all that YuNet says: rows (N, 15) of a box, x and y of right eye, left eye, nose tip and both
    corners of the mouth, and the score."""
    net = cv2.FaceDetectorYN.create(str(path), "", (side, side), 0.05, 0.4, 5000)

    def find(image: Image) -> Rows:
        k = side / max(image.shape[:2])
        small = cv2.resize(image, None, fx=k, fy=k, interpolation=cv2.INTER_AREA if k < 1 else cv2.INTER_LINEAR)
        net.setInputSize((small.shape[1], small.shape[0]))
        found = net.detect(cv2.cvtColor(small, cv2.COLOR_RGB2BGR))[1]
        if found is None:
            return np.zeros((0, 15))
        return np.c_[found[:, :2] / k, (found[:, :2] + found[:, 2:4]) / k, found[:, 4:14] / k, found[:, 14]]

    return find


def ultralight(path: Path) -> Finder:
    """Linzaer's RFB-640 for masked faces (MIT): input 640 x 480, (pixel - 127) / 128, any class but the background."""
    net = cv2.dnn.readNetFromONNX(str(path))

    def find(image: Image) -> Rows:
        h, w = image.shape[:2]
        net.setInput(cv2.dnn.blobFromImage(image, 1 / 128, (640, 480), (127, 127, 127)))
        scores, boxes = net.forward(["scores", "boxes"])
        best, boxes = scores[0, :, 1:].max(1), boxes[0] * [w, h, w, h]
        boxes, best = boxes[best > 0.05], best[best > 0.05]
        if not len(best):
            return np.zeros((0, 5))
        sides = np.c_[boxes[:, :2], boxes[:, 2:] - boxes[:, :2]]
        kept = np.array(cv2.dnn.NMSBoxes(sides.tolist(), best.tolist(), 0.0, 0.4)).reshape(-1).astype(int)
        return np.c_[boxes[kept], best[kept]]

    return find


def of_bundle(folder: Path | None, lowest: float = 0.05) -> Finder:
    """The detector of a bundle (None: the shipped one) with tight boxes: what publishing added is taken off.

    `lowest`: score from which it says a box.
    """
    bundle = bundles.load(folder)
    with silence_native_output():  # TensorFlow Lite greets on stderr when a network is opened
        network = alone(bundle, "detector", "tflite", tflite.open, 1)
    detector = FaceDetector(network, bundle.detector, threshold=lowest)
    folded = bundle.training.get("boxes", {})
    grown = folded.get("box_margin", folded.get("growth", (0.0, 0.0, 0.0, 0.0)))  # its name before 0.2

    def find(image: Image) -> Rows:
        rows = detector.rows(image)
        return np.c_[tight(rows[:, :4], grown), rows[:, 4]]

    return find


def tight(boxes: Rows, grown: Sequence[float]) -> Rows:
    """`boxes` (N, 4) before their left, top, right and bottom edge moved out by shares `grown` of the sides."""
    left, top, right, bottom = grown
    side = (boxes[:, 2:] - boxes[:, :2]) / np.array([1 + left + right, 1 + top + bottom])
    low = boxes[:, :2] + side * [left, top]
    return np.c_[low, low + side]
