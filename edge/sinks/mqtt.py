"""Events to an MQTT broker: retained topics for what holds, one topic for what happens."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from edge.core.errors import SinkError
from edge.core.records import Event
from edge.sinks.jsonl import to_json


class MqttSink:
    """Publishes below `topic`, with QoS 1:

    TOPIC/available  "online"; "offline" when closed and, as the last will, when the connection is lost. Retained.
    TOPIC/alert      "on" or "off". Retained.
    TOPIC/state      one of `edge.core.records.STATES`. Retained.
    TOPIC/event      every event as the JSON lines have it.

    A connection that breaks is made again by paho, and `available` with it. `timeout`: seconds to wait for the broker,
    when connecting and for each message. `tls`: verified with the system's certificates. The password is the first line
    of `password_file`. Raises SinkError.
    """

    def __init__(
        self,
        host: str,
        port: int = 1883,
        topic: str = "maskcam",
        username: str = "",
        password_file: str | Path = "",
        tls: bool = False,
        timeout: float = 5.0,
    ) -> None:
        self._topic, self._timeout = topic, timeout
        self._connected = threading.Event()
        self._refusal = "no answer"
        self._client = Client(CallbackAPIVersion.VERSION2)
        self._client.connect_timeout = timeout
        self._client.on_connect = self._on_connect
        self._client.will_set(f"{topic}/available", "offline", qos=1, retain=True)
        if username:
            self._client.username_pw_set(username, _first_line(password_file) if password_file else None)
        if tls:
            self._client.tls_set()
        try:
            self._client.connect(host, port)
        except (OSError, ValueError) as error:
            self._end()
            raise SinkError(f"broker {host}:{port} is not reached ({error})") from None
        self._client.loop_start()
        if not self._connected.wait(timeout):
            self._end()
            raise SinkError(f"broker {host}:{port} does not let us in ({self._refusal})")

    def _on_connect(self, client: Any, userdata: Any, flags: Any, reason: Any, properties: Any) -> None:
        """In paho's thread, at every connection."""
        if reason.is_failure:
            self._refusal = str(reason)
            return
        client.publish(f"{self._topic}/available", "online", qos=1, retain=True)
        self._connected.set()

    def send(self, event: Event) -> None:
        if event.kind == "state":
            self._publish("state", event.state, retain=True)
        elif event.kind != "decision":
            self._publish("alert", "on" if event.kind == "no_mask" else "off", retain=True)
        self._publish("event", json.dumps(to_json(event)))

    def close(self) -> None:
        try:
            self._publish("available", "offline", retain=True)
        finally:
            self._end()

    def _end(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()
        self._client.on_connect = None  # the client closes its sockets when nothing refers to it any more

    def _publish(self, below: str, payload: str, retain: bool = False) -> None:
        message = self._client.publish(f"{self._topic}/{below}", payload, qos=1, retain=retain)
        try:
            message.wait_for_publish(self._timeout)
            taken = message.is_published()
        except (RuntimeError, ValueError) as error:
            raise SinkError(f"message not sent ({error})") from None
        if not taken:
            raise SinkError(f"the broker confirms nothing within {self._timeout:g} s")


def _first_line(path: str | Path) -> str:
    try:
        return Path(path).read_text(encoding="utf-8").partition("\n")[0]
    except (OSError, UnicodeDecodeError) as error:
        raise SinkError(f"password_file '{path}' cannot be read ({error}): expected one line of text") from None
