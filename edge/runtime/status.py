"""The status of a live run: a line for `systemctl status`, and a file of counters in the runtime directory."""

from __future__ import annotations

import json
import logging
import os
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

from edge.core import files
from edge.core.metrics import Counters
from edge.runtime.parts import Runtime

log = logging.getLogger(__name__)

FILE = "status.json"
PERIOD = 1.0
"""Seconds between two writes of the file."""


class Status:
    """The state of a live run. `folder`: a folder in memory (None: no file); `clock`: seconds."""

    def __init__(
        self, counters: Counters, folder: Path | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.state, self.detail = "starting", ""
        """One of `edge.core.records.STATES`, and a line about it."""
        self.notice = ""
        """Why the requested settings are not in force; empty if they are."""
        self._counters, self._clock = counters, clock
        self._path = folder / FILE if folder else None
        self._start = clock()
        self._alerted: float | None = None
        self._written = float("-inf")
        self._unwritten = False
        self._samples: deque[tuple[float, int]] = deque([(self._start, 0)], maxlen=11)

    def alerted(self) -> None:
        """Notes that an alert was raised now."""
        self._alerted = self._clock()

    @property
    def fps(self) -> float:
        """Frames per second over the last ten seconds or so."""
        (before, frames), now = self._samples[0], self._clock()
        return (self._counters.frames - frames) / (now - before) if now > before else 0.0

    def line(self, runtime: Runtime) -> str:
        what = f"{self.state} ({self.detail})" if self.detail else self.state
        backends = ", ".join(f"{network}: {backend}" for network, backend in _backends(runtime).items())
        alert = "no alert yet" if self._alerted is None else f"last alert {self._clock() - self._alerted:.0f} s ago"
        parts = [what, f"camera: {runtime.source}", backends, f"{self.fps:.1f} FPS", alert]
        if runtime.collector:
            parts.append(f"collecting pictures in {runtime.collector.folder.path}")
        if self.notice:
            parts.append(f"not the settings asked for: {self.notice}")
        return "; ".join(parts)

    def report(self, runtime: Runtime) -> dict[str, Any]:
        """The content of the file: texts, counters, and seconds."""
        now = self._clock()
        return {
            "pid": os.getpid(),
            "state": self.state,
            "detail": self.detail,
            "configuration": self.notice,
            "camera": runtime.source,
            "backends": _backends(runtime),
            "stages": {
                network: {"requested": stage.requested, "running": stage.running, "reason": stage.reason}
                for network, stage in runtime.backends.items()
            },
            "bundle": runtime.door.report() if runtime.door else None,
            "collecting": runtime.collector.report() if runtime.collector else None,
            "reopens": max(getattr(runtime.camera, "reopened", 0), 0),
            "uptime": round(now - self._start, 1),
            "fps": round(self.fps, 2),
            "since_alert": None if self._alerted is None else round(now - self._alerted, 1),
            **self._counters.report(),
        }

    def write(self, runtime: Runtime) -> None:
        """Writes the file if the last write was PERIOD ago; the file is replaced atomically."""
        now = self._clock()
        if now - self._written < PERIOD:
            return
        self._written = now
        if self._path:
            self._replace(self._path, json.dumps(self.report(runtime)) + "\n")
        self._samples.append((now, self._counters.frames))

    def _replace(self, path: Path, text: str) -> None:
        """Writes the file; a failure (full disk, missing folder, no descriptor) is logged once, and its end too."""
        try:
            files.write(path, text, mode=0o644)  # it holds no secrets
        except OSError as error:
            if not self._unwritten:
                log.warning("%s is not written (%s); the camera goes on", path, error.strerror)
            self._unwritten = True
        else:
            if self._unwritten:
                log.info("%s is written again", path)
            self._unwritten = False


def _backends(runtime: Runtime) -> dict[str, str]:
    return {network: stage.describe() for network, stage in runtime.backends.items()}
