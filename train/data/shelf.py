"""Pixels that outgrow the memory: the first megabytes stay there, the others lie in files that the system reads in.

What is read from a file is memory that the system takes back when it wants to, so a training needs no more of it for
more pictures. The files have no names, so nothing is left of them, however the training ends.
"""

from __future__ import annotations

import mmap
import os
import tempfile
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from edge.core.records import Image

MEGABYTES = 1000
"""That stay in memory."""
FILE = 1 << 30
"""Bytes of a file; a picture that is larger gets one of its own size."""


def folder() -> str | None:
    """Where the files lie: TMPDIR, else /var/tmp, since /tmp often is memory; None: where Python puts such files."""
    roomy = Path("/var/tmp")  # nosec B108: the files there have no name that anybody could take first
    return os.environ.get("TMPDIR") or (str(roomy) if roomy.is_dir() else None)


class Shelf:
    """Keeps pictures."""

    def __init__(self, megabytes: float = MEGABYTES, size: int = FILE) -> None:
        """`megabytes`: how many stay in memory. `size`: bytes of a file."""
        self._left, self._size, self._end = megabytes * 1_000_000, size, 0
        self._map: mmap.mmap | None = None
        self._close: Callable[[], Any] = lambda: None

    def keep(self, image: Image) -> Image:
        """The same pixels, uint8 in any shape, not to be changed. Raises OSError where the disk is full."""
        if image.nbytes <= self._left:
            self._left -= image.nbytes
            return image
        if self._map is None or self._end + image.nbytes > len(self._map):
            self._begin(max(self._size, image.nbytes))
        assert self._map is not None
        self._write(image.tobytes())
        kept = np.frombuffer(self._map, np.uint8, image.size, self._end).reshape(image.shape)
        self._end += image.nbytes
        return kept

    def _begin(self, size: int) -> None:
        self._close()
        self._file = tempfile.TemporaryFile(dir=folder(), buffering=0)  # noqa: SIM115  (open as long as it is filled)
        self._close = weakref.finalize(self, self._file.close)
        self._file.truncate(size)
        self._map, self._end = mmap.mmap(self._file.fileno(), size, access=mmap.ACCESS_READ), 0

    def _write(self, pixels: bytes) -> None:
        """Not through the mapping: there a full disk would be a signal that kills the process."""
        left = memoryview(pixels)
        self._file.seek(self._end)
        try:
            while left:
                left = left[self._file.write(left) :]
        except OSError as error:
            where, remedy = folder() or tempfile.gettempdir(), "free some space, or set TMPDIR to a folder with more"
            raise OSError(f"{where}: {error.strerror}, for decoded faces; {remedy}") from error


keep = Shelf().keep
"""Of the one shelf of this process."""
