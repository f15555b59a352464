"""A list, for tests and for counting."""

from __future__ import annotations

from edge.core.records import Event


class MemorySink:
    """Remembers every event in `events`, and in `closed` whether it was closed."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.closed = False

    def send(self, event: Event) -> None:
        self.events.append(event)

    def close(self) -> None:
        self.closed = True
