"""Stage timers, counters, and the summary printed at the end of a run."""

from __future__ import annotations

import time
from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TypeVar

from edge.core.records import Event, Observation

BOUNDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0)
"""Upper bounds of a histogram's buckets in seconds; a last bucket has no bound."""

T = TypeVar("T")
Clock = Callable[[], float]


class Histogram:
    """Durations since the start, in seconds: the count in each bucket, and the sum."""

    def __init__(self) -> None:
        self.counts = [0] * (len(BOUNDS) + 1)
        self.total = 0.0

    def add(self, seconds: float) -> None:
        self.counts[bisect_left(BOUNDS, seconds)] += 1
        self.total += seconds


class Timers:
    """The last `window` durations of each stage; `clock` returns seconds.

    with timers("detect"):
        ...
    """

    def __init__(self, window: int = 1000, clock: Clock = time.perf_counter) -> None:
        self._clock = clock
        self._window = window
        self._stages: dict[str, deque[float]] = {}
        self._histograms: dict[str, Histogram] = {}

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        """Times the block; one that raises is not counted."""
        start = self._clock()
        yield
        self._add(stage, self._clock() - start)

    def each(self, stage: str, items: Iterable[T]) -> Iterator[T]:
        """Times the wait for every item of a stream."""
        iterator = iter(items)
        end = object()
        while True:
            start = self._clock()
            item = next(iterator, end)
            if item is end:
                return
            self._add(stage, self._clock() - start)
            yield item  # type: ignore[misc]

    def _add(self, stage: str, seconds: float) -> None:
        if stage not in self._stages:
            self._stages[stage] = deque(maxlen=self._window)
            self._histograms[stage] = Histogram()
        self._stages[stage].append(seconds)
        self._histograms[stage].add(seconds)

    @property
    def histograms(self) -> Mapping[str, Histogram]:
        """Per stage, since the start or `clear`."""
        return dict(self._histograms)

    @property
    def stages(self) -> Sequence[str]:
        """In the order in which they were first timed."""
        return list(self._stages)

    def durations(self, stage: str) -> Sequence[float]:
        """Seconds, oldest first, at most `window` of them."""
        return list(self._stages.get(stage, ()))

    def clear(self) -> None:
        self._stages.clear()
        self._histograms.clear()

    def render(self) -> str:
        """A table with a row per stage: count, p50 and p95 in milliseconds."""
        rows = [f"{'stage':<10}{'n':>7}{'p50 ms':>9}{'p95 ms':>9}"]
        for stage in self._stages:
            d = self.durations(stage)
            rows.append(f"{stage:<10}{len(d):>7}{quantile(d, 0.5) * 1e3:>9.1f}{quantile(d, 0.95) * 1e3:>9.1f}")
        return "\n".join(rows)


def quantile(values: Sequence[float], q: float) -> float:
    """The `q` (0..1) quantile, linear between neighbours as in NumPy; 0 for no values."""
    if not values:
        return 0.0
    ordered = sorted(values)
    at = q * (len(ordered) - 1)
    low = int(at)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (at - low)


class Counters:
    """Counters of a run.

    person_hits: frames in which a track must be seen to count as a person; a false detection rarely lasts.
    clock: returns seconds, for the frame rate.
    alerts: whether the summary mentions alerts; still pictures raise none.
    """

    def __init__(self, person_hits: int = 3, clock: Clock = time.perf_counter, alerts: bool = True) -> None:
        self._alerting = alerts
        self.person_hits = person_hits
        self._clock = clock
        self._start = clock()
        self.frames = 0
        self.faces = 0
        self.people = 0
        self.decisions = 0
        self.alerts = 0
        self.blind = 0
        """Frames in which nothing could be classified."""
        self.failed = 0
        """Failed deliveries to a sink."""
        self.skipped = 0
        """Damaged still pictures."""
        self.dropped = 0
        """Frames of a live camera that arrived while another was being processed."""

    def count(self, observation: Observation, events: Sequence[Event]) -> None:
        self.frames += 1
        tracks = observation.faces
        self.faces += len(tracks)
        self.blind += observation.blind is not None
        # A track reaches each number of hits once, so there is no need to remember who was counted.
        self.people += sum(track.hits == self.person_hits for track in tracks)
        self.decisions += sum(event.kind == "decision" for event in events)
        self.alerts += sum(event.kind == "no_mask" for event in events)

    @property
    def fps(self) -> float:
        """Frames per second of wall time since the start."""
        elapsed = self._clock() - self._start
        return self.frames / elapsed if elapsed > 0 else 0.0

    def report(self) -> dict[str, int]:
        """Every counter by name."""
        names = ("frames", "faces", "people", "decisions", "alerts", "blind", "failed", "skipped", "dropped")
        return {name: getattr(self, name) for name in names}

    def render(self) -> str:
        counts = {
            "faces": self.faces,
            "people seen": self.people,
            "decisions": self.decisions,
            **({"alerts": self.alerts} if self._alerting else {}),
        }
        mishaps = {
            "too dark or covered": self.blind,
            "skipped": self.skipped,
            "dropped": self.dropped,
            "failed deliveries": self.failed,
        }
        parts = [f"{self.frames} frames", f"{self.fps:.1f} FPS", *(f"{n} {name}" for name, n in counts.items())]
        return ", ".join(parts + [f"{n} {name}" for name, n in mishaps.items() if n])
