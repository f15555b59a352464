"""A release or a bundle as one file: a tar with a manifest, its minisign signature, then the files it names.

minisign, for a device stays offline for years: an Ed25519 key of 32 bytes, pinned in the settings, needs no
certificate that expires, no log to ask and no clock, which a Pi does not have. The signature covers the manifest, and
the manifest the digest of every file. https://jedisct1.github.io/minisign
"""

from __future__ import annotations

import hashlib
import io
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from edge.core.digest import sha256
from edge.core.errors import MissingPackage, UpdateError

MANIFEST, SIGNATURE = "manifest.json", "manifest.json.minisig"
LIMIT = 1 << 20
"""Bytes of a manifest, before anybody has vouched for it."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Digest(_Part):
    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    bytes: int = Field(ge=0)


class Manifest(_Part):
    """What a package is and what is in it."""

    schema_version: Literal[1] = 1
    kind: Literal["release", "bundle"]
    version: str = Field(pattern=r"^[0-9][0-9a-z.+]*$")
    """Of a release as PEP 440 has it; of a bundle the date on which it was made, with dots."""
    board: str = ""
    python: str = ""
    machine: str = ""
    """Extra, Python ("3.13") and processor ("aarch64") of a release; empty for a bundle."""
    files: dict[str, Digest]

    @field_validator("files")
    @classmethod
    def _inside(cls, files: dict[str, Digest]) -> dict[str, Digest]:
        for name in files:
            path = PurePosixPath(name)
            if path.is_absolute() or ".." in path.parts or not path.parts or "\\" in name:
                raise ValueError(f"file name {name!r} leaves the package")
        return files

    @property
    def bytes(self) -> int:
        return sum(digest.bytes for digest in self.files.values())


def minisign() -> Any:
    try:
        import minisign  # type: ignore[import-untyped]

        return minisign
    except ModuleNotFoundError:
        raise MissingPackage("py-minisign", extra="update") from None


def pack(out: Path, files: Mapping[str, Path], secret_key: Path, password: str | None = None, **facts: str) -> Manifest:
    """Writes and signs a package, which appears when it is complete. `facts` are the manifest's.

    Raises UpdateError for a key that does not open.
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
    part = out.with_name(out.name + ".part")
    try:
        with tarfile.open(part, "w") as tar:
            for name, data in ((MANIFEST, text), (SIGNATURE, signature)):
                entry = tarfile.TarInfo(name)
                entry.size = len(data)
                tar.addfile(entry, io.BytesIO(data))
            for name, path in files.items():
                tar.add(path, name, filter=_plain)
        part.replace(out)
    finally:
        part.unlink(missing_ok=True)
    return manifest


def verify(path: Path, key: str) -> Manifest:
    """The manifest, when `key` (minisign's public key, base64) has signed it. Raises UpdateError."""
    if not key:
        raise UpdateError(
            "update.key is empty: expected the public key (the second line of minisign.pub) that you trust"
        )
    with _open(path) as tar:
        found = [_head(path, tar, name) for name in (MANIFEST, SIGNATURE)]
    lib = minisign()
    try:
        lib.PublicKey.from_base64(key).verify(found[0], lib.Signature.from_bytes(found[1]))
    except lib.Error as error:
        raise UpdateError(f"{path}: not signed with update.key = {key}: {error}: nothing was installed") from None
    try:
        return Manifest.model_validate_json(found[0])
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise UpdateError(f"{path}: {where}: {first['msg']}: made for another maskcam") from None


def unpack(path: Path, manifest: Manifest, folder: Path) -> None:
    """Writes the manifest's files, each checked, into `folder`. Raises UpdateError for one too many, few or wrong."""
    missing = dict(manifest.files)
    with _open(path) as tar:
        for entry in tar:
            if entry.name in (MANIFEST, SIGNATURE):
                continue
            expected = missing.pop(entry.name, None)
            data = tar.extractfile(entry) if entry.isreg() else None
            if expected is None or data is None:
                raise UpdateError(f"{path}: {entry.name}: not in the manifest, or not a plain file")
            target = folder / entry.name
            target.parent.mkdir(parents=True, exist_ok=True)
            if _copy(data, target) != expected:
                raise UpdateError(f"{path}: {entry.name}: wrong digest: the package is damaged: fetch it again")
    if missing:
        raise UpdateError(f"{path}: {', '.join(missing)}: missing: the package is cut off: fetch it again")


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
    except (tarfile.TarError, EOFError, ValueError) as error:  # damage can look like anything
        raise UpdateError(
            f"{path}: not a package, or a damaged one ({error}): expected what maskcam pack wrote"
        ) from None


def _head(path: Path, tar: tarfile.TarFile, name: str) -> bytes:
    entry = tar.next()
    data = tar.extractfile(entry) if entry and entry.name == name and entry.isreg() and entry.size < LIMIT else None
    if data is None:
        raise UpdateError(f"{path}: not a package: expected it to begin with {MANIFEST} and {SIGNATURE}")
    return data.read()


def _plain(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = entry.mtime = 0
    entry.uname = entry.gname = ""
    entry.mode = 0o644
    return entry
