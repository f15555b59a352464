"""Checks of pins: the chip, the library that drives them, and permissions."""

from __future__ import annotations

import fcntl
import os
import re
import struct
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path

from edge.core.errors import install
from edge.core.findings import Finding, absent, bad, ok, warn
from edge.core.probes import text
from edge.operations.doctor.packages import NO_MODULE, PIP, Package

_CHIPINFO = 0x8044B401  # linux/gpio.h: GPIO_GET_CHIPINFO_IOCTL
HEADERS = ("pinctrl-rp1", "pinctrl-bcm")
"""Prefixes of the chip labels behind a Raspberry Pi's 40 pins; the chip numbers differ between kernels."""
KERNEL_BLIND = ("2.0", "2.0.1", "2.0.1.post1", "2.0.1.post2")
"""Releases of gpiozero that look for the header's chip by a number, which newer kernels changed."""
GROUPS = ("video", "gpio", "plugdev")


def label(path: Path) -> tuple[str, int]:
    """Label and number of lines of a GPIO chip. Raises OSError."""
    number = os.open(path, os.O_RDONLY)
    try:
        said = bytearray(68)
        fcntl.ioctl(number, _CHIPINFO, said)
    finally:
        os.close(number)
    _, name, lines = struct.unpack("=32s32sI", said)
    return name.partition(b"\0")[0].decode("ascii", "replace"), lines


def chips(root: Path, wanted: bool, label: Callable[[Path], tuple[str, int]] = label) -> Iterator[Finding]:
    """Checks the chips; `wanted`: the settings name a real pin."""
    said, header = [], False
    for chip in sorted((root / "dev").glob("gpiochip*")):
        try:
            name, lines = label(chip)
        except PermissionError:
            remedy = "sudo usermod -aG gpio $USER, then log in again; where root owns it: sudo systemd/install.sh"
            yield (bad if wanted else warn)("GPIO", f"{chip}: no permission", remedy)
            return
        said.append(f"{chip.name} {name} ({lines} lines)")
        header = header or name.startswith(HEADERS)
    if said:
        yield ok("GPIO", ", ".join(said) + ("" if header else "; none is a Raspberry Pi's header: driver = 'gpiod'"))
    elif wanted:
        yield bad("GPIO", "no /dev/gpiochip*", "set driver = 'mock', or switch the section off")
    else:
        yield absent("GPIO", "no /dev/gpiochip*")


def drivers(found: Mapping[str, Package], wanted: Collection[str]) -> Iterator[Finding]:
    """Checks the libraries; `wanted`: the drivers in the settings, "gpiozero" or "gpiod"."""
    lgpio = found["lgpio"]
    if lgpio.error == NO_MODULE or (lgpio.version or "").startswith("0.0."):
        yield bad(
            "lgpio",
            f"{lgpio.version} from PyPI is an empty placeholder",
            f"{PIP} uninstall -y lgpio; sudo apt install python3-lgpio",
        )
    elif "gpiozero" in wanted and (not lgpio or lgpio.error):
        yield bad("lgpio", lgpio.error or "not installed", "sudo apt install python3-lgpio")
    for driver, extra in (("gpiozero", "pi"), ("gpiod", "jetson")):
        package = found[driver]
        if driver not in wanted:
            continue
        if not package or package.error or (driver == "gpiod" and package.major < 2):
            state = package.error or package.version or "not installed"
            yield bad(driver, f"{state}: the settings ask for it", install(driver, extra))
        elif driver == "gpiozero" and package.wheel and package.version in KERNEL_BLIND:
            found_in = f"{package.version}: finds no pins on a Raspberry Pi 5 with a kernel of 6.6.45 or newer"
            yield warn(driver, found_in, install(driver, extra))
        else:
            yield ok(driver, package.version or "installed")


def groups(root: Path, user: str, extra: Collection[str] = ()) -> Iterator[Finding]:
    """Whether `user` may open cameras, pins and a Coral; `extra`: groups added by the unit."""
    known = {line.split(":")[0]: line.split(":")[-1].split(",") for line in text(root / "etc/group").splitlines()}
    missing = [group for group in GROUPS if group in known and user not in known[group] and group not in extra]
    if user == "root":
        yield ok("groups", "root may open everything")
    elif missing:
        remedy = f"sudo usermod -aG {','.join(missing)} {user}, then log in again"
        yield warn("groups", f"{user} is not in {', '.join(missing)}", remedy)
    else:
        yield ok("groups", f"{user}: {', '.join(group for group in GROUPS if group in known) or 'none of the usual'}")


def pinmux(board: str, root: Path, wanted: bool) -> Iterator[Finding]:
    """Since JetPack 6 a pin of a Jetson's header stays dead, without an error, until its pinmux makes it a GPIO."""
    release = text(root / "etc/nv_tegra_release")
    major = re.search(r"# R(\d+)", release)
    if wanted and any(word in board for word in ("NVIDIA", "Jetson")) and (major is None or int(major[1]) >= 36):
        yield warn(
            "pinmux",
            "since JetPack 6 a pin stays dead, without an error, until its pinmux is set",
            "sudo /opt/nvidia/jetson-io/jetson-io.py, or a device tree overlay; then maskcam alerts test",
        )
