"""The newest lines of the log, kept for the page and the support file."""

from __future__ import annotations

import logging
from collections import deque
from datetime import datetime, timezone
from typing import Any

KEPT = 300
"""Number of lines that are kept."""
LONGEST = 2000
"""Longest line, in characters."""


class RecentLog(logging.Handler):
    """Attach it to the root logger."""

    def __init__(self, kept: int = KEPT) -> None:
        super().__init__(logging.INFO)
        self._lines: deque[dict[str, Any]] = deque(maxlen=kept)
        self._count = 0

    def emit(self, record: logging.LogRecord) -> None:
        try:
            text = self.format(record)
        except Exception:
            self.handleError(record)
            return
        self._count += 1
        at = datetime.fromtimestamp(record.created, timezone.utc)
        self._lines.append(
            {
                "number": self._count,
                "time": at.isoformat(timespec="milliseconds"),
                "level": record.levelname.lower(),
                "text": text[:LONGEST],
            }
        )

    def lines(self, after: int = 0) -> list[dict[str, Any]]:
        """The lines numbered above `after`, oldest first: "number", "time" (ISO, UTC), "level", "text"."""
        self.acquire()
        try:
            return [line for line in self._lines if line["number"] > after]
        finally:
            self.release()
