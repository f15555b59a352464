"""One turn of the loop, and the loop over a recording."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import closing

from edge.core.metrics import Counters
from edge.core.ports import Sink
from edge.core.records import Event, Image, Observation
from edge.runtime.outputs import Watcher
from edge.runtime.parts import Runtime
from edge.runtime.signals import Flag

log = logging.getLogger(__name__)


class Turn:
    """What follows every look at a frame, live or not: events for the sinks, counters, pictures for the watchers."""

    def __init__(self, runtime: Runtime, watchers: Sequence[Watcher] = ()) -> None:
        self.runtime = runtime
        self.counters = Counters(runtime.person_hits)
        self._failed = 0
        self._watchers = watchers
        self._annotate: Callable[[Observation, bool], Image] | None = None
        if watchers:
            from edge.vision.draw import annotate

            self._annotate = annotate

    def take(self, observation: Observation) -> Sequence[Event]:
        """Returns the events, which have been sent."""
        events = self.runtime.policy.events(observation)
        for event in events:
            self.send(event)
        self.counters.count(observation, events)
        self.counters.dropped = getattr(self.runtime.camera, "dropped", 0)
        if self._annotate:
            image = self._annotate(observation, self.runtime.policy.active)
            for watch in self._watchers:
                watch(observation.frame.index, image)
        return events

    def send(self, event: Event) -> None:
        self._failed += deliver(event, self.runtime.sinks)
        # Sinks with a thread of their own count for themselves.
        self.counters.failed = self._failed + sum(getattr(sink, "failed", 0) for sink in self.runtime.sinks)


def deliver(event: Event, sinks: Sequence[Sink]) -> int:
    """Sends to every sink; returns how many failed. A broken sink must not take the others, or the loop, with it."""
    failed = 0
    for sink in sinks:
        try:
            sink.send(event)
        except Exception as error:
            failed += 1
            log.error("%s did not take %s at %.2f s: %s", type(sink).__name__, event.kind, event.t, error)
    return failed


def replay(
    runtime: Runtime,
    stop: Flag,
    watchers: Sequence[Watcher] = (),
    progress: Callable[[Counters], None] | None = None,
) -> Counters:
    """Goes through a recording until it ends or `stop` is requested. Raises CameraError and EngineError."""
    turn = Turn(runtime, watchers)
    blind: str | None = None
    with closing(runtime.pipeline.watch(runtime.camera)) as observations:
        for observation in observations:
            turn.take(observation)
            if observation.blind != blind:
                blind = observation.blind
                turn.send(Event("state", observation.frame.t, state="blind" if blind else "ok", detail=blind or ""))
            if progress:
                progress(turn.counters)
            if stop.requested:
                break
    turn.counters.skipped = len(getattr(runtime.camera, "skipped", ()))
    return turn.counters
