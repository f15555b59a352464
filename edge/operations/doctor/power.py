"""Checks of power supply and temperature, which slow a board down or stop it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from edge.core.findings import Finding, absent, bad, ok, warn
from edge.core.probes import Run, text

FLAGS = {0: "under-voltage", 1: "frequency capped", 2: "throttled", 3: "soft temperature limit"}
"""Bits of the firmware's get_throttled; 16 bits higher: since the start.
https://www.raspberrypi.com/documentation/computers/os.html#get_throttled"""
WARM, HOT = 80.0, 85.0
"""Degrees Celsius from which a Raspberry Pi begins to slow down, and at which it does so hard."""
SUPPLY = "use the board's own power supply (5 V 3 A; Pi 5: 5 A) and a short cable, then look again"
COOLING = "give it air, a heat sink or a fan, then look again: maskcam doctor"


def bits(root: Path, run: Run) -> int | None:
    """The firmware's get_throttled; None without such firmware."""
    said = (run("vcgencmd", "get_throttled") or "").partition("=")[2]
    said = said or text(root / "sys/devices/platform/soc/soc:firmware/get_throttled")
    try:
        return int(said, 16)
    except ValueError:
        return None


def names(bits: int) -> list[str]:
    """The present state in words; for bits shifted right by 16, the state since the start."""
    return [name for bit, name in FLAGS.items() if bits >> bit & 1]


def degrees(root: Path) -> float | None:
    """Temperature of the hottest zone in degrees Celsius; None without a sensor."""
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
    """Checks the temperature of the hottest zone."""
    hottest = degrees(root)
    if hottest is None:
        yield absent("temperature", "no sensor")
    elif hottest >= HOT:
        yield bad("temperature", f"{hottest:.0f} °C: the board slows itself down", COOLING)
    elif hottest >= WARM:
        yield warn("temperature", f"{hottest:.0f} °C", COOLING)
    else:
        yield ok("temperature", f"{hottest:.0f} °C")
