"""Identity and clock time of this camera, which every event carries."""

from __future__ import annotations

import itertools
import platform
import re
import secrets
import socket
import time
import uuid
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

from edge import __version__
from edge.core.records import Event, Origin, Stamp
from edge.runtime.clock import clock_is_set

_NO_CHARACTERS = "".join(chr(plane << 16 | last) for plane in range(17) for last in (0xFFFE, 0xFFFF)) + "\ufdd0-\ufdef"
_UNFIT = re.compile(rf"[+#/\s\x00-\x1f\x7f-\x9f{_NO_CHARACTERS}]+")
"""Separators and wildcards, and code points that MQTT lets a broker end the connection for (MQTT 3.1.1, 1.5.3)."""


class Stamper:
    """Gives each event its stamp.

    origin: names and versions; may be replaced when the settings change.
    clock: seconds since 1970; None for recordings, whose time is unknown.
    clock_set: whether the clock has been set.
    run: prefix of the ids; by default 40 random bits.
    """

    def __init__(
        self,
        origin: Origin,
        clock: Callable[[], float] | None = time.time,
        clock_set: Callable[[], bool | None] | None = None,
        run: str | None = None,
    ) -> None:
        self.origin = origin
        self.clock = clock
        self.clock_set = clock_set or clock_is_set
        self._run = run or secrets.token_hex(5)
        self._numbers = itertools.count(1)

    def __call__(self, event: Event) -> Event:
        id = f"{self._run}-{next(self._numbers)}"
        if self.clock is None:
            return replace(event, stamp=Stamp(id, self.origin))
        return replace(event, stamp=Stamp(id, self.origin, self.clock(), self.clock_set()))


def origin(device: str = "", camera: str = "", bundle: str = "") -> Origin:
    """`device`: name of the device; empty: the host name."""
    return Origin(device or socket.gethostname(), camera, __version__, bundle)


def mqtt_topic(wanted: str, device: str, camera: str) -> str:
    """Prefix of a camera's topics: `wanted` with {device} and {camera} replaced.

    If empty it is "maskcam", or "maskcam/DEVICE/CAMERA" if the device or the camera has a name: several cameras on one
    broker need names anyway.
    """
    if not wanted:
        return "/".join(["maskcam", *(_level(name) for name in (device, camera) if name)])
    names = {"{device}": device or socket.gethostname(), "{camera}": camera or "camera"}
    for place, name in names.items():
        wanted = wanted.replace(place, _level(name))
    return wanted


def _level(name: str) -> str:
    """A name as one level of a topic, without what brokers refuse in one."""
    return _UNFIT.sub("-", name)


def device_id(root: Path = Path("/")) -> str:
    """16 hexadecimal digits that identify this board: a hash of its serial number, or of the system's machine-id.

    Neither can be recovered from it: a machine-id is confidential, see machine-id(5).
    """
    for name in ("proc/device-tree/serial-number", "etc/machine-id", "var/lib/dbus/machine-id"):
        try:
            known = (root / name).read_text(encoding="utf-8", errors="replace").strip("\0\n ")
        except OSError:
            continue
        if known.strip("0") and known != "uninitialized":
            break
    else:
        known = f"{platform.node()} {uuid.getnode():x}"
    return sha256(f"maskcam {known}".encode()).hexdigest()[:16]
