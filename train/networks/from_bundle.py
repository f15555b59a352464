"""Trained networks taken back from a bundle's ONNX files, so that a training can go on from what is shipped.

The detector's convolutions are there as they were trained. The classifier's batch normalisations were merged into its
convolutions; they are frozen, and need no more than the scale and offset that are left.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from edge.core.errors import DataError, MissingPackage
from edge.vision.bundle import Bundle

Array = NDArray[np.float32]
Folded = tuple[Array, Array, Array]
"""Kernel in Keras's order of axes, and the scale and offset per channel that follow it."""


def restore(model: keras.Model, bundle: Bundle) -> None:
    """Gives the detector `model` the weights of the one in `bundle`; its input may have another size.

    What made the boxes larger and the scores probabilities is taken out again.
    Raises DataError where the bundle has no such detector, MissingPackage without onnx.
    """
    path = bundle.path("detector", "onnx")
    known = _convolutions(path)
    taught = _taught(bundle.training.get("boxes", {}))
    try:
        for name, layer in _layers(model).items():
            kernel, _, offset = known[name]
            last = taught.get(layer.filters) if isinstance(layer, keras.layers.Conv2D) else None
            layer.set_weights(last(kernel, offset) if last else [kernel, offset])
    except (KeyError, ValueError) as error:
        reason = f"no layer {error}" if isinstance(error, KeyError) else str(error).splitlines()[0]
        raise DataError(f"{path}: does not fit this detector ({reason}); expected a bundle of this release") from error


def origin(bundle: Bundle) -> dict[str, Any]:
    """Backbone, width, input size and hidden units of a bundle's classifier, as a configuration names them.

    Raises DataError where the bundle does not say: then it cannot be gone on from.
    """
    said = bundle.training.get("classifier", {}).get("config", {})
    wanted = ("backbone", "alpha", "size", "hidden", "margin")
    if said.get("backbone") != "mobilenetv2" or not all(key in said for key in wanted):
        raise DataError(f"--start {bundle.folder}: its bundle.json names no MobileNetV2 classifier to go on from")
    return {key: said[key] for key in wanted}


def restore_classifier(model: keras.Model, bundle: Bundle) -> None:
    """Gives the classifier `model` the weights of the one in `bundle`; of its labels those that `model` has.

    Its batch normalisations are frozen, so the scale and offset that the file holds are all they need.
    Raises DataError where the bundle has no such classifier, MissingPackage without onnx.
    """
    path = bundle.path("classifier", "onnx")
    known, dense = _convolutions(path), _dense(path)
    try:
        for name, layer in _layers(model).items():
            kernel, scale, offset = known[name]
            norm = _norm_after(layer)
            layer.set_weights([kernel])
            norm.set_weights([scale, offset, np.zeros_like(scale), np.full_like(scale, 1 - norm.epsilon)])
        for layer in model.layers:
            if isinstance(layer, keras.layers.Dense):
                kernel, bias = dense[layer.name]
                layer.set_weights([kernel[:, : layer.units], bias[: layer.units]])
    except (KeyError, ValueError, AttributeError) as error:
        raise DataError(f"{path}: does not fit this classifier: {str(error).splitlines()[0]}") from error


def _taught(folded: dict[str, Any]) -> dict[int, Callable[[Array, Array], list[Array]]]:
    """By filters of an output's convolution: (kernel, bias) of the file -> what they were before publishing."""
    tight = np.linalg.inv(np.array(folded.get("matrix", np.eye(4)))).astype(np.float32)
    factor, offset = (folded.get("score_calibration", {}).get(k, v) for k, v in (("factor", 1.0), ("offset", 0.0)))
    moved = offset - folded.get("lowest_logit", 0.0)
    return {
        1: lambda kernel, bias: [kernel / factor, (bias - moved) / factor],
        4: lambda kernel, bias: [kernel @ tight, bias @ tight],
    }


def _dense(path: Path) -> dict[str, tuple[Array, Array]]:
    """Name of a dense layer -> kernel (inputs, units) and bias."""
    nodes, values = graph(path)
    found = {}
    for node in nodes.node:
        if node.op_type == "Gemm":
            kernel, bias = values[node.input[1]], values[node.input[2]]
            turned = any(a.name == "transB" and a.i for a in node.attribute)
            name = re.sub(r"_\d+$", "", node.input[2].split("/")[1])
            found[name] = (kernel.T if turned else kernel), bias
    return found


def graph(path: Path) -> tuple[Any, dict[str, Array]]:
    """The graph of an ONNX file and its constants by name. Raises DataError, MissingPackage."""
    try:
        import onnx
        from onnx import numpy_helper
    except ImportError as error:
        raise MissingPackage("onnx", "train") from error
    try:
        nodes = onnx.load(path).graph
    except Exception as error:  # protobuf raises whatever a damaged file makes it raise
        raise DataError(f"{path}: not an ONNX file: {str(error).splitlines()[0]}") from error
    return nodes, {tensor.name: numpy_helper.to_array(tensor) for tensor in nodes.initializer}


def _convolutions(path: Path) -> dict[str, Folded]:
    """Name of the layer, as `_layers` has it -> what the file says of it. The exporter adds a number to each name."""
    nodes, values = graph(path)
    readers = {name: node for node in nodes.node for name in node.input}
    found = {}
    for node in nodes.node:
        if node.op_type != "Conv":
            continue
        kernel = values[node.input[1]]
        said = (node.input[1], node.name, *node.input[2:])  # of a folded constant only the bias has a name
        scope = next(name for name in said if "/" in name).split("/")
        scale, offset = np.ones(len(kernel), np.float32), np.zeros(len(kernel), np.float32)
        if len(node.input) > 2:
            offset = values[node.input[2]]
        elif readers[node.output[0]].op_type == "Mul":  # a depthwise one: the exporter does not merge it
            times = readers[node.output[0]]
            scale, offset = (_constant(values, n) for n in (times, readers[times.output[0]]))
        deep = kernel.shape[1] == 1 and len(kernel) > 1 and kernel.shape[2] > 1
        axes = (2, 3, 0, 1) if deep else (2, 3, 1, 0)
        found[re.sub(r"_\d+$", "", scope[1])] = kernel.transpose(axes), scale, offset
    return found


def _constant(values: dict[str, Array], node: Any) -> Array:
    """What a multiplication or addition per channel puts to its input."""
    return next(values[name].reshape(-1) for name in node.input if name in values)


def _layers(model: keras.Model) -> dict[str, Any]:
    """The convolutions of `model` by name."""
    kinds = (keras.layers.Conv2D, keras.layers.DepthwiseConv2D)
    return {layer.name: layer for layer in model.layers if isinstance(layer, kinds)}


def _norm_after(layer: Any) -> Any:
    """The batch normalisation that reads a convolution, or None."""
    after = layer.output._keras_history.operation
    readers = [node.operation for node in after._outbound_nodes]
    return next((r for r in readers if isinstance(r, keras.layers.BatchNormalization)), None)
