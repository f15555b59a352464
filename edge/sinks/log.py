"""One line for people per event, through `logging`."""

from __future__ import annotations

import logging

from edge.labels import Mask
from edge.records import Event

log = logging.getLogger(__name__)

WORDS = {Mask.ON: "wears a mask", Mask.OFF: "wears no mask", Mask.UNSURE: "cannot be told"}


class LogSink:
    """Alerts are warnings, everything else is information."""

    def send(self, event: Event) -> None:
        log.log(logging.WARNING if event.kind == "no_mask" else logging.INFO, "%s", sentence(event))

    def close(self) -> None:
        pass


def sentence(event: Event) -> str:
    """For example "12.4 s  #3 wears no mask (98 %)"."""
    who = ""
    if event.decision:
        d = event.decision
        who = f"#{d.track_id} {WORDS[d.mask]} ({d.confidence:.0%})".replace("%", " %")
    what = {"no_mask": "ALERT", "all_clear": "all clear", "decision": ""}.get(event.kind, event.kind)
    return f"{event.t:.1f} s  " + ": ".join(part for part in (what, who) if part)
