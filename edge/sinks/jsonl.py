"""Writes events as JSON lines, for programs."""

from __future__ import annotations

import contextlib
import json
import os
import select
import stat
import sys
from pathlib import Path
from typing import Any, TextIO

from edge.core.errors import SinkError
from edge.core.events import to_json
from edge.core.records import Event


class JsonlSink:
    """Appends to the file `path`, or writes to `stream` (standard output by default), a whole line at a time.

    An incomplete last line, after a full disk or a power cut, is ended first, so that the next one is not lost with it.
    A file that was moved or removed is created again, as logrotate expects.
    When a file would exceed `max_bytes` (0: never), it becomes PATH.1, that becomes PATH.2 and so on; `keep` of these
    are kept. A device, a FIFO or a pipe is written to directly. Raises SinkError.
    """

    def __init__(
        self, path: str | Path | None = None, stream: TextIO | None = None, max_bytes: int = 0, keep: int = 0
    ) -> None:
        self._name = str(path) if path else "standard output"
        self._path = Path(path) if path else None
        self._max_bytes, self._keep = max_bytes, keep
        try:
            self._file = _appending(self._path) if self._path else _raw(stream or sys.stdout)
        except OSError as error:
            raise SinkError(f"JSON lines '{path}': cannot be opened for appending ({error.strerror})") from error

    def send(self, event: Event) -> None:
        line = (json.dumps(to_json(event)) + "\n").encode()
        try:
            if self._path:
                self._append(self._path, line)
            else:
                _write(self._file, line)
        except (OSError, ValueError) as error:  # ValueError: the stream was closed
            raise SinkError(f"JSON lines '{self._name}': cannot be written ({error})") from error

    def _append(self, path: Path, line: bytes) -> None:
        found = os.fstat(self._file.fileno())
        if not stat.S_ISREG(found.st_mode):
            _write(self._file, line)
            return
        if not _is(path, found):
            self._file.close()
            self._file = _appending(path)
            found = os.fstat(self._file.fileno())
        if self._max_bytes and found.st_size and found.st_size + len(line) > self._max_bytes:
            self._rotate(path)
            found = os.fstat(self._file.fileno())
        try:
            _write(self._file, line)
        except OSError:  # part of a line is worse than none
            with contextlib.suppress(OSError):
                os.ftruncate(self._file.fileno(), found.st_size)
            raise

    def _rotate(self, path: Path) -> None:
        self._file.close()
        path = path.resolve()  # a link stays a link
        for number in range(self._keep, 0, -1):
            older = path if number == 1 else path.with_name(f"{path.name}.{number - 1}")
            if older.exists():
                older.replace(path.with_name(f"{path.name}.{number}"))
        if not self._keep:
            path.unlink(missing_ok=True)
        self._file = _appending(path)

    def close(self) -> None:
        """Closes the file; a given stream stays open."""
        if self._path:
            try:
                self._file.close()
            except OSError as error:
                raise SinkError(f"JSON lines '{self._name}': cannot be closed ({error})") from error


def _appending(path: Path) -> Any:
    """The file, unbuffered, positioned after its last line. Raises OSError."""
    file = open(path, "ab", buffering=0)  # noqa: SIM115 (closed by the sink)
    if stat.S_ISREG(os.fstat(file.fileno()).st_mode) and file.tell():
        with open(path, "rb") as written:
            written.seek(-1, os.SEEK_END)
            if written.read() != b"\n":
                file.write(b"\n")
    return file


def _is(path: Path, found: os.stat_result) -> bool:
    """Whether the path still names the open file."""
    try:
        return os.path.samestat(path.stat(), found)
    except FileNotFoundError:
        return False


def _write(file: Any, line: bytes) -> None:
    view = memoryview(line)
    while view:  # a pipe or a full disk may accept only a part
        taken = file.write(view)
        if taken is None:  # another program, such as a shell, has made the stream non-blocking
            select.select([], [file], [])
        view = view[taken or 0 :]


class _Text:
    """A stream without a file descriptor, such as a test's."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, line: memoryview) -> int:
        self._stream.write(bytes(line).decode())
        self._stream.flush()
        return len(line)


def _raw(stream: TextIO) -> Any:
    """The stream without its buffer, whose lock a stalled reader would hold when the program ends."""
    try:
        stream.flush()
        return open(stream.fileno(), "wb", buffering=0, closefd=False)
    except (OSError, ValueError, AttributeError):
        return _Text(stream)
