"""The frozen records that flow from the camera to the alert.

`Frame -> Face -> Track -> Verdict -> Decision -> Event`. Boxes are always pixels of the full frame, images
RGB uint8, and `t` (seconds) is stamped once, by the camera: nothing downstream asks a clock.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.geometry import Box
from edge.labels import Mask

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


@dataclass(frozen=True, slots=True)
class Decision:
    """What is held true of a track, after votes and hysteresis."""

    track_id: int
    mask: Mask
    confidence: float
    since: float
    """`Frame.t` at which the state was entered."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something a sink should tell the world."""

    kind: str
    """"decision" (a track's state changed), "no_mask" (the alert is raised) or "all_clear"."""
    t: float
    decision: Decision | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Observation:
    """One turn of the loop."""

    frame: Frame
    tracks: Sequence[Track]
    decisions: Sequence[Decision]
