"""Signals only set a flag, which the loop checks between two frames."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType


class Flag:
    """Set by a signal, read by the loop."""

    def __init__(self) -> None:
        self.requested = False

    def request(self) -> None:
        self.requested = True

    def take(self) -> bool:
        """Whether it was set; it is cleared."""
        taken, self.requested = self.requested, False
        return taken


@contextmanager
def stop_on_signals() -> Iterator[Flag]:
    """A flag that SIGINT and SIGTERM set; a second signal ends the process at once, in case a camera hangs.

    Works in the main thread only, as Python requires for signals.
    """
    numbers = (signal.SIGINT, signal.SIGTERM)
    stop = Flag()
    with _handlers_kept(numbers) as restore:

        def request(number: int, frame: FrameType | None) -> None:
            stop.request()
            restore()

        for number in numbers:
            signal.signal(number, request)
        yield stop


@contextmanager
def reload_on_signal() -> Iterator[Flag]:
    """A flag that SIGHUP sets, every time."""
    reload = Flag()
    with _handlers_kept([signal.SIGHUP]):
        signal.signal(signal.SIGHUP, lambda number, frame: reload.request())
        yield reload


@contextmanager
def _handlers_kept(numbers: Sequence[signal.Signals]) -> Iterator[Callable[[], None]]:
    """Restores the present handlers at the end."""
    before = {number: signal.getsignal(number) for number in numbers}

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    try:
        yield restore
    finally:
        restore()
