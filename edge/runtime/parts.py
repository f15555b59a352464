"""The opened parts of a run."""

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
    """Everything a run needs, opened."""

    camera: Camera
    pipeline: Pipeline
    policy: Policy
    sinks: Sequence[Sink]
    timers: Timers
    fps: float
    """Frame rate of the source, 1/s: what a video made of it should play at."""
    pictures: Sequence[Path]
    """The file of each picture of a set, by frame index; empty for anything else."""
    person_hits: int
    """Frames that make a track a person."""
    source: str = ""
    """Name of the camera, without passwords."""
    backends: Mapping[str, FailoverEngine] = field(default_factory=dict)
    """Of "detector" and "classifier": what was asked for, what runs and why."""
    tally: Tally | None = None
    """Of a live run."""
    stamp: Callable[[Event], Event] = lambda event: event
    """Gives an event what it bears when it leaves."""
    collector: Collector | None = None
    """Of a live run whose settings ask for pictures for training."""
    door: Door | None = None
    """Of a live run: how the bundle does."""
    keep: Callable[[Observation, Sequence[Event]], None] | None = None
    """Takes what events are told of, where the settings ask for pictures of it; before the events are sent."""
