"""Keras -> ONNX for the OpenCV backend, through Keras's own exporter (tf2onnx); the input stays NHWC."""

from __future__ import annotations

from pathlib import Path

import keras

from edge.core.native_output import silence_native_output


def to_onnx(model: keras.Model, path: Path) -> None:
    """Writes the float network with a static batch of one."""
    signature = [keras.InputSpec(shape=(1, *model.input_shape[1:]), dtype="float32", name="image")]
    with silence_native_output():
        model.export(path, format="onnx", input_signature=signature, verbose=False)
