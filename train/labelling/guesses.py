"""What a bundle thinks of the pictures that nobody has labelled, and which of them it is least sure of."""

from __future__ import annotations

import threading
from collections.abc import Collection
from pathlib import Path

import numpy as np

from edge.backends import tflite
from edge.backends.shaped import both
from edge.core.errors import DataError
from edge.core.geometry import Box
from edge.core.native_output import silence_native_output
from edge.core.records import Image
from edge.evaluation.runner import mask_classifier
from edge.vision import bundle as bundles
from edge.vision import pictures
from edge.vision.detector import FaceDetector
from train.labelling.store import Face, Store

TOLD_WRONG = 1.0
"""Added to the doubt about a picture that somebody at the camera said was wrong."""
NOTHING_FOUND = 0.5
"""Doubt about a picture in which no face is found."""


class Guesser:
    """Both networks of a bundle. Not to be shared between threads. Raises BundleError, EngineError."""

    def __init__(self, folder: Path) -> None:
        bundle = bundles.load(folder)
        with silence_native_output():  # TensorFlow Lite greets on stderr when a network is opened
            detector, classifier = both(bundle, "tflite", tflite.open, 2)
        self._detector = FaceDetector(detector, bundle.detector)
        self._classifier = mask_classifier(classifier, bundle)
        self._labels = bundle.classifier.labels

    def faces(self, image: Image, known: list[Face]) -> list[Face]:
        """The faces of an RGB picture: the `known` boxes where there are some, else those that are found."""
        boxes = [f.box for f in known]
        if not known:
            boxes = [(f.box.x0, f.box.y0, f.box.width, f.box.height) for f in self._detector.detect(image)]
        return [self._named(image, box) for box in boxes]

    def _named(self, image: Image, box: tuple[float, float, float, float]) -> Face:
        x, y, w, h = box
        p = self._classifier.probabilities(image, Box(x, y, x + w, y + h))
        best = int(np.argmax(p))
        return Face(box, self._labels[best], float(p[best] / max(float(p.sum()), 1e-6)))


class Guesses:
    """Looks at everything in a thread of its own, and hands out what it is least sure of first."""

    def __init__(self, store: Store, folder: Path) -> None:
        self._store, self._guesser = store, Guesser(folder)
        self._lock = threading.Lock()
        self._faces: dict[int, list[Face]] = {}
        self.unreadable: dict[int, str] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look, name="guesses", daemon=True)
        self._thread.start()

    @property
    def looked_at(self) -> int:
        with self._lock:
            return len(self._faces) + len(self.unreadable)

    def of(self, number: int) -> list[Face]:
        """Guesses about a picture; empty where it has not been looked at yet."""
        with self._lock:
            return list(self._faces.get(number, ()))

    def doubt(self, number: int) -> float:
        """0: sure of everything; from `TOLD_WRONG` on: somebody said that it was wrong."""
        faces = self.of(number)
        doubts = [2 * (1 - face.sure) for face in faces]
        return max(doubts, default=NOTHING_FOUND) + TOLD_WRONG * (self._store.why(number) == "wrong")

    def next(self, skipped: Collection[int] = ()) -> int | None:
        """The unlabelled picture about which there is most doubt; those already looked at first. None: all are done."""
        left = [n for n in self._store.images if not self._store.is_done(n) and n not in self.unreadable]
        with self._lock:
            known = set(self._faces)
        order = sorted(left, key=lambda n: (n in skipped, n not in known, -self.doubt(n), n))
        return order[0] if order else None

    def wait(self) -> None:
        """Until every picture has been looked at."""
        self._thread.join()

    def close(self) -> None:
        self._stop.set()
        self._thread.join(10)

    def _look(self) -> None:
        for number in list(self._store.images):
            if self._stop.is_set():
                return
            try:
                image = pictures.read(self._store.path(number))
            except DataError as error:
                self.unreadable[number] = str(error)
                continue
            faces = [] if self._store.is_done(number) else self._guesser.faces(image, self._store.faces(number))
            with self._lock:
                self._faces[number] = faces
