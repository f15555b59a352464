"""All cameras on a broker, from their retained messages; nothing is sent to them."""

from __future__ import annotations

import queue
import secrets
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from edge.core import json_text
from edge.sinks.mqtt_client import Broker

TOLD = ("available", "state", "alert", "snooze", "info", "counts", "last_alert")
"""The messages of a camera that are read, below its topic."""
_HEAD = ("topic", "device", "camera", "online", "state", "alert", "people today", "last alert", "software", "bundle")


@dataclass(frozen=True)
class Camera:
    """One camera; texts are empty and numbers None if unknown."""

    topic: str
    device: str = ""
    camera: str = ""
    online: bool = False
    state: str = ""
    alert: bool | None = None
    snooze: bool | None = None
    people_today: int | None = None
    last_alert: str = ""
    """Time in ISO 8601."""
    software: str = ""
    bundle: str = ""


def gather(
    broker: Callable[..., Broker], topics: Sequence[str], wait: float, clock: Callable[[], float] = time.monotonic
) -> list[Camera]:
    """Listens below `topics` until nothing has arrived for `wait` seconds (ten times that at most).

    broker: makes the connection, given `client_id`, `connected` and `heard`. Raises SinkError.
    """
    heard: queue.Queue[tuple[str, bytes]] = queue.Queue()
    wanted = [(f"{topic}/#", 1) for topic in topics]
    messages: dict[str, bytes] = {}
    with closing(
        broker(
            client_id=f"maskcam{secrets.token_hex(8)}",
            connected=lambda client, may_subscribe: may_subscribe and client.subscribe(wanted),
            heard=lambda topic, payload, kept: heard.put((topic, payload)),
        )
    ):
        end = clock() + 10 * wait
        while clock() < end:
            try:
                topic, payload = heard.get(timeout=wait)
            except queue.Empty:
                break
            messages[topic] = payload
    return cameras(messages)


def cameras(messages: dict[str, bytes]) -> list[Camera]:
    """Cameras from payloads by topic; whatever has an `info` is a camera, and unreadable ones are skipped."""
    found = []
    for topic in sorted(messages):
        base, _, below = topic.rpartition("/")
        if below == "info" and (info := _object(messages[topic])):
            said = {name: messages.get(f"{base}/{name}", b"") for name in TOLD}
            counts, alert = _object(said["counts"]), _object(said["last_alert"])
            people = counts.get("people")
            found.append(
                Camera(
                    base,
                    _text(info.get("device")),
                    _text(info.get("camera")),
                    said["available"] == b"online",
                    _text(said["state"].decode(errors="replace")),
                    _switch(said["alert"]),
                    _switch(said["snooze"]),
                    people if type(people) is int and 0 <= people < 10**9 else None,
                    _text(alert.get("time")),
                    _text(info.get("software")),
                    _text(info.get("bundle")),
                )
            )
    return found


def render(fleet: Iterable[Camera]) -> str:
    """A table; for offline cameras it leaves out what may have changed since."""
    rows = [_HEAD]
    for c in fleet:
        now = (c.state, {True: "ALERT", False: "-", None: "?"}[c.alert]) if c.online else ("", "")
        alert = "snoozed" if c.online and c.snooze else now[1]
        people = "" if c.people_today is None else str(c.people_today)
        online = "yes" if c.online else "no"
        rows.append(
            (_text(c.topic), c.device, c.camera, online, now[0], alert, people, c.last_alert[:19], c.software, c.bundle)
        )
    widths = [max(len(row[i]) for row in rows) for i in range(len(_HEAD))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def _object(payload: bytes) -> dict[str, Any]:
    try:
        value = json_text.parse(payload)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _switch(payload: bytes) -> bool | None:
    return {b"on": True, b"off": False}.get(payload)


def _text(value: Any) -> str:
    """The text without control characters."""
    return "".join(c for c in value[:80] if c.isprintable()) if isinstance(value, str) else ""
