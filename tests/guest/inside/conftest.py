"""In the guest: what feeds the cameras and tells the level of the pin."""

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

if not os.environ.get("GUEST"):
    raise SystemExit("these tests load kernel modules and set the clock: for the guest alone, make test-guest")

HERE = Path(__file__).parent
LOOPBACK = "/dev/video0"
VIVID = "/dev/video8"
TRACE = Path("/sys/kernel/tracing")
SET = re.compile(r"-(\d+) +\[.*gpio_value: \d+ set (\d)")


@pytest.fixture
def feed():
    """Starts a feeder of the loopback camera: feed("scene", 10); `.kill()` ends it."""
    started = []

    def start(kind, fps, size="640x480"):
        command = [sys.executable, HERE / "feeder.py", LOOPBACK, kind, str(fps), size]
        started.append(subprocess.Popen(command))
        return started[-1]

    yield start
    for feeder in started:
        feeder.kill()
        feeder.wait()


@pytest.fixture
def vivid():
    """A fresh webcam of the kernel's own; sets its controls: vivid(test_pattern=5)."""
    subprocess.run(["modprobe", "-r", "vivid"], check=True)
    options = ["n_devs=1", "vid_cap_nr=8", "node_types=1", "num_inputs=1", "input_types=0"]
    subprocess.run(["modprobe", "vivid", *options], check=True)
    subprocess.run(["udevadm", "settle"], check=True)

    def control(**values):
        for name, value in values.items():
            subprocess.run(["v4l2-ctl", "-d", VIVID, "-c", f"{name}={value}"], check=True)

    return control


class Line:
    """GPIO17 of the simulated bank, seen from the other side of the pin."""

    def __init__(self) -> None:
        self.folder = next(Path("/sys/devices/platform").glob("gpio-sim.*/gpiochip*/sim_gpio17"))

    @property
    def level(self) -> int:
        return int((self.folder / "value").read_text())

    def pull(self, way: str) -> None:
        """What the wiring does to a pin that nobody drives: "up" or "down"."""
        (self.folder / "pull").write_text(f"pull-{way}")

    def driven(self) -> list[tuple[int, int]]:
        """(thread, level) of every setting since the test began, by the kernel's record: some are too short to see."""
        return [(int(process), int(level)) for process, level in SET.findall((TRACE / "trace").read_text())]

    def becomes(self, level: int, seconds: float) -> float:
        """Waits for the level; returns the seconds it took."""
        return until(lambda: self.level == level, seconds, pause=0.002)


@pytest.fixture
def line():
    line, switch = Line(), TRACE / "events/gpio/gpio_value/enable"
    # Names of processes are not needed. To record them the kernel changes its scheduler's code as it runs, which an
    # emulator of several processors may meet half changed.
    (TRACE / "options/record-cmd").write_text("0")
    (TRACE / "trace").write_text("")
    switch.write_text("1")
    yield line
    switch.write_text("0")
    line.pull("down")


def until(holds, seconds: float, pause: float = 0.2) -> float:
    """Waits for `holds()` to be true; returns the seconds it took."""
    began = time.monotonic()
    while not holds():
        assert time.monotonic() - began < seconds, f"not within {seconds} s"
        time.sleep(pause)
    return time.monotonic() - began
