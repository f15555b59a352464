"""The frozen records that flow from the camera to the alert.

`Frame -> Face -> Track -> Verdict -> Decision -> Event`. Boxes are always pixels of the full frame, images
RGB uint8, and `t` (seconds) is stamped once, by the camera: nothing downstream asks a clock.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

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


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the classifier said of one face in one frame."""

    mask: Mask
    confidence: float
    """Probability 0..1 of `mask`; for UNSURE, of the better of the two."""
    incorrectly_worn: bool = False
    """With OFF: there is a mask, but not over mouth and nose. Only bundles with such a label tell."""
    not_a_face: bool = False
    """With UNSURE: the detector took a thing for a face. Only bundles with such a label tell."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What is held true of a track, after votes and hysteresis."""

    track_id: int
    mask: Mask
    confidence: float
    since: float
    """`Frame.t` at which the state was entered."""
    incorrectly_worn: bool = False
    """With OFF: most of what the votes saw was a mask worn incorrectly."""
    not_a_face: bool = False
    """With UNSURE: most of the last looks saw a thing. It is nobody: it is not counted and raises no alert."""

    @property
    def outcome(self) -> str:
        """One of OUTCOMES."""
        if self.not_a_face:
            return "not_a_face"
        return "incorrectly_worn" if self.incorrectly_worn else self.mask.value


OUTCOMES = ("on", "off", "incorrectly_worn", "unsure", "not_a_face")
"""What can be held true of a track."""

KINDS = ("decision", "no_mask", "all_clear", "state", "snooze", "summary")
"""Of events for every sink: a track's state changed, the alert is raised, it is over, the service's state changed,
alerts are silenced or no longer, a day is over."""

FIGURES = ("person", "counts")
"""Of events for sinks that ask for them: a visit goes on or is over, the number of people changed."""

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
"""What a service can be; "blind": frames come but nothing can be judged from them; "engine fallback": the networks run
rightly, but not on what was asked for; "engine fault": no engine runs them rightly any more, and the service ends to be
started anew."""


VISIT_OUTCOMES = ("on", "off", "incorrectly_worn", "unsure")
"""Of a visit: what was last held true of that person; "unsure" when nothing ever was."""


@dataclass(frozen=True, slots=True)
class Visit:
    """One person before the camera, from the first sight to the last."""

    number: int
    """Counts from 1, never reused within a run."""
    first: float
    last: float
    """`Frame.t` of the first and the last frame with them."""
    outcome: str
    """One of VISIT_OUTCOMES."""


@dataclass(frozen=True, slots=True)
class Counts:
    """How many people came on a day, by outcome."""

    day: str
    """Such as "2026-11-25", by the local clock."""
    present: int = 0
    """In view now."""
    on: int = 0
    off: int = 0
    incorrectly_worn: int = 0
    unsure: int = 0

    @property
    def people(self) -> int:
        return self.on + self.off + self.incorrectly_worn + self.unsure

    @property
    def mask_share(self) -> float | None:
        """Per cent of those judged who wore a mask as it should be; None when nobody was judged."""
        judged = self.on + self.off + self.incorrectly_worn
        return round(100 * self.on / judged, 1) if judged else None


@dataclass(frozen=True, slots=True)
class Origin:
    """Who says something."""

    device: str
    camera: str = ""
    software: str = ""
    """Version of maskcam."""
    bundle: str = ""
    """Name and day of the model bundle; empty before it is loaded."""


@dataclass(frozen=True, slots=True)
class Stamp:
    """What an event bears when it leaves."""

    id: str
    """RUN-NUMBER: no two events of all cameras share one, and those of a run are in order. RUN is 0 for recordings: the
    same recording gives the same events."""
    origin: Origin
    time: float | None = None
    """Seconds since 1970 when it was said; None for recordings, whose time nobody knows."""
    clock_set: bool | None = None
    """Whether the clock had been set by then; None where the system does not tell."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something a sink should tell the world."""

    kind: str
    """One of KINDS or FIGURES."""
    t: float
    """`Frame.t` of the newest frame, 0 before the first."""
    decision: Decision | None = None
    state: str = ""
    """One of STATES, for the kind "state"; "on" or "off" for "snooze"."""
    detail: str = ""
    """One line about it, for people."""
    file: str = ""
    """Of the kind "decision": the picture, where the source is a set of them."""
    seconds: float = 0.0
    """Of the kind "snooze": for how long."""
    visit: Visit | None = None
    """Of the kind "person"."""
    counts: Counts | None = None
    """Of the kinds "counts" and "summary"."""
    stamp: Stamp | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Observation:
    """One turn of the loop."""

    frame: Frame
    tracks: Sequence[Track]
    decisions: Sequence[Decision]
    blind: str | None = None
    """Why nothing can be judged from this frame; there are no decisions then."""
    clear: bool = True
    """Whether this very frame can be judged; one that cannot is no "blind" yet until it has lasted."""
    min_face: float = 0.0
    """Pixels of the shorter side below which a face is followed but not judged."""
