"""Median and 95th percentile per stage, and frames per second."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from itertools import islice

from edge.core.errors import DataError
from edge.core.metrics import Timers, quantile
from edge.core.ports import Camera
from edge.runtime.pipeline import Pipeline

ORDER = ("camera", "resize", "detect", "track", "classify", "decide")
"""The timers in the table, in order."""


@dataclass(frozen=True)
class StageTime:
    """Number of runs of a stage, with median and 95th percentile in milliseconds."""

    n: int
    p50_ms: float
    p95_ms: float


@dataclass(frozen=True)
class Speed:
    """Timing of a pass through a camera's frames."""

    frames: int
    width: int
    height: int
    """Width and height of a frame in pixels."""
    faces_per_frame: float
    fps: float
    """Frames per second without the time that the camera took."""
    stages: dict[str, StageTime] = field(default_factory=dict)
    """Stage -> timing. "capture" is the wait for the camera; "resize" is a part of "detect"."""


def measure_speed(
    camera: Camera,
    pipeline: Pipeline,
    seconds: float,
    frames: int | None = None,
    warm_up: int = 10,
    clock: Callable[[], float] = time.perf_counter,
) -> Speed:
    """Runs `warm_up` frames that do not count, since a network's first calls load and plan, then at most `seconds` and
    `frames`. Stops early if a recording ends. Raises DataError if it ends within the warm-up.
    """
    timers = pipeline.timers
    faces, seen, size, spent = 0, 0, (0, 0), 0.0
    with closing(pipeline.run(camera)) as observations:
        for _ in islice(observations, warm_up):
            pass
        timers.clear()
        start = clock()
        for observation in islice(observations, frames):
            seen += 1
            faces += len(observation.tracks)
            size = observation.frame.image.shape[1], observation.frame.image.shape[0]
            spent = clock() - start
            if spent >= seconds:
                break
    if not seen:
        raise DataError(f"benchmark: the source ended within the warm-up: expected more than {warm_up} frames")
    waits = timers.durations("camera")  # those of the timers' window
    busy = spent - seen * sum(waits) / len(waits)
    known = [*ORDER, *(name for name in timers.stages if name not in ORDER)]
    stages = {"capture" if name == "camera" else name: _stage(timers, name) for name in known if name in timers.stages}
    return Speed(seen, *size, faces / seen, seen / busy if busy > 0 else 0.0, stages)


def _stage(timers: Timers, name: str) -> StageTime:
    durations = timers.durations(name)
    return StageTime(len(durations), quantile(durations, 0.5) * 1e3, quantile(durations, 0.95) * 1e3)
