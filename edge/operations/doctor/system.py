"""Checks of the machine itself: system, board, clock, disk."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from edge.core.findings import Finding, absent, bad, ok, warn
from edge.core.probes import Run, assignments, text
from edge.runtime.clock import YEAR

LOW, FULL = 500e6, 50e6
"""Free bytes below which a disk is low, and below which updates and logs begin to fail."""


def operating_system(root: Path, machine: str) -> Iterator[Finding]:
    """`machine` is the processor as `platform.machine` names it."""
    release = assignments(text(root / "etc/os-release") or text(root / "usr/lib/os-release"))
    yield ok("operating system", f"{release.get('PRETTY_NAME', 'unknown')}, {machine}")


def board(root: Path) -> str:
    """The model in the device tree; "" on a PC."""
    return text(root / "proc/device-tree/model")


def boards(root: Path) -> Iterator[Finding]:
    model = board(root)
    yield ok("board", model) if model else absent("board", "none that names itself in a device tree")


def clock(now: datetime, run: Run) -> Iterator[Finding]:
    shown = f"{now:%Y-%m-%d %H:%M}"
    synchronised = run("timedatectl", "show", "--property=NTPSynchronized", "--value")
    if now.year < YEAR:
        yield bad(
            "clock",
            f"{shown}, which is past: certificates fail, and events bear a wrong time",
            "connect a network, or: sudo timedatectl set-ntp false && sudo timedatectl set-time 'YYYY-MM-DD HH:MM'",
        )
    elif synchronised == "no":
        yield warn("clock", f"{shown}, not synchronised", "sudo timedatectl set-ntp true")
    else:
        yield ok("clock", f"{shown}, synchronised" if synchronised == "yes" else shown)


def disk(path: Path) -> Iterator[Finding]:
    """Checks the file system that holds `path`."""
    usage = shutil.disk_usage(path)
    nodes = os.statvfs(path)
    found = f"{usage.free / 1e9:.1f} GB free of {usage.total / 1e9:.1f} GB"
    remedy = "sudo apt-get clean && sudo journalctl --vacuum-size=100M"
    if usage.free < FULL or (nodes.f_files and not nodes.f_favail):
        yield bad("disk", f"full: {found}", remedy)
    elif usage.free < LOW:
        yield warn("disk", found, remedy)
    else:
        yield ok("disk", found)
