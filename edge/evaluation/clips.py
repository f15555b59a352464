"""Scores the alerts in a labelled clip: right, missed and false ones, and their delay.

The labels are a TOML file (docs/clips.md) with each person's outcome, and the box of the face at a few times. Between
two of them that are at most `GAP` seconds apart the box moves in a straight line.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edge.config import toml_model
from edge.core.errors import ConfigError, DataError
from edge.core.geometry import Box
from edge.core.labels import Mask
from edge.core.records import Observation, Track

GAP = 2.0
"""Two labelled boxes at most this many seconds apart mean that the person was in sight in between."""
NEAR = 1.0
"""A track belongs to the person whose face is nearest; largest distance of the centres, in face heights."""
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
class _Seen:
    """The result for one person."""

    track: int | None = None
    switches: int = 0
    alarmed: float | None = None


@dataclass
class ClipScorer:
    """Takes the observations of a clip in order; `result()` gives the table's row."""

    people: Sequence[Person]
    _seen: dict[int, _Seen] = field(default_factory=dict)
    _things: set[int] = field(default_factory=set)
    _owners: dict[int, int] = field(default_factory=dict)
    """Track -> the person that it was last near."""

    def add(self, observation: Observation, alert: bool) -> None:
        """`alert`: whether it is active after this frame; it is about the people whose own decision supports it."""
        t = observation.frame.t
        off = {d.track_id for d in observation.decisions if d.mask is Mask.OFF} if alert else set()
        faces = {k: box for k, person in enumerate(self.people) if (box := person.at(t))}
        for track in observation.tracks:
            owner = _nearest(track, faces)
            if owner is not None:
                self._owners[track.id] = owner
                seen = self._seen.setdefault(owner, _Seen())
                seen.switches += seen.track is not None and seen.track != track.id
                seen.track = track.id
            if track.id in off:
                self._alarm(track.id, t)

    def _alarm(self, track: int, t: float) -> None:
        owner = self._owners.get(track)
        if owner is None:
            self._things.add(track)
        elif self._seen[owner].alarmed is None:
            self._seen[owner].alarmed = t

    def result(self) -> dict[str, Any]:
        """Counts of people, median seconds to a right alert (None without one), and names of those judged wrong."""
        alarmed = {k: seen.alarmed for k, seen in self._seen.items() if seen.alarmed is not None}
        wanted = [k for k, p in enumerate(self.people) if p.outcome in ("off", "incorrectly_worn")]
        falsely = [k for k in alarmed if self.people[k].outcome == "on"]
        waits = [alarmed[k] - self.people[k].boxes[0][0] for k in wanted if k in alarmed]
        return {
            "people": len(self.people),
            "found": len(self._seen),
            "to_alarm": len(wanted),
            "alarmed_rightly": len(waits),
            "missed": [self.people[k].name for k in wanted if k not in alarmed],
            "alarmed_falsely": [self.people[k].name for k in falsely],
            "things_alarmed": len(self._things),
            "seconds_to_alarm": round(statistics.median(waits), 2) if waits else None,
            "ids_switched": sum(seen.switches for seen in self._seen.values()),
        }


def _nearest(track: Track, faces: dict[int, Box]) -> int | None:
    (x, y), best, found = track.box.centre, NEAR, None
    for k, box in faces.items():
        cx, cy = box.centre
        away = ((x - cx) ** 2 + (y - cy) ** 2) ** 0.5 / box.height
        if away <= best:
            best, found = away, k
    return found


COLUMNS = {
    "people": "people",
    "found": "found",
    "to_alarm": "to alarm",
    "alarmed_rightly": "alarmed",
    "missed": "missed",
    "alarmed_falsely": "falsely",
    "things_alarmed": "things",
    "seconds_to_alarm": "seconds",
    "ids_switched": "switches",
}


def table(results: dict[str, dict[str, Any]]) -> str:
    """One row per clip, followed by the missed people and those falsely alerted about."""
    wide = max(len(name) for name in results) + 2
    lines = [f"{'clip':<{wide}}" + "".join(f"{title:>10}" for title in COLUMNS.values())]
    for name, figures in results.items():
        cells = [figures[key] for key in COLUMNS]
        texts = ["-" if v is None else str(len(v)) if isinstance(v, list) else str(v) for v in cells]
        lines.append(f"{name:<{wide}}" + "".join(f"{text:>10}" for text in texts))
        for key in ("missed", "alarmed_falsely"):
            lines += [f"  {key.replace('_', ' ')}: {', '.join(figures[key])}"] if figures[key] else []
    return "\n".join(lines)
