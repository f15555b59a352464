"""Writes the log in a thread of its own: a slow or stuck reader does not block the camera."""

from __future__ import annotations

import logging
import os
import select
import sys
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from edge.core.plain_text import plain

CAPACITY = 1000
"""Longest queue of lines; beyond it the oldest are dropped, and their number is reported."""
PATIENCE = 2.0
"""Seconds that the end of the program waits for queued lines."""


class Plain(logging.Formatter):
    """The message alone, without control characters."""

    def format(self, record: logging.LogRecord) -> str:
        return plain(super().format(record))


class Apart(logging.Handler):
    """Writes to a stream's file descriptor, without its buffer, whose lock would be held at the end of the program."""

    def __init__(self, descriptor: int, capacity: int = CAPACITY, patience: float = PATIENCE) -> None:
        super().__init__()
        self._descriptor, self._capacity, self._patience = descriptor, capacity, patience
        self._change = threading.Condition()
        self._waiting: deque[str] = deque()
        self._lost = 0
        self._closing = False
        self._thread = threading.Thread(target=self._work, name="log", daemon=True)
        self._thread.start()

    def emit(self, record: logging.LogRecord) -> None:
        line = self.format(record) + "\n"
        with self._change:
            if len(self._waiting) == self._capacity:
                self._waiting.popleft()
                self._lost += 1
            self._waiting.append(line)
            self._change.notify_all()

    def close(self) -> None:
        with self._change:
            self._closing = True
            self._change.notify_all()
        self._thread.join(self._patience)
        super().close()

    def _work(self) -> None:
        while True:
            with self._change:
                self._change.wait_for(lambda: self._waiting or self._closing)
                if not self._waiting:
                    return
                line = self._waiting.popleft()
                lost, self._lost = self._lost, 0
            try:
                _write(self._descriptor, f"{lost} lines lost: nobody reads them\n{line}" if lost else line)
            except OSError:  # the reader is gone or the disk is full: nothing can be reported
                continue


def _write(descriptor: int, text: str) -> None:
    data = memoryview(text.encode(errors="replace"))
    while data:
        try:
            data = data[os.write(descriptor, data) :]
        except BlockingIOError:  # another program, such as a shell, has made the stream non-blocking
            select.select([], [descriptor], [])


@contextmanager
def logged_apart(stream: TextIO | None = None) -> Iterator[None]:
    """Sends the log to `stream` (standard output by default) through a thread of its own."""
    stream = stream or sys.stdout
    handler: logging.Handler
    try:
        stream.flush()
        handler = Apart(stream.fileno())
    except (OSError, ValueError, AttributeError):  # no descriptor: closed from the start, or replaced by a test
        handler = logging.StreamHandler(stream) if stream else logging.NullHandler()
    handler.setFormatter(Plain())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    try:
        yield
    finally:
        logging.getLogger().removeHandler(handler)
        handler.close()
