"""A boot partition in an image file: its partition table, its FAT, and images in .img.xz.

An image is not changed in place: the changes are made in a copy beside it, which replaces it when complete.
"""

from __future__ import annotations

import contextlib
import lzma
import os
import shutil
import struct
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from edge.core.errors import FlashError, MissingPackage
from edge.operations.flash.fat import Fat

SECTOR = 512
FAT_TYPES = {0x04, 0x06, 0x0B, 0x0C, 0x0E}
"""Partition types of FAT16 and FAT32, with CHS or LBA addressing."""
FSINFO_HINTS = 488
"""Offsets in FAT32's FSInfo sector of the free cluster count and the next free cluster, 4 bytes each."""
CHUNK = 4 << 20
PART = ".maskcam-part"
"""Suffix of a file that is being written; leftovers of an interruption are overwritten."""


class Image:
    """The first FAT partition of an image with a partition table (MBR), written without root. Raises FlashError.

    Changes are kept in memory until `settle`. `final`: the name that the file then gets, if it is a new file of our
    own, which needs no copy.
    """

    def __init__(self, path: Path, final: Path | None = None) -> None:
        self.name = str(final or path)
        self._path = path.resolve()  # the target of a link is replaced, not the link
        self._final = final
        self._offset = partition(path)
        self._fat = Fat(self._path, self._offset)
        self._changes: dict[str, bytes | None] = {}

    def read(self, name: str) -> bytes | None:
        return self._changes[name] if name in self._changes else self._fat.read(name)

    def is_folder(self, name: str) -> bool:
        found = self._fat.files.get(name.casefold())
        return found is not None and found.folder

    def write(self, name: str, data: bytes) -> None:
        self._changes[name] = data

    def remove(self, name: str) -> None:
        self._changes[name] = None

    def names(self, folder: str = "") -> list[str]:
        return self._fat.names(folder)

    def free(self) -> int:
        return self._fat.free()

    def settle(self) -> None:
        """Writes the changes to a copy, verifies it with a reader independent of the writer, then renames it."""
        if self._final:
            part = self._path
            _change(part, self._offset, self._changes)
        else:
            part = self._path.with_name(f".{self._path.name}{PART}")
            try:
                _copy(self._path, part)
                _change(part, self._offset, self._changes)
            except BaseException:
                part.unlink(missing_ok=True)
                raise
        part.replace(self._final or self._path)
        self._path = self._final or self._path
        self._fat, self._changes = Fat(self._path, self._offset), {}

    def close(self) -> None:
        self._changes = {}


def _copy(source: Path, target: Path) -> None:
    """Copies the image sparsely, with its owner and mode."""
    there, room = source.stat(), shutil.disk_usage(source.parent).free
    if (need := there.st_blocks * 512 if hasattr(there, "st_blocks") else there.st_size) > room:
        raise FlashError(
            f"{source}: {room / 1e6:.0f} MB are free beside it, {need / 1e6:.0f} MB are needed: it is written as a "
            "copy that takes its place, so that a cut harms nothing"
        )
    with source.open("rb") as old, target.open("wb") as file:
        _stream(old, file, lambda done: True)
    shutil.copymode(source, target)
    if hasattr(os, "chown"):
        with contextlib.suppress(PermissionError):
            os.chown(target, there.st_uid, there.st_gid)


def _stream(source: Any, file: IO[bytes], go_on: Callable[[int], bool]) -> None:
    """Copies, leaving holes for empty blocks. `go_on` receives the bytes so far and returns whether to continue."""
    done = 0
    while go_on(done) and (chunk := source.read(CHUNK)):
        if chunk.count(0) == len(chunk):
            file.seek(len(chunk), os.SEEK_CUR)  # most of an image is empty
        else:
            file.write(chunk)
        done += len(chunk)
    file.truncate(done)
    file.flush()
    os.fsync(file.fileno())


def _change(path: Path, offset: int, changes: dict[str, bytes | None]) -> None:
    """Raises FlashError unless an independent reader finds a consistent file system with every change in it."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # `fs`, below it, imports the deprecated pkg_resources
            from pyfatfs.PyFatFS import PyFatFS  # type: ignore[import-untyped]
    except ModuleNotFoundError as error:
        raise MissingPackage(error.name or "pyfatfs", extra="flash") from None
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Filesystem was not cleanly unmounted")
            fat = PyFatFS(str(path), offset=offset)
        with contextlib.closing(fat):
            for name, data in changes.items():
                _put(fat, name, data)
    except FlashError:
        raise
    except Exception as error:  # the library raises exceptions of any type
        raise FlashError(f"{path}: cannot be written: {error}") from error
    _forget_hints(path, offset)
    written = Fat(path, offset)
    for name, data in changes.items():
        if written.read(name) != data:
            raise FlashError(f"{path}: {name} reads back wrong: the disk is faulty: try another one")


def _put(fat: Any, name: str, data: bytes | None) -> None:
    path = _find(fat, name)
    if path:
        fat.remove(path)  # pyfatfs 1.1 does not end the chain of a file that it makes shorter
    if data is not None:
        folder, _, leaf = name.rpartition("/")
        fat.writebytes(path or f"{_folder(fat, folder)}/{leaf}", data)


def _find(fat: Any, name: str) -> str | None:
    """The path as stored in the FAT: a short name may be in capitals."""
    path = "/"
    for part in filter(None, name.split("/")):
        matches = [entry for entry in fat.listdir(path) if entry.casefold() == part.casefold()]
        if not matches:
            return None
        path = f"{path.rstrip('/')}/{matches[0]}"
        if not fat.isdir(path):
            return path
    return path


def _folder(fat: Any, name: str) -> str:
    """The path of a folder, created if missing."""
    path = ""
    for part in filter(None, name.split("/")):
        found = _find(fat, f"{path}/{part}")
        if found is None:
            found = f"{path}/{part}"
            fat.makedir(found)
        path = found
    return path


def _forget_hints(path: Path, offset: int) -> None:
    """pyfatfs does not update FAT32's count of free clusters: all ones mean "unknown", and the next system counts."""
    with path.open("r+b") as file:
        file.seek(offset)
        boot = file.read(SECTOR)
        sectors_per_fat, fsinfo = struct.unpack_from("<H", boot, 22)[0], struct.unpack_from("<H", boot, 48)[0]
        if sectors_per_fat == 0 and fsinfo:  # FAT32
            file.seek(offset + fsinfo * struct.unpack_from("<H", boot, 11)[0] + FSINFO_HINTS)
            file.write(b"\xff" * 8)
        file.flush()
        os.fsync(file.fileno())


def partition(path: Path) -> int:
    """Start of the first FAT partition, in bytes. Raises FlashError."""
    with path.open("rb") as file:
        return _extent(path, file.read(SECTOR))[0]


def _extent(path: Path, table: bytes) -> tuple[int, int]:
    """First byte of the first FAT partition, and the first one after it."""
    if table[510:] != b"\x55\xaa":
        raise FlashError(f"{path}: no partition table: expected the image of a card, such as Raspberry Pi OS's .img")
    entries = [struct.unpack_from("<4xB3xII", table, 446 + 16 * i) for i in range(4)]
    if any(kind == 0xEE for kind, *_ in entries):
        raise FlashError(f"{path}: a GPT partition table: expected an image for Raspberry Pi, which has an MBR")
    for kind, start, size in entries:
        if kind in FAT_TYPES:
            return int(start) * SECTOR, int(start + size) * SECTOR
    raise FlashError(f"{path}: no FAT partition: expected the image of a card, such as Raspberry Pi OS's .img")


def unpack(source: Path, target: Path, progress: Callable[[int], None], whole: bool = True) -> None:
    """Unpacks an .img.xz to a file, completely or up to the end of its boot partition; `progress` receives the bytes.

    Raises FlashError for a damaged archive, and removes the file.
    """
    end = 1 << 62

    def go_on(done: int) -> bool:
        progress(done)
        return done < end

    try:
        with lzma.open(source) as packed:
            if not whole:
                end = _extent(source, packed.read(SECTOR))[1]
                packed.seek(0)
            with target.open("wb") as file:
                _stream(packed, file, go_on)
    except (lzma.LZMAError, EOFError) as error:
        target.unlink(missing_ok=True)
        raise FlashError(f"{source}: damaged: {error}: download it again") from None
    except OSError as error:
        target.unlink(missing_ok=True)
        raise FlashError(f"{target}: {source} cannot be unpacked there ({error.strerror or error})") from None
    except BaseException:
        target.unlink(missing_ok=True)
        raise
