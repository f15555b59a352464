"""Lock files: what a board installs besides maskcam, by version and SHA-256. Made by `.ci/lock`, enforced by pip.

A file covers every system that its board may run; a marker (PEP 508) on each line says where it applies.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from edge.core.errors import FlashError, MissingPackage

FOLDER = "locks"


@dataclass(frozen=True)
class Pinned:
    """A package in one version, from a file with one of these digests (hexadecimal)."""

    name: str
    version: str
    sha256: frozenset[str]

    def __str__(self) -> str:
        return " ".join(
            [f"{self.name}=={self.version}", *(f"--hash=sha256:{digest}" for digest in sorted(self.sha256))]
        )


def path(share: Path, board: str, machine: str) -> Path:
    """The file for a board and a processor ("aarch64"): all 32-bit systems share one."""
    return share / "systemd" / FOLDER / f"{'armv7l' if machine == 'armv7l' else board}.txt"


def names(file: Path) -> list[str]:
    """Every package of a lock, for all systems."""
    return re.findall(r"^([\w.-]+)==", file.read_text("utf-8"), re.MULTILINE)


def read(file: Path, python: str, machine: str) -> list[Pinned]:
    """The packages for CPython `python` ("3.13") on Linux. Raises FlashError for a line without a digest."""
    try:
        from packaging.requirements import InvalidRequirement, Requirement
    except ModuleNotFoundError:
        raise MissingPackage("packaging", extra="flash") from None
    environment = {
        "implementation_name": "cpython",
        "os_name": "posix",
        "platform_machine": machine,
        "platform_python_implementation": "CPython",
        "platform_system": "Linux",
        "python_full_version": f"{python}.0",
        "python_version": python,
        "sys_platform": "linux",
    }
    found = []
    for line in file.read_text("utf-8").replace("\\\n", " ").splitlines():
        text, *hashes = line.partition("#")[0].split(" --hash=sha256:")
        if not text.strip():
            continue
        try:
            requirement = Requirement(text)
        except InvalidRequirement as error:
            raise FlashError(
                f"{file}: {text.strip()}: {str(error).splitlines()[0]}: make it anew with .ci/lock"
            ) from None
        if not hashes:
            raise FlashError(f"{file}: {requirement.name} has no digest: make it anew with .ci/lock")
        if requirement.marker is None or requirement.marker.evaluate(environment):
            version = str(requirement.specifier).removeprefix("==")
            found.append(Pinned(requirement.name, version, frozenset(digest.strip() for digest in hashes)))
    return found
