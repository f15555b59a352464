"""Paths as people write them."""

from __future__ import annotations

import argparse
import os
import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

ADDRESS = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://")


def meant(text: str) -> str:
    """What a path means: `~/` the home folder, where no shell has put it in, and file:// the file at that address."""
    if text[:7].lower() == "file://":
        path = unquote(urlsplit(text).path)
        return path[1:] if re.match(r"/[A-Za-z]:/", path) else path  # a drive of Windows
    return os.path.expanduser(text) if text.startswith("~/") else text


def any_path(text: str) -> Path:
    """An argparse type: a path on this machine."""
    path = meant(text)
    if address := ADDRESS.match(path):  # the rest may hold a password
        raise argparse.ArgumentTypeError(f"{address[1]}://... is an address: expected a file or folder on this machine")
    return Path(path)
