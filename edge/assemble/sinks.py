"""The sinks that the settings switch on."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

from edge.assemble.tables import SINKS, resolve
from edge.core.ports import Sink
from edge.core.records import KINDS

if TYPE_CHECKING:
    from edge.config.settings import Settings

log = logging.getLogger(__name__)


def chosen(settings: Settings, live: bool) -> Iterator[Sink]:
    """The sinks that are switched on.

    Live, whatever can fail or hang stands behind a thread of its own. A replay opens only what reaches nobody else: old
    events light no lamp and call no one, and the file of settings of a device can be tried where its pins are not.
    """
    if settings.sinks.log:
        yield resolve(SINKS["log"])()
    if settings.sinks.memory:
        yield resolve(SINKS["memory"])()
    for name in SINKS:
        section = getattr(settings.sinks, name)
        if isinstance(section, bool) or section is None:
            continue
        open = partial(sink, name, section, live)
        if live:
            yield resolve("edge.sinks.isolated:Isolated")(
                f"sinks.{name}",
                open,
                kinds=getattr(section, "kinds", KINDS),
                restate=name in ("gpio", "buzzer", "mqtt"),
                attempts=1 if name == "command" else 5,  # a sound is no longer wanted a minute later
            )
        elif name == "jsonl" or getattr(section, "driver", "") == "mock":
            yield open()
        else:
            log.info("sinks.%s: left out of a replay", name)


def sink(name: str, section: Any, live: bool) -> Sink:
    """Opens one sink as its section of the settings says. Raises ConfigError, SinkError and MissingPackage."""
    arguments: dict[str, Any] = section.model_dump(exclude={"kinds"})
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
