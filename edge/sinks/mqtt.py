"""Publishes events to an MQTT broker: retained topics for states, one topic for events."""

from __future__ import annotations

import json
import logging
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from math import nan
from pathlib import Path
from typing import Any

from paho.mqtt.client import Client

from edge import __version__
from edge.core.errors import SinkError
from edge.core.events import counts_json, to_json
from edge.core.records import Event, Origin
from edge.sinks import home_assistant
from edge.sinks.mqtt_client import LARGEST, Broker

log = logging.getLogger(__name__)

CLASH = 3
"""Consecutive connections, each broken within half a minute, that suggest two clients with the same id."""


class MqttSink:
    """Publishes below `topic`, and publishes the current state again at every connection; docs/mqtt.md lists the
    topics.

    States are retained by the broker and kept here: a broker that lost them at a restart gets them again from paho's
    thread, without a new event. They have QoS 0: they are sent first on a new connection, and again on the next one if
    it breaks. Unconfirmed messages of QoS 1 are repeated by paho after them and could replace a newer state by an older
    one. Everything else has QoS 1, and `send` waits for its confirmation.

    The client id belongs to the board: the broker ends an older session of the same client, including its last will,
    before it accepts the new one. A last will from elsewhere is corrected.

    topic, client_id, board: prefix of the topics and identity of the client; an empty id is made from board and topic,
        without a board at random.
    device, camera: names for people.
    discovery: prefix of Home Assistant's discovery topics; empty: none.
    snooze: called with the seconds of a snooze that is requested over MQTT; None: the default.
    visitor: publish only events, as another client: the retained topics belong to the running camera.
    The rest: see `edge.sinks.mqtt_client.Broker`. Raises SinkError.
    """

    def __init__(
        self,
        host: str,
        port: int,
        topic: str,
        timeout: float,
        username: str = "",
        password_file: str | Path = "",
        tls: bool = False,
        ca_file: str | Path = "",
        cert_file: str | Path = "",
        key_file: str | Path = "",
        client_id: str = "",
        discovery: str = "",
        board: str = "",
        device: str = "",
        camera: str = "",
        snooze: Callable[[float | None], None] | None = None,
        visitor: bool = False,
    ) -> None:
        self._topic, self._timeout, self._discovery, self._snooze = topic, timeout, discovery, snooze
        self._origin = Origin(device, camera, __version__)
        self._told: Origin
        self._closing = False
        self._deaf = False
        self._refused = False
        """Whether the last request failed. It is reported once, since an automation may repeat it every minute."""
        self._since, self._short = 0.0, 0
        self._lock = threading.Lock()
        """Held while a retained topic changes, so that a new connection never publishes an older value."""
        self._holds: dict[str, str] = {}
        """The retained messages, by topic."""
        self._visitor = visitor
        if visitor:
            board = client_id = ""
        self._id = sha256(f"{board} {topic}".encode()).hexdigest()[:16] if board else secrets.token_hex(8)
        for below, payload in (("available", "online"), ("state", "starting"), ("alert", "off"), ("snooze", "off")):
            self._holds[f"{topic}/{below}"] = payload
        self._introduce(self._origin)
        self._broker = Broker(
            host,
            port,
            client_id or f"maskcam{self._id}",  # 23 letters and digits: every broker must accept that many
            self._at_connection,
            timeout,
            self._heard,
            self._prepare,
            username,
            password_file,
            tls,
            ca_file,
            cert_file,
            key_file,
        )

    def send(self, event: Event) -> None:
        if not self._visitor:
            self.restate(event)
        if event.kind != "counts":
            self._publish(f"{self._topic}/event", json.dumps(to_json(event)))

    def restate(self, event: Event) -> None:
        """See `edge.core.ports.Restated`."""
        for below, payload in self._changed(event).items():
            self._retain(below, payload)

    def close(self) -> None:
        self._closing = True
        try:
            if self._visitor:
                return
            if self._holds[f"{self._topic}/alert"] == "on":  # nobody reads it any more
                self._retain("alert", "off")
            self._retain("available", "offline")
        finally:
            self._broker.close()

    def _changed(self, event: Event) -> dict[str, str]:
        """The retained topics that an event changes."""
        if event.stamp and event.stamp.origin != self._told:
            for topic, payload in self._introduce(event.stamp.origin).items():
                self._publish(topic, payload, retain=True)
        if event.kind in ("state", "snooze"):
            return {event.kind: event.state}
        if event.kind == "all_clear":
            return {"alert": "off"}
        if event.kind == "no_mask":
            return {"alert": "on", "last_alert": json.dumps(to_json(event))}
        if event.counts:
            topic = "counts" if event.kind == "counts" else "summary"
            return {topic: json.dumps(counts_json(event.counts))}
        return {}

    def _introduce(self, origin: Origin) -> dict[str, str]:
        """The retained topics that describe the camera: `info` and Home Assistant's discovery; returns those that
        changed."""
        self._told = origin
        who = replace(origin, device=origin.device or self._origin.device, camera=origin.camera or self._origin.camera)
        info = {
            "schema": 1,
            "id": self._id,
            "device": who.device,
            "camera": who.camera,
            "software": who.software or None,
            "bundle": who.bundle or None,
        }
        said = {f"{self._topic}/info": json.dumps(info)}
        if self._discovery:
            entities = home_assistant.entities(self._discovery, self._topic, self._id, who)
            said |= {topic: json.dumps(config) for topic, config in entities.items()}
        with self._lock:
            new = {topic: payload for topic, payload in said.items() if self._holds.get(topic) != payload}
            self._holds |= new
        return new

    def _prepare(self, client: Client) -> None:
        """Called before it connects: from then on paho's thread may receive messages before `_broker` is set."""
        self._client = client
        if not self._visitor:
            client.will_set(f"{self._topic}/available", "offline", qos=1, retain=True)

    def _at_connection(self, client: Client, may_hear: bool) -> None:
        """Called in paho's thread at every connection."""
        if self._visitor:
            return
        # First: a client that sees "online" can rely on being heard.
        if may_hear:
            client.subscribe([(f"{self._topic}/available", 1), (f"{self._topic}/snooze/set", 1)])
        elif not self._deaf:
            self._deaf = True
            log.error(
                "sinks.mqtt: somebody sent a message of more than %d bytes: nothing is heard any more, until the next "
                "start; events are sent as before",
                LARGEST,
            )
        with self._lock:
            available = f"{self._topic}/available"
            for topic in [*(self._holds.keys() - {available}), available]:  # everything it implies is true by then
                client.publish(topic, self._holds[topic], qos=0, retain=True)
        now = time.monotonic()
        self._short = self._short + 1 if now - self._since < 30.0 else 0
        self._since = now
        if self._short == CLASH:
            log.error(
                "sinks.mqtt: the broker ends our connection again and again: another client seems to bear the same "
                "id; give each camera a name (camera.name) or a topic (sinks.mqtt.topic) of its own"
            )

    def _heard(self, topic: str, payload: bytes, kept: bool) -> None:
        """Called in paho's thread. A request that the broker `kept` is old and would come again at every connection."""
        if topic == f"{self._topic}/available":
            if payload == b"offline" and not self._closing:
                self._client.publish(topic, "online", qos=0, retain=True)
        elif self._snooze:
            try:
                if kept:
                    raise ValueError("a retained message, which is not heeded: send it without the flag 'retain'")
                self._snooze(wish(payload))
                self._refused = False
            except ValueError as error:
                log.log(logging.DEBUG if self._refused else logging.WARNING, "sinks.mqtt: %s: %s", topic, error)
                self._refused = True

    def _retain(self, below: str, payload: str) -> None:
        topic = f"{self._topic}/{below}"
        with self._lock:
            self._holds[topic] = payload
        self._publish(topic, payload, retain=True)

    def _publish(self, topic: str, payload: str, retain: bool = False) -> None:
        message: Any = self._client.publish(topic, payload, qos=1, retain=retain)
        try:
            message.wait_for_publish(self._timeout)
            taken = message.is_published()
        except (RuntimeError, ValueError) as error:
            raise SinkError(f"message not sent ({error})") from None
        if not taken:
            raise SinkError(f"the broker confirms nothing within {self._timeout:g} s")


def wish(payload: bytes) -> float | None:
    """Seconds of snooze that a message requests: "on" (None: the default), "off" (0) or a number.

    Raises ValueError for anything else.
    """
    text = payload[:32].decode(errors="replace").strip().lower()
    if text in ("on", "off"):
        return None if text == "on" else 0.0
    try:
        seconds = float(text)
    except ValueError:
        seconds = nan
    if not 0 <= seconds <= 86400:
        raise ValueError(f"{text!r}: expected on, off or 0 to 86400 seconds")
    return seconds
