"""How long to wait before something that failed is tried again."""

from __future__ import annotations


class Backoff:
    """Waits that double from `first` to at most `longest` seconds.

    What worked for `longest` seconds before it failed again starts over, if its times are told.
    """

    def __init__(self, first: float, longest: float) -> None:
        self._first, self._longest = first, longest
        self.wait = first
        """Seconds that the next failure costs."""

    def next(self, worked: float = 0.0) -> float:
        """Seconds to wait now, after a failure; `worked`: seconds for which it worked before."""
        if worked >= self._longest:
            self.reset()
        wait = self.wait
        self.wait = min(2 * wait, self._longest)
        return wait

    def reset(self) -> None:
        """It works again."""
        self.wait = self._first
