"""What the parts chosen in the settings need from the machine: for the installer and `maskcam config requires`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from edge.assemble.sinks import sections
from edge.backends.registry import Backend, backends
from edge.cameras.registry import named
from edge.core.plugins import provider
from edge.sinks import pins

if TYPE_CHECKING:
    from edge.config.settings import Settings


def requires(settings: Settings, raspberry_pi: bool | None = None) -> list[str]:
    """One word per need, sorted:

    - "network" and "sound", which open the sandbox of the service;
    - "extra:NAME", an extra of maskcam, and "apt:NAME", a package of the system;
    - "package:NAME", another package, which brings a chosen part through an entry point;
    - "board:NAME", the kind of board that has what a chosen backend needs;
    - for the page "page", "port:NUMBER" and, if other machines may reach it, "local-network".

    raspberry_pi: whether the target is a Raspberry Pi; None asks this machine.
    """
    on_pi = pins.on_raspberry_pi() if raspberry_pi is None else raspberry_pi
    found = {f"package:{name}" for name in packages(settings)}
    if camera := named(str(settings.camera.source)):
        found |= camera.needs
    for sink, section in sections(settings):
        found |= sink.needs | sink.needs_also(section, on_pi)
    if settings.collect and settings.collect.button_pin != "":
        found |= pins.needs(settings.collect.button_driver, on_pi)
    for backend in _backends(settings):
        found |= backend.needs | ({f"board:{backend.board}"} if backend.board else set())
    if settings.web:
        found |= {"page", f"port:{settings.web.port}", "extra:web"}
        found |= set() if settings.web.local else {"local-network"}
    if settings.update.key:
        found.add("extra:update")
    return sorted(found)


def board(settings: Settings) -> str:
    """The kind of board that the chosen backends need, such as "coral"; "" if any board will do."""
    return next((backend.board for backend in _backends(settings) if backend.board), "")


def packages(settings: Settings) -> list[str]:
    """The other packages that provide chosen parts, sorted."""
    chosen: list[tuple[str, object]] = [("maskcam.sinks", kind) for kind, _ in sections(settings)]
    chosen += [("maskcam.backends", backend) for backend in _backends(settings)]
    chosen.append(("maskcam.cameras", named(str(settings.camera.source))))
    return sorted({name for group, part in chosen if (name := provider(group, part))})


def _backends(settings: Settings) -> Iterator[Backend]:
    for name in (settings.backend.detector, settings.backend.classifier):
        if backend := backends().get(name):
            yield backend
