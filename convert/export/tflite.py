"""Keras -> full-integer TFLite: int8 in and out, static shapes, so that an Edge TPU could map it whole."""

from __future__ import annotations

from collections.abc import Iterable

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from edge.core.native_output import silence_native_output


def to_tflite(model: keras.Model, representative: Iterable[list[NDArray[np.float32]]]) -> bytes:
    """The int8 flatbuffer of a model of `convert.networks.keras_models.fixed`.

    `representative` gives normalised inputs (1, height, width, 3). Dense layers are quantised per tensor: the
    Edge TPU compiler rejects the converter's per-channel Dense.
    """
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: iter(representative)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type, converter.inference_output_type = tf.int8, tf.int8
    converter._experimental_disable_per_channel_quantization_for_dense_layers = True
    with silence_native_output():
        data: bytes = converter.convert()
    return data
