"""The standard streams as a program finds them, and the output of libraries that print to them from C++."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager


def open_standard_streams() -> None:
    """To be called first: a stream that was closed before the start (`maskcam run >&-`) is opened on nothing.

    Python has None in its place, which nobody expects; and the first file that is opened would get its number, and what
    libraries print from C++ would be written into that.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest number that is free: this one
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(number, "r" if number == 0 else "w", encoding="utf-8", closefd=False))


@contextmanager
def silence_native_output() -> Iterator[None]:
    """Hides stdout and stderr, including that of native code; if the block fails, the output is shown."""
    sys.stdout.flush()
    sys.stderr.flush()
    with tempfile.TemporaryFile() as log:
        saved = os.dup(1), os.dup(2)
        try:
            os.dup2(log.fileno(), 1)
            os.dup2(log.fileno(), 2)
            yield
        except BaseException:
            os.dup2(saved[1], 2)
            log.seek(0)
            os.write(2, log.read())
            raise
        finally:
            os.dup2(saved[0], 1)
            os.dup2(saved[1], 2)
            os.close(saved[0])
            os.close(saved[1])
