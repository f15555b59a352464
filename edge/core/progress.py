"""Progress of long work, with the time left: one line that is rewritten on a terminal, few lines in a log."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sized
from types import TracebackType
from typing import TextIO, TypeVar

T = TypeVar("T")
TERMINAL, LOG = 0.2, 60.0
"""Shortest time between two reports, in seconds."""


def duration(seconds: float) -> str:
    """A duration in the most readable unit: s, min or h."""
    for unit, name in ((3600, "h"), (60, "min")):
        if seconds >= 2 * unit:
            return f"{seconds / unit:.0f} {name}" if seconds >= 10 * unit else f"{seconds / unit:.1f} {name}"
    return f"{seconds:.0f} s"


def left(seconds: float) -> str:
    """The remaining time in words."""
    return f"about {duration(seconds)} left"


class Progress:
    """Reports the progress of `what`: `total` steps (None: unknown) counted in `unit`, on `stream` (None: stderr).

    On a terminal the line is rewritten at most five times a second; elsewhere a line is printed at most once a minute,
    so that a log stays short and quick work prints nothing.
    """

    def __init__(
        self,
        what: str,
        total: int | None = None,
        unit: str = "",
        stream: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._what, self._total, self._unit, self._clock = what, total, unit, clock
        self._stream = sys.stderr if stream is None else stream
        self._terminal = self._stream.isatty()
        self._start = self._last = clock()
        self._shown = 0
        """Number of characters now on the terminal's line."""

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.clear()

    def update(self, done: int, total: int | None = None, note: str = "") -> None:
        """Reports `done` finished steps. total: if it became known only now; note: printed after the figures."""
        self._total = total or self._total
        now = self._clock()
        if now - self._last < (TERMINAL if self._terminal else LOG) and not (self._terminal and done == self._total):
            return
        self._last = now
        text = self._text(done, now - self._start, note)
        if self._terminal:
            print(f"\r{text:<{self._shown}}", end="", file=self._stream, flush=True)
            self._shown = len(text)
        else:
            print(text, file=self._stream, flush=True)

    def clear(self) -> None:
        """Erases the line on a terminal, so that something else can be printed."""
        if self._shown:
            print(f"\r{'':<{self._shown}}\r", end="", file=self._stream, flush=True)
            self._shown = 0

    def _text(self, done: int, seconds: float, note: str) -> str:
        parts = [f"{done} of {self._total}" if self._total else str(done)]
        if self._unit:
            parts[0] += f" {self._unit}"
        if note:
            parts.append(note)
        if self._total and 0 < done < self._total:
            parts.append(left(seconds / done * (self._total - done)))
        return f"{self._what}: {', '.join(parts)}"


def track(items: Iterable[T], what: str, total: int | None = None, unit: str = "pictures") -> Iterator[T]:
    """Iterates over `items` and reports the progress. total: their number, if `items` has no length."""
    if total is None and isinstance(items, Sized):
        total = len(items)
    with Progress(what, total, unit) as progress:
        for done, item in enumerate(items, 1):
            yield item
            progress.update(done)
