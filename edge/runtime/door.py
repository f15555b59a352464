"""How well the bundle works at this door: counts since it first ran here, kept over restarts. Never a picture.

The truth is not known at a door, so these are indicators: people who were not judged, people whose decision changed,
and how often a user reported a mistake. The counts of the previous bundle are kept for comparison.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from edge.core import json_text
from edge.core.files import write
from edge.core.records import Event, Observation
from edge.tracking.minds import Minds
from edge.vision.bundle import Bundle

log = logging.getLogger(__name__)

FILE = "door.json"
EVERY = 600.0
"""Seconds between two writes: what a power cut loses, weighed against the wear of the card."""
_VISITS = 100
"""Visits that are remembered, since a long one is reported repeatedly."""


@dataclass(frozen=True, slots=True)
class Standing:
    """The counts of one bundle at this door."""

    bundle: str
    """Its fingerprint."""
    name: str
    """The day it was made."""
    since: float | None = None
    """Seconds since 1970 when it first ran here; None until the clock is set, which never happens without a network."""
    seconds: float = 0.0
    """Seconds for which it has run here."""
    people: int = 0
    unsure: int = 0
    """People without a decision when they left."""
    changed: int = 0
    """People whose decision changed."""
    wrong: int = 0
    """How often a user reported a mistake."""

    @property
    def sentence(self) -> str:
        """Such as "120 people: 3 % not judged, changed its mind about 2 %, called wrong once"."""
        if not self.people:
            return f"no visit counted yet, called wrong {_times(self.wrong)}" if self.wrong else "no visit counted yet"
        unsure, changed = (round(100 * min(n / self.people, 1)) for n in (self.unsure, self.changed))
        people = f"{self.people} {'person' if self.people == 1 else 'people'}"
        return f"{people}: {unsure} % not judged, changed its mind about {changed} %, called wrong {_times(self.wrong)}"


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


class Door:
    """Counts for the running bundle.

    folder: where the counts are kept; None: nowhere, they start with the run.
    wall: seconds since 1970; clock: seconds; clock_set: whether `wall` is right.
    """

    def __init__(
        self,
        bundle: Bundle,
        folder: Path | None,
        clock_set: Callable[[], bool | None],
        wall: Callable[[], float] = time.time,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._path = folder / FILE if folder else None
        self._clock_set, self._wall, self._clock = clock_set, wall, clock
        known = _read(self._path) if self._path else []
        mark = bundle.fingerprint
        fresh = Standing(mark, f"{bundle.name} of {bundle.created}")
        self.now = next((one for one in known if one.bundle == mark), fresh)
        """Counts of the running bundle."""
        self.before = next((one for one in known if one.bundle != mark and one.people), None)
        """Counts of the last bundle before it that saw anybody: one that was rolled back before that does not count."""
        self._minds, self._fickle = Minds(), set[int]()
        self._visits: dict[int, bool] = {}
        self._at = self._written = clock()
        self._write()

    def see(self, observation: Observation) -> None:
        """Takes one step of the loop."""
        for decision in observation.decisions:
            if not decision.not_a_face and self._minds.changes(decision) and decision.track_id not in self._fickle:
                self._fickle.add(decision.track_id)
                self.now = replace(self.now, changed=self.now.changed + 1)
        present = {track.id for track in observation.tracks}
        self._minds.forget(present)
        self._fickle &= present
        if self._clock() - self._written >= EVERY:
            self._write()

    def add_event(self, event: Event) -> None:
        """Takes one event, as the sinks receive it."""
        if event.visit:
            self._count(event.visit.number, event.visit.outcome == "unsure")

    def wrong(self) -> None:
        """Counts a user's report that what is shown is wrong."""
        self.now = replace(self.now, wrong=self.now.wrong + 1)

    def report(self) -> dict[str, Any]:
        """Counts of the running bundle, and under "before" of the previous one; "said" is the same as a sentence."""
        self._age()
        since = "" if self.now.since is None else f" since {datetime.fromtimestamp(self.now.since):%Y-%m-%d}"
        said = f"{self.now.name}, here{since} for {self.now.seconds / 3600:.0f} h: {self.now.sentence}"
        if self.before:
            said += f"; before, {self.before.name}: {self.before.sentence}"
        return asdict(self.now) | {"before": asdict(self.before) if self.before else None, "said": said}

    def close(self) -> None:
        self._write()

    def _count(self, visit: int, unsure: bool) -> None:
        """A visit is reported every minute while it lasts; the last decision counts."""
        before = self._visits.pop(visit, None)
        self._visits[visit] = unsure
        while len(self._visits) > _VISITS:
            self._visits.pop(next(iter(self._visits)))
        self.now = replace(
            self.now,
            people=self.now.people + (before is None),
            unsure=self.now.unsure + unsure - bool(before),
        )

    def _age(self) -> None:
        now, since = self._clock(), self.now.since
        if since is None and self._clock_set() is not False:
            since = self._wall()
        self.now = replace(self.now, since=since, seconds=round(self.now.seconds + now - self._at, 1))
        self._at = now

    def _write(self) -> None:
        """Writes without a flush, which would delay the loop. A full disk costs these counts, not the camera."""
        self._age()
        self._written = self._at
        if self._path is None:
            return
        try:
            standings = [asdict(one) for one in (self.now, self.before) if one]
            write(self._path, json.dumps(standings) + "\n", mode=0o600)
        except OSError as error:
            log.warning("%s is not written (%s); the camera goes on", self._path, error.strerror or error)


def _read(path: Path) -> list[Standing]:
    try:
        return [_standing(one) for one in json_text.parse(path.read_text(encoding="utf-8"))][:2]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, TypeError, AttributeError, OverflowError) as error:
        log.warning("%s cannot be read (%s); the counts of this door begin anew", path, error)
        return []


def _standing(values: dict[str, Any]) -> Standing:
    """Raises ValueError, TypeError and OverflowError."""
    found = Standing(**values)
    counts = (found.people, found.unsure, found.changed, found.wrong)
    texts = (found.bundle, found.name)
    if not all(type(n) is int and n >= 0 for n in counts) or not all(isinstance(text, str) for text in texts):
        raise ValueError("not the counts of a bundle")
    datetime.fromtimestamp((found.since or 0) + found.seconds)
    return found
