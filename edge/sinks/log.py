"""One line for people per event, through `logging`."""

from __future__ import annotations

import logging

from edge.core.records import Event

log = logging.getLogger(__name__)

WORDS = {
    "on": "wears a mask",
    "off": "wears no mask",
    "incorrectly_worn": "wears the mask incorrectly",
    "unsure": "cannot be told",
    "not_a_face": "is no face",
}
"""What is said of each of `edge.core.records.OUTCOMES`."""

GRAVE = ("camera lost", "blind", "engine fault", "configuration error")
"""States that are warnings."""


class LogSink:
    """Alerts and grave states are warnings, everything else is information."""

    def send(self, event: Event) -> None:
        grave = event.kind == "no_mask" or event.state in GRAVE
        log.log(logging.WARNING if grave else logging.INFO, "%s", sentence(event))

    def close(self) -> None:
        pass


def sentence(event: Event) -> str:
    """For example "12.4 s  #3 wears no mask (98 %)" or "12.4 s  camera lost: no frame for 5 s"."""
    said = ""
    if event.decision:
        d = event.decision
        said = f"#{d.track_id} {WORDS[d.outcome]} ({d.confidence:.0%})".replace("%", " %")
    elif event.detail:
        said = event.detail
    what = {"no_mask": "ALERT", "all_clear": "all clear", "decision": "", "state": event.state}.get(
        event.kind, event.kind
    )
    return f"{event.t:.1f} s  " + ": ".join(part for part in (what, said) if part)
