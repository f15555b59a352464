"""What docs/mqtt.md shows is what is sent."""

import json
import re
from contextlib import closing
from pathlib import Path

import pytest

from edge.core.events import counts_json
from edge.core.labels import Mask
from edge.core.records import KINDS, Counts, Decision, Event, Origin
from edge.runtime.identity import Stamper

pytest.importorskip("paho.mqtt.client", reason="paho-mqtt is not installed")

from edge.config import sink_sections
from edge.sinks import home_assistant
from edge.sinks.mqtt import MqttSink
from edge.testing.defaults import with_defaults

MqttSink = with_defaults(MqttSink, sink_sections.Mqtt())

DOCUMENT = Path(__file__).parents[2] / "docs" / "mqtt.md"
WHO = Origin("door", "left", "0.2.0", "maskcam 2026-11-21")


def example(after):
    """The first JSON block after some words."""
    return json.loads(re.search(r"```json\n(.*?)```", DOCUMENT.read_text().split(after, 1)[1], re.S)[1])


def test_every_topic_and_nothing_else(broker):
    stamp = Stamper(WHO, lambda: 1795630000.0, lambda: True)
    with closing(MqttSink("127.0.0.1", broker.port, "TOPIC", board="b")) as sink:
        for kind in (*KINDS, "counts"):
            counts = Counts("2026-11-25") if kind in ("counts", "summary") else None
            sink.send(stamp(Event(kind, 1.0, Decision(1, Mask.OFF, 0.9, 0.5), state="ok", counts=counts)))
        sent = set(broker.retained()) | {"TOPIC/event", "TOPIC/snooze/set"}
        info = json.loads(broker.retained()["TOPIC/info"])
    assert set(re.findall(r"^\| `(TOPIC/\S+)`", DOCUMENT.read_text(), re.M)) == sent
    shown = example("`TOPIC/info`:")
    assert shown.keys() == info.keys()
    assert {key: info[key] for key in ("device", "camera", "software", "bundle", "schema")}.items() <= shown.items()


def test_counts():
    shown = example("`TOPIC/counts` (")
    assert shown == counts_json(Counts(shown["day"], 2, 28, 3, 1, 2))


def test_discovery():
    shown = example("A configuration message")
    sent = home_assistant.entities(
        "homeassistant", "maskcam", "0f3c9a51b2d4e687", Origin("door", "", "0.2.0", WHO.bundle)
    )
    assert sent["homeassistant/binary_sensor/maskcam_0f3c9a51b2d4e687/alert/config"] == shown
    names = {config["name"] for config in sent.values()}
    table = DOCUMENT.read_text().split("| entity |", 1)[1].split("\n\n", 1)[0]
    assert names == {name.strip() for row in re.findall(r"^\| ([A-Z][^|]*)\|", table, re.M) for name in row.split(",")}
