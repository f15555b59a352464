"""Detects that the decision on a person changes between ON and OFF."""

from __future__ import annotations

from collections.abc import Collection

from edge.core.labels import Mask
from edge.core.records import Decision

MOST = 1000
"""Maximum number of remembered tracks."""


class Minds:
    """The last ON or OFF decision on each track."""

    def __init__(self) -> None:
        self._held: dict[int, Mask] = {}

    def changes(self, decision: Decision) -> bool:
        """Whether this decision turns ON into OFF for its track, or OFF into ON."""
        if decision.mask is Mask.UNSURE:
            return False
        before = self._held.get(decision.track_id, decision.mask)
        self._held[decision.track_id] = decision.mask
        return before is not decision.mask

    def forget(self, present: Collection[int]) -> None:
        """If too many tracks are remembered, keeps only those that are present."""
        if len(self._held) > MOST:
            self._held = {k: v for k, v in self._held.items() if k in present}
