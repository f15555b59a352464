"""The sinks that the settings turn on."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge.core.plugins import importing
from edge.core.ports import Sink
from edge.runtime import identity
from edge.runtime.clock import clock_is_set
from edge.runtime.controls import Controls
from edge.runtime.systemd import state_directory
from edge.sinks.isolated import Isolated
from edge.sinks.registry import HISTORY, SinkKind, Surroundings, kinds

if TYPE_CHECKING:
    from edge.config.settings import Settings
    from edge.sinks.snapshots import Film

log = logging.getLogger(__name__)


def sections(settings: Settings) -> Iterator[tuple[SinkKind, Any]]:
    """The kinds of sink that are turned on, each with its section."""
    for name, kind in kinds().items():
        if (section := getattr(settings.sinks, name, None)) is not None:
            yield kind, section


def film(settings: Settings) -> Film | None:
    """What the loop keeps for snapshots; None if they are off."""
    if settings.sinks.snapshots is None:
        return None
    from edge.sinks.snapshots import Film

    return Film(settings.sinks.snapshots.kinds)


def chosen(settings: Settings, live: bool, controls: Controls, film: Film | None) -> Iterator[Sink]:
    """Opens the sinks that are turned on; requests that reach them go to `controls`, snapshots are taken from `film`.

    In a live run, a sink that can fail or hang runs in a thread of its own. A replay opens only sinks without an
    effect outside: old events light no lamp and notify nobody, and a device's settings work on a machine without its
    pins.
    """
    if settings.sinks.log:
        from edge.sinks.log import LogSink

        yield LogSink()
    if settings.sinks.memory:
        from edge.testing.sink import MemorySink

        yield MemorySink()
    for kind, section in sections(settings):
        more = own(kind.name, section, settings, snooze=controls.snooze, film=film)
        open = partial(opened, kind, section, live, **more)
        if live:
            yield Isolated(
                f"sinks.{kind.name}",
                open,
                kinds=getattr(section, "kinds", kind.events),
                restate=kind.restates,
                attempts=kind.attempts,
                longest=kind.longest_pause,
            )
        elif kind.in_replays(section):
            yield open()
        else:
            log.info("sinks.%s: left out of a replay", kind.name)


def history_file(section: Any) -> Path:
    """The history's file: the one in the section, or the one in the service's own folder."""
    return in_state_folder(section.path, HISTORY)


def in_state_folder(path: str, name: str) -> Path:
    return Path(path) if path else (state_directory() or Path("/var/lib/maskcam")) / name


def own(name: str, section: Any, settings: Settings, **more: Any) -> dict[str, Any]:
    """What a sink is given besides its section, also when it is opened again. more: fields of `Surroundings`."""
    device, camera = settings.device.name, settings.camera.name
    around = Surroundings(
        camera=camera,
        device=identity.origin(device).device,
        board=identity.device_id,
        topic=lambda wanted: identity.mqtt_topic(wanted, device, camera),
        file=in_state_folder,
        clock_set=clock_is_set,
        collecting=settings.collect is not None,
        **more,
    )
    return kinds()[name].own(section, around)


def opened(kind: SinkKind, section: Any, live: bool, **own: Any) -> Sink:
    """Opens one sink with its section of the settings. Raises ConfigError, SinkError and MissingPackage."""
    with importing():
        return kind.open(section, live, **own)


def sink(name: str, section: Any, live: bool, **own: Any) -> Sink:
    """Opens the sink called `name`; errors as for `open_one`."""
    return opened(kinds()[name], section, live, **own)
