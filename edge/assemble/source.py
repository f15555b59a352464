"""The camera that the settings name."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge.assemble.tables import CAMERAS, DEVICES, resolve
from edge.core import secrets
from edge.core.errors import CameraError
from edge.core.ports import Camera

if TYPE_CHECKING:
    from edge.config.settings import Settings

log = logging.getLogger(__name__)


def opened(settings: Settings, live: bool, stack: ExitStack) -> tuple[Camera, Sequence[Path], float]:
    """The camera, opened; the files of a set of pictures; the frame rate, 1/s."""
    wanted, kind = settings.camera, _kind(str(settings.camera.source), live)
    if kind in DEVICES:
        resolve(CAMERAS[kind])  # what is not installed is said at once, not by the thread that opens the camera
        steady = resolve(CAMERAS["steady"])(
            partial(camera, settings, live),
            wanted.timeout + wanted.lost_after,
            wanted.lost_after,
            wanted.frozen_after,
            wanted.retry_first,
            wanted.retry_longest,
            wanted.reopen,
        )
        return stack.enter_context(closing(steady)), [], wanted.fps
    source = camera(settings, live)
    # `LatestFrame` closes what it wraps, in the thread that reads it.
    opened = stack.enter_context(closing(resolve(CAMERAS["newest"])(source) if live else source))
    pictures = [Path(path) for path in getattr(source, "paths", ())]
    return opened, pictures, float(getattr(source, "fps", wanted.fps))


def named(settings: Settings) -> str:
    """The camera's name for messages."""
    return secrets.source(settings.camera.source)


def camera(settings: Settings, live: bool) -> Camera:
    """The camera or recording that `camera.source` names, opened. Raises CameraError and MissingPackage."""
    wanted, source = settings.camera, str(settings.camera.source)
    kind = _kind(source, live)
    size = {"width": wanted.width, "height": wanted.height, "fps": wanted.fps}
    number = int(source.partition(":")[2] or 0) if kind in ("pi", "csi") else 0
    arguments: dict[str, dict[str, Any]] = {
        "pi": size | {"number": number, "exposure": wanted.exposure, "silence": wanted.lost_after},
        "csi": size | {"sensor": number, "exposure": wanted.exposure},
        "v4l2": size | {"device": source, "format": wanted.format, "exposure": wanted.exposure},
        "stream": {"url": source, "timeout": wanted.timeout, "silence": wanted.lost_after},
        "synthetic": size | {"duration": wanted.duration or None, "seed": wanted.seed, "realtime": live},
        "recording": {"path": Path(source), "realtime": live},
    }
    opened: Any = resolve(CAMERAS[kind])(**arguments[kind])
    if kind in DEVICES:
        log.info("camera: %s", opened.describe())
    aspect = wanted.pixel_aspect or float(getattr(opened, "pixel_aspect", 1.0))
    if (wanted.rotation, wanted.flip, wanted.region, aspect) == (0, "none", [0, 0, 1, 1], 1.0):
        return opened
    return resolve(CAMERAS["view"])(opened, wanted.rotation, wanted.flip, wanted.region, aspect)


def _kind(source: str, live: bool) -> str:
    """The key of CAMERAS for a source."""
    if source == "synthetic":
        return "synthetic"
    if not live:
        return "recording"
    if named := re.fullmatch(r"(pi|csi)(:\d+)?", source):
        return named[1]
    if source.isdigit() or source.startswith("/dev/"):
        return "v4l2"
    if "://" in source:
        return "stream"
    if Path(source).is_file():
        return "recording"
    found = "is a folder, which maskcam replay reads" if Path(source).is_dir() else "does not exist"
    raise CameraError(
        f"camera.source = '{secrets.source(source)}' {found}: expected an index such as 0, /dev/..., 'pi', 'csi', "
        "rtsp:// or http(s)://, 'synthetic' or a video file"
    )
