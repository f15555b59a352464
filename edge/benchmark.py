"""How fast this machine runs this bundle: p50 and p95 per stage, through the very loop that serves."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Any

from edge.errors import DataError
from edge.metrics import Timers, quantile
from edge.pipeline import Pipeline
from edge.ports import Camera


@dataclass(frozen=True)
class Stage:
    """One row: how often a stage ran, and its median and 95th percentile in milliseconds."""

    n: int
    p50_ms: float
    p95_ms: float


@dataclass(frozen=True)
class Report:
    frames: int
    width: int
    height: int
    """Pixels of a frame."""
    faces_per_frame: float
    fps: float
    """Frames per second without the time the camera took, which no board's networks can help."""
    stages: dict[str, Stage]

    def render(self) -> str:
        size = f"{self.width}x{self.height}"
        rows = [f"{self.frames} frames of {size}, {self.faces_per_frame:.2f} faces per frame, {self.fps:.1f} FPS", ""]
        rows.append(f"{'stage':<10}{'n':>7}{'p50 ms':>9}{'p95 ms':>9}")
        rows += [f"{name:<10}{s.n:>7}{s.p50_ms:>9.2f}{s.p95_ms:>9.2f}" for name, s in self.stages.items()]
        return "\n".join(rows)

    def json(self) -> str:
        return json.dumps(asdict(self), indent=2)


def measure(
    camera: Camera,
    pipeline: Pipeline,
    frames: int = 300,
    warm_up: int = 10,
    clock: Callable[[], float] = time.perf_counter,
) -> Report:
    """Runs `warm_up` frames that do not count, since the first calls of a network load and plan, then up to `frames`.

    Stops early when a recording ends. Raises DataError when it ends within the warm-up.
    """
    pipeline.timers = timers = Timers(window=max(64 * frames, 1), clock=clock)
    faces, seen, size = 0, 0, (0, 0)
    with closing(pipeline.watch(camera)) as observations:
        for _ in islice(observations, warm_up):
            pass
        timers.clear()
        start = clock()
        for observation in islice(observations, frames):
            seen += 1
            faces += len(observation.tracks)
            size = observation.frame.image.shape[1], observation.frame.image.shape[0]
        elapsed = clock() - start
    if not seen:
        raise DataError(f"benchmark: the source ended within the warm-up: expected more than {warm_up} frames")
    busy = elapsed - sum(timers.durations("camera"))
    stages = {name: _stage(timers.durations(name)) for name in timers.stages}
    return Report(seen, *size, faces / seen, seen / busy if busy > 0 else 0.0, stages)


def _stage(durations: Any) -> Stage:
    return Stage(len(durations), quantile(durations, 0.5) * 1e3, quantile(durations, 0.95) * 1e3)
