"""What a training must remember to go on after a kill exactly as if it had not been killed.

One file holds it all: weights, the optimizer's variables (step, moments, averages), the states of random number
generators (dropout) and the history. It is replaced as a whole after each epoch, so no kill and no full disk can leave
half of one and half of another.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from edge.core import files
from edge.core.errors import DataError

NAME = "checkpoint.npz"
Row = dict[str, float]


def variables(model: keras.Model) -> list[Any]:
    """Everything that a step of training of a compiled `model` changes, in a fixed order."""
    model.optimizer.build(model.trainable_variables)
    return [*model.variables, *model.optimizer.variables]


def take(model: keras.Model) -> list[NDArray[Any]]:
    """The values of `variables`."""
    return [np.array(keras.ops.convert_to_numpy(v)) for v in variables(model)]


def write(folder: Path, values: Sequence[NDArray[Any]], history: Sequence[Row]) -> None:
    """Replaces the checkpoint of `folder`. Raises OSError that names the file and says what to do."""
    path = folder / NAME
    try:
        with files.replacing(path, durable=True) as part, part.open("wb") as file:
            np.savez(file, *values, history=np.array(json.dumps(list(history))))
    except OSError as error:
        raise OSError(
            f"{path}: cannot be written: {error.strerror}; the same command goes on after epoch {len(history) - 1}"
        ) from error


def restore(folder: Path, model: keras.Model) -> list[Row]:
    """Gives a compiled `model` the state that `folder` holds; returns the history, empty where there is none.

    Raises DataError for a file that is damaged or of another network.
    """
    path = folder / NAME
    if not path.exists():
        return []
    wanted = variables(model)
    try:
        with path.open("rb") as opened, np.load(opened) as file:
            history: list[Row] = json.loads(str(file["history"]))
            values = [file[f"arr_{k}"] for k in range(len(file.files) - 1)]
    except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise DataError(f"{path}: damaged ({error}); delete it to train this part again") from error
    if [v.shape for v in values] != [tuple(v.shape) for v in wanted]:
        raise DataError(f"{path}: of another network; choose another --workdir, or delete this one")
    for variable, value in zip(wanted, values, strict=True):
        variable.assign(value)
    return history
