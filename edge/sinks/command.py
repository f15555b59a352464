"""Runs a program for events: a sound player, a relay on the network, a script."""

from __future__ import annotations

import atexit
import contextlib
import os
import selectors
import signal
import subprocess
import time
import uuid
from collections.abc import Sequence
from pathlib import Path

from edge.core import secrets
from edge.core.errors import ConfigError, SinkError
from edge.core.labels import Mask
from edge.core.records import Event

TAIL = 4096
"""Bytes of standard error that are kept; the rest is read and discarded."""
MARK = "MASKCAM_RUN"
"""Environment variable that marks all processes of one run, whatever session or parent they have."""
VARIABLES = ("MASKCAM_EVENT", "MASKCAM_STATE", "MASKCAM_DETAIL", "MASKCAM_MASK", "MASKCAM_OUTCOME", MARK)
"""What a program finds in its environment; no settings, should it call maskcam."""


class CommandSink:
    """Runs `argv`, without a shell, and waits for its end: so never more than one at a time.

    The program finds MASKCAM_EVENT (the kind), MASKCAM_STATE, MASKCAM_DETAIL, MASKCAM_MASK (on, off, unsure) and
    MASKCAM_OUTCOME (besides these incorrectly_worn and not_a_face) in its environment.
    It has `timeout` seconds, including the processes that it started and that hold its standard error. What is left
    then, or runs on in the background, is killed, also when maskcam ends. Raises ConfigError for an empty command;
    `send` raises SinkError when the program is not found, fails or takes too long, with the last line it wrote to
    stderr. Messages contain only the name of the program, not its arguments.
    """

    def __init__(self, argv: Sequence[str], timeout: float) -> None:
        if not argv or not argv[0]:
            raise ConfigError("sinks.command.argv = []: expected a program and its arguments")
        self._argv, self._timeout = list(argv), timeout
        self._name = secrets.command(argv)
        self._running = ""
        atexit.register(self._kill)

    def send(self, event: Event) -> None:
        mask = event.decision.mask if event.decision else Mask.UNSURE
        self._running = uuid.uuid4().hex
        outcome = event.decision.outcome if event.decision else Mask.UNSURE.value
        facts = event.kind, event.state, event.detail, mask.value, outcome, self._running
        environ = os.environ | dict(zip(VARIABLES, facts, strict=True))
        try:
            process = subprocess.Popen(
                self._argv,
                env=environ,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) else "its arguments cannot be passed on"
            raise SinkError(f"{self._name} cannot be run ({why}): expected a program for this user") from None
        try:
            said, ended = self._follow(process)
        finally:
            self._kill(process)
        if not ended:
            raise SinkError(f"{self._name} took longer than {self._timeout:g} s and was killed")
        if process.returncode:
            last = (said.decode(errors="replace").strip().splitlines() or ["no output"])[-1]
            last = secrets.without(last[:200], self._argv[1:])
            raise SinkError(f"{self._name} ended with {process.returncode}: {last}")

    def _follow(self, process: subprocess.Popen[bytes]) -> tuple[bytes, bool]:
        """The end of its standard error, and whether it and its output ended in time."""
        assert process.stderr is not None
        deadline, said = time.monotonic() + self._timeout, b""
        with selectors.DefaultSelector() as selector:
            selector.register(process.stderr, selectors.EVENT_READ)
            while (left := deadline - time.monotonic()) > 0:
                if selector.select(left):
                    more = os.read(process.stderr.fileno(), 65536)
                    said = (said + more)[-TAIL:]
                    if not more:
                        break
        try:
            process.wait(max(deadline - time.monotonic(), 0.0))
        except subprocess.TimeoutExpired:
            return said, False
        return said, left > 0

    def _kill(self, process: subprocess.Popen[bytes] | None = None) -> None:
        """Kills all processes of this run, until none is left: one may start another one meanwhile."""
        running, self._running = self._running, ""
        for _ in range(10):
            if not running or not _kill_all(f"{MARK}={running}".encode()):
                break
        if process is not None:
            with contextlib.suppress(OSError):
                process.kill()
            process.wait()
            if process.stderr:
                process.stderr.close()

    def close(self) -> None:
        atexit.unregister(self._kill)
        self._kill()


# Without its condition it kills every process on the machine: no change of it may ever be tried.
def _kill_all(mark: bytes) -> int:  # pragma: no mutate block
    """Kills the processes whose environment contains `mark`; returns their number."""
    killed = 0
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if mark in (folder / "environ").read_bytes().split(b"\0"):
                os.kill(int(folder.name), signal.SIGKILL)
                killed += 1
    return killed
