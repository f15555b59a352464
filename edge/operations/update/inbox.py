"""Installs a package that the page received: root moves it out of the service's reach first.

The state directory belongs to the service, which is exposed to the network, so nothing in it is trusted: the package is
copied to where only root can write, its signature is checked on the copy, and the trusted key is read from files that
only root can write (`key`). The outcome is kept beside the installation, where the page can read it.
"""

from __future__ import annotations

import json
import os
import shutil
import stat
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from edge.core import json_text
from edge.core.errors import MaskcamError, UpdateError
from edge.core.files import write
from edge.operations.update.activate import Reporter

INBOX = "update.tar"
"""File name in the state directory that the path unit watches."""
OUTCOME = "received.json"
"""File in the installation's folder: `time`, `state` ("installing", "installed", "failed") and `said`, the lines."""
UNIT = Path("/etc/systemd/system/maskcam-inbox.path")
LARGEST = 512 << 20
"""Largest package, in bytes."""
RESERVE = 64 << 20
"""Bytes of disk that a copy leaves free."""


def install(path: Path, root: Path, apply: Callable[[Path, Reporter], None]) -> None:
    """Moves the package from `path` to `root`, and passes the copy to `apply`, with a function that reports lines.

    Raises MaskcamError if nothing new runs; the package is removed in any case, so it is tried only once.
    """
    said: list[str] = []

    def tell(state: str) -> None:
        now = datetime.now(timezone.utc).isoformat(timespec="seconds")
        text = json.dumps({"time": now, "state": state, "said": said})
        write(root / OUTCOME, text, mode=0o644, durable=True)

    def say(line: str) -> None:
        print(line, flush=True)
        said.append(line)
        tell("installing")

    own = root / INBOX
    try:
        _take(path, own)
        tell("installing")
        apply(own, say)
    except MaskcamError as error:
        said.append(str(error).replace(str(own), "the package"))
        tell("failed")
        raise
    finally:
        own.unlink(missing_ok=True)
    tell("installed")


def _take(path: Path, own: Path) -> None:
    """Opens the package; a link or a pipe in its place is not followed, but removed."""
    try:
        number = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        path.unlink(missing_ok=True)
        raise UpdateError(f"{path}: no package there ({error.strerror})") from None
    with open(number, "rb") as file:
        found = os.fstat(number)
        try:
            if not stat.S_ISREG(found.st_mode) or found.st_size > LARGEST:
                raise UpdateError(f"{path}: expected a file of {LARGEST >> 20} MB at most")
            if shutil.disk_usage(own.parent).free < found.st_size + RESERVE:
                raise UpdateError(f"{own.parent}: too little room for {found.st_size >> 20} MB more: make room first")
            with open(own, "wb") as copy:
                _copy(file, copy, found.st_size)
                os.fsync(copy.fileno())
        finally:
            path.unlink(missing_ok=True)


def _copy(source: Any, target: Any, size: int) -> None:
    """Copies `size` bytes, even if the file grows in the meantime."""
    while size > 0 and (chunk := source.read(min(size, 1 << 20))):
        target.write(chunk)
        size -= len(chunk)


def outcome(root: Path) -> dict[str, Any] | None:
    """The outcome of the last package; None if there was none, or it cannot be read."""
    try:
        found = json_text.parse((root / OUTCOME).read_bytes())
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None
