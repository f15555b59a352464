"""Scores the alerts in a labelled clip: right, missed and false ones, and their delay.

The labels are a TOML file (docs/clips.md) with each person's outcome, and the box of the face at a few times. Between
two of them that are at most `GAP` seconds apart the box moves in a straight line.
"""

from __future__ import annotations

import itertools
import math
import statistics
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edge.config import toml_model
from edge.core.errors import ConfigError, DataError
from edge.core.geometry import Box
from edge.core.labels import Mask
from edge.core.paths import elsewhere
from edge.core.records import Decision, Observation, Track

GAP = 2.0
"""Two labelled boxes at most this many seconds apart mean that the person was in sight in between."""
NEAR = 1.0
"""Largest distance of the centres of a track and of a person's face, in heights of that face."""
NAMED = 12
"""Names in a line of the table."""
OUTCOMES = ("on", "off", "incorrectly_worn", "unsure")
"""Labels of a person; an alert about an "unsure" one is neither right nor wrong."""


@dataclass(frozen=True)
class Person:
    """One labelled person."""

    name: str
    outcome: str
    boxes: Sequence[tuple[float, Box]]
    """Time in seconds and the face's box in pixels of the clip, sorted by time."""

    def at(self, t: float) -> Box | None:
        """The face's box at `t`; None if out of sight."""
        for (t0, a), (t1, b) in zip(self.boxes, [*self.boxes[1:], self.boxes[-1]], strict=True):
            if t0 == t:
                return a
            if t0 < t < t1 and t1 - t0 <= GAP:
                k = (t - t0) / (t1 - t0)
                values = ((1 - k) * p + k * q for p, q in ((a.x0, b.x0), (a.y0, b.y0), (a.x1, b.x1), (a.y1, b.y1)))
                return Box(*values)
        return None


@dataclass(frozen=True)
class Labels:
    """A clip and the people in it."""

    clip: Path
    people: Sequence[Person]


def read(path: Path) -> Labels:
    """Reads a labels file. Raises DataError: one line with file, person and what was expected."""
    try:
        values = toml_model.read(path, "expected the labels of a recording, a TOML file")
    except ConfigError as error:
        raise DataError(str(error)) from error
    clip, rows = values.get("clip"), values.get("person", [])
    if not isinstance(clip, str) or not clip:
        raise DataError(f"{path}: clip = {clip!r}: expected the name of the recording, beside this file")
    if wrong := elsewhere(clip):
        raise DataError(f"{path}: clip: {wrong}")
    if not isinstance(rows, list):
        raise DataError(f"{path}: expected each person as [[person]]")
    return Labels(path.parent / clip, [_person(path, number, row) for number, row in enumerate(rows, 1)])


def _person(path: Path, number: int, row: dict[str, Any]) -> Person:
    where = f"{path}: person {number}"
    outcome, boxes = row.get("outcome"), row.get("boxes")
    if outcome not in OUTCOMES:
        raise DataError(f"{where}: outcome = {outcome!r}: expected one of {', '.join(OUTCOMES)}")
    if unknown := sorted(set(row) - {"name", "outcome", "boxes"}):
        raise DataError(f"{where}: unknown key '{unknown[0]}': expected name, outcome and boxes")
    try:
        placed = [(float(t), Box(float(x0), float(y0), float(x1), float(y1))) for t, x0, y0, x1, y1 in boxes]  # type: ignore[union-attr]
    except (TypeError, ValueError):
        raise DataError(f"{where}: boxes: expected a list of [seconds, left, top, right, bottom]") from None
    if not all(math.isfinite(v) for t, b in placed for v in (t, b.x0, b.y0, b.x1, b.y1)):
        raise DataError(f"{where}: boxes: expected finite numbers")
    times = [t for t, _ in placed]
    if not placed or sorted(set(times)) != times:
        raise DataError(f"{where}: boxes: expected at least one, by time, each time once")
    if not all(box.width > 0 and box.height > 0 for _, box in placed):
        raise DataError(f"{where}: boxes: expected left < right and top < bottom")
    return Person(str(row.get("name", number)), outcome, placed)


@dataclass
class ClipScorer:
    """Takes the observations of a clip in order; `result()` gives the table's row."""

    people: Sequence[Person]
    _followed: dict[int, list[int]] = field(default_factory=dict)
    """Person -> the tracks nearest to their face, in order, each repeated only after another one."""
    _near: Counter[tuple[int, int]] = field(default_factory=Counter)
    """(track, person) -> frames in which the track was nearest to that person's face."""
    _together: Counter[tuple[int, int]] = field(default_factory=Counter)
    """(track, person) -> frames in which both were in sight."""
    _alarms: dict[int, tuple[float, Box]] = field(default_factory=dict)
    """Track -> when and where the alert was first about it."""
    _alerts: int = 0
    _active: bool = False

    def add(
        self, observation: Observation, alert: bool, supports: Callable[[Decision], bool] = lambda d: d.mask is Mask.OFF
    ) -> list[int]:
        """`alert`: whether it is active after this frame; it is about the people whose own decision `supports` it.

        Returns the tracks about which it is for the first time.
        """
        t = observation.frame.t
        self._alerts += alert and not self._active
        self._active = alert
        off = {d.track_id for d in observation.decisions if supports(d)} if alert else set()
        faces = {k: box for k, person in enumerate(self.people) if (box := person.at(t))}
        self._together.update((track.id, k) for track in observation.tracks for k in faces)
        for person, track in _nearest(observation.tracks, faces):
            self._near[track, person] += 1
            tracks = self._followed.setdefault(person, [])
            if tracks[-1:] != [track]:
                tracks.append(track)
        alarmed = [track for track in observation.tracks if track.id in off and track.id not in self._alarms]
        self._alarms.update({track.id: (t, track.box) for track in alarmed})
        return [track.id for track in alarmed]

    def _owners(self) -> dict[int, int]:
        """Track -> the person whose face it was nearest to in most of the frames that both were in sight.

        A poster that somebody walks past is near them for a moment only, and remains a thing.
        """
        most = {}
        for (track, person), frames in sorted(self._near.items(), key=lambda item: item[1]):
            if 2 * frames >= self._together[track, person]:
                most[track] = person
        return most

    def false(self) -> list[int]:
        """The tracks about which the alert was falsely: things, and people labelled "on"."""
        owners = self._owners()
        return [id for id in self._alarms if id not in owners or self.people[owners[id]].outcome == "on"]

    def result(self) -> dict[str, Any]:
        """Counts of people, median seconds to a right alert (None without one), names of those judged wrong, and what
        else the alert was about: its second and its box in pixels."""
        owners = self._owners()
        alarmed: dict[int, float] = {}
        for track, (t, _) in self._alarms.items():
            if track in owners:
                alarmed.setdefault(owners[track], t)
        wanted = [k for k, p in enumerate(self.people) if p.outcome in ("off", "incorrectly_worn")]
        falsely = [k for k in alarmed if self.people[k].outcome == "on"]
        waits = [alarmed[k] - self.people[k].boxes[0][0] for k in wanted if k in alarmed]
        own = [[track for track in tracks if owners.get(track) == k] for k, tracks in self._followed.items()]
        return {
            "people": len(self.people),
            "found": sum(map(bool, own)),
            "to_alarm": len(wanted),
            "alarmed_rightly": len(waits),
            "missed": [self.people[k].name for k in wanted if k not in alarmed],
            "alarmed_falsely": [self.people[k].name for k in falsely],
            "things_alarmed": [_place(t, box) for track, (t, box) in self._alarms.items() if track not in owners],
            "alerts": self._alerts,
            "seconds_to_alarm": round(statistics.median(waits), 2) if waits else None,
            "ids_switched": sum(a != b for tracks in own for a, b in itertools.pairwise(tracks)),
        }


def merged(parts: Sequence[tuple[str, dict[str, Any]]]) -> dict[str, Any]:
    """The results of several clips as one: sums, the names with those of their clips, and the median of the medians."""
    total: dict[str, Any] = {}
    for key in COLUMNS:
        values = [(name, figures[key]) for name, figures in parts]
        if key == "seconds_to_alarm":
            known = [seconds for _, seconds in values if seconds is not None]
            total[key] = round(statistics.median(known), 2) if known else None
        elif isinstance(values[0][1], list):
            total[key] = [f"{name}: {what}" for name, said in values for what in said]
        else:
            total[key] = sum(value for _, value in values)
    return total


def _nearest(tracks: Sequence[Track], faces: dict[int, Box]) -> Iterator[tuple[int, int]]:
    """Pairs of a person and the track that is theirs, nearest first; each at most once."""
    pairs = sorted((_away(track.box, box), k, track.id) for track in tracks for k, box in faces.items())
    people: set[int] = set()
    taken: set[int] = set()
    for away, person, track in pairs:
        if away <= NEAR and person not in people and track not in taken:
            people.add(person)
            taken.add(track)
            yield person, track


def _away(box: Box, face: Box) -> float:
    """Distance of the centres, in heights of the face."""
    return math.dist(box.centre, face.centre) / face.height


def _some(names: Sequence[str]) -> str:
    more = len(names) - NAMED
    return "; ".join(names[:NAMED]) + (f"; and {more} more (--json names them)" if more > 0 else "")


def _place(t: float, box: Box) -> str:
    return f"{t:.1f} s at {box.x0:.0f}, {box.y0:.0f}, {box.x1:.0f}, {box.y1:.0f}"


COLUMNS = {
    "people": "people",
    "found": "found",
    "to_alarm": "to alarm",
    "alarmed_rightly": "alarmed",
    "missed": "missed",
    "alarmed_falsely": "falsely",
    "things_alarmed": "things",
    "alerts": "alerts",
    "seconds_to_alarm": "seconds",
    "ids_switched": "switches",
}


def table(results: dict[str, dict[str, Any]]) -> str:
    """One row per clip, followed by the missed people, and by those and the things falsely alerted about."""
    wide = max(len(name) for name in results) + 2
    lines = [f"{'clip':<{wide}}" + "".join(f"{title:>10}" for title in COLUMNS.values())]
    for name, figures in results.items():
        cells = [figures[key] for key in COLUMNS]
        texts = ["-" if v is None else str(len(v)) if isinstance(v, list) else str(v) for v in cells]
        lines.append(f"{name:<{wide}}" + "".join(f"{text:>10}" for text in texts))
        for key in ("missed", "alarmed_falsely", "things_alarmed"):
            lines += [f"  {key.replace('_', ' ')}: {_some(figures[key])}"] if figures[key] else []
    return "\n".join(lines)
