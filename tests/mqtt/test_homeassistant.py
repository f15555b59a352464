"""The real Home Assistant Core finds the camera, follows it and silences it.

`make test-homeassistant` installs it from its package into an environment of its own and names that in HOMEASSISTANT.
"""

import json
import os
import subprocess
import time
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from edge.core.labels import Mask
from edge.core.records import Counts, Decision, Event, Origin
from edge.runtime.identity import Stamper
from tests.mqtt.conftest import SOON, eventually, free_port

pytest.importorskip("paho.mqtt.client", reason="paho-mqtt is not installed")

from edge.config import sink_sections
from edge.sinks.mqtt import MqttSink
from edge.testing.defaults import with_defaults

MqttSink = with_defaults(MqttSink, sink_sections.Mqtt())

HASS = Path(os.environ.get("HOMEASSISTANT", "")) / "bin" / "python"
pytestmark = pytest.mark.skipif(
    "HOMEASSISTANT" not in os.environ or not HASS.exists(),
    reason="Home Assistant is not installed: make test-homeassistant",
)
NOW = 1795630000.0
STAMP = Stamper(Origin("hall", "left", "0.2.0", "maskcam 2026-11-21"), lambda: NOW, lambda: True)


class HomeAssistant:
    """Home Assistant at that broker; it is asked and answers line by line."""

    def __init__(self, folder, broker):
        command = [HASS, Path(__file__).with_name("hass.py"), folder, str(broker.port), str(free_port())]
        with (folder / "log").open("w") as log:
            pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": log}
            self.process = subprocess.Popen(command, text=True, **pipes)
        assert self.process.stdout.readline() == "ready\n", (folder / "log").read_text()

    def ask(self, line="states"):
        """Entities by the last part of their unique id, of each camera."""
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def states(self):
        return {id.split("_", 2)[2]: entity["state"] for id, entity in self.ask().items()}

    def until(self, **wanted):
        end = time.monotonic() + SOON
        while not wanted.items() <= (states := self.states()).items():
            assert time.monotonic() < end, (wanted, states)
        return states

    def close(self):
        self.process.stdin.close()
        self.process.wait(SOON)
        self.process.stdout.close()


@pytest.fixture
def hass(tmp_path, broker):
    folder = tmp_path / "hass"
    folder.mkdir()
    with closing(HomeAssistant(folder, broker)) as running:
        yield running


@contextmanager
def camera(broker, topic="maskcam/hall/left", **options):
    arguments = {"board": "b", "device": "hall", "camera": "left", "discovery": "homeassistant"} | options
    with closing(MqttSink("127.0.0.1", broker.port, topic, **arguments)) as sink:
        yield sink


def test_entities_appear_change_go_and_come_back(broker, hass):
    wishes = []
    with camera(broker, snooze=wishes.append) as door:
        hass.until(online="on", alert="off", state="starting", snooze="off", people="unknown", mask_share="unknown")
        door.send(STAMP(Event("state", 1.0, state="ok")))
        door.send(STAMP(Event("counts", 1.0, counts=Counts("2026-11-25", present=2, on=3, off=1))))
        door.send(STAMP(Event("no_mask", 2.0, Decision(1, Mask.OFF, 0.9, 1.0))))
        states = hass.until(state="ok", alert="on", people="2", people_today="4", mask_share="75.0")
        assert states["last_alert"].startswith("2026-11-25T")
        entities = hass.ask()
        assert {tuple(e["device"].values()) for e in entities.values()} == {
            ("hall left", "0.2.0 (maskcam 2026-11-21)", "maskcam")
        }
        kinds = {id.split("_", 2)[2]: entity["entity"].split(".")[0] for id, entity in entities.items()}
        assert kinds == {
            "online": "binary_sensor",
            "alert": "binary_sensor",
            "snooze": "switch",
            **dict.fromkeys(("state", "people", "people_today", "mask_share", "last_alert"), "sensor"),
        }
        door.send(STAMP(Event("all_clear", 3.0)))
        hass.until(alert="off")
        # nobody was judged yet: no share, rather than a wrong one
        door.send(STAMP(Event("counts", 4.0, counts=Counts("2026-11-26", unsure=1))))
        hass.until(people="0", people_today="1", mask_share="unknown")

        [switch] = [entity["entity"] for id, entity in entities.items() if id.endswith("_snooze")]
        hass.ask(f"on {switch}")
        hass.ask(f"off {switch}")
        eventually(lambda: wishes == [None, 0.0])
        for state in ("on", "off"):
            door.send(STAMP(Event("snooze", 5.0, state=state)))
            hass.until(snooze=state)
    hass.until(online="off", **dict.fromkeys(("alert", "state", "snooze", "people", "mask_share"), "unavailable"))
    with camera(broker):
        hass.until(online="on", alert="off", state="starting")


def test_a_broker_that_forgot_and_came_back(broker, hass):
    with camera(broker) as door:
        door.send(STAMP(Event("state", 1.0, state="ok")))
        door.send(STAMP(Event("no_mask", 2.0)))
        hass.until(alert="on", state="ok")
        broker.stop(kill=True)
        hass.until(alert="unavailable")
        broker.start()
        hass.until(alert="on", state="ok", online="on")


def test_two_cameras_of_one_board_are_two_devices(broker, hass):
    with camera(broker), camera(broker, "maskcam/hall/right", camera="right") as right:
        right.send(STAMP.__class__(Origin("hall", "right"), lambda: NOW)(Event("no_mask", 1.0)))
        end = time.monotonic() + SOON
        while len(found := hass.ask()) != 16 or "on" not in {e["state"] for i, e in found.items() if "_alert" in i}:
            assert time.monotonic() < end, found
    by_device = {}
    for id, entity in found.items():
        if id.endswith("_alert") and not id.endswith("last_alert"):
            by_device[entity["device"]["name"]] = entity["state"]
    assert by_device == {"hall left": "off", "hall right": "on"}
