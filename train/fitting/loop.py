"""The training loop around Keras's `fit`: checkpoint every epoch, resume after a kill, history, averaged weights."""

from __future__ import annotations

import contextlib
import csv
import functools
import io
import json
import os
import platform
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from edge.config import toml_model
from edge.config.toml_model import TomlModel
from edge.core import files
from edge.core.errors import ConfigError
from edge.core.progress import Progress, duration, left
from train.fitting import checkpoint, workers


@functools.cache
def _mirrored(kind: str) -> Any:
    """TensorFlow's MirroredStrategy over all devices of `kind`, None with fewer than two.

    One for the whole process: variables made in one strategy cannot be trained in another.
    """
    import tensorflow as tf

    devices = [device.name for device in tf.config.list_logical_devices(kind)]
    return tf.distribute.MirroredStrategy(devices) if len(devices) > 1 else None


def strategy_scope(kind: str = "GPU") -> contextlib.AbstractContextManager[Any]:
    """The scope to build and compile a model in: all local devices of `kind`, each with a part of every batch.

    TensorFlow's MirroredStrategy, or Keras's own DataParallel on the JAX backend. With at most one such device, or
    on PyTorch, it does nothing. May be entered several times. Where several machines train, each prepares a model of
    its own, of which `fit` makes the one that they share.
    """
    if workers.place().count > 1:
        return contextlib.nullcontext()
    backend = keras.backend.backend()
    if backend == "tensorflow" and (strategy := _mirrored(kind)):
        scope: contextlib.AbstractContextManager[Any] = strategy.scope()
        return scope
    if backend == "jax":
        # Asked for a kind that is not there, JAX raises; asked for none, it names its best.
        devices = [name for name in keras.distribution.list_devices() if name.startswith(kind.lower())]
        if len(devices) > 1:
            keras.distribution.set_distribution(keras.distribution.DataParallel(devices=devices))
    return contextlib.nullcontext()


def what_trains() -> str:
    """One line: the devices that a training runs on and, where a GPU is there that is not used, the remedy."""
    backend = keras.backend.backend()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    if backend == "torch":
        import torch

        where = torch.cuda.get_device_name() if torch.cuda.is_available() else f"{cores} cores of {platform.machine()}"
        return f"training on {where} (PyTorch {torch.__version__})"
    if backend != "tensorflow":
        return f"training on {', '.join(keras.distribution.list_devices())} ({backend})"
    import tensorflow as tf

    gpus = [tf.config.experimental.get_device_details(d) for d in tf.config.list_physical_devices("GPU")]
    names = [str(details.get("device_name", "GPU")) for details in gpus]
    if names:
        return f"training on {len(names)} GPU: {', '.join(names)} (TensorFlow {tf.__version__})"
    remedy = "; this TensorFlow cannot use the NVIDIA GPU: see docs/training.md for the extra 'train-gpu'"
    idle = remedy if Path("/proc/driver/nvidia/version").exists() else ", no GPU"
    return f"training on {cores} cores of {platform.machine()} (TensorFlow {tf.__version__}{idle})"


class SetEpoch(keras.callbacks.Callback):
    """Tells the batches which epoch begins, so that their randomness depends on it and not on how often we resumed."""

    def __init__(self, batches: Any) -> None:
        super().__init__()
        self.batches = batches

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.batches.epoch = epoch


class TakeState(keras.callbacks.Callback):
    """First at the end of an epoch: takes the state as the last step left it, for `SaveCheckpoint` to write."""

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.values = checkpoint.take(self.model)


class AveragedWeights(keras.callbacks.Callback):
    """Between epochs the model holds the optimizer's averaged weights, within them its own.

    Keras's SwapEMAWeights does the same by adding and subtracting, which changes the last bits of both.
    """

    def __init__(self) -> None:
        super().__init__()
        self.own: list[Any] = []

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.own = [np.array(keras.ops.convert_to_numpy(v)) for v in self.model.trainable_variables]
        self.model.optimizer.finalize_variable_values(self.model.trainable_variables)

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        for variable, value in zip(self.model.trainable_variables, self.own, strict=False):
            variable.assign(value)
        self.own = []


class ShowProgress(keras.callbacks.Callback):
    """First of all: how far the training is between two epochs, and how long all of it will take."""

    def __init__(self, batches: int, done: int, epochs: int, afterwards: float) -> None:
        super().__init__()
        self.line = Progress("training", round(batches * (epochs - done + afterwards)), "batches")
        self.epochs, self.seen = epochs, 0

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.note = f"epoch {epoch + 1} of {self.epochs}"

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.seen += 1
        self.line.update(self.seen, note=self.note)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.line.clear()


class SaveCheckpoint(keras.callbacks.Callback):
    """Last at the end of an epoch: writes checkpoint and history, and tells how it goes."""

    def __init__(
        self, taken: TakeState, folder: Path, history: list[checkpoint.Row], epochs: int, afterwards: float
    ) -> None:
        super().__init__()
        self.taken, self.folder, self.history, self.epochs = taken, folder, history, epochs
        self.start, self.first, self.afterwards = time.monotonic(), len(history), afterwards

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        row = {"epoch": float(epoch)} | {k: float(v) for k, v in sorted((logs or {}).items())}
        self.history.append(row)
        checkpoint.write(self.folder, self.taken.values, self.history)
        write_history(self.folder / "history.csv", self.history)
        each = (time.monotonic() - self.start) / (epoch + 1 - self.first)
        ahead = self.epochs - epoch - 1 + self.afterwards
        waiting = f", {left(each * ahead)}" if ahead else ""
        figures = ", ".join(f"{k} {v:.4g}" for k, v in row.items() if k not in ("epoch", "learning_rate"))
        print(f"epoch {epoch + 1} of {self.epochs}: {figures}; {duration(each)} each{waiting}", flush=True)


def check(workdir: Path, settings: dict[str, Any], model: type[TomlModel] = TomlModel) -> None:
    """Raises ConfigError where `workdir` is no folder, or holds a training of other settings: it names what differs.

    Writes nothing. `model`: that of `settings["config"]`, which knows the names that an older training wrote.
    """
    there = next(path for path in (workdir, *workdir.absolute().parents) if path.exists())
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        reason = "may not be written" if there.is_dir() else "is a file"
        raise ConfigError(f"--workdir {workdir}: {there} {reason}; expected a folder of yours, or a new one")
    mark = workdir / "settings.json"
    if not mark.exists():
        return
    try:
        old = json.loads(mark.read_text())
        old["config"] = json.loads(_text(toml_model.defaults(model))) | toml_model.current(old.get("config", {}), model)
    except (ValueError, TypeError, AttributeError) as error:
        raise ConfigError(f"{mark}: damaged; choose another --workdir, or delete this one") from error
    new = json.loads(_text(settings))
    if keys := [k for k in sorted(old.keys() | new.keys()) if old.get(k) != new.get(k)]:
        raise ConfigError(
            f"{workdir}: holds a training with other settings ({', '.join(keys)}); choose another --workdir, or delete "
            "this one"
        )


def lock_workdir(workdir: Path, settings: dict[str, Any], model: type[TomlModel] = TomlModel) -> None:
    """Marks `workdir` as belonging to these settings (settings.json), once only the training itself can fail.

    Raises what `check` does: a resume with other settings would mix two trainings.
    """
    check(workdir, settings, model)
    if not workers.chief():
        return
    workdir.mkdir(parents=True, exist_ok=True)
    files.write(workdir / "settings.json", _text(settings))


def _text(settings: dict[str, Any]) -> str:
    return json.dumps(settings, indent=1, sort_keys=True, default=str)


def save(model: keras.Model, path: Path) -> None:
    """Writes a .keras file so that a kill or a full disk leaves the old one or the new one."""
    try:
        with files.replacing(path) as part:
            model.save(part)
    except OSError as error:
        raise OSError(f"{path}: cannot be written: {error.strerror or error}; the same command tries again") from error


def fit(
    model: keras.Model,
    batches: Any,
    workdir: Path,
    epochs: int,
    validation: Any = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    afterwards: float = 0.0,
    metrics: Sequence[str] = (),
) -> list[dict[str, float]]:
    """Trains a compiled model and returns the history, one dict per epoch (also `history.csv` in `workdir`).

    A killed training, called again with the same `workdir`, goes on after the last finished epoch to exactly what it
    would have become; a finished one returns at once. Where the optimizer averages weights (`use_ema`), the average
    is what `callbacks` see and what the model holds at the end. `afterwards`: the work that follows this training, in
    epochs of it, for the time that is reported to be left. Raises DataError, OSError.

    Where several machines train (`train.fitting.workers`), `batches` have a `share`, `metrics` are those that `model`
    was compiled with, and the chief alone calls `callbacks`, validates and writes; all end with the same `model`.
    """
    if workers.place().count > 1:
        return _fit_together(model, batches, workdir, epochs, validation, callbacks, afterwards, metrics)
    workdir.mkdir(parents=True, exist_ok=True)
    history = checkpoint.restore(workdir, model)
    if history:
        print(f"{workdir}: {len(history)} of {epochs} epochs are done", flush=True)
    if len(history) < epochs:
        progress = ShowProgress(len(batches), len(history), epochs, afterwards)
        taken = TakeState()
        keep = SaveCheckpoint(taken, workdir, history, epochs, afterwards)
        averaged = [AveragedWeights()] if model.optimizer.use_ema else []
        with progress.line:
            model.fit(
                batches,
                epochs=epochs,
                initial_epoch=len(history),
                validation_data=validation,
                shuffle=False,
                verbose=0,
                callbacks=[progress, SetEpoch(batches), taken, *averaged, *callbacks, keep],
            )
    else:
        model.optimizer.finalize_variable_values(model.trainable_variables)
        write_history(workdir / "history.csv", history)  # a kill may have come between the two
    return history


def _fit_together(
    model: keras.Model,
    batches: Any,
    workdir: Path,
    epochs: int,
    validation: Any,
    callbacks: Sequence[keras.callbacks.Callback],
    afterwards: float,
    metrics: Sequence[str],
) -> list[checkpoint.Row]:
    trained = workers.distributed(model, metrics)
    with workers.strategy().scope():
        history = checkpoint.restore(workdir, trained)
    workers.agree(len(history), workdir)
    first, last = [], []
    progress = ShowProgress(len(batches), len(history), epochs, afterwards)
    if workers.chief():
        workdir.mkdir(parents=True, exist_ok=True)
        print(f"{workdir}: {len(history)} of {epochs} epochs are done", flush=True)
        taken = TakeState()
        first = [progress, taken]
        last = [*callbacks, SaveCheckpoint(taken, workdir, history, epochs, afterwards)]
    averaged = [AveragedWeights()] if trained.optimizer.use_ema else []
    if len(history) < epochs:
        with warnings.catch_warnings(), progress.line, workers.together():
            # Keras counts the batches of the first epoch, one too many, and then misses one in each.
            warnings.filterwarnings("ignore", "Your input ran out of data")
            trained.fit(
                workers.shares(batches),
                epochs=epochs,
                initial_epoch=len(history),
                shuffle=False,
                verbose=0,
                callbacks=[*first, SetEpoch(batches), *averaged, workers.Follow(model, validation), *last],
            )
        batches.share = workers.ALONE
    else:
        trained.optimizer.finalize_variable_values(trained.trainable_variables)
        model.set_weights(trained.get_weights())
    return history


def write_history(path: Path, rows: Sequence[checkpoint.Row]) -> None:
    """The history as a table for people."""
    text = io.StringIO()
    table = csv.DictWriter(text, list(dict.fromkeys(key for row in rows for key in row)), lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
    files.write(path, text.getvalue())
