"""Counts people: visits, their outcomes, and how many are present."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Protocol

from edge.core.labels import Mask
from edge.core.records import VISIT_OUTCOMES, Counts, Decision, Event, Observation, Visit


class Past(Protocol):
    """Counts that earlier runs have stored."""

    def day(self, day: date) -> Counts: ...

    def told(self, day: date) -> bool:
        """Whether the summary of that day was sent."""


_NOBODY = Counts("")
"""To add to: the day stands elsewhere."""


@dataclass(slots=True)
class _Present:
    visit: Visit
    decision: Decision | None = None
    told: float = float("-inf")
    """`Frame.t` of the last event about this visit."""
    today: bool = True
    """Whether this visit belongs to the current day."""


class Tally:
    """Turns observations into "person", "counts" and "summary" events.

    A visit is reported when it ends, and every `repeat` seconds while it lasts, so that stored data is never older. It
    belongs to the day on which it began. At midnight the summary of the day is sent, including visits that continue. If
    the summary of the day before is missing, it is sent at the start.

    person_hits: frames in which a track must be seen to count as a person; a false detection rarely lasts.
    max_gap: seconds without detection after which a visit is over.
    wall: seconds since 1970.
    clock_set: while the clock is not set, the day is unknown: what is counted then belongs to the first known day.
    past: counts of earlier runs.
    """

    def __init__(
        self,
        person_hits: int,
        max_gap: float,
        wall: Callable[[], float],
        clock_set: Callable[[], bool | None],
        past: Past | None = None,
        repeat: float = 60.0,
        pause: float = 2.0,
    ) -> None:
        self.person_hits, self.max_gap = person_hits, max_gap
        self._wall, self._clock_set, self._past = wall, clock_set, past
        self._repeat, self._pause = repeat, pause
        self._present: dict[int, _Present] = {}
        self._visits = 0
        self._day = self._today()
        self._before = self._stored(self._day)
        """Counts of earlier runs on this day."""
        self._over = _NOBODY
        """Finished visits of this run on this day."""
        self._look_back = True
        self._summed: date | None = None
        """The day of the last summary."""
        self._told: Counts | None = None
        self._told_at = float("-inf")

    @property
    def counts(self) -> Counts:
        """The counts of the day so far, including people in view."""
        total = replace(_plus(self._before, self._over), day=self._day.isoformat(), present=len(self._present))
        for person in self._present.values():
            if person.today:
                total = _plus_one(total, person.visit.outcome)
        return total

    def events(self, observation: Observation) -> list[Event]:
        t = observation.frame.t
        events = self._midnight(t)
        decisions = {d.track_id: d for d in observation.decisions}
        for track in observation.tracks:
            decision = decisions.get(track.id)
            if decision and decision.not_a_face:
                self._present.pop(track.id, None)
                continue
            person = self._present.get(track.id)
            if person is None and track.hits >= self.person_hits:
                self._visits += 1
                person = self._present[track.id] = _Present(Visit(self._visits, t - track.age, t, "unsure"), told=t)
            if person:
                if decision and decision.mask is not Mask.UNSURE:
                    person.decision = decision
                person.visit = replace(person.visit, last=t, outcome=outcome(person.decision))
        return events + self._due(t)

    def idle(self, t: float) -> list[Event]:
        """The events that are due while no frames come: people who are not seen any more have left, a day ends."""
        return self._midnight(t) + self._due(t)

    def _due(self, t: float) -> list[Event]:
        events = []
        for id, person in list(self._present.items()):
            if not 0 <= t - person.visit.last <= self.max_gap:
                events.append(self._leave(id, t))
            elif not 0 <= t - person.told < self._repeat:
                person.told = t
                events.append(_told(person, t))
        return events + self._changed(t)

    def leave(self, t: float) -> list[Event]:
        """Ends all visits, because the run ends or the settings change; the counts are then reported again."""
        events = [self._leave(id, t) for id in list(self._present)]
        self._told_at = float("-inf")
        events += self._changed(t)
        self._told, self._told_at = None, float("-inf")
        return events

    def _leave(self, id: int, t: float) -> Event:
        person = self._present.pop(id)
        if person.today:
            self._over = _plus_one(self._over, person.visit.outcome)
        return _told(person, t)

    def _changed(self, t: float) -> list[Event]:
        """Reports changed counts at most every `pause` seconds, since each one goes over the network."""
        if self.counts == self._told or 0 <= t - self._told_at < self._pause:
            return []
        self._told, self._told_at = self.counts, t
        return [Event("counts", t, counts=self._told)]

    def _midnight(self, t: float) -> list[Event]:
        today = self._today()
        if today == self._day:
            return self._yesterday(t) if self._look_back else []
        before, total = self._day, replace(self.counts, present=0)
        self._day = today
        if self._clock_set() is False or today - before != timedelta(days=1):  # the clock was set; no day has ended
            self._before, self._look_back = self._stored(today), True
            return []
        for person in self._present.values():
            person.today = False
        self._before = self._over = _NOBODY
        self._look_back = False
        again, self._summed = before == self._summed, before  # the clock was set back over midnight, by a second or two
        return [] if again else [_summary(total, t)]

    def _yesterday(self, t: float) -> list[Event]:
        if self._clock_set() is False:
            return []
        self._look_back = False
        day = self._day - timedelta(days=1)
        if self._past is None or self._past.told(day):
            return []
        total = self._past.day(day)
        return [_summary(total, t)] if total.people else []

    def _stored(self, day: date) -> Counts:
        return self._past.day(day) if self._past else _NOBODY

    def _today(self) -> date:
        return datetime.fromtimestamp(self._wall()).date()


def outcome(decision: Decision | None) -> str:
    """The outcome, one of `edge.core.records.VISIT_OUTCOMES`."""
    return decision.outcome if decision else "unsure"


def sentence(counts: Counts) -> str:
    """One line, such as "2026-11-25: 12 people, 9 with a mask, 2 without, 1 worn incorrectly, 0 unsure (75 %
    with a mask)"."""
    share = "nobody was judged" if counts.mask_share is None else f"{counts.mask_share:g} % with a mask"
    return (
        f"{counts.day}: {counts.people} people, {counts.on} with a mask, {counts.off} without, "
        f"{counts.incorrectly_worn} worn incorrectly, {counts.unsure} unsure ({share})"
    )


def _summary(counts: Counts, t: float) -> Event:
    return Event("summary", t, counts=counts, detail=sentence(counts))


def _told(person: _Present, t: float) -> Event:
    return Event("person", t, person.decision, visit=person.visit)


def _plus(one: Counts, other: Counts) -> Counts:
    return replace(one, **{name: getattr(one, name) + getattr(other, name) for name in VISIT_OUTCOMES})


def _plus_one(counts: Counts, outcome: str) -> Counts:
    return replace(counts, **{outcome: getattr(counts, outcome) + 1})
