"""When the camera changes its mind about a person."""

from __future__ import annotations

from collections.abc import Collection

from edge.core.labels import Mask
from edge.core.records import Decision

MOST = 1000
"""People that are remembered; numbers of tracks only grow."""


class Minds:
    """What was last held of each track: that a mask is worn, or that it is not."""

    def __init__(self) -> None:
        self._held: dict[int, Mask] = {}

    def changes(self, decision: Decision) -> bool:
        """Whether a person who was held to wear a mask no longer is, or the other way round."""
        if decision.mask is Mask.UNSURE:
            return False
        before = self._held.get(decision.track_id, decision.mask)
        self._held[decision.track_id] = decision.mask
        return before is not decision.mask

    def forget(self, present: Collection[int]) -> None:
        """All but the tracks that are there, where there are too many."""
        if len(self._held) > MOST:
            self._held = {k: v for k, v in self._held.items() if k in present}
