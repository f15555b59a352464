"""The open parts of a run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from edge.core.metrics import Timers
from edge.core.ports import Camera, Policy, Sink
from edge.core.records import Event, Observation
from edge.runtime.pipeline import Pipeline
from edge.tracking.tally import Tally

if TYPE_CHECKING:
    from edge.backends.supervised.failover import FailoverEngine
    from edge.runtime.collect import Collector
    from edge.runtime.door import Door


@dataclass(frozen=True)
class Runtime:
    """Everything that a run needs, open."""

    camera: Camera
    pipeline: Pipeline
    policy: Policy
    sinks: Sequence[Sink]
    timers: Timers
    fps: float
    """Frame rate of the source, 1/s; that of a video made from it."""
    pictures: Sequence[Path]
    """The file of each picture of a set, by frame index; empty for other sources."""
    person_hits: int
    """Frames after which a track counts as a person."""
    source: str = ""
    """Name of the camera, without passwords."""
    backends: Mapping[str, FailoverEngine] = field(default_factory=dict)
    """Per network ("detector", "classifier"): what was requested, what runs and why."""
    tally: Tally | None = None
    """Of a live run."""
    stamp: Callable[[Event], Event] = lambda event: event
    """Adds identity and clock time to an event."""
    collector: Collector | None = None
    """Only in a live run that collects pictures for training."""
    door: Door | None = None
    """Only in a live run: how well the bundle works."""
    keep: Callable[[Observation, Sequence[Event]], None] | None = None
    """Keeps the frames of events for snapshots, if they are on; filled before the events are sent."""
