"""Processes that make batches: threads of one process would wait for one another, and a GPU for them."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.core.errors import DataError
from edge.core.records import Image
from edge.evaluation.coco import Annotated
from train.config import DetectorConfig
from train.detector.hard_examples import Place
from train.detector.sampling import Sampler

_own: list[Sampler] = []
"""The sampler of a process that makes batches."""


class Processes:
    """A `Sampler` in each of `count` processes; may be asked by several threads at once. `close` ends them."""

    def __init__(
        self,
        count: int,
        scenes: Sequence[Annotated],
        config: DetectorConfig,
        hard_examples: Sequence[Sequence[Place]],
        megabytes: float,
        readable: Sequence[int],
    ) -> None:
        """`megabytes`: of decoded pictures that each process keeps; the others: see `Sampler`."""
        self._pool = ProcessPoolExecutor(
            count,
            multiprocessing.get_context("spawn"),  # a fork of a process with TensorFlow's threads may hang
            _begin,
            (list(scenes), config, hard_examples, megabytes, readable),
        )

    def batch(self, rows: int, seed: Sequence[int]) -> tuple[Image, NDArray[np.float32]]:
        """See `Sampler.batch`. Raises DataError when a process has died."""
        try:
            return self._pool.submit(_batch, rows, list(seed)).result()
        except BrokenProcessPool as error:
            raise DataError(
                "a process that makes batches died, perhaps for want of memory; "
                "the same command goes on after the last epoch: give fewer --workers or less --memory"
            ) from error

    def close(self) -> None:
        """Ends the processes and waits for them."""
        self._pool.shutdown(cancel_futures=True)


def _begin(
    scenes: list[Annotated],
    config: DetectorConfig,
    hard_examples: Sequence[Sequence[Place]],
    megabytes: float,
    readable: Sequence[int],
) -> None:
    cv2.setNumThreads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the training, which ends these
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _own.append(Sampler(scenes, config, hard_examples, megabytes, readable))


def _end_with_parent() -> None:
    """A training that is killed leaves nothing behind."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _batch(rows: int, seed: list[int]) -> tuple[Image, NDArray[np.float32]]:
    return _own[0].batch(rows, seed)
