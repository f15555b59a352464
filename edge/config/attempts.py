"""Counts starts that never finished, so that settings which kill the process are not tried without end.

Valid settings can still kill the process in ways that cannot be caught: a driver that crashes, a network that uses all
memory, a device that hangs until the service is killed. So a start with settings that have not worked yet is recorded
first, and the record is removed when the camera has worked or the process ends by itself.
"""

from __future__ import annotations

import hashlib
import json
import logging
from pathlib import Path

from edge.core import json_text
from edge.core.files import write

log = logging.getLogger(__name__)

FILE = "starts.json"
MOST = 3
"""Number of starts after which the same settings are given up; one may be a power cut."""


def begin(folder: Path, settings: str) -> str:
    """Counts a start with `settings`, identified by a digest; returns "" or why they should not be tried again."""
    path, digest = folder / FILE, hashlib.sha256(settings.encode()).hexdigest()
    try:
        before = json_text.parse(path.read_text(encoding="utf-8"))
        starts = int(before["starts"]) if before["settings"] == digest else 0
    except (OSError, ValueError, TypeError, LookupError, OverflowError):  # none yet, or damaged by a power cut
        starts = 0
    if starts >= MOST:
        return (
            f"the process died {starts} times before the camera saw with these settings: correct them, or try them "
            "again with: sudo systemctl reload maskcam"
        )
    try:
        write(path, json.dumps({"settings": digest, "starts": starts + 1}) + "\n", mode=0o600, durable=True)
    except OSError as error:
        log.warning("the start was not written down in %s: %s", folder, error.strerror or error)
    return ""


def end(folder: Path) -> None:
    """Removes the record: the process is alive, or ends by itself."""
    try:
        (folder / FILE).unlink(missing_ok=True)
    except OSError as error:
        log.warning("the start was not struck out in %s: %s", folder, error.strerror or error)
