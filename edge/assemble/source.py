"""Opens the camera that the settings name."""

from __future__ import annotations

import importlib
import logging
from collections.abc import Sequence
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge.cameras.registry import find
from edge.core import secrets
from edge.core.plugins import importing
from edge.core.ports import Camera

if TYPE_CHECKING:
    from edge.config.settings import Settings

log = logging.getLogger(__name__)


def opened(settings: Settings, live: bool, stack: ExitStack) -> tuple[Camera, Sequence[Path], float]:
    """The camera, opened; the files of a set of pictures; the frame rate, 1/s."""
    wanted, kind = settings.camera, find(str(settings.camera.source), live)
    if kind.device:
        with importing():  # a missing package is reported at once, not by the thread that opens the camera
            if kind.requires:
                importlib.import_module(kind.requires)
            from edge.cameras.reconnecting import ReconnectingCamera

            reconnecting = ReconnectingCamera(
                partial(camera, settings, live),
                first_within=wanted.timeout + wanted.lost_after,
                lost_after=wanted.lost_after,
                frozen_after=wanted.frozen_after,
                retry_first=wanted.retry_first,
                retry_longest=wanted.retry_longest,
                reopen=wanted.reopen,
            )
        return stack.enter_context(closing(reconnecting)), [], wanted.fps
    from edge.cameras.latest_frame import LatestFrame

    source: Any = camera(settings, live)
    # `LatestFrame` closes what it wraps, in the thread that reads it.
    opened = stack.enter_context(closing(LatestFrame(source) if live else source))
    pictures = [Path(path) for path in getattr(source, "paths", ())]
    return opened, pictures, float(getattr(source, "fps", wanted.fps))


def named(settings: Settings) -> str:
    """The camera's name for messages."""
    return secrets.source(settings.camera.source)


def camera(settings: Settings, live: bool) -> Camera:
    """The camera or recording that `camera.source` names, opened. Raises CameraError and MissingPackage."""
    wanted, source = settings.camera, str(settings.camera.source)
    kind = find(source, live)
    with importing():
        opened: Any = kind.open(wanted, source, live)
    if kind.device:
        log.info("camera: %s", opened.describe())
    aspect = wanted.pixel_aspect or float(getattr(opened, "pixel_aspect", 1.0))
    if (wanted.rotation, wanted.flip, wanted.region, wanted.covered, aspect) == (0, "none", [0, 0, 1, 1], [], 1.0):
        return opened
    from edge.cameras.transform import Transform

    return Transform(opened, wanted.rotation, wanted.flip, wanted.region, aspect, wanted.covered)
