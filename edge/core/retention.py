"""Which pictures of a bounded folder have to go: the rule of snapshots and of collecting."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

K = TypeVar("K")
DAY = 86400.0
"""Seconds."""


@dataclass(frozen=True)
class Kept(Generic[K]):
    """One picture that is there: by what it is known, when it was taken (s since 1970), its size (bytes)."""

    key: K
    taken: float
    size: int


@dataclass(frozen=True)
class Limits:
    """How many pictures, how many bytes in all, and for how many seconds (0: until there are too many)."""

    most: int
    max_bytes: int
    seconds: float

    def surplus(
        self, there: Sequence[Kept[K]], room: int, now: float | None, spared: Collection[K] = ()
    ) -> tuple[list[K], bool]:
        """What has to go so that `room` bytes more fit (0: nothing is added), the oldest first; whether they fit then.

        `now`: s since 1970; None where the clock is not set, so that nothing is known to be old. `spared` goes when it
        is old, never to make room.
        """
        count, total, gone = len(there), sum(kept.size for kept in there), []
        for kept in sorted(there, key=lambda kept: kept.taken):
            full = bool(room) and not self._fits(count, total, room)
            old = bool(self.seconds) and now is not None and kept.taken < now - self.seconds
            if old or (full and kept.key not in spared):
                gone.append(kept.key)
                count, total = count - 1, total - kept.size
        return gone, self._fits(count, total, room)

    def _fits(self, count: int, total: int, room: int) -> bool:
        return count < self.most and total + room <= self.max_bytes
