"""Requests of people to a live run, from any thread; they are carried out between two frames."""

from __future__ import annotations

from collections import deque
from threading import Event


class Controls:
    """Shared by the parts that receive requests (MQTT, the page) and the service, which carries them out."""

    def __init__(self) -> None:
        self._snoozes: deque[float | None] = deque(maxlen=1)
        """Only the newest request is kept: while a camera is lost, they may arrive for days."""
        self._wrong = Event()

    def snooze(self, seconds: float | None = None) -> None:
        """Suppresses alerts for `seconds`; 0: alerts again; None: for the setting `alerts.snooze`."""
        self._snoozes.append(seconds)

    def wrong(self) -> None:
        """Reports that what the camera shows now is wrong: if pictures are collected, one is kept."""
        self._wrong.set()

    def said_wrong(self) -> bool:
        """Whether that was reported since the last call."""
        said = self._wrong.is_set()
        self._wrong.clear()
        return said

    def snoozes(self) -> list[float | None]:
        """The newest request since the last call, or None."""
        return [self._snoozes.popleft()] if self._snoozes else []
