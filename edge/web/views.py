"""The API's answers as plain data: state, health, events and the sign."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from edge import __version__
from edge.core.events import counts_json, to_json
from edge.core.labels import Mask
from edge.core.records import Counts, Observation
from edge.history.reader import BY
from edge.web.hub import LOST, Snapshot, Told

UNAVAILABLE = ("starting", LOST, "blind", "engine fault", "stopping")
"""States in which the sign cannot judge anybody."""
STALE = 5.0
"""Seconds without a step of the loop after which its snapshot counts as outdated."""


def status(snapshot: Snapshot, now: float, started: float, board: Mapping[str, Any]) -> dict[str, Any]:
    """The answer to /api/status."""
    observation = snapshot.observation
    picture = observation.frame.image.shape if observation else None
    return {
        "version": __version__,
        "state": "starting",
        "detail": "",
        "configuration": "",
        "camera": "",
        "fps": 0.0,
        "since_alert": None,
        **snapshot.report,
        "people_seen": snapshot.report.get("people", 0),
        "uptime": round(now - started, 1),
        "age": round(now - snapshot.at, 2),
        "verdict_age": None if snapshot.judged_at is None else round(now - snapshot.judged_at, 2),
        "alert": snapshot.alert,
        "width": picture[1] if picture else None,
        "height": picture[0] if picture else None,
        "backends": dict(snapshot.backends),
        "people": people(observation) if observation else [],
        "board": dict(board),
    }


def people(observation: Observation) -> list[dict[str, Any]]:
    """Per track: `track`, `box` (x0, y0, x1, y1 in pixels), `mask`, `confidence`, `incorrectly_worn`, `too_small`."""
    decisions = {decision.track_id: decision for decision in observation.decisions}
    found = []
    for track in observation.faces:
        decision, box = decisions.get(track.id), track.box
        found.append(
            {
                "track": track.id,
                "box": [round(edge, 1) for edge in (box.x0, box.y0, box.x1, box.y1)],
                "mask": decision.mask.value if decision else Mask.UNSURE.value,
                "confidence": round(decision.confidence, 3) if decision else None,
                "incorrectly_worn": bool(decision and decision.incorrectly_worn),
                "too_small": min(box.width, box.height) < observation.min_face,
            }
        )
    return found


def unhealthy(snapshot: Snapshot, now: float, within: float) -> str:
    """Why the camera gives no verdicts; "" if a frame went through both networks in the last `within` seconds."""
    if snapshot.judged_at is None:
        return "no frame has been judged yet"
    age = now - snapshot.judged_at
    if age <= within:
        return ""
    detail = snapshot.report.get("detail") or snapshot.report.get("state", "")
    return f"no verdict for {age:.0f} s" + (f": {detail}" if detail not in ("", "ok") else "")


def darkened(snapshot: Snapshot, now: float) -> str:
    """Why lights show something else than an alert, see `edge.sinks.gpio`; "" if they do not."""
    if now - snapshot.at > STALE:
        return "the loop stands still"
    state = str(snapshot.report.get("state", ""))
    return f"the state is '{state}'" if state in (LOST, "engine fault", "stopping") else ""


def event(told: Told) -> dict[str, Any]:
    """An event as in every other output, with its number and clock time."""
    said = to_json(told.event)
    said["time"] = said["time"] or told.at.isoformat(timespec="milliseconds")
    return {"number": told.number, **said}


def history(counts: Sequence[Counts], by: str, since: float, now: float) -> dict[str, Any]:
    """Counts for each "hour" or "day" in which somebody came; `begin`, `end`: the first and the last one of the period,
    whose ends are seconds since 1970."""
    begin, end = (datetime.fromtimestamp(max(t, 0.0)).strftime(BY[by]) for t in (since, now))
    return {"kept": True, "by": by, "begin": begin, "end": end, "counts": [counts_json(one) for one in counts]}


def sign(snapshot: Snapshot, now: float) -> dict[str, Any]:
    """`show`: "please", "incorrectly" (a mask, worn incorrectly), "thanks", "idle" (nobody, or no decision yet) or
    "unavailable", which has a reason in `why`."""
    state = str(snapshot.report.get("state", "starting"))
    if now - snapshot.at > STALE:
        return {"show": "unavailable", "why": "the camera has stopped"}
    if state in UNAVAILABLE:
        # Any visitor may read it, and the details of other states name addresses.
        detail = snapshot.report.get("detail") if state == "blind" else ""
        return {"show": "unavailable", "why": str(detail or state)}
    said = snapshot.observation.decisions if snapshot.observation else ()
    decisions = [decision for decision in said if not decision.not_a_face]
    off = [decision for decision in decisions if decision.mask is Mask.OFF]
    if off:
        return {"show": "incorrectly" if all(decision.incorrectly_worn for decision in off) else "please"}
    if snapshot.alert and not _all_on(decisions):
        return {"show": "please"}
    return {"show": "thanks" if _all_on(decisions) else "idle"}


def _all_on(decisions: Sequence[Any]) -> bool:
    return bool(decisions) and all(decision.mask is Mask.ON for decision in decisions)
