"""Imports by name, and parts from other packages.

A package extends maskcam through an entry point of one of the groups "maskcam.sinks", "maskcam.cameras" and
"maskcam.backends"; each names an object that describes the part.
"""

from __future__ import annotations

import functools
import importlib
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib import metadata
from typing import Any, TypeVar

from edge.core.errors import EngineError, MissingPackage

log = logging.getLogger(__name__)

GROUPS = ("maskcam.sinks", "maskcam.cameras", "maskcam.backends")
"""Groups of entry points through which a package adds a part."""

T = TypeVar("T")

EXTRAS = {
    "cv2": "cpu",
    "ai_edge_litert": "cpu",
    "tflite_runtime": "cpu",
    "skimage": "demo",
    "pooch": "demo",
    "gpiozero": "gpiozero",
    "gpiod": "gpiod",
    "paho": "mqtt",
    "prometheus_client": "web",
    "starlette": "web",
    "uvicorn": "web",
}
"""Which extra installs a module; other modules have the same name on PyPI."""


@contextmanager
def importing() -> Iterator[None]:
    """A context for code that imports optional packages.

    Raises MissingPackage if a package is not installed and EngineError if an installed one does not load. An import
    error inside maskcam itself is raised unchanged.
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
    """The parts of an entry point `group`, sorted by name.

    One that does not load, or is not a `kind`, is reported and left out: the camera starts without it.
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


def providers() -> list[str]:
    """The names of the installed packages that bring parts, sorted."""
    return sorted({entry.dist.name for group in GROUPS for entry in metadata.entry_points(group=group) if entry.dist})


def provider(group: str, part: object) -> str:
    """The name of the package that brings a part through an entry point `group`; "" for a built-in part."""
    for entry in metadata.entry_points(group=group):
        with suppress(Exception):  # one that does not load was reported by `installed`
            if entry.load() is part and entry.dist:
                return entry.dist.name
    return ""
