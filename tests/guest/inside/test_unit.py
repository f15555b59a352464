"""The shipped unit on a kernel of its own: its limits hold, and the service lives within them."""

import json
import shutil
import subprocess
import time
from pathlib import Path

import pytest
from conftest import until

DROP_INS = Path("/etc/systemd/system/probe.service.d")
PROBE = """
[Service]
Type=exec
ExecStart=
ExecStart=/opt/maskcam/bin/python /opt/tests/probe.py {what}
ExecStopPost=
WatchdogSec=0
{more}
"""
CONFIG = """
[camera]
source = "/dev/video0"
[backend]
detector = "tflite"
classifier = "tflite"
[sinks.gpio]
pin = 17
driver = "gpiod"
heartbeat = false
self_test = false
# An emulated processor takes seconds for a frame; a person is the same one all the same.
[tracker]
max_gap = 30.0
"""


def systemctl(*words: str) -> str:
    done = subprocess.run(["systemctl", *words], capture_output=True, text=True)
    assert done.returncode == 0 or words[0] == "is-active", done.stderr
    return done.stdout.strip()


def show(unit: str, name: str) -> str:
    return systemctl("show", "--value", "--property", name, unit)


@pytest.fixture
def probe():
    """probe("devices") runs a part of probe.py under the shipped unit's limits and returns what it found."""
    unit = Path("/etc/systemd/system/probe.service")
    shutil.copy("/etc/systemd/system/maskcam.service", unit)

    def start(what, more=""):
        DROP_INS.mkdir(exist_ok=True)
        (DROP_INS / "probe.conf").write_text(PROBE.format(what=what, more=more))
        systemctl("daemon-reload")
        systemctl("start", "probe")

    def run(what, more=""):
        Path("/run/maskcam/found.json").unlink(missing_ok=True)
        start(what, more + "\nRuntimeDirectoryPreserve=yes")
        until(lambda: systemctl("is-active", "probe") in ("inactive", "failed"), 60)
        return json.loads(Path("/run/maskcam/found.json").read_text())

    run.start = start
    yield run
    subprocess.run(["systemctl", "stop", "probe"], check=True)
    subprocess.run(["systemctl", "reset-failed", "probe"], capture_output=True)  # unless it is forgotten already
    shutil.rmtree(DROP_INS)
    unit.unlink()
    systemctl("daemon-reload")


def test_the_user_may_open_cameras_and_lines(probe):
    found = probe("devices")
    print(found)
    assert found["user"] != 0
    assert (found["/dev/video0"], found["/dev/gpiochip0"]) == ("opened", "opened")
    assert "opened" not in (found["/dev/vda"], found["/dev/kmsg"])


def test_the_device_policy_stops_even_the_owner_of_a_device(probe):
    """As root, who owns the disk, only the control group stands in the way."""
    found = probe("devices", "User=root")
    free = probe("devices", "User=root\nDevicePolicy=auto\nDeviceAllow=")
    print(f"{found}\nwithout the policy {free}")
    assert found["/dev/gpiochip0"] == "opened"
    assert found["/dev/vda"] == "EPERM"
    assert free["/dev/vda"] == "opened"
    assert found["/dev/kmsg"] == "EACCES"  # ProtectKernelLogs hides it, whatever the policy


def test_there_is_no_network(probe):
    found = probe("network")
    open_family = probe("network", "RestrictAddressFamilies=AF_INET")
    network = Path("/mnt/maskcam/systemd/network.conf").read_text().partition("[Service]")[2]
    allowed = probe("network", network)
    print(f"as shipped {found}; with the address family allowed {open_family}; with network.conf {allowed}")
    assert found == {"socket": "EAFNOSUPPORT"}
    assert open_family == {"socket": "opened", "sent": "EPERM"}
    assert allowed == {"socket": "opened", "sent": "done"}


def test_who_eats_the_memory_is_killed_and_starts_again(probe):
    probe.start("memory")
    until(lambda: int(show("probe", "NRestarts")) >= 1, 120)
    said = subprocess.run(
        ["journalctl", "--unit=probe", "--output=cat"], capture_output=True, text=True, check=True
    ).stdout
    eaten = [int(line.removeprefix("MiB ")) for line in said.splitlines() if line.startswith("MiB ")]
    print(f"MemoryMax {int(show('probe', 'MemoryMax')) >> 20} MiB, {max(eaten)} MiB eaten, then killed and restarted")
    assert "Failed with result 'oom-kill'" in said
    assert max(eaten) <= int(show("probe", "MemoryMax")) >> 20


@pytest.fixture
def service(feed):
    feed("scene", 10)
    Path("/etc/maskcam/maskcam.toml").write_text(CONFIG)
    systemctl("start", "--no-block", "maskcam")
    until(lambda: show("maskcam", "ActiveState") == "active", 300)
    yield
    systemctl("stop", "maskcam")


def test_the_service_lights_the_line_and_a_kill_puts_it_out(service, line):
    print(show("maskcam", "StatusText"))
    print(f"the alert is raised after {steady(line, 1, 300):.0f} s")
    print(f"and cleared after {steady(line, 0, 300):.0f} s")
    steady(line, 1, 300)
    before, pid, killed = len(line.driven()), int(show("maskcam", "MainPID")), time.monotonic()
    subprocess.run(["kill", "-KILL", str(pid)], check=True)
    until(lambda: show("maskcam", "MainPID") not in ("0", str(pid)), 120)
    back, after = time.monotonic(), line.driven()[before:]
    until(lambda: show("maskcam", "ActiveState") == "active", 300)
    print(
        f"kill -9: the kernel saw {after}, new process after {back - killed:.1f} s, ready after "
        f"{time.monotonic() - killed:.1f} s: {show('maskcam', 'StatusText')}"
    )
    assert after[0][1] == 0
    assert "status=0" in show("maskcam", "ExecStopPost")
    systemctl("stop", "maskcam")
    assert line.level == 0


def steady(line, level, seconds):
    """Waits for the level to stand for a second: a blinking light is no alert."""
    began = time.monotonic()
    while time.monotonic() - began < seconds:
        since = time.monotonic()
        while line.level == level:
            if time.monotonic() - since > 1:
                return since - began
            time.sleep(0.02)
        time.sleep(0.05)
    raise AssertionError(f"the line was not {level} for a second within {seconds} s: {show('maskcam', 'StatusText')}")


def unload(module: str) -> None:
    """Takes a module out of the kernel, after those that use it."""
    folder = Path("/sys/module", module)
    while folder.exists() and (holders := [holder.name for holder in (folder / "holders").iterdir()]):
        unload(holders[0])
    if folder.exists():
        subprocess.run(["rmmod", module], check=True)


@pytest.fixture
def late_driver():
    """Takes the cameras' drivers out of the kernel; late_driver() loads the loopback's again."""
    unload("videodev")
    assert "video4linux" not in Path("/proc/devices").read_text()

    def load():
        subprocess.run(["modprobe", "v4l2loopback", "video_nr=0", "card_label=camera", "exclusive_caps=1"], check=True)
        subprocess.run(["udevadm", "settle"], check=True)

    yield load
    systemctl("stop", "maskcam")
    load()


def test_a_camera_whose_driver_comes_after_the_start_is_opened(late_driver, feed):
    """As at a boot that finds the USB camera last."""
    Path("/etc/maskcam/maskcam.toml").write_text(CONFIG)
    systemctl("start", "--no-block", "maskcam")
    until(lambda: "does not exist" in show("maskcam", "StatusText"), 110)  # the supervisor waits for 120
    pid = show("maskcam", "MainPID")
    late_driver()
    feed("scene", 10)
    took = until(lambda: show("maskcam", "ActiveState") == "active", 120)
    print(f"ready {took:.1f} s after the driver: {show('maskcam', 'StatusText')}")
    assert show("maskcam", "MainPID") == pid


def test_a_black_picture_is_said_in_the_status(vivid):
    vivid(osd_text_mode=2, test_pattern=5)
    Path("/etc/maskcam/maskcam.toml").write_text(CONFIG.replace("/dev/video0", "/dev/video8"))
    systemctl("start", "--no-block", "maskcam")
    until(lambda: "cannot judge" in show("maskcam", "StatusText"), 300)
    print(show("maskcam", "StatusText"))
    systemctl("stop", "maskcam")
