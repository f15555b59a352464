"""Whether the system clock is right: a board without a clock chip starts months in the past."""

from __future__ import annotations

import ctypes
import threading
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from edge.core.probes import run

YEAR = 2026
"""Of this version: an earlier clock is wrong."""
AGAIN = 60.0
"""Seconds between two questions to timedated."""
_TIME_ERROR = 5
"""What adjtimex(2) returns while the clock is not synchronised."""


def timedated() -> bool | None:
    """What systemd-timedated says of the kernel's clock, by D-Bus; None if it does not answer."""
    said = run("timedatectl", "show", "--property=NTPSynchronized", "--value", timeout=10.0)
    return {"yes": True, "no": False}.get(said or "")


def kernel() -> bool | None:
    """Whether the kernel counts its clock as synchronised; None if it may not be asked."""
    try:
        state = ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(512))  # modes 0: only reads
    except (OSError, AttributeError):
        return None
    return None if state < 0 else bool(state != _TIME_ERROR)


class ClockState:
    """Whether a time server has set the clock since the start; None if unknown. A call never blocks.

    systemd-timesyncd leaves a file, and the kernel knows, but the sandbox of the service does not allow to ask it.
    With chrony or ntpd it is asked through systemd-timedated, in a thread, at most every AGAIN seconds: until the first
    answer the state is unknown.
    """

    def __init__(
        self,
        root: Path = Path("/"),
        kernel: Callable[[], bool | None] = kernel,
        ask: Callable[[], bool | None] = timedated,
        clock: Callable[[], float] = time.monotonic,
        start: Callable[[Callable[[], None]], object] = lambda work: threading.Thread(target=work, daemon=True).start(),
    ) -> None:
        self._marker = root / "run/systemd/timesync/synchronized"
        self._kernel, self._ask, self._clock, self._start = kernel, ask, clock, start
        self._said: bool | None = None
        self._due = float("-inf")

    def __call__(self) -> bool | None:
        if datetime.now().year < YEAR:
            return False
        if self._marker.exists():
            return True
        if (known := self._kernel()) is not None:
            return known
        if (now := self._clock()) >= self._due:
            self._due = now + AGAIN
            self._start(self._question)
        return self._said

    def _question(self) -> None:
        self._said = self._ask()


clock_is_set = ClockState()
"""Of this machine, shared by everybody who stamps or dates."""
