"""The sinks that a section of the settings turns on: each row states everything that other code needs to know of it.

Adding one is a module with its class, a section in `edge/config/sink_sections.py`, a row here and a test; another
package adds one through the entry point "maskcam.sinks", which names a `SinkKind`. What a row opens is imported when it
is opened: an unused sink costs nothing and needs no package.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge.core.plugins import installed
from edge.core.ports import Sink
from edge.core.records import KINDS
from edge.core.section import Section

log = logging.getLogger("edge.assemble.sinks")

HISTORY = "history.db"


@dataclass(frozen=True)
class Surroundings:
    """What a sink can use besides its section; see `SinkKind.own`."""

    camera: str
    """Name of the camera, from the settings."""
    device: str
    board: Callable[[], str]
    """Permanent id of this board."""
    topic: Callable[[str], str]
    """Prefix of the MQTT topics of this camera, from the setting."""
    file: Callable[[str, str], Path]
    """The path from the settings or, if it is empty, a name in the state directory."""
    clock_set: Callable[[], bool | None]
    collecting: bool = False
    visitor: bool = False
    """Whether the sink is opened beside a running camera, for `maskcam alerts test`."""
    snooze: Callable[[float | None], None] | None = None
    """Called with the seconds of a requested snooze."""
    film: Any = None
    """Provides the observations for snapshots."""


@dataclass(frozen=True)
class SinkKind:
    """One kind of sink."""

    name: str
    """Name of its section: [sinks.NAME]."""
    open: Callable[..., Sink]
    """`open(section, live)`, with further arguments from `own`. Raises ConfigError, SinkError and MissingPackage."""
    section: type[Section] | None = None
    """Its settings, if it comes from another package; built-in ones are fields of `Sinks`."""
    needs: frozenset[str] = frozenset()
    """What the installer provides for it: "network" and "sound", which open the service's sandbox; "extra:NAME", an
    extra of maskcam; "apt:NAME", a package of the system."""
    needs_also: Callable[[Any, bool], frozenset[str]] = lambda section, raspberry_pi: frozenset()
    """`needs_also(section, raspberry_pi)`: further needs, by section and board."""
    restates: bool = False
    """Whether it shows a state, such as a light: reopened, it gets the last state and the last alert again."""
    attempts: int = 5
    """Number of attempts to deliver an event."""
    longest_pause: float = 60.0
    """Longest delay between two attempts, in seconds."""
    events: Sequence[str] = KINDS
    """The kinds of events it gets, unless its section has `kinds`."""
    tried: bool = True
    """Whether `maskcam alerts test` sends it an event."""
    pin: bool = False
    """Whether it drives a pin, which `maskcam alerts off` sets to its safe state."""
    in_replays: Callable[[Any], bool] = lambda section: False
    """Whether a replay opens it too, because it reaches nobody else."""
    own: Callable[[Any, Surroundings], dict[str, Any]] = lambda section, around: {}
    """`own(section, surroundings)`: further arguments of `open`; they stay the same when the sink is reopened."""


def _arguments(section: Any) -> dict[str, Any]:
    """The arguments of a class that have the names of the settings."""
    arguments: dict[str, Any] = section.model_dump(exclude={"kinds"})
    return arguments


def _jsonl(section: Any, live: bool) -> Sink:
    from edge.sinks.jsonl import JsonlSink

    return JsonlSink(**_arguments(section))


def _gpio(section: Any, live: bool, collecting: bool = False) -> Sink:
    from edge.sinks.gpio import GpioSink
    from edge.sinks.patterns import COLLECTING, LIGHT

    return GpioSink(
        pin=section.pin,
        active_high=section.active_high,
        driver=section.driver,
        patterns={state: pattern for state, pattern in LIGHT.items() if section.heartbeat or state != "ok"}
        | ({"ok": COLLECTING} if collecting else {}),  # also without a heartbeat, so that everybody can notice it
        name="LED",
        safe=section.lit_when_stopped,
        self_test=section.self_test and live,
        announce=log.info if section.announce else None,
    )


def _buzzer(section: Any, live: bool) -> Sink:
    from edge.sinks.gpio import GpioSink
    from edge.sinks.patterns import BUZZER

    return GpioSink(
        pin=section.pin,
        active_high=section.active_high,
        driver=section.driver,
        patterns=BUZZER,
        name="buzzer",
        self_test=section.self_test and live,
        announce=log.info if section.announce else None,
    )


def _webhook(section: Any, live: bool) -> Sink:
    from edge.sinks.webhook import WebhookSink

    return WebhookSink(**_arguments(section))


def _command(section: Any, live: bool) -> Sink:
    from edge.sinks.command import CommandSink

    return CommandSink(**_arguments(section))


def _mqtt(section: Any, live: bool, **own: Any) -> Sink:
    from edge.sinks.mqtt import MqttSink

    return MqttSink(**_arguments(section) | own)


def _mqtt_own(section: Any, around: Surroundings) -> dict[str, Any]:
    return {
        "topic": around.topic(section.topic),
        "device": around.device,
        "camera": around.camera,
        "board": around.board(),
        "snooze": around.snooze,
        "visitor": around.visitor,
    }


def _history(section: Any, live: bool, **own: Any) -> Sink:
    from edge.sinks.history import HistorySink

    return HistorySink(**_arguments(section) | own)


def _snapshots(section: Any, live: bool, **own: Any) -> Sink:
    from edge.sinks.snapshots import SnapshotSink

    return SnapshotSink(**_arguments(section) | own)


def _pin_needs(section: Any, raspberry_pi: bool) -> frozenset[str]:
    from edge.sinks.pins import needs

    return needs(section.driver, raspberry_pi)


def _mock(section: Any) -> bool:
    return bool(section.driver == "mock")


BUILT_IN = (
    SinkKind("jsonl", _jsonl, in_replays=lambda section: True),
    SinkKind(
        "gpio",
        _gpio,
        needs_also=_pin_needs,
        restates=True,
        pin=True,
        in_replays=_mock,
        own=lambda section, around: {"collecting": around.collecting},
    ),
    SinkKind("buzzer", _buzzer, needs_also=_pin_needs, restates=True, pin=True, in_replays=_mock),
    SinkKind("webhook", _webhook, needs=frozenset({"network"})),
    SinkKind("command", _command, needs=frozenset({"sound"}), attempts=1),  # a sound is not wanted a minute later
    SinkKind(
        "mqtt",
        _mqtt,
        needs=frozenset({"network", "extra:mqtt"}),
        restates=True,
        events=(*KINDS, "counts"),
        longest_pause=10.0,  # the state should be right soon after the broker is back
        own=_mqtt_own,
    ),
    SinkKind(
        "history",
        _history,
        events=("person", "summary"),
        tried=False,
        own=lambda section, around: {"path": around.file(section.path, HISTORY), "kept": {}},
    ),
    SinkKind(
        "snapshots",
        _snapshots,
        tried=False,
        own=lambda section, around: {
            "path": around.file(section.path, "snapshots"),
            "clock_set": around.clock_set,
            "film": around.film,
        },
    ),
)


def kinds() -> dict[str, SinkKind]:
    """All kinds by name: built-in ones, then those of other packages, which cannot replace a built-in one."""
    known = {kind.name: kind for kind in BUILT_IN}
    return known | {kind.name: kind for kind in installed("maskcam.sinks", SinkKind) if kind.name not in known}
