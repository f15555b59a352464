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

KINDS = ("decision", "no_mask", "all_clear", "state")
"""Of events: a track's state changed, the alert is raised, it is over, the service's state changed."""

STATES = ("starting", "ok", "camera lost", "blind", "engine fault", "configuration error", "stopping")
"""What a service can be; "blind": frames come but nothing can be judged from them; "engine fault": no engine runs the
networks rightly any more, and the service ends to be started anew."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something a sink should tell the world."""

    kind: str
    """One of KINDS."""
    t: float
    """`Frame.t` of the newest frame, 0 before the first."""
    decision: Decision | None = None
    state: str = ""
    """One of STATES, for the kind "state"."""
    detail: str = ""
    """One line about the state, for people."""


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
