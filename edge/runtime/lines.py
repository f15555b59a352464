"""Lines of the log by a thread of their own: whoever reads them slowly, or not at all, holds up no camera."""

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
"""Lines that wait, at most; the oldest are lost then, and their number is told."""
PATIENCE = 2.0
"""Seconds that the end of the program waits for them."""


class Plain(logging.Formatter):
    """The message alone, and nothing in it that is more than text."""

    def format(self, record: logging.LogRecord) -> str:
        return plain(super().format(record))


class Apart(logging.Handler):
    """Writes to the descriptor of a stream, past its buffer, whose lock would be held at the end of the program."""

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
            except OSError:  # the reader is gone, the disk is full: there is nobody to tell
                continue


def _write(descriptor: int, text: str) -> None:
    data = memoryview(text.encode(errors="replace"))
    while data:
        try:
            data = data[os.write(descriptor, data) :]
        except BlockingIOError:  # somebody else, such as a shell, has made the stream one that does not block
            select.select([], [descriptor], [])


@contextmanager
def logged_apart(stream: TextIO | None = None) -> Iterator[None]:
    """Everything that is logged goes to `stream` (standard output by default) by a thread of its own."""
    stream = stream or sys.stdout
    handler: logging.Handler
    try:
        stream.flush()
        handler = Apart(stream.fileno())
    except (OSError, ValueError, AttributeError):  # no descriptor: closed from the start, or a test's
        handler = logging.StreamHandler(stream) if stream else logging.NullHandler()
    handler.setFormatter(Plain())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    try:
        yield
    finally:
        logging.getLogger().removeHandler(handler)
        handler.close()
