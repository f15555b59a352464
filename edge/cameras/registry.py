"""The cameras: each row states everything that other code needs to know of a kind.

Adding one is a module with its class, a row here and a test; another package adds one through the entry point
"maskcam.cameras", which names a `CameraKind`. What a row opens is imported when it is opened.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge.core import secrets
from edge.core.errors import CameraError
from edge.core.paths import elsewhere
from edge.core.plugins import installed
from edge.core.ports import Camera


@dataclass(frozen=True)
class CameraKind:
    """One kind of camera."""

    name: str
    matches: Callable[[str], bool]
    """Whether `camera.source` names a camera of this kind."""
    open: Callable[..., Camera]
    """`open(settings, source, live)` with the section [camera]. Raises CameraError and MissingPackage."""
    device: bool = True
    """Whether it is a device, which can be lost and has `describe()`; otherwise it is a recording."""
    needs: frozenset[str] = frozenset()
    """What the installer provides for it: "network", which opens the service's sandbox; "extra:NAME", an extra of
    maskcam; "apt:NAME", a package of the system."""
    requires: str = ""
    """A module to import before its thread starts, so that a missing package is reported at once."""


def _size(settings: Any) -> dict[str, Any]:
    return {"width": settings.width, "height": settings.height, "fps": settings.fps}


def _number(source: str) -> int:
    """1 of "pi:1"; 0 of "pi"."""
    return int(source.partition(":")[2] or 0)


def _pi(settings: Any, source: str, live: bool) -> Camera:
    from edge.cameras.pi import PiCamera

    silence = settings.lost_after
    return PiCamera(number=_number(source), exposure=settings.exposure, silence=silence, **_size(settings))


def _csi(settings: Any, source: str, live: bool) -> Camera:
    from edge.cameras.csi import CsiCamera

    return CsiCamera(sensor=_number(source), exposure=settings.exposure, **_size(settings))


def _v4l2(settings: Any, source: str, live: bool) -> Camera:
    from edge.cameras.v4l2 import V4L2Camera

    return V4L2Camera(device=source, format=settings.format, exposure=settings.exposure, **_size(settings))


def _stream(settings: Any, source: str, live: bool) -> Camera:
    from edge.cameras.stream import StreamCamera

    return StreamCamera(url=source, timeout=settings.timeout, silence=settings.lost_after)


def _synthetic(settings: Any, source: str, live: bool) -> Camera:
    from edge.cameras.synthetic import SyntheticCamera

    duration = settings.duration or None
    return SyntheticCamera(duration=duration, seed=settings.seed, realtime=live, **_size(settings))


def _recording(settings: Any, source: str, live: bool) -> Camera:
    from edge.cameras.files import open_recording

    return open_recording(path=Path(source), realtime=live)


BUILT_IN = (
    CameraKind("synthetic", lambda source: source == "synthetic", _synthetic, device=False),
    CameraKind(
        "pi",
        lambda source: bool(re.fullmatch(r"pi(:\d+)?", source)),
        _pi,
        needs=frozenset({"apt:python3-picamera2"}),
        requires="edge.cameras.pi",
    ),
    CameraKind("csi", lambda source: bool(re.fullmatch(r"csi(:\d+)?", source)), _csi, requires="edge.cameras.csi"),
    CameraKind(
        "v4l2",
        lambda source: source.isdigit() or source.startswith("/dev/"),
        _v4l2,
        requires="edge.cameras.v4l2",
    ),
    CameraKind(
        "stream",
        lambda source: "://" in source,
        _stream,
        needs=frozenset({"network"}),
        requires="edge.cameras.stream",
    ),
)
RECORDING = CameraKind("recording", lambda source: True, _recording, device=False)
"""Any other source: a picture, a folder or a video file."""


def kinds() -> dict[str, CameraKind]:
    """All kinds by name: built-in ones, then those of other packages, which cannot replace a built-in one."""
    known = {kind.name: kind for kind in BUILT_IN}
    return known | {kind.name: kind for kind in installed("maskcam.cameras", CameraKind) if kind.name not in known}


def named(source: str) -> CameraKind | None:
    """The kind that a source names, present or not; None if it can only be a file."""
    return next((kind for kind in kinds().values() if kind.matches(source)), None)


def find(source: str, live: bool) -> CameraKind:
    """The kind of a source. A replay accepts files and the synthetic scene. Raises CameraError if the source does not
    exist."""
    kind = named(source)
    if kind and (live or not kind.device):
        return kind
    if not live and (wrong := elsewhere(source)):
        raise CameraError(wrong)
    if not live or Path(source).is_file():
        return RECORDING
    found = "is a folder, which maskcam replay reads" if Path(source).is_dir() else "does not exist"
    others = "".join(f", '{name}'" for name in list(kinds())[len(BUILT_IN) :])
    raise CameraError(
        f"camera.source = '{secrets.source(source)}' {found}: expected an index such as 0, /dev/..., 'pi', 'csi', "
        f"rtsp:// or http(s)://, 'synthetic'{others} or a video file"
    )
