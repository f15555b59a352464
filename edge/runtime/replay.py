"""The loop over a camera or a recording, until its frames end."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import closing

from edge.core.metrics import Counters
from edge.core.records import Event, Observation
from edge.runtime.outputs import Watcher
from edge.runtime.parts import Runtime
from edge.runtime.signals import Flag
from edge.runtime.step import Step


def replay(
    runtime: Runtime,
    stop: Flag,
    watchers: Sequence[Watcher] = (),
    progress: Callable[[Counters], None] | None = None,
) -> Counters:
    """Processes a recording until it ends or `stop` is requested. Raises CameraError and EngineError."""
    step = Step(runtime, watchers)
    with closing(observations(runtime, step)) as processed:
        for _ in processed:
            if progress:
                progress(step.counters)
            if stop.requested:
                break
    step.counters.skipped = len(getattr(runtime.camera, "skipped", ()))
    return step.counters


def observations(runtime: Runtime, step: Step) -> Generator[Observation, None, None]:
    """Yields the observation of each frame after `step` has sent its events. Raises CameraError and EngineError."""
    blind: str | None = None
    with closing(runtime.pipeline.run(runtime.camera)) as processed:
        for observation in processed:
            step.finish(observation)
            if not runtime.pictures and observation.blind != blind:
                blind = observation.blind
                step.send(Event("state", observation.frame.t, state="blind" if blind else "ok", detail=blind or ""))
            yield observation
