"""The metrics of a running camera for Prometheus, read from the snapshot on request."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
    StateSetMetricFamily,
)

from edge import __version__
from edge.core.metrics import BOUNDS
from edge.core.records import STATES
from edge.web.board import Board
from edge.web.hub import Hub

COUNTERS = {
    "frames": "frames that went through the networks",
    "faces": "faces in them",
    "people": "people seen: tracks that lasted",
    "alerts": "alerts raised",
    "blind": "frames from which nothing could be judged",
    "failed": "deliveries to a sink that failed",
    "dropped": "frames that came while another was being worked on",
    "reopens": "times a lost camera was opened again",
}
OUTCOMES = ("on", "off", "incorrectly_worn", "unsure")


class Exposition:
    """`text()` is the content of /metrics."""

    def __init__(self, hub: Hub, board: Board) -> None:
        self._hub, self._board = hub, board
        self._registry = CollectorRegistry()
        self._registry.register(self)

    def text(self) -> bytes:
        return generate_latest(self._registry)

    def describe(self) -> list[Metric]:
        """Registering collects nothing."""
        return []

    def collect(self) -> Iterator[Metric]:
        snapshot = self._hub.snapshot
        report = snapshot.report
        yield InfoMetricFamily("maskcam_build", "the software", {"version": __version__})
        state = str(report.get("state", "starting"))
        yield StateSetMetricFamily("maskcam_state", "state of the service", {name: name == state for name in STATES})
        yield _gauge("maskcam_fps", "frames per second over the last ten seconds", report.get("fps"))
        yield _gauge("maskcam_uptime_seconds", "since the start", report.get("uptime"))
        yield _gauge("maskcam_alert", "1 while the alert stands", float(snapshot.alert))
        observation = snapshot.observation
        yield _gauge("maskcam_people", "faces in the newest frame", len(observation.faces) if observation else 0)
        age = None if snapshot.judged_at is None else self._hub.clock() - snapshot.judged_at
        yield _gauge("maskcam_verdict_age_seconds", "since a frame went through both networks", age)
        for name, text in COUNTERS.items():
            yield CounterMetricFamily(f"maskcam_{name}", text, value=report.get(name, 0))
        decisions = CounterMetricFamily("maskcam_decisions", "decisions by outcome", labels=["outcome"])
        for outcome in OUTCOMES:
            decisions.add_metric([outcome], self._hub.outcomes[outcome])
        yield decisions
        yield from self._stages(snapshot.timers)
        yield from self._backends(snapshot.backends)
        yield from self._hardware()

    def _stages(self, timers: Any) -> Iterator[Metric]:
        family = HistogramMetricFamily("maskcam_stage_seconds", "duration of each stage of the loop", labels=["stage"])
        for stage, histogram in (timers.histograms if timers else {}).items():
            bounds = [*map(str, BOUNDS), "+Inf"]
            buckets = list(zip(bounds, map(float, accumulate(histogram.counts)), strict=True))
            family.add_metric([stage], buckets, histogram.total)
        yield family

    def _backends(self, backends: Any) -> Iterator[Metric]:
        family = GaugeMetricFamily(
            "maskcam_backend", "what runs each network, 1", labels=["network", "requested", "running"]
        )
        for network, backend in backends.items():
            family.add_metric([network, backend["requested"], backend["running"]], 1)
        yield family

    def _hardware(self) -> Iterator[Metric]:
        board = self._board.report()
        yield _gauge("maskcam_temperature_celsius", "of the hottest zone", board["temperature"])
        yield _gauge("maskcam_disk_free_bytes", "on the disk with the state", board["disk_free"])
        yield _gauge("maskcam_memory_bytes", "resident, of the service", board["memory"])
        throttled = None if board["throttled"] is None else float(bool(board["throttled"]))
        yield _gauge("maskcam_throttled", "1 while the board slows itself down or lacks voltage", throttled)


def _gauge(name: str, text: str, value: float | None) -> Metric:
    """A metric, without a sample if there is no value."""
    family = GaugeMetricFamily(name, text)
    if value is not None:
        family.add_metric([], value)
    return family
