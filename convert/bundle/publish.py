"""`maskcam-convert bundle`: two networks in, one verified bundle out, or nothing at all."""

from __future__ import annotations

import datetime
import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from convert.bundle import contents, limits
from convert.bundle.card import LIMITS, card
from convert.config import ConvertConfig
from convert.edgetpu import check
from convert.networks import keras_models
from convert.networks.calibrated import calibrated
from convert.verification import regression, verify
from edge.core.digest import sha256
from edge.core.errors import BundleError, DataError
from edge.core.labels import NOT_A_FACE
from edge.evaluation import formats
from edge.evaluation.annotated import Annotated
from edge.evaluation.runner import without_nan
from edge.vision import bundle as bundles

MOST_MISSING = 0.1
"""Share of the validation pictures that may be missing: figures of an unknown part decide nothing."""
ENOUGH = 300
"""Validation pictures from which on a new classifier beside a kept detector gets a joint threshold of its own: on
fewer, false alarms are so rare that the kept one is the better guess."""
LOWEST_JOINT = 0.05
"""Joint threshold below which none is chosen: from it on a box is classified, which takes time."""


def publish(
    detector: Path,
    classifier: Path,
    calibrate: Path,
    validation: Path,
    out: Path,
    config: ConvertConfig,
    against: Path | None = None,
    even_if_worse: bool = False,
    renamed: Mapping[str, str] | None = None,
) -> Path:
    """Converts, measures, checks and only then moves the bundle to `out` (an older bundle there is replaced).

    `detector`, `classifier`: a Keras model, or the folder of a bundle whose network is kept as it is, with all that was
    measured for it: score threshold, NMS IoU, margin and calibration of the boxes, or labels and margin. The joint
    threshold of a kept detector stays too, unless the classifier is new and there are `ENOUGH` whole scenes.
    `against`: the bundle that it must not be surely worse than on the validation pictures (default: the one at `out`,
    else the shipped one); `even_if_worse` publishes all the same. `renamed`: see `formats.read`.
    Raises DataError, BundleError; on any failure `out` is as it was.
    """
    out = Path(out)
    if out.exists() and not (out / bundles.NAME).is_file() and (out.is_file() or any(out.iterdir())):
        raise BundleError(f"{out}: exists and is not a bundle; nothing was written, choose another --out")
    if not out.parent.is_dir():
        raise BundleError(f"{out.parent}: no such folder; make it first")
    sources = {"detector": Path(detector), "classifier": Path(classifier)}
    kept = {name: bundles.load(path) for name, path in sources.items() if path.is_dir()}
    pictures = [p for p in formats.read(calibrate, renamed) if calibrate != validation or p.split != "val"]
    held_out = [p for p in formats.read(validation, renamed) if calibrate != validation or p.split != "train"]
    if "detector" not in kept and any(p.lone for p in (*pictures, *held_out)):
        raise DataError(
            f"{validation}: says of each picture one face at most, and a new detector is measured on whole scenes; "
            "expected COCO, Pascal VOC or YOLO for --calibration and --validation, or a bundle for --detector"
        )
    sizes = {"detector": (config.width, config.height), "classifier": ()}
    read = {n: keras_models.fixed(keras_models.read(path), *sizes[n]) for n, path in sources.items() if n not in kept}
    training = contents.reports(sources, kept)
    training["data"] = contents.data(training, kept, config)
    if "detector" in read:
        read["detector"], training["boxes"] = calibrated(read["detector"], held_out, config)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=".bundle-") as temporary:
        folder = Path(temporary) / "bundle"
        folder.mkdir()
        values: dict[str, Any] = {
            "schema_version": bundles.SCHEMA,
            "name": config.name,
            "created": datetime.datetime.now(datetime.timezone.utc).date().isoformat(),
            "licence": config.licence,
            "training": training,
        }
        for name in sources:
            if name in kept:
                values[name] = contents.keep(kept[name], name, folder)
                continue
            int8 = contents.for_int8(name, read[name], pictures, config)
            one = contents.convert(name, read[name], int8, pictures, folder, config)
            values[name] = one | contents.settings(name, one["outputs"], config)
            if name == "detector":
                values[name]["shapes"] = contents.shapes(read[name], int8, pictures, folder, config)
        if config.edgetpu:
            check.gate(folder)
        _write(folder, values)
        if "detector" not in kept:
            _choose_thresholds(values, folder, held_out, config.false_alarms)
        elif NOT_A_FACE not in values["classifier"]["labels"]:
            values["detector"]["joint_threshold"] = None  # chosen for a classifier that knew it
        elif "classifier" not in kept and len(held_out) >= ENOUGH and not any(p.lone for p in held_out):
            _choose_joint_threshold(values, folder, held_out, config.false_alarms)
        _write(folder, values)
        detectors = verify.detectors(bundles.load(folder))
        limits.sheet(detectors["int8"], folder / LIMITS)
        figures, outcomes = verify.measure(detectors, held_out)
        missing = figures["sources"]["all"]["skipped"]
        if missing > MOST_MISSING * len(held_out):
            raise DataError(f"{validation}: {figures['sources']['all']['first_skipped']}; nothing was published")
        print(verify.table(figures))
        if len(kept) < len(sources):
            verify.check(figures, outcomes, config)
        old, alarms = regression.baseline(out, against), None if "detector" in kept else config.false_alarms
        told = regression.check(outcomes["int8"], held_out, old, alarms, even_if_worse)
        values["accuracy"] = {"data": validation.name, **figures, **told}
        if NOT_A_FACE in values["classifier"]["labels"] and not outcomes["int8"].lone:
            values["accuracy"]["not_a_face"] = verify.vetoes(detectors["int8"], held_out)
        (folder / "card.md").write_text(card(values))
        _write(folder, values)
        bundles.load(folder)
        _replace(folder, out)
    return out


def _choose_thresholds(values: dict[str, Any], folder: Path, held_out: list[Annotated], false_alarms: float) -> None:
    """The operating points of the int8 networks: of the detector, and of both if the classifier knows "not a face"."""
    detector = values["detector"]
    alone = verify.detectors(bundles.load(folder))["int8"]
    detector["score_threshold"] = verify.operating_point(lambda image: alone.answers(image)[0], held_out, false_alarms)
    if NOT_A_FACE in values["classifier"]["labels"]:
        _choose_joint_threshold(values, folder, held_out, false_alarms)


def _choose_joint_threshold(
    values: dict[str, Any], folder: Path, held_out: list[Annotated], false_alarms: float
) -> None:
    """The operating point of both int8 networks together."""
    detector = values["detector"]
    detector["joint_threshold"] = verify.HIGHEST  # while it is chosen: scores below the operating point are not changed
    _write(folder, values)
    both = verify.detectors(bundles.load(folder))["int8"]
    detector["joint_threshold"] = verify.operating_point(both.rows, held_out, false_alarms, lowest=LOWEST_JOINT)


def _write(folder: Path, values: dict[str, Any]) -> None:
    """Writes bundle.json with the digest of every other file."""
    files = {}
    for path in sorted(folder.iterdir()):
        if path.name != bundles.NAME:
            files[path.name] = {"sha256": sha256(path), "bytes": path.stat().st_size}
    text = json.dumps(without_nan({**values, "files": files}), indent=1, allow_nan=False)
    (folder / bundles.NAME).write_text(text + "\n")


def _replace(folder: Path, out: Path) -> None:
    """Moves the finished bundle to its place; the older one goes only when the new one is there."""
    old = folder.parent / "old"
    if out.exists():
        out.rename(old)
    folder.rename(out)
