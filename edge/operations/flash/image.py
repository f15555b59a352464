"""A boot partition inside an image file: its partition table, its FAT, and images that come as .img.xz."""

from __future__ import annotations

import contextlib
import lzma
import os
import struct
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from edge.core.errors import FlashError, MissingPackage

SECTOR = 512
FAT_TYPES = {0x01, 0x04, 0x06, 0x0B, 0x0C, 0x0E}
"""Partition types of FAT12, FAT16 and FAT32, by cylinder or by block."""
FSINFO_HINTS = 488
"""Where in FAT32's FSInfo sector the number of free clusters and the next free one stand, 4 bytes each."""
CHUNK = 4 << 20


class Image:
    """The first FAT partition of an image with a partition table (MBR), written without root. Raises FlashError."""

    def __init__(self, path: Path) -> None:
        self.name = str(path)
        self._path = path
        self._offset = partition(path)
        self._wrote = False
        self._fat = self._open()

    def _open(self) -> Any:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # `fs`, below it, imports the deprecated pkg_resources
                from pyfatfs.PyFatFS import PyFatFS  # type: ignore[import-untyped]
        except ModuleNotFoundError as error:
            raise MissingPackage(error.name or "pyfatfs", extra="flash") from None
        try:
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", "Filesystem was not cleanly unmounted")
                return PyFatFS(str(self._path), offset=self._offset, read_only=not os.access(self._path, os.W_OK))
        except Exception as error:  # the library raises what it stumbles over
            raise FlashError(f"{self._path}: its first FAT partition cannot be read: {error}") from error

    def read(self, name: str) -> bytes | None:
        found = self._find(name)
        data: bytes | None = self._fat.readbytes(found) if found and self._fat.isfile(found) else None
        return data

    def write(self, name: str, data: bytes) -> None:
        folder, _, leaf = name.rpartition("/")
        path = self._find(name)
        if path:
            self._fat.remove(path)  # pyfatfs 1.1 does not end the chain of a file that it makes shorter
        self._fat.writebytes(path or f"{self._folder(folder)}/{leaf}", data)
        self._wrote = True

    def remove(self, name: str) -> None:
        self._fat.remove(self._find(name))
        self._wrote = True

    def names(self, folder: str = "") -> list[str]:
        found = self._find(folder)
        return sorted(self._fat.listdir(found)) if found and self._fat.isdir(found) else []

    def free(self) -> int:
        fat = self._fat.fs
        return int(fat.fat[2:].count(0) * fat.bytes_per_cluster)

    def settle(self) -> None:
        self.close()
        self._fat = self._open()

    def close(self) -> None:
        self._fat.close()
        if self._wrote:
            self._forget_hints()
            self._wrote = False

    def _find(self, name: str) -> str | None:
        """The path as the FAT writes it: a short name may be stored in capitals."""
        path = "/"
        for part in filter(None, name.split("/")):
            matches = [entry for entry in self._fat.listdir(path) if entry.casefold() == part.casefold()]
            if not matches:
                return None
            path = f"{path.rstrip('/')}/{matches[0]}"
            if not self._fat.isdir(path):
                return path
        return path

    def _folder(self, name: str) -> str:
        """The path of a folder, made where it is missing."""
        path = ""
        for part in filter(None, name.split("/")):
            found = self._find(f"{path}/{part}")
            if found is None:
                found = f"{path}/{part}"
                self._fat.makedir(found)
            path = found
        return path

    def _forget_hints(self) -> None:
        """pyfatfs does not keep FAT32's count of free clusters: all ones say "unknown", and the next system counts."""
        with self._path.open("r+b") as file:
            file.seek(self._offset)
            boot = file.read(SECTOR)
            sectors_per_fat, fsinfo = struct.unpack_from("<H", boot, 22)[0], struct.unpack_from("<H", boot, 48)[0]
            if sectors_per_fat == 0 and fsinfo:  # FAT32
                file.seek(self._offset + fsinfo * struct.unpack_from("<H", boot, 11)[0] + FSINFO_HINTS)
                file.write(b"\xff" * 8)
            file.flush()
            os.fsync(file.fileno())


def partition(path: Path) -> int:
    """Where the first FAT partition begins, in bytes. Raises FlashError."""
    with path.open("rb") as file:
        table = file.read(SECTOR)
    if table[510:] != b"\x55\xaa":
        raise FlashError(f"{path}: no partition table: expected the image of a card, such as Raspberry Pi OS's .img")
    entries = [struct.unpack_from("<4xB3xII", table, 446 + 16 * i) for i in range(4)]
    if any(kind == 0xEE for kind, *_ in entries):
        raise FlashError(f"{path}: a GPT partition table: expected an image for Raspberry Pi, which has an MBR")
    for kind, start, _ in entries:
        if kind in FAT_TYPES:
            return int(start) * SECTOR
    raise FlashError(f"{path}: no FAT partition: expected the image of a card, such as Raspberry Pi OS's .img")


def unpack(source: Path, target: Path, progress: Callable[[int], None]) -> None:
    """Streams an .img.xz to a new file, which appears when it is complete; `progress` hears the bytes so far.

    Raises FlashError for a damaged archive or where `target` exists.
    """
    if target.exists():
        raise FlashError(f"{target}: exists: remove it, or give it as BOOT instead of {source.name}")
    part = target.with_name(target.name + ".part")
    done = 0
    try:
        with lzma.open(source) as packed, part.open("wb") as file:
            while chunk := packed.read(CHUNK):
                if chunk.count(0) == len(chunk):
                    file.seek(len(chunk), os.SEEK_CUR)  # most of an image is empty
                else:
                    file.write(chunk)
                done += len(chunk)
                progress(done)
            file.truncate(done)
        part.rename(target)
    except (lzma.LZMAError, EOFError) as error:
        raise FlashError(f"{source}: damaged: {error}: download it again") from None
    finally:
        with contextlib.suppress(FileNotFoundError):
            part.unlink()
