"""Wheels repacked from installed packages, for another environment of this machine or for a card.

No index is used: what was chosen and tested here is installed there.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import zipfile
from collections.abc import Collection, Iterable, Iterator
from importlib import metadata
from pathlib import Path

from edge.core.errors import MaskcamError

NEEDED = "needed"
"""Folder beside the wheels of parts for the wheels of their dependencies."""
_LEFT_OUT = ("INSTALLER", "REQUESTED", "direct_url.json")
"""Files that an installer writes, besides scripts and bytecode."""


def normal(name: str) -> str:
    """A distribution's name as in wheel names (PEP 427), such as maskcam_bell."""
    return re.sub(r"[-_.]+", "_", name).lower()


def repacked(installed: metadata.Distribution, folder: Path) -> Path:
    """The wheel of an installed distribution, with exactly the files that were installed.

    Raises MaskcamError if one has changed, or if it was installed as a link to its source.
    """
    if json.loads(installed.read_text("direct_url.json") or "{}").get("dir_info", {}).get("editable"):
        raise MaskcamError(f"{installed.name} is installed as a link to its source: install it without -e, then again")
    if not installed.files:
        raise MaskcamError(f"{installed.name} has no list of its files: install it with pip, then again")
    path = folder / f"{normal(installed.name)}-{installed.version}-{_tag(installed)}.whl"
    record, info = "", ""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(installed.files, key=str):
            if ".." in file.parts or file.hash is None or file.name in _LEFT_OUT:
                continue
            data = Path(str(file.locate())).read_bytes()
            digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
            if digest != file.hash.value:
                raise MaskcamError(f"{file}: changed since {installed.name} was installed: install it again")
            archive.writestr(zipfile.ZipInfo(str(file)), data, zipfile.ZIP_DEFLATED)
            record += f"{file},sha256={digest},{len(data)}\n"
            info = file.parts[0] if file.parts[0].endswith(".dist-info") else info
        archive.writestr(zipfile.ZipInfo(f"{info}/RECORD"), f"{record}{info}/RECORD,,\n")
    return path


def _tag(installed: metadata.Distribution) -> str:
    """Its compatibility tag, such as py3-none-any (PEP 425)."""
    tags = re.findall(r"^Tag: *(\S+)-(\S+)-(\S+)$", installed.read_text("WHEEL") or "", re.MULTILINE)
    return "-".join(".".join(dict.fromkeys(column)) for column in zip(*tags, strict=True)) if tags else "py3-none-any"


def parts(names: Iterable[str], folder: Path, there: Collection[str]) -> list[Path]:
    """Makes wheels of packages with parts in `folder`, and of their dependencies in its NEEDED; returns all of them.

    there: the `normal` names of what the other environment gets anyway. Raises MaskcamError.
    """
    roots = [metadata.distribution(name) for name in names]
    needed = _needed(roots, {"maskcam", *there})
    for place in (folder, folder / NEEDED):
        place.mkdir(parents=True, exist_ok=True)
    return [repacked(one, folder) for one in roots] + [repacked(one, folder / NEEDED) for one in needed]


def _needed(roots: list[metadata.Distribution], left_out: set[str]) -> Iterator[metadata.Distribution]:
    """The dependencies of the roots, recursively; what is not installed here was not needed here."""
    seen = left_out | {normal(root.name) for root in roots}
    waiting = list(roots)
    while waiting:
        for requirement in waiting.pop().requires or ():
            found = re.match(r"[\w.-]+", requirement)
            name = found[0] if found else ""
            if normal(name) in seen or re.search(r"\bextra\s*==", requirement):
                continue
            seen.add(normal(name))
            try:
                one = metadata.distribution(name)
            except metadata.PackageNotFoundError:
                continue
            waiting.append(one)
            yield one
