"""`maskcam accuracy`: scores a bundle on annotated pictures with any engine, on any machine."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from edge.backends.registry import backends
from edge.backends.shaped import both
from edge.core.native_output import silence_native_output
from edge.core.plugins import resolve
from edge.core.ports import Engine
from edge.core.records import Face, Image, Verdict
from edge.evaluation import formats
from edge.evaluation.runner import BundleDetector, mask_classifier, score
from edge.vision import bundle as bundles
from edge.vision.detector import FaceDetector


def shipped() -> BundleDetector:
    """The int8 bundle that comes with the package, on the CPU: `detect(bgr) -> (N, 6)` rows."""
    return _detector(bundles.load(), "tflite", 2)


def _detector(bundle: bundles.Bundle, backend: str, threads: int) -> BundleDetector:
    return BundleDetector(bundle, *_engines(bundle, backend, threads))


def _engines(bundle: bundles.Bundle, backend: str, threads: int) -> tuple[Engine, Engine]:
    row = backends()[backend]
    return both(bundle, row.form, resolve(row.target), threads)


def judge(bundle: bundles.Bundle) -> Callable[[Image], list[tuple[Face, Verdict]]]:
    """A bundle on the processor as a function picture (RGB) -> its faces and what is said of each, best first.

    What the classifier takes for no face is left out.
    """
    finder, namer = _engines(bundle, "tflite", 2)
    detector = FaceDetector(finder, bundle.detector, bundle.detector.operating)
    classifier = mask_classifier(namer, bundle)

    def judged(image: Image) -> list[tuple[Face, Verdict]]:
        said = [(face, classifier.classify(image, face.box, face.score)) for face in detector.detect(image)]
        return [(face, verdict) for face, verdict in said if not verdict.not_a_face]

    return judged


def run(
    data: Path,
    bundle: Path | None,
    backend: str,
    threads: int,
    progress: Callable[[int, int], None],
    renamed: Mapping[str, str] | None = None,
) -> dict[str, dict[str, Any]]:
    """What the command does: name of the source -> figures. `renamed`: see `formats.read`.

    Raises BundleError, DataError, EngineError.
    """
    pictures = formats.read(data, renamed)
    chosen = bundles.load(bundle)
    with silence_native_output():  # TensorFlow Lite greets on stderr when a network is opened
        detector = _detector(chosen, backend, threads)
    return score(pictures, detector.rows, detector.operating, progress, detector.named)
