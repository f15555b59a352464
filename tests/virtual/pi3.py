"""An emulated Raspberry Pi 3: its device tree, and its pins as the registers of the processor show them."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

REVISION = "a02082"
"""Of a Raspberry Pi 3 B; the firmware writes it into the device tree, where gpiozero looks for it."""
LEVELS = 0x3F200034
"""GPLEV0 of the BCM2837: the levels of GPIO 0 to 31, one bit each."""


def device_tree(rootfs: Path, out: Path) -> Path:
    """The tree that came with the kernel in `rootfs`, as the emulator and gpiozero need it. Needs fdtput."""
    shutil.copy(next(rootfs.glob("usr/lib/linux-image-*/broadcom/bcm2837-rpi-3-b.dtb")), out)
    for change in (
        ["-r", out, "/soc/serial@7e201000/bluetooth"],  # or its driver takes the console
        ["-c", out, "/system"],
        ["-t", "x", out, "/system", "linux,revision", REVISION],
    ):
        subprocess.run(["fdtput", *change], check=True, stdout=subprocess.DEVNULL)
    return out


class Pin:
    """A pin's level by the emulator's monitor, which reads the board's memory."""

    def __init__(self, monitor: Path, number: int) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(str(monitor))
        self._socket.settimeout(60)
        self._number = number
        self._answer()

    @property
    def level(self) -> int:
        self._socket.sendall(f"xp /1wx {LEVELS:#x}\n".encode())
        word = re.search(": (0x[0-9a-f]+)", self._answer())[1]
        return int(word, 16) >> self._number & 1

    def spells(self, over: Callable[[], bool]) -> list[tuple[int, float]]:
        """(level, seconds) of each spell of a level, until `over()`; the last one may be cut short."""
        found = [(self.level, time.monotonic())]
        while not over():
            if (level := self.level) != found[-1][0]:
                found.append((level, time.monotonic()))
            time.sleep(0.01)
        ends = [since for _, since in found[1:]] + [time.monotonic()]
        return [(level, end - since) for (level, since), end in zip(found, ends, strict=True)]

    def close(self) -> None:
        self._socket.close()

    def _answer(self) -> str:
        text = b""
        while not text.endswith(b"(qemu) "):
            text += self._socket.recv(4096)
        return text.decode(errors="replace")
