"""The sinks that the settings switch on."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge.assemble.tables import SINKS, resolve
from edge.core.ports import Sink
from edge.core.records import KINDS
from edge.runtime import identity
from edge.runtime.controls import Controls
from edge.runtime.systemd import state_directory

if TYPE_CHECKING:
    from edge.config.settings import Settings

log = logging.getLogger(__name__)

WANTED = {"history": ("person", "summary"), "mqtt": (*KINDS, "counts")}
"""Kinds of events for sinks that want others than KINDS and have no setting for it."""


def chosen(settings: Settings, live: bool, controls: Controls) -> Iterator[Sink]:
    """The sinks that are switched on; what is asked of them goes to `controls`.

    Live, whatever can fail or hang stands behind a thread of its own. A replay opens only what reaches nobody else: old
    events light no lamp and call no one, and the file of settings of a device can be tried where its pins are not.
    """
    if settings.sinks.log:
        yield resolve(SINKS["log"])()
    if settings.sinks.memory:
        yield resolve(SINKS["memory"])()
    asked: dict[str, dict[str, Any]] = {"mqtt": {"snooze": controls.snooze}}
    for name in SINKS:
        section = getattr(settings.sinks, name)
        if isinstance(section, bool) or section is None:
            continue
        open = partial(sink, name, section, live, **own(name, section, settings), **asked.get(name, {}))
        if live:
            yield resolve("edge.sinks.isolated:Isolated")(
                f"sinks.{name}",
                open,
                kinds=getattr(section, "kinds", WANTED.get(name, KINDS)),
                restate=name in ("gpio", "buzzer", "mqtt"),
                attempts=1 if name == "command" else 5,  # a sound is no longer wanted a minute later
                longest=10.0 if name == "mqtt" else 60.0,  # who waits for what holds waits for the broker alone
            )
        elif name == "jsonl" or getattr(section, "driver", "") == "mock":
            yield open()
        else:
            log.info("sinks.%s: left out of a replay", name)


def history_file(section: Any) -> Path:
    """Where the history is: the section's file, or in the service's own folder."""
    return Path(section.path) if section.path else (state_directory() or Path("/var/lib/maskcam")) / "history.db"


def own(name: str, section: Any, settings: Settings) -> dict[str, Any]:
    """What a sink takes besides its section, and keeps when it is opened again."""
    if name == "history":
        return {"path": history_file(section), "kept": {}}
    if name == "mqtt":
        device, camera = settings.device.name, settings.camera.name
        return {
            "topic": identity.mqtt_topic(section.topic, device, camera),
            "device": identity.origin(device).device,
            "camera": camera,
            "board": identity.device_id(),
        }
    return {}


def sink(name: str, section: Any, live: bool, **own: Any) -> Sink:
    """Opens one sink as its section of the settings says. Raises ConfigError, SinkError and MissingPackage."""
    arguments: dict[str, Any] = section.model_dump(exclude={"kinds"}) | own
    if name in ("gpio", "buzzer"):
        patterns = dict(resolve(f"edge.sinks.patterns:{'LIGHT' if name == 'gpio' else 'BUZZER'}"))
        if not arguments.pop("heartbeat", True):
            del patterns["ok"]
        arguments |= {"patterns": patterns, "name": "LED" if name == "gpio" else "buzzer"}
        arguments["safe"] = arguments.pop("lit_when_stopped", False)
        arguments["self_test"] &= live
        arguments["announce"] = log.info if section.announce else None
    opened: Sink = resolve(SINKS[name])(**arguments)
    return opened
