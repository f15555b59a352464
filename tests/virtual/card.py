"""The card of the virtual board: a file with MBR, FAT and ext4, laid out like Raspberry Pi OS Trixie's."""

from __future__ import annotations

import subprocess
from pathlib import Path

BOOT_START, BOOT_SECTORS = 16384, 1 << 20
ROOT_START = BOOT_START + BOOT_SECTORS
SECTORS = 1 << 23
"""Of 512 bytes: 4 GB, of which the system takes a third. An emulated SD card must have a power of two."""

FILES = {
    "config.txt": "camera_auto_detect=1\nauto_initramfs=1\n[all]\n",
    "cmdline.txt": "console=ttyS0 root=LABEL=rootfs rw rootwait ds=nocloud;i=rpi-imager-1\n",
    "issue.txt": "Raspberry Pi reference 2025-10-01\n",
    "user-data": "#cloud-config\n# as the Imager leaves it\nmanage_etc_hosts: true\n",
    "network-config": "network:\n  version: 2\n  ethernets:\n    eth0:\n      dhcp4: true\n      optional: true\n",
    "meta-data": "dsmode: local\ninstance_id: rpios-image\n",
    "kernel8.img": "",
    "kernel_2712.img": "",
}


def make(rootfs: Path, scene: Path, out: Path) -> None:
    """A card as it leaves the Imager, and the camera's pictures on it. Needs fdisk, dosfstools, mtools, e2fsprogs."""
    with out.open("wb") as file:
        file.truncate(SECTORS * 512)
    table = f"label: dos\nstart={BOOT_START}, size={BOOT_SECTORS}, type=c\nstart={ROOT_START}, type=83\n"
    run("sfdisk", "-q", str(out), input=table)
    offset = f"--offset={BOOT_START}"
    run("mkfs.fat", "-F", "32", "-n", "BOOTFS", offset, str(out), str(BOOT_SECTORS // 2))
    boot = f"{out}@@{BOOT_START * 512}"
    for name, text in FILES.items():
        run("mcopy", "-i", boot, "-", f"::/{name}", input=text)
    run("mcopy", "-i", boot, str(scene), "::/scene.yuyv")
    ext4 = ["mke2fs", "-q", "-F", "-t", "ext4", "-L", "rootfs", "-d", str(rootfs), "-E", f"offset={ROOT_START * 512}"]
    run(*ext4, str(out), f"{(SECTORS - ROOT_START) // 2}k")


def read(card: Path, name: str) -> str:
    """A text file of the boot partition, read without mounting it."""
    return run("mtype", "-i", f"{card}@@{BOOT_START * 512}", f"::/{name}")


def write(card: Path, name: str, text: str) -> None:
    """A text file of the boot partition, as a laptop would leave it."""
    run("mcopy", "-o", "-i", f"{card}@@{BOOT_START * 512}", "-", f"::/{name}", input=text)


def run(*command: str, input: str | None = None) -> str:
    environ = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "MTOOLS_SKIP_CHECK": "1"}
    return subprocess.run(command, input=input, check=True, capture_output=True, text=True, env=environ).stdout
