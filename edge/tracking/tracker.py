"""Follows people from frame to frame: greedy IoU matching against a constant-velocity prediction.

Who is left over is matched once more with larger boxes (Yang et al. 2023, arXiv 2211.14317): small faces move by more
than their own size between two frames. A face of a low score continues a track but starts none (Zhang et al. 2022,
arXiv 2110.06864): most of those that appear out of nothing are things.

Greedy instead of optimal assignment: at a door there are few faces, the two differ only if several boxes overlap, and
the greedy rule (best pair first) needs no solver and is easy to predict.
Appearance is not used, so two people who swap places behind a pillar swap their ids too; the votes of
`edge.tracking.voting` correct that within a second.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from edge.core.geometry import Box
from edge.core.records import Face, Track

SECOND = 2.0
"""Sides of the boxes in the second round of matching, in their own: a small face soon leaves its own box."""


@dataclass(slots=True)
class _Person:
    id: int
    box: Box
    first: float
    last: float
    """`Frame.t` of the first and the last match, seconds."""
    score: float
    hits: int = 1
    vx: float = 0.0
    vy: float = 0.0
    """Velocity of the centre, pixels per second, smoothed."""

    def predicted(self, t: float) -> Box:
        return self.box.moved(self.vx * (t - self.last), self.vy * (t - self.last))

    def see(self, face: Face, t: float, smoothing: float) -> Track:
        """Adds the face of the frame at `t`; the longer the time since the last one, the more its velocity counts."""
        dt = t - self.last
        if dt > 0:
            weight = 1 - math.exp(-dt / smoothing)
            (x, y), (x0, y0) = face.box.centre, self.box.centre
            self.vx += weight * ((x - x0) / dt - self.vx)
            self.vy += weight * ((y - y0) / dt - self.vy)
        self.box, self.score, self.last, self.hits = face.box, face.score, t, self.hits + 1
        return self.track()

    def track(self) -> Track:
        return Track(self.id, self.box, self.last - self.first, self.hits, self.score)


class GreedyTracker:
    """Implements the `Tracker` port.

    min_iou: intersection over union (0..1) of prediction and face from which they are the same person.
    max_gap: seconds without detection after which a track ends.
    smoothing: time constant of the velocity in seconds; a larger one trusts single frames less.
    duplicate: if a face and one already matched in the frame share this part (0..1) of the smaller one, it is a second
        detection of that person and starts no track.
    start_score: the detector's score (0..1) from which a face starts a track.
    """

    def __init__(self, min_iou: float, max_gap: float, smoothing: float, duplicate: float, start_score: float) -> None:
        self.min_iou = min_iou
        self.max_gap = max_gap
        self.smoothing = smoothing
        self.duplicate = duplicate
        self.start_score = start_score
        self._people: list[_Person] = []
        self._next_id = 1

    def update(self, faces: Sequence[Face], t: float) -> Sequence[Track]:
        """Matches `faces` (full-frame pixels) of the frame at `t` seconds; returns the tracks seen in it, by id."""
        self._people = [p for p in self._people if t - p.last <= self.max_gap]
        predicted = [p.predicted(t) for p in self._people]
        matches = self._matches(dict(enumerate(predicted)), {j: face.box for j, face in enumerate(faces)})
        matches |= self._matches(
            {i: _grown(box) for i, box in enumerate(predicted) if i not in matches.values()},
            {j: _grown(face.box) for j, face in enumerate(faces) if j not in matches},
        )
        seen = [self._people[i].see(faces[j], t, self.smoothing) for j, i in matches.items()]
        for j, face in enumerate(faces):
            if j in matches or face.score < self.start_score:
                continue
            if not any(_covered(face.box, track.box) >= self.duplicate for track in seen):
                seen.append(self._start(face, t))
        return sorted(seen, key=lambda track: track.id)

    def _matches(self, known: dict[int, Box], found: dict[int, Box]) -> dict[int, int]:
        """Number of a face in `found` -> number of the person in `known`, best pair first."""
        matches: dict[int, int] = {}
        pairs = [(a.iou(b), i, j) for i, a in known.items() for j, b in found.items()]
        for overlap, i, j in sorted(pairs, key=lambda pair: -pair[0]):
            if overlap >= self.min_iou and i not in matches.values() and j not in matches:
                matches[j] = i
        return matches

    def _start(self, face: Face, t: float) -> Track:
        person = _Person(self._next_id, face.box, t, t, face.score)
        self._next_id += 1
        self._people.append(person)
        return person.track()


def _grown(box: Box) -> Box:
    """The box with `SECOND` times its sides, its centre where it was."""
    (x, y), w, h = box.centre, box.width * SECOND / 2, box.height * SECOND / 2
    return Box(x - w, y - h, x + w, y + h)


def _covered(a: Box, b: Box) -> float:
    """Intersection over the smaller of the two areas, 0..1."""
    smaller = min(a.area, b.area)
    return a.intersection(b) / smaller if smaller > 0 else 0.0
