"""Finds misplaced or misnamed settings files, which are not read, such as maskcam.toml.txt."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

NAME = "maskcam.toml"
_MISTAKEN = re.compile(r"maskcam([ ._(-].*)?\.(toml|tml|tom|txt|conf|cfg|ini|ya?ml|json)")
FOLDERS = (Path("boot/firmware"), Path("etc/maskcam"))
"""Under the root: where settings are read."""
BESIDE = (Path("boot"), Path("etc"))
"""Where people lay them by mistake."""


def mistaken(name: str) -> bool:
    """Whether a file in a folder of settings looks like them by its `name` and is not."""
    return name.casefold() != NAME and bool(_MISTAKEN.fullmatch(name.casefold()))


def lying(root: Path = Path("/")) -> list[Path]:
    """Files under `root` that look like settings and are not read."""
    found: list[Path] = []
    for folder in (root / one for one in (*FOLDERS, *BESIDE)):
        read = folder / NAME if folder.relative_to(root) in FOLDERS else None
        try:
            files = sorted(path for path in folder.iterdir() if path.is_file())
        except OSError:  # not there, or hidden from this user
            continue
        for path in files:
            if path.name.casefold() == NAME:  # the card's file system takes capitals for the same, others do not
                if read is None or not (read.exists() and path.samefile(read)):
                    found.append(path)
            elif mistaken(path.name):
                found.append(path)
    return found


def remedy(path: Path, root: Path = Path("/")) -> tuple[str, str]:
    """Where `path` was meant to lie, and the command that brings it there."""
    read = path.parent.relative_to(root) in FOLDERS
    meant = (path.parent if read else root / FOLDERS[BESIDE.index(path.parent.relative_to(root))]) / NAME
    return str(meant), f"sudo mv {shlex.quote(str(path))} {meant}"
