"""Fifty cameras on one broker, and the table of them."""

import json
import threading
from collections import Counter
from contextlib import ExitStack, closing

import pytest

from edge.cli import main
from edge.core.labels import Mask
from edge.core.records import Counts, Decision, Event, Origin
from edge.runtime.identity import Stamper, mqtt_topic

pytest.importorskip("paho.mqtt.client", reason="paho-mqtt is not installed")

from edge.config import sink_sections
from edge.operations.fleet import Camera, cameras, render
from edge.sinks.isolated import Isolated
from edge.sinks.mqtt import MqttSink
from edge.testing.defaults import with_defaults

MqttSink = with_defaults(MqttSink, sink_sections.Mqtt())

MANY, EACH = 50, 20


def camera(broker, name):
    """A camera of that name as the service puts it together, and what stamps its events."""
    topic = mqtt_topic("", "", name)
    make = lambda: MqttSink(  # noqa: E731
        "127.0.0.1", broker.port, topic, timeout=20.0, board="the same", camera=name, discovery="homeassistant"
    )
    sink = Isolated(
        name, make, kinds=("decision", "no_mask", "all_clear", "state", "counts"), restate=True, patience=60
    )
    return sink, Stamper(Origin("hall", name, "0.2.0", "maskcam 2026-11-21"), lambda: 1795630000.0, lambda: True)


def test_fifty_cameras_at_once_lose_double_and_mix_up_nothing(broker, listen):
    events = listen("maskcam/+/event")
    sent: list[str] = []

    def live(number):
        sink, stamp = camera(broker, f"c{number}")
        with closing(sink):
            for i in range(EACH):
                mask = Mask.OFF if number % 2 else Mask.ON
                event = stamp(Event("decision", float(i), Decision(number, mask, 0.9, 0.0)))
                sent.append(event.stamp.id)
                sink.send(event)
            sink.send(stamp(Event("no_mask" if number % 2 else "all_clear", 99.0)))

    threads = [threading.Thread(target=live, args=(number,)) for number in range(MANY)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    heard = [events.next() for _ in range(MANY * (EACH + 1))]
    assert events.heard.empty()
    said = [(topic, json.loads(payload)) for topic, payload, _ in heard]
    assert all(topic == f"maskcam/{event['camera']}/event" for topic, event in said)
    assert all(event["camera"] == f"c{event['track']}" for _, event in said if event["kind"] == "decision")
    assert Counter(event["id"] for _, event in said if event["kind"] == "decision") == Counter(sent)
    for number in range(MANY):
        mine = [event["t"] for _, event in said if event["camera"] == f"c{number}"]
        assert mine == sorted(mine)
    found = broker.retained()
    assert {found[f"maskcam/c{n}/available"] for n in range(MANY)} == {"offline"}
    configs = [json.loads(payload) for topic, payload in found.items() if topic.endswith("/config")]
    assert len({config["unique_id"] for config in configs}) == len(configs) == 8 * MANY


def test_the_table(broker, capsys):
    with ExitStack() as stack:
        for name, kind in (("left", "no_mask"), ("right", "all_clear")):
            sink, stamp = camera(broker, name)
            stack.enter_context(closing(sink))
            sink.send(stamp(Event("state", 1.0, state="ok")))
            sink.send(stamp(Event("counts", 1.0, counts=Counts("2026-11-25", on=7))))
            sink.send(stamp(Event(kind, 1.0)))
        broker.until(lambda found: {"maskcam/left/last_alert", "maskcam/right/counts"} <= found.keys(), "maskcam/#")
        before = broker.retained()
        where = ["--host", "127.0.0.1", "--port", str(broker.port)]
        assert main(["fleet", *where, "--json"]) == 0
        left, right = json.loads(capsys.readouterr().out)
        assert (left["topic"], left["camera"], left["alert"], left["people_today"]) == ("maskcam/left", "left", True, 7)
        assert (right["online"], right["state"], right["last_alert"]) == (True, "ok", "")
        assert left["last_alert"].startswith("2026-11-25T")
        assert main(["fleet", *where]) == 0
        head, first, _ = capsys.readouterr().out.splitlines()
        assert head.split()[:4] == ["topic", "device", "camera", "online"]
        assert {"ALERT", "hall", "0.2.0"} <= set(first.split())
        assert broker.retained() == before
    assert main(["fleet", *where, "--topic", "elsewhere", "--wait", "0.1"]) == 0
    assert "no camera has published anything below elsewhere" in capsys.readouterr().out


def test_what_is_no_camera_and_what_is_nonsense():
    messages = {
        "maskcam/a/info": b'{"device": "a\x1b[2J", "software": 5}',
        "maskcam/a/counts": b"[" * 5000,
        "maskcam/a/last_alert": b'{"time": null}',
        "maskcam/a/alert": b"perhaps",
        "maskcam/b/info": b"\xff",
        "maskcam/c/available": b"online",
    }
    assert cameras({}) == []
    messages["maskcam/a/info"] = b'{"device": "a\\u001b[2J", "software": 5}'
    assert cameras(messages) == [Camera("maskcam/a", "a[2J")]
    assert render(cameras(messages)).splitlines()[1].split() == ["maskcam/a", "a[2J", "no"]


def test_a_topic_or_a_number_from_elsewhere_moves_no_cursor():
    topic = "maskcam/\x1b[2J"
    found = cameras({f"{topic}/info": b'{"device": "d"}', f"{topic}/counts": b'{"people": %s}' % (b"9" * 4000)})
    assert found[0].people_today is None
    assert all(len(line) < 200 and line.isprintable() for line in render(found).splitlines())


def test_without_a_broker(capsys):
    assert main(["fleet"]) == 2
    assert "no broker is known: expected --host NAME" in capsys.readouterr().err
