"""The support file: one archive with what a helper needs to know, without secrets or pictures."""

from __future__ import annotations

import io
import json
import platform
import sys
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import distributions
from typing import Any

from edge import __version__
from edge.config.template import toml


def archive(
    settings: Iterable[Mapping[str, Any]],
    findings: Iterable[Mapping[str, Any]],
    log: Sequence[str],
    status: Mapping[str, Any],
) -> bytes:
    """A ZIP of versions.txt, doctor.json, settings.txt, log.txt and status.json."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("versions.txt", versions())
        archive.writestr("doctor.json", json.dumps(list(findings), indent=1))
        archive.writestr("settings.txt", "".join(_lines(settings)))
        archive.writestr("log.txt", "\n".join(log) + "\n")
        archive.writestr("status.json", json.dumps(status, indent=1, default=str))
    return buffer.getvalue()


def versions() -> str:
    packages = sorted({f"{d.metadata['Name']} {d.version}" for d in distributions()}, key=str.lower)
    lines = [f"maskcam {__version__}", f"Python {sys.version}", platform.platform(), *packages]
    return "\n".join(lines) + "\n"


def _lines(settings: Iterable[Mapping[str, Any]]) -> Iterable[str]:
    for item in settings:
        if item["on"]:
            yield f"{item['key']} = {toml(item['value'])}  # {item['origin']}\n"
