"""What happens after every processed frame, live or not."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from edge.core.metrics import Counters
from edge.core.ports import Sink
from edge.core.records import Event, Image, Observation
from edge.runtime.outputs import Watcher
from edge.runtime.parts import Runtime

log = logging.getLogger(__name__)


class Step:
    """Sends the events of a frame to the sinks, counts, and passes annotated frames to the watchers."""

    def __init__(self, runtime: Runtime, watchers: Sequence[Watcher] = (), listeners: Sequence[Sink] = ()) -> None:
        """`listeners` receive every event, as the sinks do, but are kept over a reload."""
        self.counters = Counters(runtime.person_hits, alerts=not runtime.pictures)
        self._runtime = runtime
        self._failed = 0
        self._watchers, self._listeners = watchers, listeners
        self._annotate: Callable[[Observation, bool], Image] | None = None
        if watchers:
            from edge.vision.draw import annotate

            self._annotate = annotate

    @property
    def runtime(self) -> Runtime:
        return self._runtime

    @runtime.setter
    def runtime(self, new: Runtime) -> None:
        """After a reload: people are counted by the new setting, and failures of closed sinks stay counted."""
        kept = set(map(id, new.sinks))
        self._failed += sum(getattr(sink, "failed", 0) for sink in self._runtime.sinks if id(sink) not in kept)
        self._runtime, self.counters.person_hits = new, new.person_hits

    def finish(self, observation: Observation) -> Sequence[Event]:
        """Processes an observation. Returns its events, which have been sent."""
        tally = self.runtime.tally
        events = self.runtime.policy.events(observation) + (tally.events(observation) if tally else [])
        if self.runtime.keep:
            self.runtime.keep(observation, events)
        for event in events:
            self.send(event)
        if self.runtime.collector:
            self.runtime.collector.see(observation)
        if self.runtime.door:
            self.runtime.door.see(observation)
        self.counters.count(observation, events)
        self.counters.dropped = getattr(self.runtime.camera, "dropped", 0)
        if self._annotate:
            image = self._annotate(observation, self.runtime.policy.active)
            for watch in self._watchers:
                watch(observation.frame, image)
        return events

    def send(self, event: Event) -> None:
        """Stamps the event and sends it to every sink."""
        if self.runtime.door:
            self.runtime.door.add_event(event)
        self._failed += deliver(self.runtime.stamp(event), [*self._listeners, *self.runtime.sinks])
        # Sinks with a thread of their own count for themselves.
        self.counters.failed = self._failed + sum(getattr(sink, "failed", 0) for sink in self.runtime.sinks)


def deliver(event: Event, sinks: Sequence[Sink]) -> int:
    """Sends to every sink and returns how many failed. A broken sink stops neither the others nor the loop."""
    failed = 0
    for sink in sinks:
        try:
            sink.send(event)
        except Exception as error:
            failed += 1
            log.error("%s did not take %s at %.2f s: %s", type(sink).__name__, event.kind, event.t, error)
    return failed
