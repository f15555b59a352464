"""Checks of cameras: V4L2 devices with their formats, and a Raspberry Pi's own."""

from __future__ import annotations

import fcntl
import json
import os
import struct
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from edge.core.findings import Finding, absent, bad, ok, warn
from edge.core.probes import Run

# from linux/videodev2.h: requests, sizes of their structures, and flags
_QUERYCAP, _ENUM_FMT = 0x80685600, 0xC0405602
_CAPTURE, _MEMORY_TO_MEMORY = 0x1, 0x8000
_INTERNAL = ("bcm2835-", "unicam", "rp1-cfe", "pispbe", "rpi-", "rpivid", "tegra-video")
"""Drivers of a board's own pipeline, whose nodes are for libcamera or nvargus and cannot be opened as cameras."""


@dataclass(frozen=True)
class Device:
    driver: str
    card: str
    formats: Sequence[str]
    """Pixel formats as four letters each, such as "MJPG"."""


def query(path: Path) -> Device | None:
    """The capabilities of a V4L2 node; None if it does not capture. Raises OSError."""
    number = os.open(path, os.O_RDWR | os.O_NONBLOCK)
    try:
        said = bytearray(104)
        fcntl.ioctl(number, _QUERYCAP, said)
        (capabilities,) = struct.unpack_from("=I", said, 88)
        if not capabilities & _CAPTURE or capabilities & _MEMORY_TO_MEMORY:
            return None
        return Device(_chars(said[:16]), _chars(said[16:48]), _formats(number))
    finally:
        os.close(number)


def _formats(number: int) -> list[str]:
    found: list[str] = []
    while True:
        description = bytearray(64)
        struct.pack_into("=II", description, 0, len(found), _CAPTURE)  # index, V4L2_BUF_TYPE_VIDEO_CAPTURE
        try:
            fcntl.ioctl(number, _ENUM_FMT, description)
        except OSError:  # EINVAL: the end of the list
            return found
        found.append(_chars(description[44:48]))


def _chars(field: bytearray) -> str:
    return field.partition(b"\0")[0].decode("ascii", "replace").strip()


def usable(root: Path, query: Callable[[Path], Device | None] = query) -> Iterator[tuple[Path, Path | None, Device]]:
    """Node, stable path (if any) and description of each V4L2 camera that can be opened now."""
    stable = {link.resolve(): link for link in sorted((root / "dev/v4l/by-id").glob("*"))}
    for node in sorted((root / "dev").glob("video*")):
        try:
            device = query(node)
        except OSError:
            continue
        if device and not device.driver.startswith(_INTERNAL):
            yield node, stable.get(node.resolve()), device


def v4l2(root: Path, source: int | str, query: Callable[[Path], Device | None] = query) -> Iterator[Finding]:
    """The cameras under /dev, and whether the one in the settings is among them."""
    stable = {link.resolve(): link for link in sorted((root / "dev/v4l/by-id").glob("*"))}
    wanted = _node(root, source)
    count = 0
    for node in sorted((root / "dev").glob("video*")):
        try:
            device = query(node)
        except PermissionError:
            yield bad("camera", f"{node}: no permission", "sudo usermod -aG video $USER, then log in again")
            count += 1
            continue
        except OSError as error:
            yield warn("camera", f"{node}: {error.strerror}", "unplug it and plug it in again; sudo dmesg | tail")
            continue
        if device and not device.driver.startswith(_INTERNAL):
            count += 1
            yield _described(node, stable.get(node.resolve()), device, wanted)
    if wanted and not wanted.exists():
        there = ", ".join(str(link) for link in stable.values()) or "no USB camera"
        yield bad(
            "camera",
            f"camera.source = {source!r}: {wanted} does not exist; there is: {there}",
            "plug it in (sudo dmesg | tail tells whether it is seen), or set camera.source",
        )
    elif not count:
        yield absent("camera", "no USB camera")


def _node(root: Path, source: int | str) -> Path | None:
    """The device that a source names, None for any other kind of source."""
    if isinstance(source, int) or source.isdigit():
        return root / f"dev/video{source}"
    return root / source.lstrip("/") if source.startswith("/dev/") else None


def _described(node: Path, link: Path | None, device: Device, wanted: Path | None) -> Finding:
    found = f"{device.card}: {link or node}, {' '.join(device.formats) or 'no formats'}"
    if wanted == node and link:
        return warn("camera", f"{found}; its number can change", f"set camera.source = '{link}'")
    return ok("camera", found)


_PICAMERA2 = "import json; from picamera2 import Picamera2; print(json.dumps(Picamera2.global_camera_info()))"


def pi(installed: bool, wanted: bool, run: Run) -> Iterator[Finding]:
    """Cameras at a Raspberry Pi's ribbon connector, listed by picamera2; `wanted`: the settings name one."""
    mend = "sudo apt install python3-picamera2, and an environment made with --system-site-packages"
    if not installed:
        said = "picamera2 is not installed"
        yield bad("Pi camera", said, mend) if wanted else absent("Pi camera", said)
        return
    listed = run(sys.executable, "-c", _PICAMERA2)
    if listed is None:
        yield (bad if wanted else warn)("Pi camera", "picamera2 does not load", f"{sys.executable} -c '{_PICAMERA2}'")
        return
    # libcamera may log lines before the answer, which is the last line
    ribbon = [camera for camera in json.loads(listed.splitlines()[-1]) if "/usb" not in camera.get("Id", "")]
    if ribbon:
        yield ok("Pi camera", ", ".join(f"{camera.get('Num')}: {camera.get('Model', '?')}" for camera in ribbon))
    elif wanted:
        yield bad("Pi camera", "none answers", "check both ends of its ribbon with the power off; rpicam-hello --list")
    else:
        yield absent("Pi camera", "none answers")
