"""Reads the Keras models that `train` wrote, and brings the detector to the input size of the bundle."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from edge.core.errors import DataError
from edge.vision.bundle import LFS_POINTER

DOUBLE = ((2, 2), "nearest")
"""Size and interpolation of the upsampling that is replaced."""


KINDS = {b"PK\x03\x04": ".keras", b"\x89HDF": ".h5"}
"""First bytes of a file -> the suffix by which Keras goes."""


class Depthwise(keras.layers.DepthwiseConv2D):
    """As Keras 2 wrote it: with a number of groups, which a depthwise convolution does not have (it is 1)."""

    def __init__(self, *args: Any, groups: int = 1, **named: Any) -> None:
        super().__init__(*args, **named)


def read(path: Path) -> keras.Model:
    """A model that Keras 3 or Keras 2 wrote, whatever its name: `.keras`, `.h5`, the tutorial's `mask_detector.model`.

    Raises DataError, one line.
    """
    path = Path(path)
    if not path.is_file():
        raise DataError(f"{path}: no such file; expected a .keras model written by maskcam-train")
    if path.read_bytes()[: len(LFS_POINTER)] == LFS_POINTER:
        raise DataError(f"{path}: a Git-LFS pointer, not the model; fetch it with 'git lfs pull'")
    with path.open("rb") as file:
        kind = KINDS.get(file.read(4))
    if kind is None:
        raise DataError(f"{path}: not a Keras model: expected a .keras or .h5 file, whole")
    older = {"DepthwiseConv2D": Depthwise} if kind == ".h5" else None
    with tempfile.TemporaryDirectory() as folder:
        named = Path(folder) / f"model{kind}"
        named.symlink_to(path.resolve())
        try:
            return keras.models.load_model(named, custom_objects=older, compile=False)
        except Exception as error:  # Keras raises whatever a damaged archive makes it raise
            said = (str(error).splitlines() or [type(error).__name__])[0][:200]
            raise DataError(f"{path}: not a Keras model that can be read: {said}") from error


def heads(model: keras.Model, filters: int) -> list[keras.layers.Conv2D]:
    """The last convolutions of a detector: those with 1 filter say the scores, those with 4 the distances."""
    convolutions = (layer for layer in model.layers if isinstance(layer, keras.layers.Conv2D) and layer.use_bias)
    return [layer for layer in convolutions if layer.filters == filters]


class Doubled(keras.layers.Layer):
    """Every pixel twice in each direction, as `UpSampling2D(2)` does, in one operation that an Edge TPU has.

    Keras spells nearest upsampling as tiles of tensors of rank five, which neither an Edge TPU nor XNNPACK can map.
    Without half-pixel centres, which make no difference when doubling, the operation has a version that old
    Edge TPU compilers accept.
    """

    def call(self, x: tf.Tensor) -> tf.Tensor:
        size = [2 * x.shape[1], 2 * x.shape[2]]
        return tf.raw_ops.ResizeNearestNeighbor(images=x, size=size, align_corners=False, half_pixel_centers=False)

    def compute_output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return shape[0], 2 * shape[1], 2 * shape[2], shape[3]


def fixed(model: keras.Model, width: int = 0, height: int = 0) -> keras.Model:
    """The same network with a static batch of one and, when given, another input size, as an Edge TPU can map it.

    A fully convolutional network's weights fit any input size as they are. The static batch keeps shape
    arithmetic out of the converted file.
    """

    def clone(layer: keras.layers.Layer) -> keras.layers.Layer:
        doubles = isinstance(layer, keras.layers.UpSampling2D) and (layer.size, layer.interpolation) == DOUBLE
        return Doubled(name=layer.name) if doubles else layer.__class__.from_config(layer.get_config())

    shape = (1, height or model.input_shape[1], width or model.input_shape[2], 3)
    image = keras.Input(batch_shape=shape)
    other = keras.models.clone_model(model, input_tensors=image, clone_function=clone)
    other.set_weights(model.get_weights())
    return other
