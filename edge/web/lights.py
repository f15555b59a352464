"""The alert test: only the lights and buzzers of the running service show an alert, for a few seconds."""

from __future__ import annotations

from typing import Any

from edge.core.records import Event
from edge.web.hub import Hub

LIGHTS = ("sinks.gpio", "sinks.buzzer")
"""Sinks that take part. Webhooks, brokers and programs do not: they must receive only true alerts."""


def show(hub: Hub, seconds: float) -> None:
    """Asks the loop to let them show an alert for `seconds`; afterwards they return to the present state."""

    def begin(turn: Any) -> None:
        _send(turn, "no_mask")
        hub.ask(end, after=seconds)

    def end(turn: Any) -> None:
        if not turn.runtime.policy.active:
            _send(turn, "all_clear")

    hub.ask(begin)


def _send(turn: Any, kind: str) -> None:
    for sink in turn.runtime.sinks:
        if getattr(sink, "name", "") in LIGHTS:
            sink.send(Event(kind, 0.0))
