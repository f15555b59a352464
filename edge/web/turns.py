"""Who waits when the page is asked too much: the addresses that ask most, one request after another."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from edge.web.access import REMEMBERED

HALF_LIFE = 20.0
"""Seconds after which half of what an address asked is forgotten."""
LONGEST = 60.0
"""Most seconds for which an address is not heard."""
INTERVAL = 10.0
"""Most seconds for which one request delays the next one."""


@dataclass
class _Caller:
    requests: float = 0.0
    """Requests that were answered, older ones counted less."""
    at: float = 0.0
    """Time for which `requests` is right."""
    free: float = 0.0
    """Time from which its next request is read."""
    interval: float = 0.0
    """Seconds between its requests."""


class Turns:
    """Delays the addresses that ask most, while the page is in debt (`Governor.debt`).

    The requests of an address with no fewer than the average are read one after another, as fast as the page's share
    of the time allows, whatever the number of its connections. An address with fewer never waits, so that a flood from
    one address does not delay another one. Times are seconds of a monotonic clock.
    """

    def __init__(self, share: float) -> None:
        """share: part of the time that the page may take."""
        self._share = share
        self.charged = 0.0
        """Seconds of the page that were counted already."""
        self._callers: OrderedDict[str, _Caller] = OrderedDict()

    def arrived(self, who: str, now: float) -> float:
        """Seconds for which a new connection from `who` is not read."""
        caller = self._callers.get(who)
        return self._queued(caller, now) if caller and caller.free > now else 0.0

    def served(self, who: str, seconds: float, debt: float, now: float) -> float:
        """Counts a request; returns the seconds for which its connection is not read.

        seconds: what the page has spent since the last request of anybody. debt: seconds until the page is out of debt.
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
