"""Float against converted, both through `edge.backends`, on the validation pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from convert.config import ConvertConfig
from convert.export.representative import every
from edge.backends import opencv, tflite
from edge.backends.shaped import both
from edge.core.errors import BundleError
from edge.core.geometry import iou_matrix
from edge.core.native_output import silence_native_output
from edge.core.progress import Progress
from edge.evaluation import formats
from edge.evaluation.annotated import Annotated
from edge.evaluation.outcomes import Outcomes, compare
from edge.evaluation.runner import BundleDetector, score
from edge.evaluation.scoring import Scorer, match
from edge.vision import bundle as bundles

COMPARED = (
    "face_ap",
    "recall_masked",
    "recall_bare",
    "false_per_image",
    "ap_with_mask",
    "ap_without_mask",
    "label_accuracy",
)
HIGHEST = 0.9
"""Score threshold above which none is chosen."""
Figures = dict[str, dict[str, Any]]


def detectors(bundle: bundles.Bundle) -> dict[str, BundleDetector]:
    """The bundle's networks as float (ONNX in OpenCV) and int8 (TFLite)."""

    with silence_native_output():  # TensorFlow Lite greets on stderr when a network is opened
        kinds = {"float": both(bundle, "onnx", opencv.open, 2), "int8": both(bundle, "tflite", tflite.open, 2)}
    return {kind: BundleDetector(bundle, *engines) for kind, engines in kinds.items()}


def measure(of: dict[str, BundleDetector], pictures: list[Annotated]) -> tuple[Figures, dict[str, Outcomes]]:
    """Figures of `edge.evaluation.runner.score` of both `detectors` over all pictures, and int8's per source.

    And what each said of every picture, to be compared.
    """
    figures: Figures = {}
    said = {name: Outcomes(detector.operating) for name, detector in of.items()}
    for name, detector in of.items():
        with Progress(f"measuring {name}", len(pictures), "pictures") as progress:
            result = score(pictures, detector.rows, detector.operating, progress.update, detector.named, said[name].add)
        figures[name] = result["all"]
        figures["sources"] = result
    return figures, said


def vetoes(detector: BundleDetector, pictures: list[Annotated]) -> dict[str, int]:
    """How often the classifier says "no face" of the detector's own boxes at the operating point.

    `alarms` show no annotated face (IoU below 0.1, so that an ill-placed box is none of them), `faces` one (from 0.4).
    """
    counts = dict.fromkeys(("alarms", "alarms_rejected", "faces", "faces_rejected"), 0)
    for truth, image in every(pictures, "judging false alarms"):
        rows, things = detector.answers(image)
        known = rows[:, 4] >= detector.operating
        overlap = iou_matrix(rows[known], truth.boxes).max(1, initial=0)
        rejected = detector.rejected(rows[known], things[known])
        for name, those in (("alarms", overlap < 0.1), ("faces", overlap >= Scorer.threshold)):
            counts[name] += int(those.sum())
            counts[f"{name}_rejected"] += int((those & rejected).sum())
    return counts


def table(figures: Figures) -> str:
    """The comparison as text; a row for each figure that these pictures can tell."""
    lines = [f"{'':<18}{'float':>10}{'int8':>10}{'int8 - float':>14}"]
    for key in COMPARED:
        a, b = figures["float"][key], figures["int8"][key]
        if np.isnan((a, b)).all():
            continue
        lines.append(f"{key:<18}{a:>10.4f}{b:>10.4f}{b - a:>+14.4f}")
    return "\n".join(lines)


def check(figures: Figures, said: dict[str, Outcomes], config: ConvertConfig) -> None:
    """Raises BundleError where int8 surely costs more than nothing, and by more than the config allows."""
    intervals = {i.name: i for i in compare(said["int8"], said["float"])}
    for key, most in (("face_ap", config.most_ap_loss), ("label_accuracy", config.most_label_loss)):
        lost, found = figures["float"][key] - figures["int8"][key], intervals.get(key)
        if found is None and key == "face_ap" and said["int8"].lone:
            continue  # only the classifier can be judged on such pictures
        if found is None or (lost > most and found.surely_worse):
            raise BundleError(
                f"{key}: int8 loses {lost:.4f} against float, the config allows {most}; nothing was published "
                "(more calibration pictures may help)"
            )
        if lost > most:
            print(
                f"{key}: int8 loses {lost:.4f}, which {len(said['int8'])} pictures cannot tell from nothing", flush=True
            )


def operating_point(
    rows_of: Any, pictures: list[Annotated], false_alarms: float, min_side: float = 12.0, lowest: float = 0.1
) -> float:
    """The lowest score threshold from `lowest` to `HIGHEST`, of two decimals, with at most `false_alarms` per picture.

    A box is right from an IoU of 0.4 on.
    """
    wrong, count = [], 0
    for truth, image in every(pictures, "choosing the threshold"):
        sides = truth.boxes[:, 2:] - truth.boxes[:, :2]
        scores, hits = match(
            rows_of(image), truth.boxes, truth.ignored | (sides.min(1, initial=np.inf) < min_side), 0.4
        )
        wrong.append(scores[~hits])
        count += 1
    scores = np.concatenate(wrong) if wrong else np.zeros(0)
    for threshold in np.arange(lowest, HIGHEST + 0.01, 0.01):
        if (scores >= threshold).sum() <= false_alarms * count:
            return round(float(threshold), 2)
    return HIGHEST


def run(folder: Path, data: Path, config: ConvertConfig) -> Figures:
    """`maskcam-convert verify`: measures a bundle and checks it. Raises BundleError, DataError."""
    figures, said = measure(detectors(bundles.load(folder)), formats.read(data))
    print(table(figures))
    check(figures, said, config)
    return figures
