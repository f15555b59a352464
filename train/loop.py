"""The training loop around Keras's `fit`: checkpoint every epoch, resume after a kill, history, averaged weights."""

from __future__ import annotations

import contextlib
import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras

from edge.core.errors import ConfigError


def strategy_scope(kind: str = "GPU") -> contextlib.AbstractContextManager[Any]:
    """The scope to build and compile a model in: all local devices of `kind`, each with a part of every batch.

    TensorFlow's MirroredStrategy, or Keras's own DataParallel on the JAX backend. With at most one such device, or
    on PyTorch, it does nothing.
    """
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        devices = [device.name for device in tf.config.list_logical_devices(kind)]
        if len(devices) > 1:
            scope: contextlib.AbstractContextManager[Any] = tf.distribute.MirroredStrategy(devices).scope()
            return scope
    elif backend == "jax" and len(keras.distribution.list_devices(kind.lower())) > 1:
        devices = keras.distribution.list_devices(kind.lower())
        keras.distribution.set_distribution(keras.distribution.DataParallel(devices=devices))
    return contextlib.nullcontext()


class TellEpoch(keras.callbacks.Callback):
    """Tells the batches which epoch begins, so that their randomness depends on it and not on how often we resumed."""

    def __init__(self, batches: Any) -> None:
        super().__init__()
        self.batches = batches

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.batches.epoch = epoch


def claim(workdir: Path, settings: dict[str, Any]) -> None:
    """Marks `workdir` as belonging to these settings; a resume with others would mix two trainings.

    Raises ConfigError naming what differs.
    """
    workdir.mkdir(parents=True, exist_ok=True)
    mark = workdir / "settings.json"
    text = json.dumps(settings, indent=1, sort_keys=True, default=str)
    if mark.exists() and mark.read_text() != text:
        old = json.loads(mark.read_text())
        new = json.loads(text)
        keys = [k for k in sorted(old.keys() | new.keys()) if old.get(k) != new.get(k)]
        raise ConfigError(
            f"{workdir}: holds a training with other settings ({', '.join(keys)}); choose another --workdir"
        )
    mark.write_text(text)


def fit(
    model: keras.Model,
    batches: Any,
    workdir: Path,
    epochs: int,
    validation: Any = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
) -> list[dict[str, float]]:
    """Trains a compiled model and returns the history, one dict per epoch (also `history.csv` in `workdir`).

    A killed training goes on after the last finished epoch when called again with the same `workdir`; a
    finished one returns at once with its weights loaded. Where the optimizer averages weights (`use_ema`), the
    average is what `callbacks` see and what the model holds at the end.
    """
    workdir.mkdir(parents=True, exist_ok=True)
    done, history = workdir / "done.weights.h5", workdir / "history.csv"
    if done.exists():
        model.optimizer.build(model.trainable_variables)  # or Keras warns of the optimizer's missing variables
        model.load_weights(done)
        return read_history(history)
    averaged = [keras.callbacks.SwapEMAWeights(swap_on_epoch=True)] if model.optimizer.use_ema else []
    model.fit(
        batches,
        epochs=epochs,
        validation_data=validation,
        shuffle=False,
        verbose="auto",
        callbacks=[
            TellEpoch(batches),
            keras.callbacks.BackupAndRestore(str(workdir / "backup"), double_checkpoint=True, delete_checkpoint=False),
            *averaged,
            *callbacks,
            keras.callbacks.CSVLogger(str(history), append=True),
        ],
    )
    model.save_weights(done)
    return read_history(history)


def read_history(path: Path) -> list[dict[str, float]]:
    """Reads `history.csv`; of an epoch that was repeated after a kill the last row counts."""
    with open(path, newline="") as file:
        rows = {
            int(r["epoch"]): {k: float(v) for k, v in r.items() if v not in ("", "NA")} for r in csv.DictReader(file)
        }
    return [rows[e] for e in sorted(rows)]
