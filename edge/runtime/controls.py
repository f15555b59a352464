"""What people ask of a live run, from any thread; it is done between two frames."""

from __future__ import annotations

from collections import deque
from threading import Event


class Controls:
    """Handed to whatever takes wishes (MQTT, the page), and to the service, which grants them."""

    def __init__(self) -> None:
        self._snoozes: deque[float | None] = deque(maxlen=1)
        """The newest alone holds: while a camera is away, wishes may come for days."""
        self._wrong = Event()

    def snooze(self, seconds: float | None = None) -> None:
        """No alerts for so many seconds; 0: alerts again; None: for as long as `alerts.snooze` says."""
        self._snoozes.append(seconds)

    def wrong(self) -> None:
        """What the camera shows now is wrong: a picture of it is wanted where pictures are collected."""
        self._wrong.set()

    def said_wrong(self) -> bool:
        """Whether somebody said so since the last call."""
        said = self._wrong.is_set()
        self._wrong.clear()
        return said

    def snoozes(self) -> list[float | None]:
        """What was asked last since the last call, if anything was."""
        return [self._snoozes.popleft()] if self._snoozes else []
