"""Keras -> ONNX for the OpenCV backend, through Keras's own exporter (tf2onnx); the input stays NHWC."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import onnx
from onnx import numpy_helper

from edge.core.native_output import silence_native_output


def to_onnx(model: keras.Model, path: Path) -> None:
    """Writes the float network with a static batch of one."""
    signature = [keras.InputSpec(shape=(1, *model.input_shape[1:]), dtype="float32", name="image")]
    with silence_native_output():
        model.export(path, format="onnx", input_signature=signature, verbose=False)


def open_shape(path: Path) -> None:
    """Leaves the number of cells open where the detector at `path` lists them, so that OpenCV runs the one file with
    every input shape; the exporter wrote the number of its own shape.
    """
    network = onnx.load(path)
    targets = {node.input[1] for node in network.graph.node if node.op_type == "Reshape"}
    for constant in network.graph.initializer:
        if constant.name in targets and list(constant.dims) == [3]:
            batch, _, values = numpy_helper.to_array(constant).tolist()
            constant.CopyFrom(numpy_helper.from_array(np.array([batch, -1, values], np.int64), constant.name))
    onnx.save(network, path)
