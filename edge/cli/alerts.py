"""`maskcam alerts`: tests the LED and other sinks, or switches the pins off."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING, Any

from edge.cli.arguments import command, loaded, positive, settings
from edge.core.errors import ConfigError, MaskcamError, SinkError

if TYPE_CHECKING:
    from edge.config.settings import Settings
    from edge.sinks.gpio import GpioSink


def add(commands: Any) -> None:
    parser = command(
        commands, "alerts", run, "test the LED and other sinks, or switch the pins off", "maskcam alerts test"
    )
    actions = parser.add_subparsers(metavar="action", dest="action", required=True)
    test = actions.add_parser(
        "test", help="play every pattern and say what to look for; send a test event to other sinks"
    )
    test.add_argument("--seconds", type=positive(float), default=3.0, metavar="S", help="time per pattern (default: 3)")
    off = actions.add_parser("off", help="set every pin to its safe state, for example after a crash")
    for action in (test, off):
        settings(action)


def run(args: argparse.Namespace) -> None:
    from edge import assemble

    # A service that fell back to its last good settings has used their pins.
    settings = loaded(args, service=args.action == "off").settings
    act = _safe if args.action == "off" else partial(_show, settings, args.seconds)
    on = {
        kind.name: section
        for kind, section in assemble.sections(settings)
        if (kind.tried if args.action == "test" else kind.pin)
    }
    if not on and args.action == "test":
        raise ConfigError("no alert is switched on: expected a section such as [sinks.gpio] in the settings")
    mistakes = []
    for name, section in on.items():
        try:
            act(name, section)
        except MaskcamError as error:
            mistakes.append(f"sinks.{name}: {error}")
    if mistakes:
        raise SinkError("\n".join(mistakes))


def _safe(name: str, section: Any) -> None:
    from edge import assemble

    assemble.sink(name, section, live=False).close()


def _show(settings: Settings, seconds: float, name: str, section: Any) -> None:
    from edge import assemble
    from edge.core.records import Event
    from edge.runtime.identity import Stamper, origin
    from edge.sinks.gpio import GpioSink

    own = assemble.own(name, section, settings, visitor=True)
    with closing(assemble.sink(name, section, live=False, **own)) as sink:
        if isinstance(sink, GpioSink):
            play(sink, seconds)
        else:
            stamp = Stamper(origin(settings.device.name, settings.camera.name))
            sink.send(stamp(Event("state", 0.0, state="starting", detail="a test of the alerts")))
            print(f"sinks.{name}: accepted a test event", flush=True)


def play(
    light: GpioSink,
    seconds: float,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Plays the alert and then every state for `seconds` each, and prints what should be seen."""
    from edge.core.records import STATES, Event
    from edge.sinks.patterns import ALERT, describe

    for shown in (ALERT, *STATES):
        light.send(Event("no_mask" if shown == ALERT else "all_clear", 0.0))
        light.send(Event("state", 0.0, state="" if shown == ALERT else shown))
        print(f"{light.name}: {shown}: {describe(light.pattern)}", flush=True)
        until = clock() + seconds
        while (now := clock()) < until:
            due = light.advance(now)
            sleep(min(until, due or until) - now)
