"""maskcam as a library: `import maskcam`.

This folder is installed as the top-level package `maskcam` (`[tool.setuptools.packages.find]`); its contents are
implemented in `edge`. Its modules use relative imports, because they are importable under both names. Heavy modules
are imported on first use, so `import maskcam` takes milliseconds and needs no optional package.
"""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING, Any

try:
    from edge import __version__
    from edge.core.errors import (
        BundleError,
        CameraError,
        ConfigError,
        DataError,
        EngineError,
        MaskcamError,
        MissingPackage,
        SinkError,
    )
except ImportError as error:
    hides = getattr(sys.modules.get("edge"), "__file__", None) or "another module"
    raise ImportError(
        f"maskcam needs its own package 'edge', but {hides} has that name and comes first: rename it, or give maskcam "
        "a virtual environment without it"
    ) from error

if TYPE_CHECKING:
    from edge.cameras.files import read as read_image
    from edge.core.geometry import Box
    from edge.core.labels import Mask
    from edge.core.ports import Sink
    from edge.core.records import Decision, Event, Face, Frame, Observation, Track, Verdict
    from edge.vision.draw import annotate

    from .networks import Classifier, Detector
    from .watching import benchmark, watch

__all__ = [
    "Box",
    "BundleError",
    "CameraError",
    "Classifier",
    "ConfigError",
    "DataError",
    "Decision",
    "Detector",
    "EngineError",
    "Event",
    "Face",
    "Frame",
    "Mask",
    "MaskcamError",
    "MissingPackage",
    "Observation",
    "Sink",
    "SinkError",
    "Track",
    "Verdict",
    "__version__",
    "annotate",
    "benchmark",
    "read_image",
    "watch",
]

_RECORDS = ("Decision", "Event", "Face", "Frame", "Observation", "Track", "Verdict")
_LATER = {
    **{name: ("edge.core.records", name) for name in _RECORDS},
    "Box": ("edge.core.geometry", "Box"),
    "Mask": ("edge.core.labels", "Mask"),
    "Sink": ("edge.core.ports", "Sink"),
    "annotate": ("edge.vision.draw", "annotate"),
    "read_image": ("edge.cameras.files", "read"),
    "Classifier": (".networks", "Classifier"),
    "Detector": (".networks", "Detector"),
    "benchmark": (".watching", "benchmark"),
    "watch": (".watching", "watch"),
}
"""Name -> module and attribute, imported on first use; the block under TYPE_CHECKING repeats it for type checkers."""


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module 'maskcam' has no attribute '{name}'")
    module, attribute = _LATER[name]
    try:
        found = getattr(importlib.import_module(module, __name__), attribute)
    except ModuleNotFoundError as error:
        if error.name == "cv2":
            raise MissingPackage("cv2", extra="cpu") from None
        raise
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted(__all__)
