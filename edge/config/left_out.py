"""What a first start does without, when a setting loads and cannot be used and nothing has ever worked."""

from __future__ import annotations

from collections.abc import Iterator

from edge.config.settings import Settings

SECTIONS = (("backend",), ("model",), ("backend", "model"), ("sinks",), ("camera",))
"""Left out by turns, the least that helps; the rest thinks and opens nothing."""
KEPT = ("device", "web", "camera")
"""What stays when a crash tells nothing of its cause; of the camera, which it is."""


def without(settings: Settings) -> Iterator[tuple[str, Settings]]:
    """The settings without one section or two, where those are not the defaults, and what was left out."""
    plain = Settings()
    for names in SECTIONS:
        if any(getattr(settings, name) != getattr(plain, name) for name in names):
            yield _words(names), settings.model_copy(update={name: getattr(plain, name) for name in names})


def bare(settings: Settings) -> tuple[str, Settings]:
    """The least that shows this camera to this user."""
    plain = Settings()
    camera = plain.camera.model_copy(update={"source": settings.camera.source, "name": settings.camera.name})
    kept = plain.model_copy(update={"device": settings.device, "web": settings.web, "camera": camera})
    return "everything but " + _words(KEPT), kept


def _words(names: tuple[str, ...]) -> str:
    return ", ".join(f"[{name}]" for name in names)
