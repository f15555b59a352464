"""How checks query the machine: programs, files of /proc and /sys."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

Run = Callable[..., "str | None"]
"""`run("systemctl", "--version")` returns standard output; None if the program is missing, fails or hangs."""


def run(*command: str, timeout: float = 30.0) -> str | None:
    environ = {**os.environ, "LC_ALL": "C"}
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, env=environ, errors="replace")
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def text(path: Path) -> str:
    """The content of a file of /proc, /sys or /etc, without the NUL of device trees; "" if it cannot be read."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip("\0 \n")
    except OSError:
        return ""


def assignments(content: str) -> dict[str, str]:
    """Parses lines of KEY=value, such as those of os-release and `systemctl show`."""
    pairs = (line.partition("=") for line in content.splitlines() if "=" in line)
    return {key.strip(): value.strip().strip('"') for key, _, value in pairs}
