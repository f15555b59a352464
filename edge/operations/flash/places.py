"""Countries and time zones of the IANA time zone database, from the package `tzdata`."""

from __future__ import annotations

import functools
from importlib import resources


@functools.cache
def countries() -> frozenset[str]:
    """Codes of ISO 3166; empty if the database is not installed."""
    return frozenset(line.split("\t")[0] for line in _lines("iso3166.tab"))


@functools.cache
def timezones() -> frozenset[str]:
    """The current names, which every system has; Debian ships the old ones separately. Empty without the database."""
    return frozenset(line.split("\t")[2] for line in _lines("zone.tab")) | _etc()


@functools.cache
def renamed() -> dict[str, str]:
    """Old name -> current name."""
    links = (line.split() for line in _lines("tzdata.zi") if line.startswith("L "))
    return {old: new for _, new, old in links if new in timezones() and old not in timezones()}


def _etc() -> frozenset[str]:
    return frozenset({"UTC", "Etc/UTC", "Etc/GMT", *(f"Etc/GMT{n:+d}" for n in range(-14, 13) if n)})


def _lines(name: str) -> list[str]:
    try:
        text = (resources.files("tzdata") / "zoneinfo" / name).read_text("utf-8")
    except (ModuleNotFoundError, FileNotFoundError):
        return []
    return [line for line in text.splitlines() if line and not line.startswith("#")]
