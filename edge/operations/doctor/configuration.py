"""Checks of the settings: whether they load, and what a start does if they do not."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path

from edge.config import strays
from edge.core.errors import ConfigError
from edge.core.findings import Finding, absent, bad, ok, warn


def configuration(load: Callable[[], object], files: Sequence[Path]) -> Iterator[Finding]:
    """`load` raises ConfigError if `files`, variables or --set have mistakes."""
    named = ", ".join(map(str, files)) or "no file: the defaults"
    try:
        load()
    except ConfigError as error:
        for line in str(error).splitlines():
            if "Permission denied" in line:  # it may hold passwords, so only the service can read it
                yield warn("configuration", line, "sudo maskcam doctor")
                continue
            yield bad("configuration", line, f"maskcam config check {shlex.join(map(str, files))}".strip())
        return
    yield ok("configuration", named)


def unread(files: Sequence[Path], root: Path) -> Iterator[Finding]:
    """Files that look like settings but are not read: without other `files` the camera runs on the defaults."""
    for path in strays.lying(root):
        meant, command = strays.remedy(path, root)
        found = f"{path} is not read: expected {meant}"
        yield (
            warn("configuration", found, f"remove it, or {command}") if files else bad("configuration", found, command)
        )


def last_good(root: Path, broken: bool) -> Iterator[Finding]:
    """What replaces broken files when the service starts."""
    path = root / "var/lib/maskcam/last-good.toml"
    try:
        when = f"{datetime.fromtimestamp(path.stat().st_mtime):%Y-%m-%d %H:%M}"
    except PermissionError:
        yield absent("last good", "hidden from this user", "sudo maskcam doctor")
    except OSError:
        found = "no settings were kept yet"
        if broken:
            yield warn("last good", f"{found}: a start leaves out what is broken", "correct the configuration")
        else:
            yield absent("last good", found)
    else:
        if broken:
            yield warn("last good", f"a start uses the settings of {when}: {path}", "correct the configuration")
        else:
            yield ok("last good", f"kept on {when}")
