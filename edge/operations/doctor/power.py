"""Supply and temperature: what slows a board down or stops it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from edge.core.findings import Finding, absent, bad, ok, warn
from edge.core.probes import Run, text

FLAGS = {0: "under-voltage", 1: "frequency capped", 2: "throttled", 3: "soft temperature limit"}
"""Bits of the firmware's get_throttled; 16 higher: since the start.
https://www.raspberrypi.com/documentation/computers/os.html#get_throttled"""
WARM, HOT = 80.0, 85.0
"""Degrees Celsius between which a Raspberry Pi slows itself down."""
SUPPLY = "use the board's own power supply (5 V 3 A; Pi 5: 5 A) and a short cable, then look again"
COOLING = "give it air, a heat sink or a fan, then look again: maskcam doctor"


def bits(root: Path, run: Run) -> int | None:
    """The firmware's get_throttled; None where there is no such firmware."""
    said = (run("vcgencmd", "get_throttled") or "").partition("=")[2]
    said = said or text(root / "sys/devices/platform/soc/soc:firmware/get_throttled")
    try:
        return int(said, 16)
    except ValueError:
        return None


def names(bits: int) -> list[str]:
    """What the bits say of now; shifted right by 16, of the time since the start."""
    return [name for bit, name in FLAGS.items() if bits >> bit & 1]


def degrees(root: Path) -> float | None:
    """Degrees Celsius of the hottest zone; None without a sensor."""
    zones = [text(path) for path in (root / "sys/class/thermal").glob("thermal_zone*/temp")]
    return max((int(zone) / 1000 for zone in zones if zone.lstrip("-").isdigit()), default=None)


def throttling(root: Path, run: Run) -> Iterator[Finding]:
    said = bits(root, run)
    if said is None:
        yield absent("power", "no firmware that tells (it is a Raspberry Pi's)")
        return
    now, before = names(said), names(said >> 16)
    remedy = SUPPLY if said & 0x10001 else COOLING
    if now:
        yield bad("power", f"now: {', '.join(now)}", remedy)
    elif before:
        yield warn("power", f"since the start: {', '.join(before)}", remedy)
    else:
        yield ok("power", "no under-voltage, no throttling since the start")


def temperature(root: Path) -> Iterator[Finding]:
    """Of the hottest zone."""
    hottest = degrees(root)
    if hottest is None:
        yield absent("temperature", "no sensor")
    elif hottest >= HOT:
        yield bad("temperature", f"{hottest:.0f} °C: the board slows itself down", COOLING)
    elif hottest >= WARM:
        yield warn("temperature", f"{hottest:.0f} °C", COOLING)
    else:
        yield ok("temperature", f"{hottest:.0f} °C")
