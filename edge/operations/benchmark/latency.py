"""Time from a frame to the level of the pin, through the pipeline, the alert policy and the LED's thread."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import count

from edge.core.metrics import quantile
from edge.core.ports import Sink
from edge.core.records import Frame, Image
from edge.operations.benchmark.faces import LATER
from edge.runtime.pipeline import Pipeline
from edge.sinks.pins import MockPin
from edge.tracking.alerts import AlertPolicy

MOST_FRAMES = 60
"""Frames of one picture after which no event is expected."""
PATIENCE = 1.0
"""Seconds for a pin to follow an event."""


@dataclass(frozen=True)
class Latency:
    """From the deciding frame to the change of the pin; the frames with earlier votes are not included."""

    n: int
    p50_ms: float
    p95_ms: float


def measure_latency(
    pipeline: Pipeline,
    policy: AlertPolicy,
    sink: Sink,
    pin: MockPin,
    pictures: Mapping[str, Image],
    seconds: float,
    clock: Callable[[], float] = time.monotonic,
    wait: Callable[[float], None] = time.sleep,
) -> Latency | None:
    """Alternates `pictures` ("no_mask" -> somebody without a mask, "all_clear" -> nobody); None if no event comes.

    policy: one without delays. sink: drives `pin`, which records the times by the same clock.
    """
    delays: list[float] = []
    index, end = count(), clock() + seconds
    while clock() < end:
        for kind, image in pictures.items():
            for _ in range(MOST_FRAMES):
                stamp, before = clock(), len(pin.history)
                observation = pipeline.process(Frame(next(index), LATER + stamp, image))
                events = [event for event in policy.events(observation) if event.kind == kind]
                if events:
                    break
            else:
                return None
            sink.send(events[0])
            patience = clock() + PATIENCE
            while len(pin.history) == before:
                if clock() > patience:
                    return None
                wait(0.0002)
            delays.append(pin.history[before][0] - stamp)
    return Latency(len(delays), quantile(delays, 0.5) * 1e3, quantile(delays, 0.95) * 1e3) if delays else None
