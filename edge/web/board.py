"""The board's temperature, throttling, disk and memory. Read on request, at most every 5 s."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from edge.core.probes import Run, run, text
from edge.operations.doctor import power

EVERY = 5.0
"""Seconds for which an answer is reused."""


class Board:
    """The machine whose file system is mounted at `root`; `folder` is on the disk to report."""

    def __init__(
        self,
        root: Path = Path("/"),
        folder: Path = Path("/"),
        run: Run = run,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._root, self._folder, self._run, self._clock = root, folder, run, clock
        self._read: tuple[float, dict[str, Any]] | None = None

    @property
    def fresh(self) -> bool:
        """Whether the next answer comes without reading."""
        return self._read is not None and self._clock() - self._read[0] < EVERY

    def report(self) -> dict[str, Any]:
        """`temperature` in degrees Celsius, `throttled` (at present), `throttled_before`, `disk_free` and
        `memory_free` in bytes, `memory` of this process in bytes; None for what this machine does not report."""
        if self._read is None or not self.fresh:
            self._read = self._clock(), self._looked()
        return self._read[1]

    def _looked(self) -> dict[str, Any]:
        bits = power.bits(self._root, self._run)
        try:
            free = shutil.disk_usage(self._folder).free
        except OSError:
            free = None
        return {
            "temperature": power.degrees(self._root),
            "throttled": None if bits is None else power.names(bits),
            "throttled_before": None if bits is None else power.names(bits >> 16),
            "disk_free": free,
            "memory_free": _memory_free(self._root),
            "memory": _resident(self._root),
        }


def _memory_free(root: Path) -> int | None:
    for line in text(root / "proc/meminfo").splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return None


def _resident(root: Path) -> int | None:
    fields = text(root / "proc/self/statm").split()
    return int(fields[1]) * os.sysconf("SC_PAGE_SIZE") if len(fields) > 1 else None
