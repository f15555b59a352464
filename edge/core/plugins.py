"""What is imported by its name when it is chosen, and parts that other packages bring.

A package extends maskcam through an entry point of one of the groups "maskcam.sinks", "maskcam.cameras" and
"maskcam.backends"; each names an object that describes the part.
"""

from __future__ import annotations

import functools
import importlib
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import metadata
from typing import Any, TypeVar

from edge.core.errors import EngineError, MissingPackage

log = logging.getLogger(__name__)

T = TypeVar("T")

EXTRAS = {
    "cv2": "cpu",
    "ai_edge_litert": "cpu",
    "tflite_runtime": "cpu",
    "skimage": "demo",
    "pooch": "demo",
    "gpiozero": "pi",
    "gpiod": "jetson",
    "paho": "mqtt",
    "prometheus_client": "web",
    "starlette": "web",
    "uvicorn": "web",
}
"""Which extra brings a package; any other one bears its own name on PyPI."""


@contextmanager
def importing() -> Iterator[None]:
    """Around what imports packages that may be absent, wherever in the block that happens.

    Raises MissingPackage when a package is not installed and EngineError when an installed one does not load. A mistake
    inside maskcam itself is neither, and passes as it is.
    """
    try:
        yield
    except ImportError as error:
        package = (error.name or "").partition(".")[0]
        if isinstance(error, MissingPackage) or package in ("", "edge"):
            raise
        if isinstance(error, ModuleNotFoundError):
            remedy = "" if package in EXTRAS else f"pip install {package}"
            raise MissingPackage(package, EXTRAS.get(package, "cpu"), remedy) from None
        raise EngineError(f"package '{package}' is installed but does not load: {error}") from None


def resolve(target: str) -> Any:
    """Imports "module:attribute". Raises what `importing` raises."""
    module, attribute = target.split(":")
    with importing():
        return getattr(importlib.import_module(module), attribute)


@functools.cache
def installed(group: str, kind: type[T]) -> Sequence[T]:
    """The parts that other packages bring under an entry point `group`, in the order of their names.

    One that does not load, or is something else than a `kind`, is reported and left out: the camera starts without it.
    """
    found = []
    for entry in sorted(metadata.entry_points(group=group), key=lambda entry: entry.name):
        try:
            part = entry.load()
        except Exception as error:  # somebody else's code
            log.warning("%s: '%s' (%s) does not load: %s", group, entry.name, entry.value, error)
            continue
        if isinstance(part, kind):
            found.append(part)
        else:
            log.warning("%s: '%s' (%s) is no %s: left out", group, entry.name, entry.value, kind.__name__)
    return found
