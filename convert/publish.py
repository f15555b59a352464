"""`maskcam-convert bundle`: two Keras models in, one verified bundle out, or nothing at all."""

from __future__ import annotations

import datetime
import hashlib
import json
import tempfile
from pathlib import Path
from typing import Any

import keras
import numpy as np

from convert import calibration, edgetpu_check, known_answer, models, score_calibration, verify
from convert.card import card
from convert.config import ConvertConfig
from convert.to_onnx import to_onnx
from convert.to_tflite import to_tflite
from edge import bundle as bundles
from edge import coco
from edge.decode import STRIDES
from edge.detector import FaceDetector
from edge.engines.tflite import TFLiteEngine, interpreter_class
from edge.errors import BundleError, DataError
from edge.evaluation import without_nan
from edge.labels import CLASSIFIER_LABELS


def publish(
    detector: Path,
    classifier: Path,
    calibrate: Path,
    validation: Path,
    out: Path,
    config: ConvertConfig,
) -> Path:
    """Converts, measures, checks and only then moves the bundle to `out` (an older bundle there is replaced).

    Raises DataError, BundleError; on any failure `out` is as it was.
    """
    out = Path(out)
    if out.exists() and not (out / bundles.NAME).is_file() and (out.is_file() or any(out.iterdir())):
        raise BundleError(f"{out}: exists and is not a bundle; nothing was written, choose another --out")
    if not out.parent.is_dir():
        raise BundleError(f"{out.parent}: no such folder; make it first")
    networks = {
        "detector": models.fixed(models.read(detector), config.width, config.height),
        "classifier": models.fixed(models.read(classifier)),
    }
    pictures, held_out = coco.read(calibrate), coco.read(validation)
    calibrated = score_calibration.fit(score_calibration.rows_of(networks["detector"], config.overlap), held_out)
    score_calibration.fold(networks["detector"], *calibrated)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=".bundle-") as temporary:
        folder = Path(temporary) / "bundle"
        folder.mkdir()
        values = _convert(networks, pictures, folder, config)
        if config.edgetpu:
            edgetpu_check.gate(folder, list(networks))
        values["training"] = {"data": config.data, **_reports(detector, classifier)}
        values["training"]["score_calibration"] = dict(zip(("factor", "offset"), calibrated, strict=True))
        _write(folder, values)
        values["detector"]["score_threshold"] = _threshold(folder, held_out, config)
        _write(folder, values)
        figures = verify.measure(bundles.load(folder), held_out)
        print(verify.table(figures))
        verify.check(figures, config)
        values["accuracy"] = {"data": validation.name, **figures}
        (folder / "card.md").write_text(card(values))
        _write(folder, values)
        bundles.load(folder)
        _replace(folder, out)
    return out


def _convert(
    networks: dict[str, keras.Model], pictures: list[coco.Annotated], folder: Path, config: ConvertConfig
) -> dict[str, Any]:
    """Writes the files of both networks; returns the values of bundle.json."""
    values: dict[str, Any] = {
        "schema_version": bundles.SCHEMA,
        "name": config.name,
        "created": datetime.datetime.now(datetime.timezone.utc).date().isoformat(),
        "licence": config.licence,
    }
    for name, model in networks.items():
        height, width = model.input_shape[1:3]
        spec = bundles.Input(width=width, height=height)  # type: ignore[call-arg]
        count = config.calibration_pictures
        if name == "detector":
            samples = calibration.for_detector(pictures, count, spec.spec())
        else:
            samples = calibration.for_classifier(pictures, count, spec.spec(), config.margin)
        print(
            f"{name}: {width}x{height}, {model.count_params():,} parameters, calibrating on {count} pictures",
            flush=True,
        )
        (folder / f"{name}_int8.tflite").write_bytes(to_tflite(model, samples))
        to_onnx(model, folder / f"{name}.onnx")
        outputs = _outputs(name, model)
        values[name] = {
            "input": spec.model_dump(),
            "outputs": outputs,
            "files": {"tflite": f"{name}_int8.tflite", "onnx": f"{name}.onnx"},
            "quantisation": _quantisation(folder / f"{name}_int8.tflite", outputs),
            "known_answer": f"{name}_known.npz",
        }
        network = bundles.Network.model_validate(values[name])
        engine = TFLiteEngine(folder / f"{name}_int8.tflite", network)
        known_answer.write(folder / f"{name}_known.npz", engine, list(outputs), width, height)
    values["detector"] |= {"strides": list(STRIDES), "score_threshold": 0.5, "overlap": config.overlap}
    values["classifier"] |= {"labels": list(CLASSIFIER_LABELS), "margin": config.margin}
    return values


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


def _reports(*model_paths: Path) -> dict[str, Any]:
    """The reports that `train` left beside the models, without their histories."""
    found = {}
    for path in model_paths:
        report = path.parent / "report.json"
        if report.is_file():
            values = json.loads(report.read_text())
            found[path.stem] = {k: v for k, v in values.items() if k not in ("history", "skipped")}
    return found


def _threshold(folder: Path, held_out: list[coco.Annotated], config: ConvertConfig) -> float:
    """The int8 detector's operating point."""
    bundle = bundles.load(folder)
    engine = TFLiteEngine(bundle.path("detector", "tflite"), bundle.detector)
    finder = FaceDetector(engine, bundle.detector, threshold=0.1)
    return verify.operating_point(finder.rows, held_out, config.false_alarms)


def _write(folder: Path, values: dict[str, Any]) -> None:
    """Writes bundle.json with the digest of every other file."""
    files = {}
    for path in sorted(folder.iterdir()):
        if path.name != bundles.NAME:
            data = path.read_bytes()
            files[path.name] = {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
    text = json.dumps(without_nan({**values, "files": files}), indent=1, allow_nan=False)
    (folder / bundles.NAME).write_text(text + "\n")


def _replace(folder: Path, out: Path) -> None:
    """Moves the finished bundle to its place; the older one goes only when the new one is there."""
    old = folder.parent / "old"
    if out.exists():
        out.rename(old)
    folder.rename(out)
