"""Controls the service by systemd, and installs the unit that finishes an interrupted trial."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from edge.operations.update.stage import Installation

RESUME = "maskcam-update.service"
UNIT = """[Unit]
Description=maskcam: end an interrupted update
After=maskcam.service
ConditionPathExists={root}/update.json

[Service]
Type=oneshot
# The environment of install.sh, which no update changes.
ExecStart={root}/bin/python -I -m edge update --resume

[Install]
WantedBy=multi-user.target
"""


def _systemctl(arguments: Sequence[str]) -> tuple[int, str]:
    done = subprocess.run(["systemctl", *arguments], capture_output=True, text=True)
    return done.returncode, done.stdout


class Systemd:
    """maskcam.service. `systemctl` runs it and returns exit code and output; tests replace it and the clock."""

    def __init__(
        self,
        systemctl: Callable[[Sequence[str]], tuple[int, str]] = _systemctl,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._systemctl, self._clock, self._sleep = systemctl, clock, sleep

    def restart(self) -> bool:
        """Restarts the unit. With Type=notify, it is started when READY: a frame has gone through both networks."""
        self._systemctl(["reset-failed", "maskcam"])
        return self._systemctl(["restart", "maskcam"])[0] == 0

    def healthy(self, seconds: float, every: float = 5.0) -> str:
        """Checks that it keeps running without a restart, and that processed frames feed its watchdog.

        The watchdog is fed every few seconds, so `seconds` should be at least 20.
        """
        first = self._show()
        last, deadline = first, self._clock() + seconds
        while self._clock() < deadline:
            self._sleep(min(every, seconds))
            last = self._show()
            if (last.get("ActiveState"), last.get("SubState")) != ("active", "running"):
                return f"it is {last.get('ActiveState')} ({last.get('SubState')}) while it should run"
            if last.get("NRestarts") != first.get("NRestarts"):
                return "it failed and was restarted"
        if last.get("WatchdogTimestampMonotonic") == first.get("WatchdogTimestampMonotonic"):
            return f"its watchdog was not fed: no frame went through both networks ({last.get('StatusText')})"
        return ""

    def arm(self, home: Installation, units: Path = Path("/etc/systemd/system")) -> None:
        """Ensures that an interrupted trial is finished at the next start."""
        text, path = UNIT.format(root=home.root), units / RESUME
        if not path.exists() or path.read_bytes() != text.encode():
            part = path.with_suffix(".part")  # a partial unit would finish no trial
            part.write_text(text)
            part.replace(path)
            self._systemctl(["daemon-reload"])
        self._systemctl(["enable", "--quiet", RESUME])

    def _show(self) -> dict[str, str]:
        names = "ActiveState,SubState,NRestarts,StatusText,WatchdogTimestampMonotonic"
        _, text = self._systemctl(["show", "maskcam", f"--property={names}"])
        return dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
