"""Reads visits, and counts by day or hour, from the history's file, while the camera may be writing to it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from urllib.parse import quote

from edge.core.errors import DataError
from edge.core.records import VISIT_OUTCOMES, Counts
from edge.history.store import Row

FOREVER = float("inf")
_SOUND = " AND ".join(
    (
        f"outcome IN ({', '.join(map(str, range(len(VISIT_OUTCOMES))))})",
        "typeof(id) || typeof(first) || typeof(last) = 'integerintegerinteger'",
        f"first BETWEEN 0 AND {2**37} AND last BETWEEN 0 AND {2**37}",
    )
)
"""Condition for a plausible row: SQLite detects a damaged page, but not a flipped bit in a number. 2**37 s is beyond
the year 6000."""
BY = {"day": "%Y-%m-%d", "hour": "%Y-%m-%dT%H:00"}
"""How the beginning of a day or an hour is written, for strftime."""


class History:
    """Reads the file at `path`, which each call opens and closes. Raises DataError where it cannot be read.

    An implausible row is skipped, so that one flipped bit does not spoil a table.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def visits(self, since: float = 0.0, until: float = FOREVER) -> Sequence[Row]:
        """Visits that began in that time (seconds since 1970), oldest first."""
        rows = self._ask("SELECT id, first, last, outcome, clock FROM visits WHERE {} ORDER BY first, id", since, until)
        return [
            Row(id, first, last, VISIT_OUTCOMES[outcome], None if clock is None else bool(clock))
            for id, first, last, outcome, clock in rows
        ]

    def counts(self, by: str = "day", since: float = 0.0, until: float = FOREVER) -> Sequence[Counts]:
        """Counts for each "day" or "hour" (local time) in which somebody came; `Counts.day` is its start. The first one
        is whole too: `since` is taken as its beginning."""
        found: dict[str, Counts] = {}
        rows = self._ask(
            "SELECT strftime(?, first, 'unixepoch', 'localtime') AS begin, outcome, count(*) FROM visits WHERE {} "
            "GROUP BY begin, outcome ORDER BY begin",
            beginning(by, since),
            until,
            BY[by],
        )
        for begin, outcome, number in rows:
            found[begin] = replace(found.get(begin) or Counts(begin), **{VISIT_OUTCOMES[outcome]: number})
        return list(found.values())

    def day(self, day: date) -> Counts:
        """Counts of one day by the local clock; zeros when nobody came."""
        begin, end = (datetime.combine(d, datetime.min.time()).timestamp() for d in (day, day + timedelta(days=1)))
        return next(iter(self.counts("day", begin, end)), Counts(day.isoformat()))

    def told(self, day: date) -> bool:
        """Whether the summary of that day was sent."""
        return bool(list(self._rows("SELECT 1 FROM told WHERE day = ?", day.isoformat())))

    def _ask(self, query: str, since: float, until: float, *arguments: object) -> Iterator[tuple]:  # type: ignore[type-arg]
        end = min(until, 2.0**62)
        return self._rows(query.format(f"first >= ? AND first < ? AND {_SOUND}"), *arguments, since, end)

    def _rows(self, query: str, *arguments: object) -> Iterator[tuple]:  # type: ignore[type-arg]
        if not self.path.exists():
            raise DataError(f"history '{self.path}' does not exist: switch it on with a section [sinks.history]")
        # A reader without write permission cannot open a write-ahead log; if there is none, the file alone is complete.
        still = "" if Path(f"{self.path}-wal").exists() else "&immutable=1"
        try:
            with closing(sqlite3.connect(f"file:{quote(str(self.path))}?mode=ro{still}", uri=True, timeout=5.0)) as db:
                yield from db.execute(query, arguments).fetchall()
        except (sqlite3.Error, OverflowError) as error:
            raise DataError(f"history '{self.path}' cannot be read ({error})") from None


def beginning(by: str, t: float) -> float:
    """When the day or the hour of `t` begins by the local clock; all are seconds since 1970."""
    moment = datetime.fromtimestamp(max(t, 0.0)).replace(minute=0, second=0, microsecond=0)
    return (moment.replace(hour=0, fold=0) if by == "day" else moment).timestamp()


class Past:
    """What a new run reads from the history (`edge.tracking.tally.Past`); what cannot be read counts as unknown."""

    def __init__(self, history: History) -> None:
        self._history = history

    def day(self, day: date) -> Counts:
        try:
            return self._history.day(day)
        except DataError:
            return Counts(day.isoformat())

    def told(self, day: date) -> bool:
        try:
            return self._history.told(day)
        except DataError:
            return True
