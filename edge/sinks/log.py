"""One line for people per event, through `logging`."""

from __future__ import annotations

import logging

from edge.core.records import FIGURES, Event

log = logging.getLogger(__name__)

WORDS = {
    "on": "wears a mask",
    "off": "wears no mask",
    "incorrectly_worn": "wears the mask incorrectly",
    "unsure": "cannot be told",
    "not_a_face": "is no face",
}
"""The words for each of `edge.core.records.OUTCOMES`."""

GRAVE = ("camera lost", "blind", "engine fallback", "engine fault", "configuration error")
"""States that are warnings."""


class LogSink:
    """Logs alerts and serious states as warnings, other events as information."""

    def send(self, event: Event) -> None:
        if event.kind in FIGURES:
            return
        grave = event.kind == "no_mask" or event.state in GRAVE
        log.log(logging.WARNING if grave else logging.INFO, "%s", sentence(event))

    def close(self) -> None:
        pass


def sentence(event: Event) -> str:
    """For example "12.4 s  #3 wears no mask (98 %)"; for a still picture its file name instead of the time."""
    said = ""
    if event.decision:
        d = event.decision
        said = f"#{d.track_id} {WORDS[d.outcome]} ({d.confidence:.0%})".replace("%", " %")
    elif event.kind == "snooze":
        length = f"{event.seconds:.0f} s" if event.seconds < 120 else f"{event.seconds / 60:.0f} min"
        said = f"no alerts for {length}" if event.state == "on" else "alerts again"
    else:
        said = event.detail
    what = {"no_mask": "ALERT", "all_clear": "all clear", "decision": "", "state": event.state, "snooze": ""}.get(
        event.kind, event.kind
    )
    return f"{event.file or f'{event.t:.1f} s'}  " + ": ".join(part for part in (what, said) if part)
