"""A blank card, flashed, in a board that does not exist: Debian trixie, emulated, without a network.

`make test-virtual` runs it: ten to twenty minutes on two cores, and as long again for the first root file system,
which stays in VIRTUAL (a folder).
"""

import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
TOOLS = "qemu-system-x86_64 debootstrap sfdisk mkfs.fat mcopy mke2fs".split()  # noqa: SIM905
MISSING = [tool for tool in TOOLS if not shutil.which(tool, path=f"{os.environ['PATH']}:/usr/sbin:/sbin")]
SETTINGS = """
[camera]
source = "/dev/video0"
[sinks.gpio]
pin = 17
driver = "gpiod"
heartbeat = false
self_test = false
"""
PIN = "cat /sys/devices/platform/gpio-sim.*/gpiochip*/sim_gpio17/value"

pytestmark = [
    pytest.mark.skipif(not os.environ.get("VIRTUAL"), reason="takes minutes: make test-virtual"),
    pytest.mark.skipif(bool(MISSING), reason=f"needs {', '.join(MISSING)}"),
    pytest.mark.skipif(os.geteuid() != 0, reason="debootstrap needs root"),
]


@pytest.fixture(scope="module")
def rootfs():
    folder = Path(os.environ["VIRTUAL"]) / "rootfs"
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run([HERE / "rootfs.sh", folder], check=True)
    return folder


@pytest.fixture(scope="module")
def card(rootfs, tmp_path_factory):
    """A card that `maskcam flash --offline` wrote."""
    sys.path.insert(0, str(HERE))
    import card
    import scene

    folder = tmp_path_factory.mktemp("card")
    scene.write(folder / "scene.yuyv")
    image = folder / "card.img"
    card.make(rootfs, folder / "scene.yuyv", image)
    (folder / "virtual.toml").write_text(SETTINGS)
    flash = [sys.executable, "-m", "edge", "flash", image, "--config", folder / "virtual.toml", "--hostname", "door"]
    flash += ["--offline", "--board", "pi", "--machine", "x86_64", "--yes"]
    subprocess.run(flash, check=True, cwd=ROOT)
    yield image
    image.unlink()


def instance(image):
    import card

    return re.search(r"ds=nocloud;\S+", card.read(image, "cmdline.txt"))[0]


def test_a_flashed_card_lights_the_led(rootfs, card, tmp_path):
    import card as cards
    import machine

    with machine.boot(rootfs, card, tmp_path, instance(card)) as console:
        console.wait_for("Finished board.service|pins and camera", 600)
        console.wait_for(r"login: root|root@", 600)
        # The power goes in the middle of the installation.
        until(console, "ls /var/lib/maskcam-first-boot/*/begun", "begun", 600)
    with machine.boot(rootfs, card, tmp_path, instance(card)) as console:
        console.wait_for(r"login: root|root@", 600)
        until(console, "ls /var/lib/maskcam-first-boot/*/done", "/done", 1800)
        assert console.run("systemctl is-active maskcam") == "active"
        assert console.run("hostname") == "door"
        levels = watch(console, seconds=240)
        assert "0" in levels
        assert "1" in levels
        assert levels.index("1") < len(levels) - 1, "the LED went on and never off"
        assert re.search(r"StatusText=\S", console.run("systemctl show maskcam --property=StatusText"))
        console.run("sync; systemctl poweroff --no-block")
        time.sleep(30)
    assert "done: the camera runs" in cards.read(card, "maskcam-first-boot.log")


def until(console, command, expected, timeout):
    """Asks until the answer holds what is expected."""
    deadline = time.monotonic() + timeout
    while expected not in (said := console.run(f"{command} 2>&1", 120)):
        assert time.monotonic() < deadline, f"{command}: {said}\n{console.run('cat /boot/firmware/*.log', 60)}"
        time.sleep(5)


def watch(console, seconds):
    """The changes of the pin's level."""
    levels, deadline = [console.run(PIN)], time.monotonic() + seconds
    while time.monotonic() < deadline and not (len(levels) > 2 and {"0", "1"} <= set(levels)):
        if (level := console.run(PIN)) != levels[-1]:
            levels.append(level)
        time.sleep(0.5)
    return levels
