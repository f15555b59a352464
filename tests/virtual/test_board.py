"""A blank card, flashed, in a board that does not exist: Debian trixie, emulated, without a network.

`make test-virtual` runs it: on two cores 5 minutes, 20 where they have other work, and 3 for the first root file
system, which stays in VIRTUAL (a folder). With ARCH=arm64 the board is a 64-bit Arm: 9 minutes, and 25 for its root
file system, through qemu-user-static. With ARCH=rpi3 it is a Raspberry Pi 3 with that system: 15 minutes; its root lies
on an SD card, and the levels of its pins are read from outside, in the registers of the emulated processor.
"""

import os
import re
import shutil
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
ARCH = os.environ.get("ARCH", "amd64")
MACHINE = {"amd64": "x86_64", "arm64": "aarch64", "rpi3": "aarch64"}.get(ARCH, "")
TOOLS = f"qemu-system-{MACHINE} debootstrap sfdisk mkfs.fat mcopy mke2fs".split() + ["fdtput"] * (ARCH == "rpi3")
MISSING = [tool for tool in TOOLS if not shutil.which(tool, path=f"{os.environ['PATH']}:/usr/sbin:/sbin")]
SETTINGS = """
[camera]
source = "/dev/video0"
[sinks.gpio]
pin = 17
driver = "gpiod"
heartbeat = false
self_test = false
# An emulated processor takes seconds for a frame; a person is the same one all the same.
[tracker]
max_gap = 30.0
"""
PIN = "cat /sys/devices/platform/gpio-sim.*/gpiochip*/sim_gpio{}/value"
PATIENCE = 3 if ARCH == "rpi3" else 1
"""Its four processors are emulated on what this machine has, and its card is slow."""
JOURNAL = "journalctl --unit maskcam --boot --no-pager --output cat"

pytestmark = [
    pytest.mark.skipif(not os.environ.get("VIRTUAL"), reason="takes minutes: make test-virtual"),
    pytest.mark.skipif(not MACHINE, reason=f"ARCH={ARCH}: there are amd64, arm64 and rpi3"),
    pytest.mark.skipif(bool(MISSING), reason=f"needs {', '.join(MISSING)}"),
    pytest.mark.skipif(os.geteuid() != 0, reason="debootstrap needs root"),
]


@pytest.fixture(scope="module")
def rootfs():
    name, arch = ("rootfs", "amd64") if ARCH == "amd64" else ("rootfs-arm64", "arm64")
    folder = Path(os.environ["VIRTUAL"]) / name
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run([HERE / "rootfs.sh", folder, arch], check=True)
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
    flash += ["--offline", "--board", "pi", "--machine", MACHINE, "--yes"]
    subprocess.run(flash, check=True, cwd=ROOT)
    yield image
    image.unlink()


def instance(image):
    import card

    return re.search(r"ds=nocloud;\S+", card.read(image, "cmdline.txt"))[0]


def test_a_flashed_card_lights_the_led(rootfs, card, tmp_path):
    import card as cards
    import machine

    with machine.boot(rootfs, card, tmp_path, instance(card), arch=ARCH) as console:
        console.wait_for("root@door", 600 * PATIENCE)
        # The power goes in the middle of the installation.
        until(console, "test -e /opt/maskcam/lib/python3*/site-packages/numpy", 900)
    with machine.boot(rootfs, card, tmp_path, instance(card), arch=ARCH) as console:
        console.wait_for("root@door", 600 * PATIENCE)
        until(console, "test -e /var/lib/maskcam-first-boot/*/done", 1800)
        console.run("cloud-init status --wait", 300 * PATIENCE)  # it writes to this console
        assert "active" in console.run("systemctl is-active maskcam").splitlines()
        until(console, f"{JOURNAL} | grep ALERT", 300)
        steady(console, 17, 1, 300)
        until(console, f"{JOURNAL} | grep 'all clear'", 300)
        steady(console, 17, 0, 300)
        assert "camera lost" not in console.run(JOURNAL)
        assert re.search(r"StatusText=ok; camera: /dev/video0", console.run("systemctl show maskcam -p StatusText"))
        console.run("systemctl poweroff --no-block")
        console.wait_for("Power down", 200 * PATIENCE)
    log = cards.read(card, "maskcam-first-boot.log")
    assert "done: the camera runs" in log
    assert "step 1" not in log, "what was done before the power went is not done again"
    # The card in a laptop: the LED moves to another pin.
    cards.write(card, "maskcam.toml", cards.read(card, "maskcam.toml").replace("pin = 17", "pin = 27"))
    with machine.boot(rootfs, card, tmp_path, instance(card), arch=ARCH) as console:
        console.wait_for("root@door", 600 * PATIENCE)
        until(console, f"{JOURNAL} | grep ALERT", 600)
        steady(console, 27, 1, 300)
        assert set(levels(console, 17)) == {0}
        assert "NRestarts=0" in console.run("systemctl show maskcam -p NRestarts"), "whatever the camera came after"


def until(console, condition, timeout):
    """Waits for a condition of the shell."""
    deadline = time.monotonic() + timeout * PATIENCE
    while "there" not in console.run(f"{condition} && echo there", 120 * PATIENCE).splitlines():
        assert time.monotonic() < deadline, f"not so: {condition}\n{console.run('cat /boot/firmware/*.log', 180)}"
        time.sleep(2)


def steady(console, pin, level, timeout):
    """Waits until a pin stays at a level for three seconds; the alert is steady, a state blinks."""
    deadline, seen = time.monotonic() + timeout * PATIENCE, []
    while seen != [level] * 6:
        assert time.monotonic() < deadline, f"not steadily {level}, last {seen}:\n{console.run(JOURNAL)}"
        seen = levels(console, pin)


def levels(console, pin):
    """A pin's levels within three seconds: as gpio-sim has them in the guest, or a Pi's own registers, from outside."""
    if ARCH != "rpi3":
        said = console.run(f"for i in 1 2 3 4 5 6; do {PIN.format(pin)}; sleep 0.5; done")
        return [int(level) for level in re.findall("^[01]$", said, re.MULTILINE)]
    import pi3

    with closing(pi3.Pin(console.log.with_name("monitor"), pin)) as register:
        return [(time.sleep(0.5), register.level)[1] for _ in range(6)]
