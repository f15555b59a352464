"""Writes visits to an SQLite file, a minute of them at a time, since memory cards wear out."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from edge.core.records import Event
from edge.history.store import Row, Store

DAY = 86400.0


class HistorySink:
    """Collects "person" events and writes them every `every` seconds in one commit; without any it writes nothing.

    path, most: see `edge.history.store.Store`.
    keep_days: how long visits are kept; 0: for ever. Ignored while the clock is not set.
    kept: visits that are not written yet, by id. Every opening gets the same dictionary, so that a failure loses
    nothing. clock: seconds of the monotonic clock that `advance` gets. Raises SinkError.
    """

    def __init__(
        self,
        path: str | Path,
        most: int,
        keep_days: float,
        every: float,
        kept: dict[int, Row] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = Store(Path(path), most)
        self._keep, self._every, self._clock = keep_days * DAY, every, clock
        self._kept: dict[int, Row] = {} if kept is None else kept
        self._told: set[str] = set()
        self._due: float | None = clock() if self._kept else None
        self._forgot: float | None = None

    def send(self, event: Event) -> None:
        if event.visit and event.stamp and event.stamp.time is not None:
            run, zero = int(event.stamp.id.partition("-")[0], 16), event.stamp.time - event.t
            visit, id = event.visit, run << 22 | event.visit.number % (1 << 22)
            self._kept.pop(id, None)
            self._kept[id] = Row(id, zero + visit.first, zero + visit.last, visit.outcome, event.stamp.clock_set)
            if len(self._kept) > 10_000:  # the disk has been full for a long time
                del self._kept[next(iter(self._kept))]
        elif event.kind == "summary" and event.counts:
            self._told.add(event.counts.day)
        if (self._kept or self._told) and self._due is None:
            self._due = self._clock() + self._every

    def advance(self, now: float) -> float | None:
        """See `edge.core.ports.Playing`."""
        if self._due is not None and now >= self._due:
            self._write()
        return self._due

    def close(self) -> None:
        try:
            self._write()
        finally:
            self._store.close()

    def _write(self) -> None:
        rows = list(self._kept.values())
        if rows or self._told:
            self._store.write(rows, self._told)
            self._forget(rows)
        self._kept.clear()
        self._told.clear()
        self._due = None

    def _forget(self, rows: list[Row]) -> None:
        """Once a day, by the newest visit."""
        now = max((row.last for row in rows if row.clock_set is not False), default=0.0)
        if self._keep and now and (self._forgot is None or abs(now - self._forgot) >= DAY):
            self._store.forget(now - self._keep)
            self._forgot = now
