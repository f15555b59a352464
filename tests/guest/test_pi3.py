"""The LED of an emulated Raspberry Pi 3, its level read from outside: in the registers of the emulated processor.

gpiozero and lgpio drive the pin, both unmodified, as on Raspberry Pi OS. The board has no card: Debian 12 for arm64 is
only unpacked, into the memory that the kernel starts with, so nothing for arm64 has to run on this machine.
"""

import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
CACHE = Path(os.environ.get("VIRTUAL") or ROOT / ".virtual").absolute() / "pi3"
PATH = f"{os.environ['PATH']}:/usr/sbin:/sbin"
TOOLS = {
    "qemu-system-aarch64": "qemu-system-arm",
    "debootstrap": "debootstrap",
    "fdtput": "device-tree-compiler",
    "cpio": "cpio",
}
MISSING = [package for tool, package in TOOLS.items() if not shutil.which(tool, path=PATH)]
MIRROR = "http://deb.debian.org/debian"
LIBRARIES = ["numpy", "pydantic>=2.7", "gpiozero>=2", "lgpio"]
"""What the pins need of maskcam's packages. For Python 3.11, Debian 12's, lgpio has a wheel that is not empty."""
INIT = """#!/bin/sh
export PATH=/usr/sbin:/usr/bin PYTHONPATH=/opt/maskcam PS1="pi3# "
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
exec setsid -c bash --norc -i </dev/ttyAMA0 >/dev/ttyAMA0 2>&1
"""

pytestmark = [
    pytest.mark.skipif(not os.environ.get("TEST_GUEST"), reason="boots an emulated board: make test-guest"),
    pytest.mark.skipif(os.geteuid() != 0, reason="debootstrap needs root"),
    pytest.mark.skipif(bool(MISSING), reason=f"apt-get install {' '.join(MISSING)}"),
]


def unpack_debian(root: Path) -> None:
    """Debian's packages and the kernel's, unpacked; none of their scripts has run."""
    packages = "--include=python3,linux-image-arm64"
    run("debootstrap", "--foreign", "--arch=arm64", "--variant=minbase", packages, "bookworm", root, MIRROR)
    for package in (root / "var/cache/apt/archives").glob("*.deb"):
        files = subprocess.run(["dpkg-deb", "--fsys-tarfile", package], check=True, stdout=subprocess.PIPE).stdout
        tar = ["tar", "--extract", "--keep-directory-symlink", "--directory", root]
        subprocess.run(tar, input=files, check=True)
    proc = root / "proc"
    if proc.is_symlink():  # debootstrap's way where it may not mount
        proc.unlink()
        proc.mkdir()


def slim(root: Path) -> None:
    """The whole of it must fit into the memory of the board; the pins' driver is in the kernel itself."""
    for name in ("boot", "debootstrap", "usr/lib/modules", "usr/share/doc", "usr/share/locale", "var/cache/apt"):
        shutil.rmtree(root / name)
    for kernel in (root / "usr/lib").glob("linux-image-*"):
        shutil.rmtree(kernel)


def archive(root: Path, out: Path) -> None:
    """A folder as the kernel unpacks it at its start, which takes several of these behind one another."""
    pack = "find . | cpio --create --format=newc --quiet | gzip -1"
    with out.open("wb") as file:
        subprocess.run(["bash", "-o", "pipefail", "-c", pack], cwd=root, check=True, stdout=file)


def make(folder: Path) -> None:
    """Kernel, device tree and the system without maskcam."""
    import pi3
    import wheels

    root = folder / "root"
    unpack_debian(root)
    shutil.copy(next((root / "boot").glob("vmlinuz-*")), folder / "kernel")
    pi3.device_tree(root, folder / "tree.dtb")
    slim(root)
    problem = wheels.install(LIBRARIES, "aarch64", "3.11", root / "opt/maskcam")
    assert not problem, problem
    (root / "init").write_text(INIT)
    (root / "init").chmod(0o755)
    archive(root, folder / "system.cpio.gz")
    shutil.rmtree(root)


def run(*command) -> None:
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=os.environ | {"PATH": PATH})


@pytest.fixture
def board(tmp_path):
    """The serial line of the booted board, and what reads its pins."""
    sys.path[:0] = [str(ROOT / "tests" / "virtual"), str(ROOT / "tests" / "arm64")]
    import machine
    import pi3

    if not CACHE.exists():
        part = CACHE.with_suffix(".part")
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        try:
            make(part)
        except (subprocess.CalledProcessError, AssertionError) as error:
            pytest.skip(f"the board's system cannot be had: {error}")
        part.rename(CACHE)
    mine = tmp_path / "mine"
    shutil.copytree(ROOT / "edge", mine / "opt/maskcam/edge", ignore=shutil.ignore_patterns("shipped", "__pycache__"))
    archive(mine, tmp_path / "mine.cpio.gz")
    initrd = tmp_path / "initrd"
    initrd.write_bytes((CACHE / "system.cpio.gz").read_bytes() + (tmp_path / "mine.cpio.gz").read_bytes())
    command = ["qemu-system-aarch64", "-M", "raspi3b", "-kernel", CACHE / "kernel", "-dtb", CACHE / "tree.dtb"]
    command += ["-initrd", initrd, "-append", "console=ttyAMA0,115200 quiet deferred_probe_timeout=5"]
    with machine.running([str(word) for word in command], tmp_path) as console:
        console.wait_for("pi3# ", 600)
        with closing(pi3.Pin(tmp_path / "monitor", 17)) as pin:
            yield console, pin


def test_the_led_shows_every_pattern(board):
    console, pin = board
    command = "python3 -m edge alerts test --seconds 4 --set sinks.gpio.pin=17 --set sinks.gpio.driver=gpiozero"
    command += " --set sinks.gpio.self_test=false"
    assert pin.level == 0
    with ThreadPoolExecutor(1) as pool:
        said = pool.submit(console.run, f"{command}; echo exit code $?", 300)
        spells = pin.spells(said.done)
    print(f"\n{said.result()}\n{' '.join(f'{level}:{seconds:.2f}' for level, seconds in spells)}")
    assert said.result().endswith("exit code 0")
    assert "GPIO17: alert: on" in said.result()
    lit = [seconds for level, seconds in spells if level]
    assert 3.5 < lit[0] < 6, "the alert, and the first half second of starting"
    assert all(0.3 < seconds < 0.9 for _, seconds in spells[2:6]), "starting: half a second by turns"
    assert pin.level == 0
