"""Which sections a first start leaves out if valid settings cannot be used and none have worked before."""

from __future__ import annotations

from collections.abc import Iterator

from edge.config.settings import Settings

SECTIONS = (("backend",), ("model",), ("backend", "model"), ("sinks",), ("camera",))
"""Sections to leave out, tried in this order; the others open nothing."""
KEPT = ("device", "web", "camera")
"""Sections that stay after a crash of unknown cause; of [camera] only source and name."""


def without(settings: Settings) -> Iterator[tuple[str, Settings]]:
    """What was left out and the settings without it, for each of SECTIONS that is not the default."""
    plain = Settings()
    for names in SECTIONS:
        if any(getattr(settings, name) != getattr(plain, name) for name in names):
            yield _words(names), settings.model_copy(update={name: getattr(plain, name) for name in names})


def bare(settings: Settings) -> tuple[str, Settings]:
    """The minimal settings that show this camera to its user."""
    plain = Settings()
    camera = plain.camera.model_copy(update={"source": settings.camera.source, "name": settings.camera.name})
    kept = plain.model_copy(update={"device": settings.device, "web": settings.web, "camera": camera})
    return "everything but " + _words(KEPT), kept


def _words(names: tuple[str, ...]) -> str:
    return ", ".join(f"[{name}]" for name in names)
