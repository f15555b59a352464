"""Atomic file writes: a file appears complete or not at all."""

from __future__ import annotations

import errno
import glob
import itertools
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from edge.core.errors import MaskcamError


def passes_on(path: Path) -> bool:
    """Whether a write to `path` cannot be undone by renaming: a device, a FIFO, /dev/stdout."""
    return path.is_relative_to("/dev") or path.is_relative_to("/proc") or (path.exists() and not path.is_file())


def readable(path: Path) -> Path:
    """`path`, to be read. Raises OSError for a FIFO, whose writer may never come; <(...) of a shell is read."""
    if path.is_fifo() and not path.is_relative_to("/dev") and not path.is_relative_to("/proc"):
        raise OSError(errno.EINVAL, "is a pipe, not a file", str(path))
    return path


def tidy(path: Path) -> None:
    """Removes temporary files that `replacing` left beside `path` in processes that were killed."""
    path = path.resolve()
    for part in path.parent.glob(f".{glob.escape(path.stem)}.*.part{glob.escape(path.suffix)}"):
        number = part.name[len(path.stem) + 2 :].partition(".")[0]
        if number.isdecimal() and not Path(f"/proc/{number}").exists():
            part.unlink(missing_ok=True)


@contextmanager
def replacing(path: Path, durable: bool = False) -> Iterator[Path]:
    """Yields a temporary name beside `path`; it replaces `path` if the block succeeds and is removed if it fails.

    A symbolic link stays, and its target is replaced; a device or a FIFO is written to directly. durable: the content
    is flushed to disk before the rename, for files that must survive a power cut. Raises OSError.
    """
    if passes_on(path):
        yield path
        return
    path = Path(os.path.realpath(path))
    part = path.with_name(f".{path.stem}.{os.getpid()}.{threading.get_native_id()}.part{path.suffix}")
    try:
        yield part
        if part.exists():
            if durable:
                _sync(part)
            os.replace(part, path)
            if durable and os.name == "posix":  # Windows opens no folders
                _sync(path.parent)
    except OSError as error:
        if error.filename == str(part):
            error.filename = str(path)  # the name that people know
        raise
    finally:
        with suppress(OSError):  # a file system that was remounted read-only: the first error says more
            part.unlink(missing_ok=True)


@contextmanager
def scratch(prefix: str = "maskcam-") -> Iterator[Path]:
    """A folder for temporary files, gone after the block. Raises MaskcamError where none can be made."""
    try:
        folder = TemporaryDirectory(prefix=prefix)
    except OSError as error:
        raise MaskcamError(
            f"no folder for temporary files can be made ({error.strerror}): mount a tmpfs on /tmp, or name a folder "
            "that can be written: TMPDIR=FOLDER"
        ) from None
    with folder as name:
        yield Path(name)


def write(path: Path, content: str | bytes, mode: int | None = None, durable: bool = False) -> None:
    """Writes a file atomically, text as UTF-8. mode: its permissions, such as 0o600. Raises OSError."""
    data = content.encode() if isinstance(content, str) else content
    with replacing(path, durable) as part:
        with open(part, "wb", opener=lambda name, flags: os.open(name, flags, 0o666 if mode is None else mode)) as file:
            file.write(data)
        if mode is not None:
            part.chmod(mode)  # whatever the umask


def unused(path: Path, fits: Callable[[Path], bool] = lambda there: False) -> Path:
    """`path`, or the first of PATH2, PATH3, ... that nothing has, or whose content `fits`: a copy replaces no other."""
    for number in itertools.count(1):
        found = path if number == 1 else path.with_name(f"{path.name}{number}")
        if not os.path.lexists(found) or fits(found):
            break
    return found


@contextmanager
def in_turn(folder: Path) -> Iterator[None]:
    """One at a time in `folder`, threads of this process too: to read a file, change it and write it again.

    The folder itself is locked, so nothing is left behind and a process that dies gives way. Where that cannot be done
    (Windows, some network drives), nobody waits.
    """
    number = None
    with suppress(ImportError, OSError):
        import fcntl

        number = os.open(folder, os.O_RDONLY)
        fcntl.flock(number, fcntl.LOCK_EX)
    try:
        yield
    finally:
        if number is not None:
            os.close(number)


def mark(path: Path) -> tuple[int, ...]:
    """By which it is noticed that somebody replaced or changed a file; empty where there is none. Raises OSError."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return ()
    return found.st_ino, found.st_size, found.st_mtime_ns


def _sync(path: Path) -> None:
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
