"""`maskcam-convert sizes`: what a larger input of the face detector buys and what it costs, AP against time."""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

from convert.config import ConvertConfig
from convert.export import representative
from convert.export.tflite import to_tflite
from convert.networks import keras_models
from convert.networks.calibrated import calibrated
from edge.backends.tflite import TFLiteEngine
from edge.config.settings import Backend
from edge.core.errors import ConfigError
from edge.evaluation import formats, slices
from edge.evaluation.annotated import Annotated
from edge.evaluation.runner import LOWEST
from edge.evaluation.scoring import Scorer
from edge.vision import bundle as bundles
from edge.vision.decode import STRIDES
from edge.vision.detector import FaceDetector

Row = dict[str, Any]
SMALL = slices.of_sizes(*slices.SIZES[0])
TITLES = {"all": "all faces", "small": f"faces of {SMALL}"}


def parse(text: str) -> tuple[int, int]:
    """ "416x320" -> (416, 320). Raises ConfigError."""
    try:
        width, height = (int(part) for part in text.split("x"))
    except ValueError:
        raise ConfigError(f"size '{text}': expected WIDTHxHEIGHT, such as 416x320") from None
    if width % 32 or height % 32 or min(width, height) < 64:
        raise ConfigError(f"size '{text}': expected multiples of 32 from 64 on, for the strides {STRIDES}")
    return width, height


def run(model: Path, data: Path, validation: Path, sizes: list[str], plot: Path, config: ConvertConfig) -> list[Row]:
    """Converts the detector at every size, as for a bundle, and measures the int8 networks in one run.

    Prints a table and draws a plot.
    """
    wanted = [parse(size) for size in sizes]
    network, pictures, held_out = keras_models.read(model), formats.read(data), formats.read(validation)
    detectors = {}
    with tempfile.TemporaryDirectory() as folder:
        for width, height in wanted:
            path = Path(folder) / f"{width}x{height}.tflite"
            fixed, _ = calibrated(keras_models.fixed(network, width, height), held_out, config)
            spec = _spec(width, height, fixed, config)
            samples = representative.for_detector(pictures, config.calibration_pictures, spec.input.spec())
            path.write_bytes(to_tflite(fixed, samples))
            detectors[f"{width}x{height}"] = FaceDetector(
                TFLiteEngine(path, spec, Backend().threads), spec, threshold=LOWEST
            )
        rows = measure(detectors, held_out)
    print(f"{'size':<10}{'AP':>8}{'small AP':>10}{'ratio':>8}{'ms':>8}")
    for row in rows:
        print(f"{row['size']:<10}{row['all']:>8.3f}{row['small']:>10.3f}{row['ratio']:>8.2f}{row['ms']:>8.2f}")
    draw(rows, plot)
    return rows


def _spec(width: int, height: int, model: Any, config: ConvertConfig) -> bundles.DetectorSpec:
    outputs = {n: list(o.shape[1:]) for n, o in zip(("scores", "distances"), model.outputs, strict=True)}
    return bundles.DetectorSpec(
        input=bundles.Input(width=width, height=height),  # type: ignore[call-arg]
        outputs=outputs,
        files={},
        known_answer="",
        strides=list(STRIDES),
        score_threshold=0.5,
        nms_iou=config.nms_iou,
    )


def measure(detectors: dict[str, FaceDetector], pictures: list[Annotated]) -> list[Row]:
    """Face AP of all and of small faces, and milliseconds; every size sees a picture before the next picture comes.

    Machines are noisy: `ratio`, the median over pictures of a size's time over the first size's, is what counts.
    """
    scorers = {(name, part): Scorer() for name in detectors for part in TITLES}
    times: dict[str, list[float]] = {name: [] for name in detectors}
    for truth, image in representative.every(pictures, "measuring all sizes"):
        for name, detector in detectors.items():
            start = time.perf_counter()
            found = detector.rows(image)
            times[name].append(time.perf_counter() - start)
            unnamed = np.c_[found, np.full(len(found), -1.0)]
            scorers[name, "all"].add(truth, unnamed)
            for cut, part, some in slices.of(truth, image, unnamed, Scorer.threshold):
                if cut == SMALL:
                    scorers[name, "small"].add(part, some)
    first = next(iter(times.values()))
    return [
        {
            "size": name,
            **{part: scorers[name, part].result()["face_ap"] for part in TITLES},
            "ms": 1e3 * statistics.median(times[name]),
            "ratio": statistics.median(a / b for a, b in zip(times[name], first, strict=True)),
        }
        for name in detectors
    ]


def draw(rows: list[Row], path: Path) -> None:
    """AP over time as a picture."""
    figure, axis = plt.subplots(figsize=(6, 4), layout="constrained")
    for part, title in TITLES.items():
        axis.plot([r["ratio"] for r in rows], [r[part] for r in rows], "o", label=title)
    for r in rows:
        axis.annotate(r["size"], (r["ratio"], r["all"]), textcoords="offset points", xytext=(0, 7), rotation=60)
    axis.margins(0.15)
    axis.legend(loc="lower right")
    axis.set(xlabel=f"time per picture, {rows[0]['size']} = 1", ylabel="face AP (IoU 0.4)", title="int8 face detector")
    axis.grid(alpha=0.3)
    figure.savefig(path, dpi=110)
    plt.close(figure)
