"""Whether the system clock is right: a board without a real-time clock starts months in the past."""

from __future__ import annotations

import ctypes
import threading
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from edge.core.probes import run

YEAR = 2026
"""Year of this version: an earlier clock is wrong."""
AGAIN = 60.0
"""Seconds between two queries to timedated."""
_TIME_ERROR = 5
"""What adjtimex(2) returns while the clock is not synchronised."""


def timedated() -> bool | None:
    """What systemd-timedated reports about the kernel's clock over D-Bus; None if it does not answer."""
    said = run("timedatectl", "show", "--property=NTPSynchronized", "--value", timeout=10.0)
    return {"yes": True, "no": False}.get(said or "")


def kernel() -> bool | None:
    """Whether the kernel considers its clock synchronised; None if asking is not permitted."""
    try:
        state = ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(512))  # modes 0: only reads
    except (OSError, AttributeError):
        return None
    return None if state < 0 else bool(state != _TIME_ERROR)


class ClockState:
    """Whether a time server has set the clock since the start; None if unknown. A call never blocks.

    systemd-timesyncd leaves a file. With chrony or ntpd only the kernel knows, and the sandbox of the service does not
    permit the system call; so systemd-timedated is asked, in a thread, at most every AGAIN seconds. Until the first
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
"""The clock of this machine, shared by all users of clock time."""
