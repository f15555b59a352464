"""The patterns of an LED or a buzzer for each state: seconds on, off, on, off and so on, repeated.

The alert is the only steady light, so that it is recognised without counting.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

Pattern = Sequence[float]
"""Alternating seconds on and off, beginning with on; an even number of them. OFF and ON do not change."""

OFF: Pattern = ()
ON: Pattern = (float("inf"), 0.0)

ALERT = "alert"
"""The key of the alert, besides the states of `edge.core.records.STATES`."""

LIGHT: Mapping[str, Pattern] = {
    ALERT: ON,
    "ok": (0.05, 2.95),
    "starting": (0.5, 0.5),
    "camera lost": (0.1, 0.1),
    "engine fallback": (0.05, 0.25, 0.05, 2.65),
    "engine fault": (0.1, 0.1, 0.1, 0.7),
    "blind": (0.1, 0.2, 0.1, 1.6),
    "configuration error": (0.1, 0.2, 0.1, 0.2, 0.1, 1.3),
    "stopping": OFF,
}
COLLECTING: Pattern = (0.05, 0.25, 0.05, 2.65)
"""Replaces the heartbeat of "ok" while pictures are collected for training: two flashes every three seconds."""
BUZZER: Mapping[str, Pattern] = {ALERT: (0.2, 0.8)}
"""Silent in every other state, since a sound cannot be ignored."""

SELF_TEST: Pattern = (0.2, 0.2, 0.2, 0.2)
"""The self-test, played once at the start."""


def describe(pattern: Pattern) -> str:
    """For people who look at the light: "0.5 s on, 0.5 s off, over and over"."""
    if pattern == OFF:
        return "off"
    if pattern == ON:
        return "on"
    turns = (f"{seconds:g} s {'off' if i % 2 else 'on'}" for i, seconds in enumerate(pattern))
    return ", ".join(turns) + ", over and over"
