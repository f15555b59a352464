"""Identifies the system of a boot partition, and how it accepts instructions for its first boot."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from edge.core.errors import FlashError
from edge.operations.flash.target import Target, original


@dataclass(frozen=True)
class Release:
    """A system that maskcam can prepare."""

    name: str
    first_boot: Literal["cloud-init", "firstrun"]
    python: str | None
    """Version of its python3; None if the boot partition does not tell."""
    glibc: str
    bits: Literal[32, 64]
    cmdline: str = "cmdline.txt"
    """The file of kernel parameters."""

    @property
    def machine(self) -> str:
        return "aarch64" if self.bits == 64 else "armv7l"

    @property
    def raspberry(self) -> bool:
        """Whether it is Raspberry Pi OS, with features that only it has."""
        return self.name.startswith("Raspberry Pi OS")


def recognise(target: Target) -> Release:
    """Raises FlashError, in one sentence, for an unknown system."""
    names = {name.casefold() for name in target.names()}
    config = (original(target, "config.txt") or b"").decode(errors="replace")
    if not config.strip("\0 \t\r\n"):
        raise FlashError(
            f"{target.name}: no config.txt with anything in it: this is not the boot partition of a Raspberry Pi"
        )
    issue = (original(target, "issue.txt") or b"").decode(errors="replace")
    cmdline = "cmdline.txt" if "cmdline.txt" in names else "current/cmdline.txt"
    kernel = (original(target, cmdline) or b"").decode(errors="replace")
    cloud = bool(names & {"user-data", "meta-data"})
    bits: Literal[32, 64] = 32 if names & {"kernel7.img", "kernel7l.img"} else 64
    if "root=LABEL=writable" in kernel and cloud:
        return Release("Ubuntu for Raspberry Pi", "cloud-init", None, "2.35", 64, cmdline)
    if not issue.startswith("Raspberry Pi reference"):
        raise FlashError(
            f"{target.name}: a system that maskcam does not know (no issue.txt of Raspberry Pi OS, no Ubuntu): "
            "write Raspberry Pi OS Lite (64-bit) with the Imager"
        )
    if cloud:
        return Release("Raspberry Pi OS Trixie", "cloud-init", "3.13", "2.40", bits)
    if "auto_initramfs" in config or names & {"initramfs8", "initramfs7", "initramfs_2712"}:
        return Release("Raspberry Pi OS Bookworm", "firstrun", "3.11", "2.36", bits)
    raise FlashError(
        f"{target.name}: {issue.splitlines()[0]}: older than Bookworm, which has no Python that maskcam runs on: "
        "write Raspberry Pi OS Lite (64-bit) with the Imager"
    )
