"""A life of the service under a real systemd, from its installation to its removal: each test goes on from the last.

The camera is a network camera of the synthetic one's pictures; it shows a bare face and a masked one by turns. The LED
is gpiozero's, on a pin whose level stands in a file.
"""

import json
import re
import time
from pathlib import Path

import cv2
import pytest

HERE = Path(__file__).parent
CONFIG = """
[camera]
source = "http://127.0.0.1:8090/"

[backend]
detector = "tflite"
classifier = "tflite"

[alerts]
raise_after = {raise_after}
clear_after = 60.0

[sinks.gpio]
driver = "gpiozero"
"""
DROP_IN = """
[Service]
WatchdogSec=6
Environment=GPIOZERO_PIN_FACTORY=mock GPIOZERO_MOCK_PIN_CLASS=filepin
ReadWritePaths=/run/pins
"""
FEEDER = """
[Service]
ExecStart=/usr/bin/python3 /mnt/feeder.py /mnt/pictures 10
"""
PIN = "/run/pins/GPIO17"
PROBE = """
import os
with open("/var/lib/maskcam/probe", "wb") as file:
    file.write(bytes(1 << 20))
    file.flush()
    os.fsync(file.fileno())
print(open("/proc/self/io").read())
"""


class Device:
    """The container with the service's ways to be looked at."""

    def __init__(self, container) -> None:
        self.container = container

    def write(self, path: str, text: str) -> None:
        target = self.container.path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)

    def configure(self, raise_after: float) -> None:
        self.write("/etc/maskcam/maskcam.toml", CONFIG.format(raise_after=raise_after))

    def show(self, name: str) -> str:
        return self.container.show("maskcam", name)

    def status(self) -> dict:
        """The service's own counters; {} before the first."""
        try:
            return json.loads(self.container.path("/run/maskcam/status.json").read_text())
        except FileNotFoundError:
            return {}

    def levels(self) -> list[tuple[float, int, int]]:
        """Every setting of the LED's pin: time, level, process."""
        lines = self.container.path(PIN).read_text().splitlines()
        return [(float(t), int(level), int(pid)) for t, level, pid in map(str.split, lines)]

    def is_ready(self) -> bool:
        return self.show("ActiveState") == "active" and self.status().get("frames", 0) > 0

    def lit(self, since: float) -> bool:
        """Whether the alert's steady light has come on, and stands."""
        said = [line for line in self.container.journal("maskcam", since) if line.startswith("LED GPIO17")]
        return bool(said) and said[-1].endswith(": ON") and self.levels()[-1][1] == 1


@pytest.fixture(scope="module")
def device(container):
    from edge.cameras.synthetic import SyntheticCamera

    device = Device(container)
    pictures = container.path("/mnt/pictures")
    pictures.mkdir()
    for frame in SyntheticCamera(fps=10.0, duration=8.0, realtime=False):
        cv2.imwrite(str(pictures / f"{frame.index:03}.jpg"), cv2.cvtColor(frame.image, cv2.COLOR_RGB2BGR))
    device.write("/mnt/feeder.py", (HERE / "feeder.py").read_text())
    device.write("/etc/systemd/system/feeder.service", FEEDER)
    device.write("/etc/systemd/system/maskcam.service.d/test.conf", DROP_IN)
    device.write("/etc/tmpfiles.d/pins.conf", "d /run/pins 0777\n")
    container.run("systemd-tmpfiles", "--create", "/etc/tmpfiles.d/pins.conf")
    return device


INSTALL = ("/mnt/maskcam/systemd/install.sh", "--board", "pi", "--wheels", "/mnt/wheels")


def test_a_dry_run_of_the_installer_changes_nothing(device):
    said = device.container.run(*INSTALL, "--dry-run")
    assert "would run: systemctl enable --quiet maskcam" in said
    assert not device.container.path("/opt/maskcam").exists()
    assert not device.container.path("/etc/maskcam").exists()


def test_the_installer_works_without_a_network(device):
    device.container.run(*INSTALL)
    configured = device.container.path("/etc/maskcam/maskcam.toml")
    assert 'driver = "gpiozero"' in configured.read_text()
    assert configured.stat().st_mode & 0o777 == 0o640
    assert device.container.run("systemctl", "is-enabled", "maskcam") == "enabled"
    assert device.container.run("id", "-nG", "maskcam").split() == ["maskcam"]  # the unit adds the others
    assert not device.container.path("/etc/systemd/system/maskcam.service.d/network.conf").exists()


def test_installed_again_it_keeps_what_is_configured_and_opens_the_network_that_is_needed(device):
    device.configure(raise_after=600.0)
    said = device.container.run(*INSTALL)
    assert "/etc/maskcam/maskcam.toml stays as it is" in said
    assert "raise_after = 600.0" in device.container.path("/etc/maskcam/maskcam.toml").read_text()
    assert device.container.path("/etc/systemd/system/maskcam.service.d/network.conf").exists()
    packages = next(device.container.path("/opt/maskcam/lib").glob("python3*/site-packages"))
    (packages / "filepin.py").write_text((HERE / "filepin.py").read_text())
    info = packages / "filepin-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: filepin\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[gpiozero_mock_pin_classes]\nfilepin = filepin:FilePin\n")


def test_systemd_finds_no_fault_and_little_exposure(device):
    device.container.run("systemd-analyze", "verify", "--man=no", "maskcam.service")
    said = device.container.run("systemd-analyze", "security", "--no-pager", "--threshold=20", "maskcam.service")
    print(f"\nwith the network it needs here: {said.splitlines()[-1]}")


def test_it_is_not_ready_before_the_first_verdict(device):
    container = device.container
    container.run("systemctl", "start", "--no-block", "maskcam")
    container.until(lambda: "camera lost" in device.show("StatusText"), 60)
    assert device.show("ActiveState") == "activating"
    container.until(lambda: device.status().get("frames") == 0, 10)
    container.run("systemctl", "start", "feeder")
    container.until(device.is_ready, 60)


def test_frames_flow_and_the_status_says_so(device):
    frames = device.status()["frames"]
    device.container.until(lambda: device.status()["frames"] >= frames + 20, 60)
    said = device.container.run("systemctl", "status", "--no-pager", "maskcam")
    line = next(line for line in said.splitlines() if "Status:" in line)
    print(f"\n{line.strip()}")
    assert re.search(r'"ok; camera: http://127.0.0.1:8090; .*tflite.*; [\d.]+ FPS; no alert yet"', line)


def test_the_doctor_looks_at_the_running_service(device):
    """From outside its unit: what it finds there is the service's own, and every red line says what mends it."""
    pid = device.show("MainPID")
    said = json.loads(device.container.ask("/opt/maskcam/bin/maskcam", "doctor", "--json"))
    found = {finding["name"]: finding for finding in said["findings"]}
    for name in ("configuration", "last good", "bundle", "tflite", "service"):
        assert found[name]["state"] == "ok", found[name]
    assert "/etc/maskcam/maskcam.toml" in found["configuration"]["found"]
    assert all(finding["remedy"] for finding in said["findings"] if finding["state"] == "bad")
    assert (device.show("MainPID"), device.is_ready()) == (pid, True), "it only looked"


def test_in_the_steady_state_nothing_is_written_to_disk(device):
    """The kernel's own count for the process: what it wrote to file systems that are not in memory."""
    if written(device.container.run("python3", "-c", PROBE)) < 1 << 20:
        pytest.skip("the container's disk is in memory here")
    read = ("cat", f"/proc/{device.show('MainPID')}/io")
    before, began, frames = written(device.container.run(*read)), time.monotonic(), device.status()["frames"]
    time.sleep(30)
    after, seconds = written(device.container.run(*read)), time.monotonic() - began
    print(f"\n{after - before} bytes in {seconds:.0f} s: {(after - before) * 3600 / seconds:.0f} bytes per hour")
    assert device.status()["frames"] > frames + 30
    assert after == before


def written(io: str) -> int:
    return int(re.search(r"^write_bytes: (\d+)", io, re.MULTILINE)[1])


def test_a_signal_changes_a_threshold_and_keeps_the_camera(device):
    assert device.status()["alerts"] == 0
    pid, began = device.show("MainPID"), time.time()
    device.configure(raise_after=0.5)
    device.container.run("systemctl", "reload", "maskcam")
    device.container.until(lambda: device.lit(began), 30)
    assert device.show("MainPID") == pid
    assert device.container.journal("feeder").count("a viewer came") == 1


def test_after_a_kill_the_light_goes_out_and_all_is_back_within_ten_seconds(device):
    container, pid = device.container, int(device.show("MainPID"))
    container.until(lambda: device.lit(0), 30)
    before, began = len(device.levels()), time.time()
    container.run("kill", "-KILL", str(pid))
    container.until(
        lambda: device.show("MainPID") not in ("0", str(pid)) and device.show("ActiveState") == "active", 30
    )
    seconds = time.time() - began
    after = device.levels()[before:]
    print(f"\nkill -9: the light was put out by another process, ready again after {seconds:.1f} s")
    assert after[0][1] == 0
    assert after[0][2] not in (pid, int(device.show("MainPID")))
    assert seconds < 10


def test_a_camera_that_freezes_costs_one_restart_and_comes_back(device):
    container, pid, began = device.container, device.show("MainPID"), time.time()
    container.until(device.is_ready, 30)
    restarts = int(device.show("NRestarts"))
    container.run("systemctl", "kill", "--signal=STOP", "feeder")
    container.until(lambda: any("Watchdog timeout" in line for line in container.journal("maskcam", began)), 30)
    container.until(lambda: device.show("MainPID") not in ("0", pid) and "camera lost" in device.show("StatusText"), 60)
    assert device.show("ActiveState") == "activating"
    container.run("systemctl", "kill", "--signal=CONT", "feeder")
    container.until(device.is_ready, 90)
    assert int(device.show("NRestarts")) == restarts + 1


def test_a_broken_file_on_the_card_leaves_the_last_good_settings_in_force(device):
    container, began = device.container, time.time()
    device.write("/boot/firmware/maskcam.toml", "[alerts]\nraise_after = 'soon'\n")
    container.run("systemctl", "restart", "maskcam")
    container.until(lambda: device.status().get("configuration", "").startswith("/boot/firmware/maskcam.toml"), 10)
    assert "not the settings asked for: /boot/firmware/maskcam.toml" in device.show("StatusText")
    assert any("/boot/firmware/maskcam.toml" in line for line in container.journal("maskcam", began))
    container.until(lambda: device.lit(began), 30)  # raise_after is still 0.5
    container.path("/boot/firmware/maskcam.toml").unlink()
    container.run("systemctl", "reload", "maskcam")
    container.until(lambda: device.status()["configuration"] == "", 10)


def test_stopped_it_puts_the_light_out(device):
    container, began = device.container, time.time()
    container.until(lambda: device.lit(0), 30)
    container.run("systemctl", "stop", "maskcam")
    print(f"\nstopped within {time.time() - began:.1f} s")
    assert device.levels()[-1][1] == 0
    assert (device.show("Result"), device.show("ExecMainStatus")) == ("success", "0")


def test_uninstalled_it_leaves_the_configuration(device):
    container = device.container
    container.run(*INSTALL[:1], "--uninstall")
    assert not container.path("/opt/maskcam").exists()
    assert not container.path("/etc/systemd/system/maskcam.service").exists()
    assert container.path("/etc/maskcam/maskcam.toml").exists()
