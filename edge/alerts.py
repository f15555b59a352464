"""From decisions to events: what the world is told, and how seldom.

The alert has hold and release times, so a LED neither flickers nor lights for a passer-by, and a cool-down after
which it is armed again.
"""

from __future__ import annotations

from edge.labels import Mask
from edge.records import Decision, Event, Observation

_REMEMBERED = 256
"""Tracks whose last reported state is kept: far more than stand before one camera within `max_gap`."""


class AlertPolicy:
    """A stream of observations in, a stream of events out.

    raise_after: seconds one person must be OFF before "no_mask" is raised.
    clear_after: seconds without anybody OFF after which "all_clear" is said.
    cooldown: seconds after an "all_clear" before the next "no_mask"; one who is still OFF then raises it at once.
    """

    def __init__(self, raise_after: float = 1.0, clear_after: float = 2.0, cooldown: float = 3.0) -> None:
        self.raise_after = raise_after
        self.clear_after = clear_after
        self.cooldown = cooldown
        self.active = False
        """Whether "no_mask" stands."""
        self._told: dict[int, Mask] = {}
        self._last_off = float("-inf")
        self._cleared = float("-inf")

    def events(self, observation: Observation) -> list[Event]:
        """The events of one turn of the loop: changed decisions first, then the alert."""
        t = observation.frame.t
        changed = [Event("decision", t, d) for d in observation.decisions if self._is_news(d)]
        return changed + self._alert([d for d in observation.decisions if d.mask is Mask.OFF], t)

    def _is_news(self, decision: Decision) -> bool:
        """A first UNSURE is no news: everybody begins so."""
        before = self._told.get(decision.track_id, Mask.UNSURE)
        if decision.mask is before:
            return False
        self._told.pop(decision.track_id, None)  # so that the newest stand last
        self._told[decision.track_id] = decision.mask
        if len(self._told) > _REMEMBERED:
            del self._told[next(iter(self._told))]
        return True

    def _alert(self, off: list[Decision], t: float) -> list[Event]:
        if off:
            self._last_off = t
        if self.active and t - self._last_off >= self.clear_after and not off:
            self.active, self._cleared = False, t
            return [Event("all_clear", t)]
        held = [d for d in off if t - d.since >= self.raise_after]
        if not self.active and held and t - self._cleared >= self.cooldown:
            self.active = True
            return [Event("no_mask", t, min(held, key=lambda d: d.since))]
        return []
