"""Runs a sink in its own thread: one that hangs or fails is reported and retried, and the camera goes on."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Collection
from contextlib import closing

from edge.core.backoff import Backoff
from edge.core.ports import Playing, Restated, Sink
from edge.core.records import KINDS, Event

log = logging.getLogger(__name__)

Wait = Callable[[threading.Condition, float | None], object]
"""Waits for a condition, at most for the given seconds; None: without limit."""


class Isolated:
    """Hands events to the sink that `open` opens, through a queue. `send` never blocks and never raises.

    A failure closes the sink; after a pause, which doubles from `pause` to at most `longest` seconds, it is opened
    again and the event that failed is tried again, `attempts` times in all. The first of several failures in a row
    is logged, and the recovery. A thread that hangs cannot be stopped: it is reported, the queue keeps the newest
    events, and work goes on when the call returns; sinks that wait for others have time limits of their own.

    name: for messages and status.
    kinds: kinds of events to deliver.
    restate: send a reopened sink the last "state" and the last of "no_mask" and "all_clear" again: for sinks that show
        a state, such as a light. One that is `edge.core.ports.Restated` gets the last event of every kind.
    capacity: size of the queue, 2 or more; if it is full, the oldest event is dropped.
    hung_after: seconds of one delivery after which it counts as hung.
    patience: seconds that `close` waits for the queue.
    clock, wait: monotonic clock (s) and how to wait, for tests.
    """

    def __init__(
        self,
        name: str,
        open: Callable[[], Sink],
        kinds: Collection[str] = KINDS,
        restate: bool = False,
        attempts: int = 5,
        capacity: int = 64,
        pause: float = 1.0,
        longest: float = 60.0,
        hung_after: float = 15.0,
        patience: float = 2.0,
        clock: Callable[[], float] = time.monotonic,
        wait: Wait = threading.Condition.wait,
    ) -> None:
        self.name = name
        self.failed = 0
        """Number of failed deliveries and openings."""
        self.dropped = 0
        """Number of undelivered events: the queue was full, or every attempt failed."""
        self.problem = ""
        """The current problem; empty if there is none."""
        self._open, self._kinds, self._restate, self._attempts = open, kinds, restate, attempts
        self._capacity, self._backoff = capacity, Backoff(pause, longest)
        self._hung_after, self._patience = hung_after, patience
        self._clock, self._wait = clock, wait
        self._change = threading.Condition()
        self._queue: deque[Event] = deque()
        self._under_way: Event | None = None
        """The event that is being delivered or waits for its next attempt."""
        self._standing: dict[str, Event] = {}
        """The last event of each kind, in order of arrival."""
        self._alert: Event | None = None
        """The last event of "no_mask" and "all_clear"."""
        self._tries = 0
        self._busy_since: float | None = None
        self._closing = False
        self._thread = threading.Thread(target=self._work, name=f"sink {name}", daemon=True)
        self._thread.start()

    def send(self, event: Event) -> None:
        if event.kind not in self._kinds:
            return
        with self._change:
            busy = self._busy_since
            if event.kind == "counts":  # only the newest is wanted, and it must not push out other events
                self._queue = deque(waiting for waiting in self._queue if waiting.kind != "counts")
            if len(self._queue) == self._capacity:
                self._give_up(self._queue.popleft())  # never the one being delivered, which is not in the queue
            self._queue.append(event)
            self._change.notify_all()
            if busy is not None and (since := self._clock() - busy) >= self._hung_after:
                self._report(f"has hung for {since:.0f} s")

    def close(self) -> None:
        with self._change:
            self._closing = True
            self._change.notify_all()
        self._thread.join(self._patience)
        if self._thread.is_alive():
            log.error("%s: does not end within %g s, left alone", self.name, self._patience)
        if left := len(self._queue) + (self._under_way is not None):
            log.error("%s: %d events were not delivered", self.name, left)

    def _work(self) -> None:
        while True:
            try:
                with closing(self._open()) as sink:
                    self._serve(sink)
                return
            except Exception as error:
                self._fail(error)
            with self._change:
                self._busy_since = None
                until = self._clock() + self._backoff.next()
                while not self._closing and (left := until - self._clock()) > 0:
                    self._wait(self._change, left)
                if self._closing:
                    return

    def _serve(self, sink: Sink) -> None:
        """Works until closed and out of events, or until something fails."""
        if self._restate:
            restated = isinstance(sink, Restated)
            with self._change:
                standing = [e for e in self._standing.values() if restated or e.kind == "state" or e is self._alert]
                self._busy_since = self._clock() if standing else None
            for known in standing:
                if isinstance(sink, Restated):
                    sink.restate(known)
                else:
                    sink.send(known)
            self._well()
        playing = sink if isinstance(sink, Playing) else None
        while True:
            event = self._next(playing.advance(self._clock()) if playing else None)
            if event is not None:
                sink.send(event)
                self._done()
            elif self._closing:
                return

    def _next(self, due: float | None) -> Event | None:
        """Takes the oldest event for delivery; None if the sink has a step to perform, or at the end."""
        with self._change:
            self._busy_since = None
            while self._under_way is None and not self._queue and not self._closing:
                left = None if due is None else due - self._clock()
                if left is not None and left <= 0:
                    break
                self._wait(self._change, left)
            if self._under_way is None:
                if not self._queue:
                    return None
                self._under_way, self._tries = self._queue.popleft(), 0
            self._tries += 1
            self._busy_since = self._clock()
            return self._under_way

    def _done(self) -> None:
        with self._change:
            if self._under_way is not None:
                self._remember(self._under_way)
            self._under_way = None
        self._backoff.reset()
        self._well()

    def _fail(self, error: Exception) -> None:
        self.failed += 1
        self._report(str(error) or type(error).__name__)
        with self._change:
            if self._under_way is not None and self._tries >= self._attempts:
                self._give_up(self._under_way)
                self._under_way = None

    def _give_up(self, event: Event) -> None:
        self._remember(event)
        self.dropped += 1

    def _remember(self, event: Event) -> None:
        if event.kind in ("decision", "person"):  # an action of a person, not a state
            return
        if event.kind in ("no_mask", "all_clear"):
            self._alert = event
        self._standing.pop(event.kind, None)
        self._standing[event.kind] = event  # the newest last

    def _well(self) -> None:
        if self.problem:
            log.info("%s: works again", self.name)
        self.problem = ""

    def _report(self, problem: str) -> None:
        """Logs the first of several failures in a row."""
        if not self.problem:
            log.error("%s: %s; it is tried again, the camera goes on", self.name, problem)
        self.problem = problem
