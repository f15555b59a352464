"""The cameras that the page offers for choice."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from edge.operations.doctor.cameras import Device, query, usable


def found(
    current: int | str, root: Path = Path("/"), query: Callable[[Path], Device | None] = query
) -> list[dict[str, Any]]:
    """`source` for the setting `camera.source`, `name`, and `now`, whether it is in use: USB cameras by a stable path,
    then the synthetic one. `current`: what is in use, without its secrets."""
    listed = [{"source": str(link or node), "name": device.card} for node, link, device in usable(root, query)]
    listed.append({"source": "synthetic", "name": "no camera: a moving portrait, for trying things out"})
    text = str(current)
    if all(item["source"] != text for item in listed):
        listed.insert(0, {"source": text, "name": "as set now"})
    return [item | {"now": item["source"] == text} for item in listed]
