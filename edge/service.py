"""A run: start, loop, stop.

SIGINT and SIGTERM only set a flag, which the loop reads after each frame; a second one ends the process at once,
for a camera that hangs.
"""

from __future__ import annotations

import logging
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from types import FrameType

from edge.assemble import Runtime, resolve
from edge.metrics import Counters
from edge.outputs import Watcher
from edge.ports import Sink
from edge.records import Event
from edge.systemd import Notifier

log = logging.getLogger(__name__)


class Stop:
    """The flag."""

    def __init__(self) -> None:
        self.requested = False

    def request(self) -> None:
        self.requested = True


@contextmanager
def stop_on_signals() -> Iterator[Stop]:
    """A flag that SIGINT and SIGTERM set. Only in the main thread, as signals demand."""
    stop = Stop()
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def request(number: int, frame: FrameType | None) -> None:
        stop.request()
        restore()

    for number in before:
        signal.signal(number, request)
    try:
        yield stop
    finally:
        restore()


def serve(
    runtime: Runtime,
    notifier: Notifier,
    stop: Stop,
    duration: float | None = None,
    watchers: Sequence[Watcher] = (),
    progress: Callable[[Counters], None] | None = None,
) -> Counters:
    """Runs until the camera ends, `stop` is requested or `duration` seconds of the camera's time have passed.

    The supervisor hears "ready" and has its watchdog fed only once a frame has gone through both networks, so a
    camera or a network that hangs is noticed. Raises CameraError and EngineError.
    """
    counters = Counters(runtime.person_hits)
    annotate = resolve("edge.draw:annotate") if watchers else None
    start: float | None = None
    with closing(runtime.pipeline.watch(runtime.camera)) as observations:
        for observation in observations:
            events = runtime.policy.events(observation)
            for event in events:
                counters.failed += _deliver(event, runtime.sinks)
            counters.count(observation, events)
            if start is None:
                start = observation.frame.t
                notifier.ready()
            notifier.alive(counters.render())
            if progress:
                progress(counters)
            if annotate:
                image = annotate(observation, runtime.policy.active)
                for watch in watchers:
                    watch(observation.frame.index, image)
            if stop.requested or (duration is not None and observation.frame.t - start >= duration):
                break
    notifier.stopping()
    counters.skipped = len(getattr(runtime.camera, "skipped", ()))
    counters.dropped = getattr(runtime.camera, "dropped", 0)
    return counters


def _deliver(event: Event, sinks: Sequence[Sink]) -> int:
    """Sends to every sink; returns how many failed. A broken sink must not take the others, or the loop, with it."""
    failed = 0
    for sink in sinks:
        try:
            sink.send(event)
        except Exception as error:
            failed += 1
            log.error("%s did not take %s at %.2f s: %s", type(sink).__name__, event.kind, event.t, error)
    return failed
