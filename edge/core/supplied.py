"""The files that come with maskcam: configurations, unit and installer, in the wheel or in a checkout."""

from __future__ import annotations

import os
from pathlib import Path

from edge.core.paths import any_path

PACKAGE = Path(__file__).parents[1]
"""edge/, which the wheel carries with a copy of configs/ and systemd/ in share/."""


def folder() -> Path | None:
    """The folder with configs/ and systemd/; None where they were not installed."""
    return next((f for f in (PACKAGE / "share", PACKAGE.parent) if (f / "systemd" / "install.sh").is_file()), None)


def readable_path(text: str) -> Path:
    """An argparse type of what is read: a path, or what comes with maskcam under that name.

    So `configs/pi.toml` and `edge/shipped`, as the documents write them, are found from every folder. What lies in the
    working directory comes first; never to be used for what is written.
    """
    path = any_path(text)
    if os.path.lexists(path) or ".." in path.parts:
        return path
    if path == Path("edge", "shipped"):
        return PACKAGE / "shipped"
    supplied = folder()
    if supplied and path.parts[:1] == ("configs",) and (supplied / path).is_file():
        return supplied / path
    return path
