"""Talks to systemd over its notify socket, see sd_notify(3); does nothing without one."""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Callable, Mapping
from pathlib import Path


def state_directory(environ: Mapping[str, str] = os.environ) -> Path | None:
    """The first folder of a unit's StateDirectory=; None if there is none."""
    first = environ.get("STATE_DIRECTORY", "").partition(":")[0]
    return Path(first) if first else None


class Notifier:
    """`READY=1`, `WATCHDOG=1`, `STATUS=`, `RELOADING=1` and `STOPPING=1` for a unit of Type=notify.

    Reads NOTIFY_SOCKET (a path, or an abstract name that begins with "@") and WATCHDOG_USEC from `environ`.
    A message that cannot be delivered is dropped: the service must not fail because its supervisor is absent.
    """

    def __init__(self, environ: Mapping[str, str] = os.environ, clock: Callable[[], float] = time.monotonic) -> None:
        address = environ.get("NOTIFY_SOCKET", "")
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) if address else None
        self.supervised = bool(address)
        """Whether a supervisor is listening, which would restart the service."""
        if self._socket:
            self._socket.setblocking(False)  # a full queue must not block the loop
        self._clock = clock
        usec = environ.get("WATCHDOG_USEC", "")
        # a quarter of the deadline, so three messages may be lost
        self._every = int(usec) / 4e6 if usec.isdecimal() else 1.0
        self._fed = float("-inf")

    def ready(self) -> None:
        self._send("READY=1")

    def alive(self, status: str) -> None:
        """Feeds the watchdog and sets the status line; may be called for every frame, but seldom sends."""
        now = self._clock()
        if now - self._fed >= self._every:
            self._fed = now
            self._send(f"WATCHDOG=1\nSTATUS={status}")

    def status(self, text: str) -> None:
        """Sets the line in `systemctl status` at once, without feeding the watchdog."""
        self._send(f"STATUS={text}")

    def reloading(self) -> None:
        """Announces a reload, which `ready` ends. systemd 253 and newer needs its start time on the monotonic clock."""
        self._send(f"RELOADING=1\nMONOTONIC_USEC={int(self._clock() * 1e6)}")

    def stopping(self) -> None:
        self._send("STOPPING=1")

    def close(self) -> None:
        if self._socket:
            self._socket.close()
            self._socket = None

    def _send(self, message: str) -> None:
        if self._socket:
            with contextlib.suppress(OSError):
                self._socket.sendto(message.encode(), self._address)
