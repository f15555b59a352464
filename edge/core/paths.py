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


def elsewhere(text: str) -> str:
    """Why `text` is no path on this machine, in words that show no password; empty where it may be one."""
    address = ADDRESS.match(text)
    return f"{address[1]}://... is an address: expected a file or folder on this machine" if address else ""


def any_path(text: str) -> Path:
    """An argparse type: a path on this machine."""
    path = meant(text)
    if wrong := elsewhere(path):
        raise argparse.ArgumentTypeError(wrong)
    return Path(path)
