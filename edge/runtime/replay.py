"""The loop over a recording."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing

from edge.core.metrics import Counters
from edge.core.records import Event
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
    """Goes through a recording until it ends or `stop` is requested. Raises CameraError and EngineError."""
    step = Step(runtime, watchers)
    blind: str | None = None
    with closing(runtime.pipeline.run(runtime.camera)) as observations:
        for observation in observations:
            step.finish(observation)
            if observation.blind != blind:
                blind = observation.blind
                step.send(Event("state", observation.frame.t, state="blind" if blind else "ok", detail=blind or ""))
            if progress:
                progress(step.counters)
            if stop.requested:
                break
    step.counters.skipped = len(getattr(runtime.camera, "skipped", ()))
    return step.counters
