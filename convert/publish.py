"""`maskcam-convert bundle`: two networks in, one verified bundle out, or nothing at all."""

from __future__ import annotations

import datetime
import json
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np

from convert import (
    box_growth,
    calibration,
    edgetpu_check,
    guard,
    known_answer,
    limits,
    models,
    output_range,
    score_calibration,
    verify,
)
from convert.card import LIMITS, card
from convert.config import ConvertConfig
from convert.to_onnx import to_onnx
from convert.to_tflite import to_tflite
from edge.backends.tflite import TFLiteEngine, interpreter_class
from edge.core.digest import sha256
from edge.core.errors import BundleError, DataError
from edge.core.labels import NOT_A_FACE, of_outputs
from edge.evaluation import formats
from edge.evaluation.annotated import Annotated
from edge.evaluation.runner import without_nan
from edge.vision import bundle as bundles
from edge.vision.decode import STRIDES

KEPT = {"detector": ("detector", "boxes"), "classifier": ("classifier",)}
"""What a bundle's `training` says of each network."""
UNKNOWN = "licence not stated"
MOST_MISSING = 0.1
"""Share of the validation pictures that may be missing: figures of an unknown part decide nothing."""


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
    measured for it: score threshold, overlap, growth and calibration of the boxes, or labels and margin.
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
    read = {n: models.fixed(models.read(path), *sizes[n]) for n, path in sources.items() if n not in kept}
    training = _reports(sources, kept)
    training["data"] = _data(training, kept, config)
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
                values[name] = _keep(kept[name], name, folder)
            else:
                one = _convert(name, read[name], pictures, folder, config)
                values[name] = one | _settings(name, one["outputs"], config)
        if config.edgetpu:
            edgetpu_check.gate(folder, list(sources))
        _write(folder, values)
        if "detector" not in kept:
            values["detector"]["score_threshold"] = _threshold(folder, held_out, config)
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
        old, alarms = guard.baseline(out, against), None if "detector" in kept else config.false_alarms
        told = guard.check(outcomes["int8"], held_out, old, alarms, even_if_worse)
        values["accuracy"] = {"data": validation.name, **figures, **told}
        if NOT_A_FACE in values["classifier"]["labels"] and not outcomes["int8"].lone:
            values["accuracy"]["not_a_face"] = verify.vetoes(detectors["int8"], held_out)
        (folder / "card.md").write_text(card(values))
        _write(folder, values)
        bundles.load(folder)
        _replace(folder, out)
    return out


def calibrated(
    model: keras.Model, held_out: list[Annotated], config: ConvertConfig
) -> tuple[keras.Model, dict[str, Any]]:
    """The detector with larger boxes and with probabilities for scores; and what was folded in, to be undone."""
    box_growth.fold(model, config.growth)
    factor, offset = score_calibration.fit(score_calibration.rows_of(model, config.overlap), held_out)
    score_calibration.fold(model, factor, offset)
    said = {"growth": config.growth, "matrix": box_growth.matrix(config.growth).tolist()}
    said |= {"score_calibration": {"factor": factor, "offset": offset}, "lowest_logit": output_range.LOWEST}
    return output_range.bound(model), said


def _convert(
    name: str, model: keras.Model, pictures: list[Annotated], folder: Path, config: ConvertConfig
) -> dict[str, Any]:
    """Writes the files of one network; returns its values for bundle.json."""
    height, width = model.input_shape[1:3]
    spec = bundles.Input(width=width, height=height)  # type: ignore[call-arg]
    count = min(config.calibration_pictures, len(pictures))
    if name == "detector":
        samples = calibration.for_detector(pictures, count, spec.spec())
    else:
        things = NOT_A_FACE in of_outputs(model.output_shape[-1])
        samples = calibration.for_classifier(pictures, count, spec.spec(), config.margin, things)
    print(
        f"{name}: {width}x{height}, {model.count_params():,} parameters, calibrating on {count} pictures",
        flush=True,
    )
    (folder / f"{name}_int8.tflite").write_bytes(to_tflite(model, samples))
    to_onnx(model, folder / f"{name}.onnx")
    outputs = _outputs(name, model)
    values: dict[str, Any] = {
        "input": spec.model_dump(),
        "outputs": outputs,
        "files": {"tflite": f"{name}_int8.tflite", "onnx": f"{name}.onnx"},
        "quantisation": _quantisation(folder / f"{name}_int8.tflite", outputs),
        "known_answer": f"{name}_known.npz",
    }
    network = bundles.Network.model_validate(values)
    engine = TFLiteEngine(folder / f"{name}_int8.tflite", network)
    known_answer.write(folder / f"{name}_known.npz", engine, list(outputs), width, height)
    return values


def _keep(bundle: bundles.Bundle, name: str, folder: Path) -> dict[str, Any]:
    """Copies the files of one network as they are; returns its values for bundle.json."""
    network: bundles.Network = getattr(bundle, name)
    for file in (*network.files.values(), network.known_answer):
        shutil.copyfile(bundle.folder / file, folder / file)
    values: dict[str, Any] = network.model_dump()
    settings = {key: values[key] for key in values if key not in bundles.Network.model_fields}
    print(f"{name}: kept from {bundle.folder} with {', '.join(f'{k} {v}' for k, v in settings.items())}", flush=True)
    return values


def _settings(name: str, outputs: dict[str, list[int]], config: ConvertConfig) -> dict[str, Any]:
    """What is not in the files of a network: how the device uses it."""
    if name == "detector":
        return {"strides": list(STRIDES), "score_threshold": 0.5, "overlap": config.overlap}
    return {"labels": list(of_outputs(outputs["probabilities"][0])), "margin": config.margin}


def _outputs(name: str, model: keras.Model) -> dict[str, list[int]]:
    names = ("scores", "distances") if name == "detector" else ("probabilities",)
    if len(model.outputs) != len(names):
        raise DataError(f"the {name} has {len(model.outputs)} outputs, expected {len(names)}: {', '.join(names)}")
    return {n: list(o.shape[1:]) for n, o in zip(names, model.outputs, strict=True)}


def _quantisation(path: Path, outputs: dict[str, list[int]]) -> dict[str, Any]:
    """dtype, scale and zero point of the input and the outputs, read back from the file."""
    interpreter = interpreter_class()[0](model_path=str(path))

    def of(detail: dict[str, Any]) -> dict[str, Any]:
        scale, zero_point = detail["quantization"]
        return {"dtype": np.dtype(detail["dtype"]).name, "scale": float(scale), "zero_point": int(zero_point)}

    found = {"input": of(interpreter.get_input_details()[0])}
    for detail in interpreter.get_output_details():
        found |= {n: of(detail) for n, shape in outputs.items() if shape == list(map(int, detail["shape"][1:]))}
    return found


def _reports(sources: dict[str, Path], kept: dict[str, bundles.Bundle]) -> dict[str, Any]:
    """The reports that `train` left beside the models, without histories; of a kept network what its bundle says."""
    found = {}
    for name, path in sources.items():
        report = path.parent / "report.json"
        if name in kept:
            found |= {k: v for k, v in kept[name].training.items() if k in KEPT[name]}
        elif report.is_file():
            values = json.loads(report.read_text())
            found[name] = {k: v for k, v in values.items() if k not in ("history", "skipped")}
    return found


def _data(training: Mapping[str, Any], kept: Mapping[str, bundles.Bundle], config: ConvertConfig) -> dict[str, str]:
    """Sources of the pictures that the networks learnt from -> what is known of their licence, for the card."""
    found: dict[str, str] = {}
    for bundle in kept.values():
        found |= bundle.training.get("data", {})
    for name in ("detector", "classifier"):
        if name not in kept:
            report = training.get(name, {})
            learnt = report.get("training") or {source: {} for source in report.get("sources", ())}
            found |= report.get("start_data", {})
            if weights := report.get("config", {}).get("weights"):
                start = report.get("start")
                found |= {f"{name}'s start": f"{weights} ({start})" if start else str(weights)}
            found |= {source: UNKNOWN for source in learnt if source not in found}
            if not learnt:
                found |= {f"{name}'s pictures": "not recorded: no report.json lay beside the model"}
    return found | config.data


def _threshold(folder: Path, held_out: list[Annotated], config: ConvertConfig) -> float:
    """The operating point of both int8 networks: what the classifier takes for no face is no alarm on the device."""
    both = verify.detectors(bundles.load(folder))["int8"]
    both.operating = 0.0
    return verify.operating_point(both.rows, held_out, config.false_alarms)


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
