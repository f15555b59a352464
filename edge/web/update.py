"""The update button: receives a package, checks its signature, and leaves it for a unit that may install it.

The service cannot write where maskcam is installed, and the page must not change that. An accepted package is stored
in the state directory under one fixed name; another unit, run by root, verifies it again and installs it.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

from edge.core.errors import UpdateError
from edge.operations.update import inbox

Work = Callable[..., Awaitable[Any]]

PREFIX = ".update-"
"""Prefix of a package that is being received."""


def sweep(folder: Path) -> None:
    """Removes leftovers of a killed process; call it before receiving anything."""
    for part in folder.glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError):
            part.unlink()


async def take(chunks: AsyncIterator[bytes], folder: Path, key: str, work: Work) -> str:
    """Keeps a package signed with `key` (minisign's); returns its kind and version. Raises UpdateError.

    `work` runs a function in another thread, so that a slow disk or a long verification blocks no other request.
    """
    if not key:
        raise UpdateError("this device trusts no key for updates: set update.key in the settings file")
    from edge.operations.update.package import verify

    try:
        room = shutil.disk_usage(folder).free - inbox.RESERVE
        with tempfile.NamedTemporaryFile(dir=folder, prefix=PREFIX, delete=False) as part:
            try:
                size = 0
                async for chunk in chunks:
                    size += len(chunk)
                    if size > inbox.LARGEST:
                        raise UpdateError(f"larger than {inbox.LARGEST >> 20} MB: no package of maskcam's")
                    if size > room:
                        raise UpdateError(f"{folder}: too little room: {max(room, 0) >> 20} MB can be used: make some")
                    await work(part.write, chunk)
                part.flush()
                await work(os.fsync, part.fileno())
                try:
                    manifest = await work(verify, Path(part.name), key)
                except UpdateError as error:
                    raise UpdateError(str(error).replace(part.name, "the file")) from None
                os.replace(part.name, folder / inbox.INBOX)
            except BaseException:
                Path(part.name).unlink(missing_ok=True)
                raise
    except OSError as error:
        raise UpdateError(f"{folder}: the package cannot be kept ({error.strerror})") from None
    return f"{manifest.kind} {manifest.version}"


def report(folder: Path | None, unit: Path = inbox.UNIT, installation: Path | None = None) -> dict[str, Any]:
    """`waits`: a package is there; `installs`: a unit that will install it is there; `last`: the outcome of the
    last one (see `inbox.outcome`), None if there was none.

    unit, installation: the path unit, and the folder of the installation, by default the running one.
    """
    from edge.operations.update import stage

    try:
        root = installation or stage.here().root
    except UpdateError:  # a checkout
        return {"waits": False, "installs": False, "last": None}
    waits = bool(folder) and (Path(folder or "") / inbox.INBOX).exists()
    return {"waits": waits, "installs": unit.exists(), "last": inbox.outcome(root)}
