"""From decisions to events, with hold times, so that alerts are few and stable.

The alert has hold and release times, so that an LED neither flickers nor lights for a passer-by, and a cool-down before
it can be raised again. Hold times are in seconds, not frames, since the frame rates of boards differ tenfold. The "N of
M frames" of other systems is here a share of the frames within the hold: 0.8 of one second is 24 of 30 frames on a fast
board and 4 of 5 on a slow one. The drawback: at 2 frames per second the window has three frames, and a single lapse
restarts it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import TypeVar

from edge.core.labels import Mask
from edge.core.records import Decision, Event, Observation

T = TypeVar("T")
_Window = deque[tuple[float, bool]]
"""Time (s) of each frame with a person, and whether they were OFF in it."""

_NOTHING = (Mask.UNSURE, False)
"""What counts as reported for a person about whom nothing was reported yet."""
_REMEMBERED = 256
"""Maximum number of remembered tracks: far more than are in front of one camera within `max_gap`."""


class AlertPolicy:
    """Implements the `Policy` port.

    raise_after: seconds one person must be OFF before "no_mask", lapses included.
    clear_after: seconds without anybody OFF before "all_clear".
    cooldown: seconds after "all_clear" before the next "no_mask"; a person who is still OFF then raises it at once.
    raise_share: share (0..1) of the frames of the last `raise_after` seconds with that person in which they must be
        OFF, including the last one; ON and UNSURE both count against it, so UNSURE never raises an alert.

    incorrectly_worn: whether a mask worn incorrectly counts as OFF here. Otherwise it counts like UNSURE: it
        is reported, but neither raises nor holds the alert.

    face_score: mean score (0..1) of the last looks from which a face counts as OFF here. What scores less is reported,
        but may be a hand, an animal or a pattern.

    Without frames the alert does not change. If the time of a source jumps back, hold times start again.
    """

    def __init__(
        self,
        raise_after: float,
        clear_after: float,
        cooldown: float,
        raise_share: float,
        incorrectly_worn: bool,
        face_score: float,
    ) -> None:
        self.raise_after = raise_after
        self.clear_after = clear_after
        self.cooldown = cooldown
        self.raise_share = raise_share
        self.incorrectly_worn = incorrectly_worn
        self.face_score = face_score
        self.active = False
        """Whether "no_mask" stands."""
        self._told: dict[int, tuple[Mask, bool]] = {}
        self._windows: dict[int, _Window] = {}
        self._last_off = float("-inf")
        self._cleared = float("-inf")
        self._snooze: tuple[float, float] | None = None
        """Start and length of the snooze, in seconds."""

    def snooze(self, seconds: float, t: float) -> list[Event]:
        """See `edge.core.ports.Policy`. A raised alert is cleared; decisions are reported as before.

        A person who is OFF when the snooze ends raises the alert at once.
        """
        if seconds <= 0:
            over = self._snooze is not None
            self._snooze = None
            return [Event("snooze", t, state="off")] if over else []
        self._snooze = (t, seconds)
        cleared = [Event("all_clear", t)] if self.active else []
        if self.active:
            self.active, self._cleared = False, float("-inf")
        return [*cleared, Event("snooze", t, state="on", seconds=seconds)]

    def snoozed(self, t: float) -> float:
        """See `edge.core.ports.Policy`."""
        if self._snooze is None:
            return 0.0
        begin, seconds = self._snooze
        return max(begin + seconds - t, 0.0) if t >= begin else seconds

    def events(self, observation: Observation) -> list[Event]:
        """The events of one observation: changed decisions first, then the alert.

        A frame that cannot be classified does not count, so covering the lens does not clear the alert. Hold times
        start again.
        """
        t = observation.frame.t
        awake = self.snooze(0, t) if self._snooze and not self.snoozed(t) else []
        if observation.blind:
            self._windows.clear()
            return awake
        changed = [Event("decision", t, d) for d in observation.decisions if self._is_news(d)]
        self._last_off, self._cleared = min(self._last_off, t), min(self._cleared, t)
        return awake + changed + self._alert(observation.decisions, t)

    def _is_news(self, decision: Decision) -> bool:
        """A first UNSURE is not reported: every track begins with it."""
        before, now = self._told.get(decision.track_id, _NOTHING), (decision.mask, decision.incorrectly_worn)
        if now == before:
            return False
        _remember(self._told, decision.track_id, now)
        return True

    def supports(self, decision: Decision) -> bool:
        """Whether a decision speaks for the alert."""
        counts = self.incorrectly_worn or not decision.incorrectly_worn
        return decision.mask is Mask.OFF and counts and decision.face >= self.face_score

    def _alert(self, decisions: Sequence[Decision], t: float) -> list[Event]:
        held = [d for d in decisions if self._holds(d, t)]
        if any(map(self.supports, decisions)):
            self._last_off = t
        elif self.active and t - self._last_off >= self.clear_after:
            self.active, self._cleared = False, t
            return [Event("all_clear", t)]
        if not self.active and held and not self.snoozed(t) and t - self._cleared >= self.cooldown:
            self.active = True
            return [Event("no_mask", t, min(held, key=lambda d: d.since))]
        return []

    def _holds(self, decision: Decision, t: float) -> bool:
        """Adds the decision to the window of its track; returns whether it is enough for an alert."""
        window = self._windows.get(decision.track_id) or deque()
        _remember(self._windows, decision.track_id, window)
        off = self.supports(decision)
        if window and window[-1][0] > t:
            window.clear()
        window.append((t, off))
        while len(window) > 1 and t - window[1][0] >= self.raise_after:  # the first one is older than the hold time
            window.popleft()
        while window and not window[0][1]:  # and it is OFF: the hold began there
            window.popleft()
        return (
            off
            and t - window[0][0] >= self.raise_after
            and sum(off for _, off in window) >= self.raise_share * len(window)
        )


class StillsPolicy:
    """For unrelated still pictures: a decision per face, and never an alert.

    names: file names of the pictures, by frame index.
    """

    active = False

    def __init__(self, names: Sequence[str]) -> None:
        self._names = names

    def events(self, observation: Observation) -> list[Event]:
        t, file = observation.frame.t, self._names[observation.frame.index]
        if observation.blind:
            return [Event("state", t, state="blind", detail=observation.blind, file=file)]
        return [Event("decision", t, decision, file=file) for decision in observation.decisions]

    def supports(self, decision: Decision) -> bool:
        return False

    def snooze(self, seconds: float, t: float) -> list[Event]:
        return []

    def snoozed(self, t: float) -> float:
        return 0.0


def _remember(memory: dict[int, T], id: int, value: T) -> None:
    """Stores a value as the newest and drops the oldest if there are too many."""
    memory.pop(id, None)
    memory[id] = value
    if len(memory) > _REMEMBERED:
        del memory[next(iter(memory))]
