"""The frozen records that flow from the camera to the alert.

`Frame -> Face -> Track -> Verdict -> Decision -> Event`. Boxes are always pixels of the full frame, images
RGB uint8. The camera sets `t` (seconds); nothing downstream reads a clock.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from edge.core.geometry import Box
from edge.core.labels import Mask

Image = NDArray[np.uint8]
"""(height, width, 3), RGB, uint8."""


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    index: int
    t: float
    """Seconds since the source started (recordings: position; live cameras: monotonic)."""
    image: Image


@dataclass(frozen=True, slots=True)
class Face:
    box: Box
    score: float
    """Probability 0..1 that this is a face."""


@dataclass(frozen=True, slots=True)
class Track:
    """One person followed over frames."""

    id: int
    """Counts from 1, never reused within a run."""
    box: Box
    age: float
    """Seconds since first seen."""
    hits: int
    """Frames in which a face was matched."""
    score: float | None = None
    """The score of the newest face; None if unknown."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The classification of one face in one frame."""

    mask: Mask
    confidence: float
    """Probability 0..1 of `mask`; for UNSURE, of the more likely of ON and OFF."""
    incorrectly_worn: bool = False
    """With OFF: there is a mask, but not over mouth and nose. Needs a bundle with that label."""
    not_a_face: bool = False
    """With UNSURE: it is a false detection. Needs a bundle with that label."""
    face: float = field(default=1.0, compare=False)
    """Score 0..1 of both networks together that it is a face; of a box that has no score, of the classifier alone."""


@dataclass(frozen=True, slots=True)
class Decision:
    """The mask state of a track, after voting and hysteresis."""

    track_id: int
    mask: Mask
    confidence: float
    since: float
    """`Frame.t` at which this state began."""
    incorrectly_worn: bool = False
    """With OFF: most votes were for a mask that is worn incorrectly."""
    not_a_face: bool = False
    """With UNSURE: most recent classifications say that it is no face. It is not counted and raises no alert."""
    face: float = 1.0
    """Mean of `Verdict.face` in the last classifications."""

    @property
    def outcome(self) -> str:
        """One of OUTCOMES."""
        if self.not_a_face:
            return "not_a_face"
        return "incorrectly_worn" if self.incorrectly_worn else self.mask.value


OUTCOMES = ("on", "off", "incorrectly_worn", "unsure", "not_a_face")
"""The possible outcomes of a track."""

KINDS = ("decision", "no_mask", "all_clear", "state", "snooze", "summary")
"""Kinds of events for every sink: the state of a track changed, the alert was raised, it was cleared, the state of the
service changed, alerts were snoozed or a snooze ended, a day is over."""

FIGURES = ("person", "counts")
"""Kinds of events for sinks that ask for them: a visit goes on or ended, the number of people changed."""

STATES = (
    "starting",
    "ok",
    "camera lost",
    "blind",
    "engine fallback",
    "engine fault",
    "configuration error",
    "stopping",
)
"""States of the service. "blind": frames arrive, but nothing in them can be classified; "engine fallback": the networks
give correct results, but not on the backend that was asked for; "engine fault": no backend gives correct results any
more, and the service exits to be restarted."""


VISIT_OUTCOMES = ("on", "off", "incorrectly_worn", "unsure")
"""Outcomes of a visit: the last decision on that person; "unsure" if there was none."""


@dataclass(frozen=True, slots=True)
class Visit:
    """One person in front of the camera, from the first frame to the last."""

    number: int
    """Counts from 1, never reused within a run."""
    first: float
    last: float
    """`Frame.t` of the first and the last frame with them."""
    outcome: str
    """One of VISIT_OUTCOMES."""


@dataclass(frozen=True, slots=True)
class Counts:
    """The number of people on one day, by outcome."""

    day: str
    """Such as "2026-11-25", by the local clock."""
    present: int = 0
    """People in view now."""
    on: int = 0
    off: int = 0
    incorrectly_worn: int = 0
    unsure: int = 0

    @property
    def people(self) -> int:
        return self.on + self.off + self.incorrectly_worn + self.unsure

    @property
    def mask_share(self) -> float | None:
        """Percentage of the people with a decision who wore a mask correctly; None if there is no decision."""
        judged = self.on + self.off + self.incorrectly_worn
        return round(100 * self.on / judged, 1) if judged else None


@dataclass(frozen=True, slots=True)
class Origin:
    """Where an event comes from."""

    device: str
    camera: str = ""
    software: str = ""
    """Version of maskcam."""
    bundle: str = ""
    """Name and day of the model bundle; empty before it is loaded."""


@dataclass(frozen=True, slots=True)
class Stamp:
    """The id, the origin and the clock time of an event that is sent."""

    id: str
    """RUN-NUMBER, unique among all cameras and ascending within a run. RUN is 0 for a recording, so that the same
    recording gives the same events."""
    origin: Origin
    time: float | None = None
    """Seconds since 1970; None for recordings, whose date is unknown."""
    clock_set: bool | None = None
    """Whether the system clock was synchronised at that time; None if unknown."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened, for the sinks."""

    kind: str
    """One of KINDS or FIGURES."""
    t: float
    """`Frame.t` of the newest frame, 0 before the first."""
    decision: Decision | None = None
    state: str = ""
    """Kind "state": one of STATES; kind "snooze": "on" or "off"."""
    detail: str = ""
    """One line of text for people."""
    file: str = ""
    """Kind "decision": the picture file, if the source is a set of pictures."""
    seconds: float = 0.0
    """Kind "snooze": its length."""
    visit: Visit | None = None
    """Kind "person"."""
    counts: Counts | None = None
    """Kinds "counts" and "summary"."""
    stamp: Stamp | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Observation:
    """The result for one frame."""

    frame: Frame
    tracks: Sequence[Track]
    decisions: Sequence[Decision]
    blind: str | None = None
    """Why nothing in this frame can be classified, or None. If set, there are no decisions."""
    clear: bool = True
    """Whether this frame by itself can be classified; `blind` is set only after a while."""
    min_face: float = 0.0
    """Faces with a shorter side (pixels) below this are tracked but not classified."""

    @property
    def faces(self) -> Sequence[Track]:
        """The tracks, without those that are judged to be no face."""
        things = {decision.track_id for decision in self.decisions if decision.not_a_face}
        return [track for track in self.tracks if track.id not in things]
