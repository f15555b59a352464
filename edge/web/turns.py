"""Under overload, delays the addresses that send the most requests, one request after another."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from edge.web.access import REMEMBERED

HALF_LIFE = 20.0
"""Half-life of an address's request count, in seconds."""
LONGEST = 60.0
"""Longest time that an address is not read from, in seconds."""
INTERVAL = 1.0
"""Longest delay of the next request by one request, in seconds. On a busy machine a request costs mostly waiting for a
processor, and that must not keep a single user from the page."""


@dataclass
class _Caller:
    requests: float = 0.0
    """Answered requests, with older ones counted less."""
    at: float = 0.0
    """Time at which `requests` was computed."""
    free: float = 0.0
    """Time at which its next request will be read."""
    interval: float = 0.0
    """Seconds between its requests."""


class Turns:
    """Delays the addresses that send the most requests, while the page is in debt (`Governor.debt`).

    The requests of an address with at least the average number are read one after another, as fast as the page's share
    of the time allows, whatever the number of its connections. An address with fewer never waits, so a flood from one
    address does not delay another. Times are seconds of a monotonic clock.
    """

    def __init__(self, share: float) -> None:
        """share: part of the time that the page may take."""
        self._share = share
        self.charged = 0.0
        """The page's seconds that have been counted."""
        self._callers: OrderedDict[str, _Caller] = OrderedDict()

    def arrived(self, who: str, now: float) -> float:
        """Seconds that a new connection from `who` is not read."""
        caller = self._callers.get(who)
        return self._queued(caller, now) if caller and caller.free > now else 0.0

    def served(self, who: str, seconds: float, debt: float, now: float) -> float:
        """Counts a request; returns the seconds that its connection is not read.

        seconds: time that the page has spent since the last request. debt: seconds until the page is out of debt.
        """
        caller = self._callers.setdefault(who, _Caller(at=now))
        self._callers.move_to_end(who)
        if len(self._callers) > REMEMBERED:
            self._callers.popitem(last=False)
        caller.requests, caller.at = self._recent(caller, now) + 1, now
        counts = [count for known in self._callers.values() if (count := self._recent(known, now)) >= 0.5]
        if debt <= 0 or caller.requests < sum(counts) / len(counts):
            return 0.0
        caller.interval = min(seconds / self._share, INTERVAL)
        return self._queued(caller, now)

    def _queued(self, caller: _Caller, now: float) -> float:
        caller.free = min(max(caller.free, now) + caller.interval, now + LONGEST)
        return caller.free - now

    @staticmethod
    def _recent(caller: _Caller, now: float) -> float:
        return caller.requests * 2.0 ** ((caller.at - now) / HALF_LIFE)
