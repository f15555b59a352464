"""A release or a bundle as one file: a tar with a manifest, its minisign signature, then the files it names.

minisign suits a device that is offline for years: an Ed25519 key of 32 bytes, pinned in the settings, needs no
certificate that expires, no online log and no clock, which a Pi does not have. The signature covers the manifest, and
the manifest has the digest of every file. https://jedisct1.github.io/minisign
"""

from __future__ import annotations

import hashlib
import io
import re
import struct
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from edge.core.digest import sha256
from edge.core.errors import MissingPackage, UpdateError
from edge.core.files import replacing
from edge.operations.update import keys

MANIFEST, SIGNATURE = "manifest.json", "manifest.json.minisig"
LIMIT = 1 << 20
"""Largest manifest in bytes, before its signature is checked."""
PREFIX = ".update-"
"""Prefix of a download's name, by which leftovers of a power cut are found."""
BLOCK = 512
"""Block size of a tar."""
HEAD = 2 * (LIMIT + BLOCK)
"""Bytes at the start of a package that contain manifest and signature."""
NAME = r"[A-Za-z0-9_][A-Za-z0-9_.+!-]*"
"""Allowed name of a file or folder in a package."""
DAMAGE = (tarfile.TarError, EOFError, ValueError, OverflowError, struct.error, RecursionError)
"""Exceptions that `tarfile` raises for damaged files."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Digest(_Part):
    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    bytes: int = Field(ge=0, le=1 << 32)


class Manifest(_Part):
    """Description and content of a package."""

    schema_version: Literal[1] = 1
    kind: Literal["release", "bundle"]
    version: str = Field(pattern=r"^[0-9][0-9a-z.+]*$", max_length=64)
    """Of a release by PEP 440; of a bundle the date on which it was made, with dots."""
    board: str = ""
    python: str = ""
    machine: str = ""
    """Extra, Python ("3.13") and processor ("aarch64") of a release; empty for a bundle."""
    files: dict[str, Digest] = Field(max_length=1000)

    @field_validator("version")
    @classmethod
    def _ordered(cls, version: str) -> str:
        from packaging.version import Version

        Version(version)  # raises ValueError for a version that cannot be compared
        return version

    @field_validator("files")
    @classmethod
    def _plain_names(cls, files: dict[str, Digest]) -> dict[str, Digest]:
        for name in files:
            if len(name) > 255 or not re.fullmatch(f"{NAME}(/{NAME})*", name) or name in (MANIFEST, SIGNATURE):
                raise ValueError(
                    f"file name {name[:80]!r}: expected letters, digits and . _ + ! - in folders of such names"
                )
        return files

    @property
    def bytes(self) -> int:
        return sum(digest.bytes for digest in self.files.values())

    @property
    def packed(self) -> int:
        """Largest package in bytes: per file the padding and up to three blocks for its name."""
        return HEAD + self.bytes + len(self.files) * 6 * BLOCK + 2 * tarfile.RECORDSIZE


def minisign() -> Any:
    try:
        import minisign  # type: ignore[import-untyped]

        return minisign
    except ModuleNotFoundError:
        raise MissingPackage("py-minisign", extra="update") from None


def pack(out: Path, files: Mapping[str, Path], secret_key: Path, password: str | None = None, **facts: str) -> Manifest:
    """Writes and signs a package, which appears when it is complete. `facts`: content of the manifest.

    Raises UpdateError for a key that cannot be opened.
    """
    digests = {name: {"sha256": sha256(path), "bytes": path.stat().st_size} for name, path in files.items()}
    manifest = Manifest.model_validate({**facts, "files": digests})
    text = manifest.model_dump_json(indent=1).encode()
    try:
        key = minisign().SecretKey.from_file(secret_key)
        if key.is_encrypted():
            key.decrypt(password or "")
        signature = bytes(key.sign(text, trusted_comment=f"maskcam {manifest.kind} {manifest.version}"))
    except ValueError as error:
        raise UpdateError(
            f"{secret_key}: cannot sign: {error}: expected the secret key that minisign -G wrote"
        ) from None
    with replacing(out) as part, part.open("wb") as file, tarfile.open(fileobj=file, mode="w|") as tar:
        for name, data in ((MANIFEST, text), (SIGNATURE, signature)):
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
        for name, path in files.items():
            tar.add(path, name, filter=_plain)
    return manifest


def verify(path: Path, key: str) -> Manifest:
    """The manifest, if it is signed with `key` (minisign's public key, as its owner pasted it). Raises UpdateError.

    Reads no more than HEAD bytes.
    """
    trusted = keys.public(key)
    with _open(path) as tar:
        text, signature = [_head(tar, name) for name in (MANIFEST, SIGNATURE)]
    lib = minisign()
    try:
        lib.PublicKey.from_base64(trusted).verify(text, lib.Signature.from_bytes(signature))
    except (lib.Error, ValueError) as error:
        raise UpdateError(
            f"the package is not signed with the key of update.key: {error}: nothing was installed"
        ) from None
    try:
        return Manifest.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))[:80]
        raise UpdateError(f"the package's manifest: {where}: {first['msg']}: made for another maskcam") from None


def unpack(path: Path, manifest: Manifest, folder: Path) -> None:
    """Writes the manifest's files into `folder`, each checked. Raises UpdateError for extra, missing or wrong ones.

    Nothing is written before the names and sizes of all members agree with the manifest.
    """
    with _open(path) as tar:
        for entry in _members(tar, manifest):
            data = tar.extractfile(entry)
            assert data is not None  # a regular file
            target = folder / entry.name
            target.parent.mkdir(parents=True, exist_ok=True)
            if _copy(data, target) != manifest.files[entry.name]:
                raise UpdateError(f"{entry.name}: wrong digest: the package is damaged: fetch it again")


def _members(tar: tarfile.TarFile, manifest: Manifest) -> list[tarfile.TarInfo]:
    """The members of the manifest's files: all of them and no others."""
    missing, found = dict(manifest.files), []
    for number, entry in enumerate(tar):
        if number < 2:  # manifest and signature
            continue
        expected = missing.pop(entry.name, None)
        if expected is None or not entry.isreg() or entry.issparse():
            raise UpdateError(f"the package holds {entry.name[:80]!r}: not in its manifest, or not a plain file")
        if entry.size != expected.bytes:
            raise UpdateError(
                f"{entry.name}: {entry.size} bytes where the manifest says {expected.bytes}: the package is damaged"
            )
        found.append(entry)
    if missing:
        raise UpdateError(f"{', '.join(missing)[:200]}: missing: the package is cut off: fetch it again")
    return found


def _copy(source: IO[bytes], target: Path) -> Digest:
    total, size = hashlib.sha256(), 0
    with target.open("wb") as file:
        while chunk := source.read(LIMIT):
            file.write(chunk)
            total.update(chunk)
            size += len(chunk)
    return Digest(sha256=total.hexdigest(), bytes=size)


@contextmanager
def _open(path: Path) -> Iterator[tarfile.TarFile]:
    try:
        with tarfile.open(path, "r:") as tar:
            yield tar
    except DAMAGE as error:
        reason = " ".join(str(error).split())[:200]
        raise UpdateError(f"not a package, or a damaged one ({reason}): expected what maskcam pack wrote") from None


def _head(tar: tarfile.TarFile, name: str) -> bytes:
    entry = tar.next()
    plain = entry is not None and entry.name == name and entry.isreg() and not entry.issparse() and entry.size < LIMIT
    data = tar.extractfile(entry) if entry and plain else None
    if data is None:
        raise UpdateError(f"not a package: expected it to begin with {MANIFEST} and {SIGNATURE}")
    return data.read()


def _plain(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = entry.mtime = 0
    entry.uname = entry.gname = ""
    entry.mode = 0o644
    return entry
