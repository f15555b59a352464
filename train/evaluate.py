"""`maskcam-train evaluate`: measures any model or bundle on annotated pictures and prints the table per source."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras

from edge.backends import opencv, tflite
from edge.backends.shaped import Opener, both
from edge.core.errors import DataError
from edge.core.labels import of_outputs
from edge.core.native_output import silence_native_output
from edge.core.plain_text import plain
from edge.core.progress import Progress
from edge.evaluation import formats
from edge.evaluation.runner import BundleDetector, score, table
from edge.vision import bundle as bundles
from train.classifier import report
from train.classifier.batches import Fixed
from train.config import ClassifierConfig
from train.data import dataset
from train.detector.coco_ap import coco_ap
from train.detector.training import finder

Labels = Mapping[str, str]
NONE: Labels = {}
"""No class has another name than ours."""
ENGINES: dict[str, tuple[str, Opener]] = {"tflite": ("tflite", tflite.open), "opencv": ("onnx", opencv.open)}


def main(args: argparse.Namespace, renamed: Labels) -> None:
    """Prints what one of `--bundle`, `--detector` or `--classifier` says of `--data`."""
    if args.bundle:
        print(table(of_bundle(args.bundle, args.data, args.backend, renamed)))
    elif args.detector:
        for name, value in of_detector(args.detector, args.data, renamed).items():
            print(f"{name:<12}{value:>8.3f}")
    else:
        print(of_classifier(args.classifier, args.data, renamed))


def of_bundle(folder: Path, path: Path, backend: str, renamed: Labels = NONE) -> dict[str, dict[str, Any]]:
    """Both networks of a bundle, end to end."""
    bundle = bundles.load(folder)
    with silence_native_output():  # TensorFlow Lite greets on stderr when a network is opened
        detector = BundleDetector(bundle, *both(bundle, *ENGINES[backend], 2))
    pictures = formats.read(path, renamed)
    with Progress("measuring", len(pictures), "pictures") as progress:
        return score(pictures, detector.rows, detector.operating, progress.update, detector.named)


def of_detector(path: Path, annotations: Path, renamed: Labels = NONE) -> dict[str, float]:
    """COCO AP of a Keras face detector at the input size it was trained with."""
    scenes = formats.read(annotations, renamed)
    if any(s.lone for s in scenes):
        raise DataError(f"{annotations}: says of each picture one face at most; a detector is measured on whole scenes")
    return coco_ap(scenes, finder(load(path, 2)))


def of_classifier(path: Path, faces: Path, renamed: Labels = NONE) -> str:
    """A Keras classifier on the annotated boxes: precision, recall, f1, and the slices."""
    model = load(path, 1)
    size, labels, margin = model.input_shape[1], of_outputs(model.output_shape[-1]), margin_of(path)
    patches, skipped = dataset.decode(dataset.read(faces, renamed, things=True))

    def predict(some: Sequence[dataset.Patch]) -> Any:
        return model.predict(Fixed(some, labels, size, margin, 64), verbose=0)

    result = report.measure(patches, predict, labels)
    note = f"\nskipped {len(skipped)} pictures, the first is {plain(next(iter(skipped.values())))}" if skipped else ""
    return report.text(result, f"{path.name} on {faces.name}") + note


def margin_of(path: Path) -> float:
    """The margin that a classifier was trained with, from the report beside it. Raises DataError."""
    report = path.parent / "report.json"
    try:
        return float(json.loads(report.read_text())["config"]["margin"])
    except FileNotFoundError:
        default = float(ClassifierConfig.model_fields["margin"].default)
        print(f"{report}: no such file, so the margin is taken to be the default, {default}", file=sys.stderr)
        return default
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{report}: says no config.margin ({error!r}); is it the report of this classifier?") from error


def load(path: Path, outputs: int) -> keras.Model:
    """A `.keras` file with so many outputs. Raises DataError, one line."""
    if not path.is_file():
        raise DataError(f"{path}: no such file; expected a .keras model written by maskcam-train")
    try:
        model = keras.models.load_model(path, compile=False)
    except Exception as error:  # Keras raises whatever a damaged archive makes it raise
        raise DataError(f"{path}: not a Keras model: {str(error).splitlines()[0]}") from error
    if len(model.outputs) != outputs:
        raise DataError(f"{path}: has {len(model.outputs)} outputs, expected {outputs}: is it the other network?")
    return model
