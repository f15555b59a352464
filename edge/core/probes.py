"""How the checks look at the machine."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

Run = Callable[..., "str | None"]
"""`run("systemctl", "--version")` gives standard output, None where the program is absent, fails or hangs."""


def run(*command: str, timeout: float = 30.0) -> str | None:
    environ = {**os.environ, "LC_ALL": "C"}
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, env=environ, errors="replace")
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def text(path: Path) -> str:
    """What a file of /proc, /sys or /etc says, without the NUL of device trees; "" where it cannot be read."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip("\0 \n")
    except OSError:
        return ""


def assignments(content: str) -> dict[str, str]:
    """KEY=value lines, as of os-release or `systemctl show`."""
    pairs = (line.partition("=") for line in content.splitlines() if "=" in line)
    return {key.strip(): value.strip().strip('"') for key, _, value in pairs}
