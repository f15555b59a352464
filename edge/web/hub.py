"""What the loop publishes for the page: an immutable snapshot per step, and the newest events.

The loop replaces a reference that the page reads: neither waits for the other, and nothing is drawn, encoded or
formatted until it is requested.
"""

from __future__ import annotations

import secrets
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

from edge.core.records import FIGURES, Event, Observation

LOST = "camera lost"
"""The state in which no frames come."""
KEPT = 200
"""Number of events that are kept."""


@dataclass(frozen=True, slots=True, eq=False)
class Snapshot:
    """One step of the loop."""

    at: float
    """Time in seconds of the hub's monotonic clock."""
    observation: Observation | None
    """The newest frame with its tracks and decisions; None before the first one, and while the camera is lost."""
    judged_at: float | None
    """When a frame last went through both networks, by the same clock."""
    alert: bool
    """Whether the alert "no_mask" is active."""
    report: Mapping[str, Any] = field(default_factory=dict)
    """State, detail, camera, backends, frame rate and counters, as in status.json."""
    backends: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Per network: "requested", "running" and "reason"."""
    timers: Any = None
    """The run's `edge.core.metrics.Timers`; only the histograms are read, by one reader at a time."""


@dataclass(frozen=True, slots=True)
class Told:
    """An event with its number, counted from 1, and its clock time."""

    number: int
    at: datetime
    event: Event


class Hub:
    """Written by the loop, read by the page. Implements the `Sink` port for events.

    clock: monotonic seconds; wall: seconds since 1970.
    """

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, wall: Callable[[], float] = time.time, kept: int = KEPT
    ) -> None:
        self.clock = clock
        self.started = clock()
        self.run = secrets.token_hex(4)
        """Identifies this run, in which events and log lines are numbered."""
        self.snapshot = Snapshot(self.started, None, None, False)
        self.outcomes: Counter[str] = Counter()
        """Decisions so far, by outcome."""
        self._wall = wall
        self._told: deque[Told] = deque(maxlen=kept)
        self._count = 0
        self._requests: deque[tuple[float, Callable[[Any], None]]] = deque(maxlen=16)

    def publish(
        self,
        observation: Observation | None,
        alert: bool,
        report: Mapping[str, Any],
        backends: Mapping[str, Mapping[str, str]],
        timers: Any = None,
    ) -> None:
        """Takes one step of the loop; without an observation the last one is kept, unless the camera is lost: then
        nobody can be said to be in view."""
        before, now = self.snapshot, self.clock()
        judged = before.judged_at if observation is None or observation.blind else now
        shown = before.observation if observation is None else observation
        if report.get("state") == LOST:
            shown = None
        self.snapshot = Snapshot(now, shown, judged, alert, report, backends, timers)

    def send(self, event: Event) -> None:
        if event.kind in FIGURES:
            return
        self._count += 1
        if event.kind == "decision" and event.decision:
            incorrectly_worn = event.decision.incorrectly_worn and event.decision.mask.value == "off"
            self.outcomes["incorrectly_worn" if incorrectly_worn else event.decision.mask.value] += 1
        self._told.append(Told(self._count, datetime.fromtimestamp(self._wall(), timezone.utc), event))

    def close(self) -> None:
        """Has nothing to release."""

    def told(self, after: int = 0) -> list[Told]:
        """The kept events numbered above `after`, oldest first."""
        return [told for told in self._copied() if told.number > after]

    @property
    def count(self) -> int:
        """Number of the newest event, 0 before the first."""
        return self._count

    def ask(self, request: Callable[[Any], None], after: float = 0.0) -> None:
        """Queues a request to the loop, for `after` seconds from now; it is called between two frames with the loop's
        `Step`."""
        self._requests.append((self.clock() + after, request))

    def requests(self) -> list[Callable[[Any], None]]:
        """Requests that are due; each is returned once."""
        if not self._requests:
            return []
        waiting = [self._requests.popleft() for _ in range(len(self._requests))]
        now = self.clock()
        self._requests.extend(request for request in waiting if request[0] > now)
        return [request for due, request in waiting if due <= now]

    def _copied(self) -> list[Told]:
        while True:
            try:
                return list(self._told)
            except RuntimeError:  # the loop has appended in the meantime
                continue
