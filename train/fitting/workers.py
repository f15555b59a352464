"""Several machines train one network: TensorFlow's MultiWorkerMirroredStrategy, which `TF_CONFIG` tells who they are.

Every worker is given the same command. Each makes its own share of every batch, and all take the same step, by the mean
of their gradients. The chief, the first of them, alone measures and writes. A worker that dies ends the others; started
again, all go on from the chief's checkpoint: they share the working folder.
"""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras

from edge.core import json_text
from edge.core.errors import ConfigError, DataError

VARIABLE = "TF_CONFIG"
EXPECTED = '{"cluster": {"worker": ["HOST:PORT", ...]}, "task": {"type": "worker", "index": 0}}'


@dataclass(frozen=True)
class Place:
    """Which of how many workers this process is, counted from 0."""

    number: int = 0
    count: int = 1

    def rows(self, batch: int) -> int:
        """How many of a batch's samples it makes. Raises ConfigError."""
        if batch % self.count:
            raise ConfigError(f"batch = {batch}: cannot be shared by {self.count} workers; expected a multiple of it")
        return batch // self.count

    def seed(self, *numbers: int) -> list[int]:
        """Of its share; alone, that of the whole batch."""
        return [*numbers, self.number] if self.count > 1 else [*numbers]


ALONE = Place()


def place(text: str | None = None) -> Place:
    """Of this process; ALONE where TF_CONFIG (by default the environment's) names no other. Raises ConfigError."""
    text = os.environ.get(VARIABLE, "") if text is None else text
    if not text.strip():
        return ALONE
    try:
        values = json_text.parse(text)
        machines, task = values["cluster"], values["task"]
        if unknown := set(machines) - {"chief", "worker"}:
            raise ValueError(f"'{min(unknown)}' is not for this training")
        if not all(isinstance(name, str) and ":" in name for names in machines.values() for name in names):
            raise ValueError("a machine is no HOST:PORT")
        before = len(machines.get("chief", ())) if task["type"] == "worker" else 0
        number, names = int(task["index"]), machines[task["type"]]
        if not 0 <= number < len(names):
            raise ValueError(f"index {number} of {len(names)} of type '{task['type']}'")
        return Place(before + number, sum(map(len, machines.values())))
    except (ValueError, TypeError, AttributeError, LookupError) as error:
        reason = f"no {error}" if isinstance(error, LookupError) else str(error)
        raise ConfigError(f"{VARIABLE}: {reason}; expected {EXPECTED}") from None


def chief() -> bool:
    """Whether this process writes and measures; true where it is alone."""
    return place().number == 0


@functools.cache
def strategy() -> Any:
    """Of all workers, whom it waits for; the first thing that a process does with TensorFlow. Raises ConfigError."""
    if keras.backend.backend() != "tensorflow":
        raise ConfigError(f"{VARIABLE} is set: several machines train with KERAS_BACKEND=tensorflow only")
    import tensorflow as tf

    class Workers(tf.distribute.MultiWorkerMirroredStrategy):  # type: ignore[misc]
        """Keras asks for the mean of a whole batch, and of single numbers by their first axis; neither is known."""

        def reduce(self, reduce_op: Any, value: Any, axis: int | None) -> Any:
            mean = super().reduce

            def one(v: Any) -> Any:
                number = self.experimental_local_results(v)[0].shape.rank == 0
                return mean(reduce_op, v, None if number else axis)

            return tf.nest.map_structure(one, value)

    print(f"worker {place().number} of {place().count}: waiting for the others", flush=True)
    return Workers()


def begin() -> None:
    """Finds the other workers, where there are any."""
    if place().count > 1:
        strategy()


def distributed(model: keras.Model, metrics: Sequence[str]) -> keras.Model:
    """A copy of a compiled `model` that all workers train together, compiled alike with these `metrics`."""
    with strategy().scope():
        copy = type(model).from_config(model.get_config())  # clone_model wants to read the loss from text too
        copy.set_weights(model.get_weights())
        optimizer = type(model.optimizer).from_config(model.optimizer.get_config())
        copy.compile(optimizer, model.loss, metrics=list(metrics), jit_compile=False)
    return copy


def shares(batches: Any) -> Any:
    """What all workers make of `batches`, each its own part; as a tf.data set that `fit` takes."""
    import tensorflow as tf

    batches.share = place()
    kinds = [tf.TensorSpec((None, *array.shape[1:]), array.dtype) for array in batches[0]]

    def one(number: Any) -> Any:
        arrays = tf.numpy_function(lambda k: batches[int(k)], [number], [kind.dtype for kind in kinds])
        return tuple(tf.ensure_shape(a, kind.shape) for a, kind in zip(arrays, kinds, strict=True))

    def of_this_process(context: Any) -> Any:
        numbers = tf.data.Dataset.range(len(batches))
        return numbers.map(one, num_parallel_calls=max(batches.workers, 1), deterministic=True).prefetch(2)

    return strategy().distribute_datasets_from_function(of_this_process)


def agree(done: int, folder: Path) -> None:
    """All workers must have finished as many epochs: they see the same working folder. Raises DataError."""
    import tensorflow as tf

    with together():
        said = strategy().gather(tf.constant([done]), axis=0).numpy().tolist()
    if len(set(said)) > 1:
        each = ", ".join(f"worker {k}: {epochs}" for k, epochs in enumerate(said))
        raise DataError(
            f"{folder}: not the same for all workers (epochs done: {each}); expected --workdir on a shared disk"
        )


@contextlib.contextmanager
def chief_first() -> Iterator[None]:
    """The others begin when the chief is through: what it has written lies there then."""
    several = place().count > 1
    if several and not chief():
        agree(0, Path())
    yield
    if several and chief():
        agree(0, Path())


@contextlib.contextmanager
def together() -> Iterator[None]:
    """A step of all workers. Raises ConnectionError where one of them is gone: the step is none then."""
    import tensorflow as tf

    lost = (tf.errors.UnavailableError, tf.errors.AbortedError, tf.errors.InternalError, tf.errors.CancelledError)
    try:
        yield
    except lost as error:
        why = next((line.strip() for line in str(error).splitlines() if "task" in line), "")
        raise ConnectionError(
            "another worker is gone; start all of them again, they go on after the last finished epoch "
            f"({why or type(error).__name__})"
        ) from None


class Follow(keras.callbacks.Callback):
    """At the end of an epoch `plain`, which this process can use by itself, takes the weights of what all train."""

    def __init__(self, plain: keras.Model, validation: Any) -> None:
        """`validation`: batches on which the chief measures `plain`, or None."""
        super().__init__()
        self.plain, self.validation = plain, validation

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.plain.set_weights(self.model.get_weights())
        if self.validation is not None and chief():
            found = self.plain.evaluate(self.validation, verbose=0, return_dict=True)
            logs.update({f"val_{name}": value for name, value in found.items()})
