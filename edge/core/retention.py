"""Which pictures to delete from a folder with limits, and how old they are: the rule for snapshots and collecting."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

K = TypeVar("K")
DAY = 86400.0
"""Seconds."""


@dataclass(frozen=True)
class Kept(Generic[K]):
    """A picture in the folder: its key, when it was taken (s since 1970), its size (bytes)."""

    key: K
    taken: float
    size: int


class Dates(Generic[K]):
    """When pictures were taken, as far as the clock that said so can be believed.

    A board without a battery starts in the past, and a clock that ran ahead is set back: pictures of those times would
    be thrown away at once, or never. Their age counts from the moment at which the clock is right.
    """

    def __init__(self) -> None:
        self._undated: set[K] = set()

    def took(self, key: K, clock_set: bool | None) -> None:
        """A picture was taken just now."""
        if clock_set is False:
            self._undated.add(key)

    def of(self, key: K, said: float, now: float | None) -> float:
        """When it was taken, s since 1970; infinite while that cannot be known, for it is newer than all others.

        `said`: by the clock of then. `now`: by the clock of now, None where that is not set. What differs from `said`
        and is finite is to be written down.
        """
        if key in self._undated:
            if now is None:
                return math.inf
            self._undated.remove(key)
            return now
        return now if now is not None and said > now + DAY else said

    def forget(self, key: K) -> None:
        """The picture is gone."""
        self._undated.discard(key)


@dataclass(frozen=True)
class Limits:
    """Limits of a folder: number of pictures, total bytes, and age in seconds (0: no limit)."""

    most: int
    max_bytes: int
    seconds: float

    def surplus(
        self, there: Sequence[Kept[K]], room: int, now: float | None, spared: Collection[K] = ()
    ) -> tuple[list[K], bool]:
        """The keys to delete so that `room` more bytes fit (0: nothing is added), oldest first; and whether they fit.

        `now`: s since 1970; None if the clock is not set, so that the age of pictures is unknown. `spared` pictures are
        deleted for their age, never to make room.
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
