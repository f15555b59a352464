"""Exponential back-off: how long to wait before something that failed is tried again."""

from __future__ import annotations


class Backoff:
    """Delays that double from `first` to at most `longest` seconds.

    An attempt that worked for `longest` seconds or more resets the delay; see `next`.
    """

    def __init__(self, first: float, longest: float) -> None:
        self._first, self._longest = first, longest
        self.wait = first
        """Seconds to wait after the next failure."""

    def next(self, worked: float = 0.0) -> float:
        """Seconds to wait now, after a failure; `worked`: seconds for which the last attempt worked."""
        if worked >= self._longest:
            self.reset()
        wait = self.wait
        self.wait = min(2 * wait, self._longest)
        return wait

    def reset(self) -> None:
        """Starts over from `first`: the last attempt succeeded."""
        self.wait = self._first
