"""A boot partition as a mounted folder or as FAT inside an image, with one interface."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Protocol

from edge.core.errors import FlashError

LOOKS = ("config.txt", "issue.txt"), ("config.txt", "user-data")
"""Pairs of files; a boot partition of Raspberry Pi OS or Ubuntu has one of them."""


class Target(Protocol):
    """A boot partition. Names are relative, with "/" between folders, and not case-sensitive, as in FAT."""

    name: str

    def read(self, name: str) -> bytes | None:
        """The content; None if there is no such file."""

    def is_folder(self, name: str) -> bool: ...

    def write(self, name: str, data: bytes) -> None:
        """Writes a file, creating folders as needed. In an image it is written by `settle`."""

    def remove(self, name: str) -> None: ...

    def names(self, folder: str = "") -> list[str]:
        """Files and folders in a folder, sorted; empty if there is no such folder."""

    def free(self) -> int:
        """Free space in bytes."""

    def settle(self) -> None:
        """Ends writing, and ensures that later reads come from the card. Raises FlashError."""

    def close(self) -> None: ...


BACKUP = ".before-maskcam"
"""Suffix of a backup; from the second one on, followed by a number."""
PART = ".maskcam-part"
"""Suffix of a file that is being written."""


def original(target: Target, name: str) -> bytes | None:
    """A file or, if an interruption has left nothing or only zeros of it, its backup."""
    if target.is_folder(name):
        raise FlashError(f"{name}: is a folder on the card: expected a file: remove it, or write the system again")
    data = target.read(name)
    if data is not None and data.strip(b"\0 \t\r\n"):
        return data
    return target.read(name + BACKUP) or data


class Folder:
    """A mounted boot partition."""

    def __init__(self, path: Path) -> None:
        self.name = str(path)
        self._path = path

    def read(self, name: str) -> bytes | None:
        try:
            return (self._path / name).read_bytes()
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return None

    def is_folder(self, name: str) -> bool:
        return (self._path / name).is_dir()

    def write(self, name: str, data: bytes) -> None:
        """Writes a file; the old content stays until the new one is complete."""
        path = self._path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(path.name + PART)
        try:
            with part.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)

    def remove(self, name: str) -> None:
        (self._path / name).unlink()

    def names(self, folder: str = "") -> list[str]:
        path = self._path / folder
        return sorted(entry.name for entry in path.iterdir()) if path.is_dir() else []

    def free(self) -> int:
        return shutil.disk_usage(self._path).free

    def settle(self) -> None:
        for left in self._path.rglob(f"*{PART}"):  # by an interruption
            left.unlink()
        if not hasattr(os, "posix_fadvise"):  # macOS and Windows: the read-back may come from memory
            return
        os.sync()
        for path in self._path.rglob("*"):
            if path.is_file():
                fd = os.open(path, os.O_RDONLY)
                try:
                    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
                finally:
                    os.close(fd)

    def close(self) -> None:
        pass


def find(roots: Iterable[Path] | None = None) -> Path:
    """The only mounted partition that looks like a Raspberry Pi's. Raises FlashError for none, or several."""
    found = sorted({path for path in (mounts() if roots is None else roots) if looks_right(path)})
    if not found:
        raise FlashError(
            "no mounted boot partition found: write Raspberry Pi OS with the Imager, put the card in again, "
            "and name the folder where it appears"
        )
    if len(found) > 1:
        raise FlashError(f"several boot partitions are mounted: name the one you mean: {', '.join(map(str, found))}")
    return found[0]


def looks_right(path: Path) -> bool:
    try:
        return any(all((path / name).is_file() for name in names) for names in LOOKS)
    except OSError:  # an empty card reader, or no permission
        return False


def mounts(platform: str = sys.platform, environ: Mapping[str, str] = os.environ) -> Iterator[Path]:
    """Folders in which operating systems mount cards."""
    if platform == "win32":
        yield from (Path(f"{letter}:\\") for letter in "DEFGHIJKLMNOPQRSTUVWXYZ")
    elif platform == "darwin":
        yield from _below(Path("/Volumes"))
    else:
        user = environ.get("SUDO_USER") or environ.get("USER") or ""
        for base in (Path("/media"), Path("/media") / user, Path("/run/media") / user, Path("/mnt")):
            yield from _below(base)
        yield Path("/mnt")


def _below(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []


def open_target(path: Path | None) -> Target:
    """Opens a folder, an image file, or (None) the mounted card. Raises FlashError."""
    from edge.operations.flash.image import Image

    path = find() if path is None else path
    if path.is_dir():
        return Folder(path)
    if path.is_file():
        return Image(path)
    if path.exists():
        raise FlashError(f"BOOT {path}: is a device: give the folder where its boot partition is mounted, or an image")
    raise FlashError(f"BOOT {path}: no such folder or file: expected a mounted boot partition or an image")
