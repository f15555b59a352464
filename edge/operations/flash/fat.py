"""Reads and checks a FAT16 or FAT32 file system, independently of the library that writes it.

The layout follows Microsoft's "FAT32 File System Specification", version 1.03 (December 2000).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge.core.errors import FlashError

ENTRY = 32
LONG_NAME, FOLDER, LABEL = 0x0F, 0x10, 0x08
"""Attributes of directory entries."""
DELETED = 0xE5
LOWER_STEM, LOWER_SUFFIX = 0x08, 0x10
"""Flags of a short name that is shown in lower case."""


@dataclass(frozen=True)
class File:
    """`name` is the path as written, with "/"; `clusters` are those of its content, in order."""

    name: str
    folder: bool
    size: int
    clusters: NDArray[np.int64]


class Fat:
    """The file system at `offset` bytes of a file. Raises FlashError if it is inconsistent."""

    def __init__(self, path: Path, offset: int) -> None:
        self._path, self._offset = path, offset
        with path.open("rb") as file:
            file.seek(offset)
            boot = file.read(512).ljust(512, b"\0")
            self._sector, self._per_cluster, reserved, self._copies, roots, total, _, size = struct.unpack_from(
                "<HBHBHHBH", boot, 11
            )
            total = total or struct.unpack_from("<I", boot, 32)[0]
            size32, root = struct.unpack_from("<I", boot, 36)[0], struct.unpack_from("<I", boot, 44)[0]
            if boot[510:] != b"\x55\xaa" or self._sector not in (512, 1024, 2048, 4096) or not self._per_cluster:
                raise self._error("no FAT file system there")
            table = (size or size32) * self._sector
            self._roots = reserved * self._sector + self._copies * table
            self._data = self._roots + -(-roots * ENTRY // self._sector) * self._sector
            self._cluster = self._sector * self._per_cluster
            count = (total * self._sector - self._data) // self._cluster
            if not self._copies or count < 4085 or file.seek(0, 2) < offset + total * self._sector:
                raise self._error("cut off, or no FAT16 or FAT32")
            wide = count >= 65525
            file.seek(offset + reserved * self._sector)
            tables = [file.read(table) for _ in range(self._copies)]
        kind = "<u4" if wide else "<u2"
        self._end, mask = (0x0FFFFFF8, 0x0FFFFFFF) if wide else (0xFFF8, 0xFFFF)
        if len(tables[0]) < (count + 2) * np.dtype(kind).itemsize:
            raise self._error("its table of clusters is too short")
        # Bits in the first two entries say that it was not unmounted; the other entries of the copies must agree.
        found = [np.frombuffer(each, kind)[: count + 2].astype(np.int64) & mask for each in tables]
        if any((each[2:] != found[0][2:]).any() for each in found[1:]):
            raise self._error("its tables of clusters differ from one another")
        self._next = found[0]
        self._used = np.zeros(count + 2, bool)
        folder = self._content(self._chain(root, "/")) if wide else self._at(self._roots, roots * ENTRY)
        self.files: dict[str, File] = {}
        """The entries by their path in lower case, folders before their content."""
        for found_file in self._walk("", folder):
            if self.files.setdefault(found_file.name.casefold(), found_file) is not found_file:
                raise self._error(f"{found_file.name}: there twice")
        if (lost := int(((self._next[2:] != 0) & (self._next[2:] != self._end - 1) & ~self._used[2:]).sum())) > 0:
            raise self._error(f"{lost} clusters belong to no file")

    def read(self, name: str) -> bytes | None:
        found = self.files.get(name.casefold())
        return None if found is None or found.folder else self._content(found.clusters)[: found.size]

    def names(self, folder: str = "") -> list[str]:
        """Names of the files and folders in a folder, sorted."""
        start = f"{folder}/".casefold() if folder else ""
        below = (file.name for key, file in self.files.items() if key.startswith(start))
        return sorted(name[len(start) :] for name in below if "/" not in name[len(start) :])

    def free(self) -> int:
        """Free space in bytes."""
        return int((self._next[2:] == 0).sum()) * self._cluster

    def _walk(self, folder: str, data: bytes) -> Iterator[File]:
        """The files and folders below `folder`, whose entries are in `data`."""
        long = ""
        for at in range(0, len(data), ENTRY):
            entry = data[at : at + ENTRY]
            if entry[0] == 0:
                return
            if entry[0] == DELETED:
                long = ""
            elif entry[11] & 0x3F == LONG_NAME:
                long = (entry[1:11] + entry[14:26] + entry[28:]).decode("utf-16-le", "replace") + long
            elif entry[11] & LABEL:
                long = ""
            else:
                name, long = long.partition("\0")[0] or _short(entry), ""
                if name not in (".", ".."):
                    yield from self._one(f"{folder}{name}", entry)

    def _one(self, name: str, entry: bytes) -> Iterator[File]:
        high, low, size = struct.unpack_from("<H4xHI", entry, 20)
        first, folder = (high << 16 if self._end > 0xFFFF else 0) | low, bool(entry[11] & FOLDER)
        clusters = self._chain(first or self._end, name)
        if not folder and len(clusters) != -(-size // self._cluster):
            raise self._error(f"{name}: {size} bytes in {len(clusters)} clusters of {self._cluster}")
        if folder and (not first or name.count("/") > 20):
            raise self._error(f"{name}: a folder that begins nowhere, or never ends")
        yield File(name, folder, size, clusters)
        if folder:
            yield from self._walk(f"{name}/", self._content(clusters))

    def _chain(self, cluster: int, name: str) -> NDArray[np.int64]:
        found = []
        while cluster < self._end:
            if not 2 <= cluster < len(self._next) or self._used[cluster]:
                raise self._error(f"{name}: its clusters lead astray, or belong to another file, too")
            self._used[cluster] = True
            found.append(cluster)
            cluster = int(self._next[cluster])
        return np.array(found, np.int64)

    def _content(self, clusters: NDArray[np.int64]) -> bytes:
        runs = np.split(clusters, np.flatnonzero(np.diff(clusters) != 1) + 1) if len(clusters) else []
        starts = (self._data + (int(run[0]) - 2) * self._cluster for run in runs)
        return b"".join(self._at(start, len(run) * self._cluster) for start, run in zip(starts, runs, strict=True))

    def _at(self, start: int, size: int) -> bytes:
        with self._path.open("rb") as file:
            file.seek(self._offset + start)
            return file.read(size)

    def _error(self, what: str) -> FlashError:
        return FlashError(f"{self._path}: its boot partition is damaged: {what}: write the image again")


def _short(entry: bytes) -> str:
    stem, suffix = (entry[a:b].decode("cp437").rstrip() for a, b in ((0, 8), (8, 11)))
    stem = stem.lower() if entry[12] & LOWER_STEM else stem
    suffix = suffix.lower() if entry[12] & LOWER_SUFFIX else suffix
    return f"{stem}.{suffix}" if suffix else stem
