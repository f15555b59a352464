"""Keeps probe results until something that they depend on changes."""

from __future__ import annotations

import hashlib
import json
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict
from glob import glob
from importlib import metadata
from pathlib import Path

import cv2
import numpy as np

from edge import __version__
from edge.backends import coral
from edge.backends.registry import Backend
from edge.backends.selection.probe import ProbeResult
from edge.core import json_text
from edge.core.files import write
from edge.vision.bundle import Bundle

NAME = "backends.json"
PACKAGES = ("ai-edge-litert", "tflite-runtime", "tensorflow", "tensorflow-cpu")
FILES = (
    "/dev/nvidia[0-9]*",
    "/dev/nvhost-gpu",
    *(f"{lib}/libedgetpu.so.1" for lib in ("/usr/lib", "/usr/lib/*", "/usr/local/lib", "/lib")),
)
"""Devices, and a driver that no package version covers."""


def key(bundle: Bundle, candidates: Sequence[Backend], threads: int, device: str, root: Path | str = "/") -> str:
    """A digest of everything that a probe depends on: versions, devices, the bundle and the settings."""
    files = sorted(path for pattern in FILES for path in glob(os.path.join(root, pattern.lstrip("/"))))
    facts = {
        "versions": [__version__, platform.python_version(), platform.machine(), np.__version__, cv2.__version__],
        "build": hashlib.sha256(cv2.getBuildInformation().encode()).hexdigest(),
        "packages": [_version(package) for package in PACKAGES],
        "devices": coral.devices(root),
        "files": [(path, os.stat(path).st_mtime_ns) for path in files],
        "bundle": [(name, digest.sha256) for name, digest in sorted(bundle.files.items())],
        "settings": [[c.name for c in candidates], threads, device],
    }
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""


def recall(folder: Path | None, key: str) -> list[ProbeResult] | None:
    """The results kept under `key`; None if there are none, they have another key or cannot be read."""
    if folder is None:
        return None
    try:
        kept = json_text.parse((folder / NAME).read_text())
        return [ProbeResult(**row) for row in kept["rows"]] if kept["key"] == key else None
    except (OSError, ValueError, TypeError, KeyError):
        return None


def remember(folder: Path, key: str, rows: Sequence[ProbeResult]) -> None:
    """Replaces the file atomically. Raises OSError."""
    write(folder / NAME, json.dumps({"key": key, "rows": [asdict(row) for row in rows]}, indent=1))
