"""What stands in bundle.json of each network: converted anew, or kept from another bundle."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np

from convert.bundle import known_answer
from convert.config import ConvertConfig
from convert.export import representative
from convert.export.onnx import open_shape, to_onnx
from convert.export.tflite import to_tflite
from convert.networks import keras_models, rounding
from edge.backends.tflite import TFLiteEngine, interpreter_class
from edge.config.settings import Backend
from edge.core.errors import DataError
from edge.core.labels import NOT_A_FACE, of_outputs
from edge.core.native_output import silence_native_output
from edge.evaluation.annotated import Annotated
from edge.vision import bundle as bundles
from edge.vision.decode import STRIDES
from edge.vision.preprocess import InputSpec

KEPT = {"detector": ("detector", "boxes"), "classifier": ("classifier",)}
"""What a bundle's `training` says of each network."""
UNKNOWN = "licence not stated"
LOOKED_AT = 100
"""Pictures by which the weights are rounded; of each many places are seen."""


def for_int8(name: str, model: keras.Model, pictures: list[Annotated], config: ConvertConfig) -> keras.Model:
    """A copy of one of the bundle's networks that loses least when it is converted to int8."""
    count = min(config.calibration_pictures, len(pictures), LOOKED_AT)
    _, *inputs = (sample for (sample,) in _samples(name, model, pictures, count, config))
    return rounding.rounded(model, inputs)


def _samples(
    name: str, model: keras.Model, pictures: list[Annotated], count: int, config: ConvertConfig
) -> Iterator[representative.Batch]:
    height, width = model.input_shape[1:3]
    if name.startswith("detector"):
        return representative.for_detector(pictures, count, InputSpec(width, height))
    things = NOT_A_FACE in of_outputs(model.output_shape[-1])
    return representative.for_classifier(pictures, count, InputSpec(width, height), config.margin, things)


def convert(
    name: str,
    model: keras.Model,
    int8: keras.Model,
    pictures: list[Annotated],
    folder: Path,
    config: ConvertConfig,
) -> dict[str, Any]:
    """Writes the files of one of the bundle's networks; returns its values for bundle.json.

    `int8`: what `for_int8` made of the network, with the same input size.
    """
    height, width = model.input_shape[1:3]
    size = bundles.Input(width=width, height=height)  # type: ignore[call-arg]
    count = min(config.calibration_pictures, len(pictures))
    print(
        f"{name}: {width}x{height}, {model.count_params():,} parameters, calibrating on {count} pictures",
        flush=True,
    )
    (folder / f"{name}_int8.tflite").write_bytes(to_tflite(int8, _samples(name, int8, pictures, count, config)))
    outputs, network = _outputs(name, model), f"{name.partition('-')[0]}.onnx"
    if network == f"{name}.onnx":  # the shapes of the detector share it
        to_onnx(model, folder / network)
    if name == "detector":
        open_shape(folder / network)
    values: dict[str, Any] = {
        "input": size.model_dump(),
        "outputs": outputs,
        "files": {"tflite": f"{name}_int8.tflite", "onnx": network},
        "quantisation": _quantisation(folder / f"{name}_int8.tflite", outputs),
        "known_answer": f"{name}_known.npz",
    }
    spec = bundles.Network.model_validate(values)
    with silence_native_output():  # TensorFlow Lite greets on stderr when a network is opened
        engine = TFLiteEngine(folder / f"{name}_int8.tflite", spec, Backend().threads)
    known_answer.write(folder / f"{name}_known.npz", engine, list(outputs), width, height)
    return values


def shapes(
    detector: keras.Model, int8: keras.Model, pictures: list[Annotated], folder: Path, config: ConvertConfig
) -> list[dict[str, Any]]:
    """The same for the detector with each of its further input shapes, of which one may be that of `config.width`."""
    found = []
    for size in dict.fromkeys(config.shapes):
        if size == (config.width, config.height):
            continue
        other, other_int8 = (keras_models.fixed(model, *size) for model in (detector, int8))
        found.append(convert(bundles.shape_name(*size), other, other_int8, pictures, folder, config))
    return found


def keep(bundle: bundles.Bundle, name: str, folder: Path) -> dict[str, Any]:
    """Copies the files of one network as they are; returns its values for bundle.json."""
    network: bundles.Network = bundle.networks[name]
    for file in (file for one in bundle.shapes(name).values() for file in (*one.files.values(), one.known_answer)):
        shutil.copyfile(bundle.folder / file, folder / file)
    values: dict[str, Any] = network.model_dump()
    settings = {key: values[key] for key in values if key not in {*bundles.Network.model_fields, "shapes"}}
    print(f"{name}: kept from {bundle.folder} with {', '.join(f'{k} {v}' for k, v in settings.items())}", flush=True)
    return values


def settings(name: str, outputs: dict[str, list[int]], config: ConvertConfig) -> dict[str, Any]:
    """What is not in the files of a network: how the device uses it."""
    if name == "detector":
        return {"strides": list(STRIDES), "score_threshold": 0.5, "nms_iou": config.nms_iou}
    return {"labels": list(of_outputs(outputs["probabilities"][0])), "margin": config.margin}


def _outputs(name: str, model: keras.Model) -> dict[str, list[int]]:
    names = ("scores", "distances") if name.startswith("detector") else ("probabilities",)
    if len(model.outputs) != len(names):
        raise DataError(f"the {name} has {len(model.outputs)} outputs, expected {len(names)}: {', '.join(names)}")
    return {n: list(o.shape[1:]) for n, o in zip(names, model.outputs, strict=True)}


def _quantisation(path: Path, outputs: dict[str, list[int]]) -> dict[str, Any]:
    """dtype, scale and zero point of the input and the outputs, read back from the file."""
    interpreter = interpreter_class()[0](model_path=str(path))

    def of(detail: dict[str, Any]) -> dict[str, Any]:
        scale, zero_point = detail["quantization"]
        return {"dtype": np.dtype(detail["dtype"]).name, "scale": float(scale), "zero_point": int(zero_point)}

    found: dict[str, Any] = {"input": of(interpreter.get_input_details()[0])}
    for detail in interpreter.get_output_details():
        found |= {n: of(detail) for n, shape in outputs.items() if shape == list(map(int, detail["shape"][1:]))}
    return found


def reports(sources: dict[str, Path], kept: dict[str, bundles.Bundle]) -> dict[str, Any]:
    """The reports that `train` left beside the models, without histories; of a kept network what its bundle says."""
    found: dict[str, Any] = {}
    for name, path in sources.items():
        report = path.parent / "report.json"
        if name in kept:
            found |= {k: v for k, v in kept[name].training.items() if k in KEPT[name]}
        elif report.is_file():
            values = json.loads(report.read_text())
            found[name] = {k: v for k, v in values.items() if k not in ("history", "skipped")}
    return found


def data(training: Mapping[str, Any], kept: Mapping[str, bundles.Bundle], config: ConvertConfig) -> dict[str, str]:
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
