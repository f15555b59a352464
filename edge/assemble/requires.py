"""What the parts that the settings choose need of the machine: for the installer and `maskcam config requires`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from edge.assemble.sinks import sections
from edge.backends.registry import backends
from edge.cameras.registry import named

if TYPE_CHECKING:
    from edge.config.settings import Settings


def board(settings: Settings) -> str:
    """The extra of the boards that have what the chosen backends need, such as "coral"; "" where any board has."""
    wanted = (backends().get(name) for name in (settings.backend.detector, settings.backend.classifier))
    return next((backend.board for backend in wanted if backend and backend.board), "")


def requires(settings: Settings) -> Iterator[str]:
    """One word each, sorted: "network" and "sound", drop-ins of the unit; "extra:NAME", extras of the package; of
    the page "page", "port:NUMBER" and, where others may reach it, "local-network"."""
    found: set[str] = set()
    if kind := named(str(settings.camera.source)):
        found |= kind.needs
    for sink, _ in sections(settings):
        found |= sink.needs
        found |= {f"extra:{sink.extra}"} if sink.extra else set()
    if settings.web:
        found |= {"page", f"port:{settings.web.port}", "extra:web"}
        found |= set() if settings.web.local else {"local-network"}
    if extra := board(settings):
        found.add(f"extra:{extra}")
    return iter(sorted(found))
