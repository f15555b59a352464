"""Memory and age of this process, and the name of the board."""

from __future__ import annotations

import os
import platform
import resource
import time
from pathlib import Path


def board(root: Path = Path("/")) -> str:
    """The board's name from its device tree, otherwise the processor's."""
    try:
        name = (root / "proc/device-tree/model").read_text().rstrip("\0\n")
    except OSError:
        lines = (root / "proc/cpuinfo").read_text().splitlines()
        name = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")
    return f"{name}, {os.cpu_count()} processors, {platform.machine()}"


def peak_memory() -> float:
    """Peak memory of this process, MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024  # Linux reports KiB


def age() -> float:
    """Seconds since this process started, including the start of the interpreter."""
    fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    started = int(fields[19]) / os.sysconf("SC_CLK_TCK")  # field 22 of proc(5): ticks after boot
    return time.clock_gettime(time.CLOCK_BOOTTIME) - started
