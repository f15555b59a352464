"""Who this camera is, and when it speaks: what stands on every event besides what happened."""

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


class Stamper:
    """Gives each event its stamp.

    origin: who speaks; may be exchanged when the settings change.
    clock: seconds since 1970; None for recordings, whose time nobody knows.
    clock_set: whether the clock has been set.
    run: what the ids begin with; by default 40 random bits.
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
    """`device`: its name; empty: the host's name."""
    return Origin(device or socket.gethostname(), camera, __version__, bundle)


def mqtt_topic(wanted: str, device: str, camera: str) -> str:
    """What a camera's topics begin with: `wanted`, with names in it for {device} and {camera}.

    Without a wish it is "maskcam", and for a device or a camera that was given a name "maskcam/DEVICE/CAMERA": several
    cameras at one broker need names anyhow.
    """
    if not wanted:
        return "/".join(["maskcam", *(_level(name) for name in (device, camera) if name)])
    names = {"{device}": device or socket.gethostname(), "{camera}": camera or "camera"}
    for place, name in names.items():
        wanted = wanted.replace(place, _level(name))
    return wanted


def _level(name: str) -> str:
    """A name as one level of a topic."""
    return re.sub(r"[+#/\s]+", "-", name)


def device_id(root: Path = Path("/")) -> str:
    """16 hexadecimal digits that stay with this board: of its serial number, else of the system's machine-id.

    Neither can be told from them: a machine-id is confidential, says machine-id(5).
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
