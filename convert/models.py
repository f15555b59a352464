"""Reads the Keras models that `train` wrote, and brings the detector to the input size of the bundle."""

from __future__ import annotations

from pathlib import Path

import keras

from edge.bundle import LFS_POINTER
from edge.errors import DataError


def read(path: Path) -> keras.Model:
    """A `.keras` file. Raises DataError, one line."""
    path = Path(path)
    if not path.is_file():
        raise DataError(f"{path}: no such file; expected a .keras model written by maskcam-train")
    if path.read_bytes()[: len(LFS_POINTER)] == LFS_POINTER:
        raise DataError(f"{path}: a Git-LFS pointer, not the model; fetch it with 'git lfs pull'")
    try:
        return keras.models.load_model(path, compile=False)
    except Exception as error:  # Keras raises whatever a damaged archive makes it raise
        raise DataError(f"{path}: not a Keras model: {str(error).splitlines()[0]}") from error


def fixed(model: keras.Model, width: int = 0, height: int = 0) -> keras.Model:
    """The same network with a static batch of one and, when given, another input size.

    A fully convolutional network's weights fit any input size as they are. The static batch keeps shape
    arithmetic out of the converted file, which an Edge TPU could not map.
    """
    shape = (1, height or model.input_shape[1], width or model.input_shape[2], 3)
    other = keras.models.clone_model(model, input_tensors=keras.Input(batch_shape=shape))
    other.set_weights(model.get_weights())
    return other
