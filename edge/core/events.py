"""Events as JSON, in the same form for files, webhooks, MQTT and the API; `event.schema.json` is its schema."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from edge.core.records import Counts, Event, Stamp, Visit

VERSION = 1
"""Version of the schema: it is raised when a field is removed or changes its meaning, not when one is added."""

SCHEMA = Path(__file__).with_name("event.schema.json")
"""JSON Schema (2020-12) of what `to_json` returns for an event that has a stamp."""


def schema() -> dict[str, Any]:
    """The JSON Schema, as read from SCHEMA."""
    return dict(json.loads(SCHEMA.read_text(encoding="utf-8")))


def to_json(event: Event) -> dict[str, Any]:
    """An event as a dictionary: the fields of its kind, then those of its stamp, which are None without one."""
    return {"kind": event.kind, "t": round(event.t, 3), **_content(event), **_stamped(event.stamp)}


def _content(event: Event) -> dict[str, Any]:
    if event.kind == "state":
        return {"state": event.state, "detail": event.detail, **_file(event)}
    if event.kind == "snooze":
        return {"state": event.state, "seconds": round(event.seconds, 1)}
    if event.counts:
        return counts_json(event.counts) | ({"detail": event.detail} if event.kind == "summary" else {})
    return {**_decision(event), **(_visit(event, event.visit) if event.visit else {})}


def _decision(event: Event) -> dict[str, Any]:
    d = event.decision
    return {
        "track": d.track_id if d else None,
        "mask": d.mask.value if d else None,
        "confidence": round(float(d.confidence), 4) if d else None,
        "since": round(d.since, 3) if d else None,
        # "worn_wrongly" is the name before 0.2, kept for that release.
        **({"incorrectly_worn": True, "worn_wrongly": True} if d and d.incorrectly_worn else {}),
        **_file(event),
    }


def _file(event: Event) -> dict[str, str]:
    return {"file": event.file} if event.file else {}


def _visit(event: Event, visit: Visit) -> dict[str, Any]:
    """Visit numbers are unique within a run, so a later event of the same visit replaces an earlier one."""
    said: dict[str, Any] = {"visit": visit.number, "outcome": visit.outcome, "first": None, "last": None}
    if event.stamp and event.stamp.time is not None:
        zero = event.stamp.time - event.t
        said |= {"first": iso(zero + visit.first), "last": iso(zero + visit.last)}
    return said


def counts_json(counts: Counts) -> dict[str, Any]:
    """The counts of a day, with the number of people and the mask share (per cent; None if nobody was classified)."""
    return {
        "day": counts.day,
        "present": counts.present,
        "people": counts.people,
        "on": counts.on,
        "off": counts.off,
        "incorrectly_worn": counts.incorrectly_worn,
        "unsure": counts.unsure,
        "mask_share": counts.mask_share,
    }


def _stamped(stamp: Stamp | None) -> dict[str, Any]:
    origin = stamp.origin if stamp else None
    return {
        "id": stamp.id if stamp else None,
        "time": iso(stamp.time) if stamp and stamp.time is not None else None,
        "clock_set": stamp.clock_set if stamp else None,
        "device": origin.device if origin else None,
        "camera": origin.camera if origin else None,
        "software": origin.software if origin else None,
        "bundle": (origin.bundle or None) if origin else None,
        "schema": VERSION,
    }


def iso(seconds: float) -> str:
    """Seconds since 1970 as ISO 8601, with milliseconds and the UTC offset of the local time zone."""
    return datetime.fromtimestamp(seconds, timezone.utc).astimezone().isoformat(timespec="milliseconds")
