"""Pictures of a training, decoded when they are shown: memory does not grow with the data set."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence

from edge.core.errors import DataError
from edge.core.records import Image
from edge.evaluation.annotated import Annotated
from train.data import dataset

MEGABYTES = 4000
"""Of decoded pictures that are kept unless somebody says otherwise."""


class KeptPictures:
    """By their numbers. The last used are kept, up to so many bytes; another is decoded again. Thread-safe."""

    def __init__(
        self, scenes: Sequence[Annotated], megabytes: float = MEGABYTES, readable: Sequence[int] | None = None
    ) -> None:
        """Decodes every picture once, to know which can be had: hours must not end at a damaged one.

        `readable`: numbers of those pictures, where another has looked already.
        """
        self._scenes, self._most = scenes, megabytes * 1_000_000
        self._kept: OrderedDict[int, Image] = OrderedDict()
        self._bytes, self._lock = 0, threading.Lock()
        self.decoded = 0
        """How often a file was opened."""
        looked = readable is None
        self.readable = [k for k in range(len(scenes)) if self._get(k) is not None] if looked else list(readable or ())

    def __getitem__(self, number: int) -> Image:
        """RGB (H, W, 3) uint8, not to be changed. Raises DataError where a picture can no longer be read."""
        image = self._get(number)
        if image is None:
            raise DataError(f"{self._scenes[number].path}: could be read when the training began, and no longer can")
        return image

    def _get(self, number: int) -> Image | None:
        with self._lock:
            if number in self._kept:
                self._kept.move_to_end(number)
                return self._kept[number]
        image = dataset.picture_of(self._scenes[number])
        with self._lock:
            self.decoded += 1
            if image is not None and number not in self._kept:
                self._kept[number] = image
                self._bytes += image.nbytes
                while self._bytes > self._most and len(self._kept) > 1:
                    self._bytes -= self._kept.popitem(last=False)[1].nbytes
        return image
