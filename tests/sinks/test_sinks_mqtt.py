"""Events to a real mosquitto broker; skipped where there is none."""

import json
import queue
import shutil
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from edge.core.errors import SinkError
from edge.core.labels import Mask
from edge.core.records import Decision, Event
from edge.sinks.isolated import Isolated
from edge.sinks.jsonl import to_json

pytest.importorskip("paho.mqtt.client", reason="paho-mqtt is not installed")

from edge.sinks.mqtt import MqttSink

SOON = 10.0
RAISED, CLEAR, LOST = Event("no_mask", 1.0), Event("all_clear", 2.0), Event("state", 3.0, state="camera lost")
DECISION = Event("decision", 0.5, Decision(1, Mask.OFF, 0.9, 0.1))


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


class Broker:
    def __init__(self, folder, *lines):
        self.program = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")
        if not self.program:
            pytest.skip("mosquitto is not installed: apt install mosquitto")
        self.port = free_port()
        self.config = folder / "mosquitto.conf"
        self.config.write_text("\n".join([f"listener {self.port} 127.0.0.1", *(lines or ["allow_anonymous true"])]))
        self.start()

    def start(self):
        self.process = subprocess.Popen(
            [self.program, "-c", str(self.config), "-v"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )
        for line in self.process.stderr:
            if "running" in line:
                break
        else:
            pytest.fail("mosquitto does not start")
        self.reader = threading.Thread(target=self.process.stderr.read)
        self.reader.start()

    def stop(self):
        self.process.terminate()
        self.process.wait()
        self.reader.join()
        self.process.stderr.close()


@pytest.fixture
def broker(tmp_path):
    broker = Broker(tmp_path)
    yield broker
    broker.stop()


class Listener:
    """Someone else at the broker."""

    def __init__(self, port):
        from paho.mqtt.client import Client
        from paho.mqtt.enums import CallbackAPIVersion

        self.heard = queue.Queue()
        self.ready = threading.Event()
        self.client = Client(CallbackAPIVersion.VERSION2)
        self.client.on_connect = lambda client, *rest: client.subscribe("door/#", qos=1)
        self.client.on_subscribe = lambda *rest: self.ready.set()
        self.client.on_message = lambda client, data, m: self.heard.put((m.topic, m.payload.decode(), bool(m.retain)))
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()
        assert self.ready.wait(SOON)

    def hears(self, count):
        return [self.heard.get(timeout=SOON) for _ in range(count)]

    def close(self):
        self.client.disconnect()
        self.client.loop_stop()
        self.client.on_connect = self.client.on_subscribe = self.client.on_message = None


@pytest.fixture
def listen(broker):
    listeners = []

    def start():
        listeners.append(Listener(broker.port))
        return listeners[-1]

    yield start
    for listener in listeners:
        listener.close()


def as_json(event):
    return json.dumps(to_json(event))


def test_states_are_retained_and_events_are_not(broker, listen):
    early = listen()
    sink = MqttSink("127.0.0.1", broker.port, "door")
    assert early.hears(1) == [("door/available", "online", False)]
    for event in (DECISION, RAISED, LOST):
        sink.send(event)
    assert early.hears(5) == [
        ("door/event", as_json(DECISION), False),
        ("door/alert", "on", False),
        ("door/event", as_json(RAISED), False),
        ("door/state", "camera lost", False),
        ("door/event", as_json(LOST), False),
    ]
    late = listen()
    expected = [("door/alert", "on", True), ("door/available", "online", True), ("door/state", "camera lost", True)]
    assert sorted(late.hears(3)) == expected
    sink.send(CLEAR)
    sink.close()
    last = [("door/alert", "off", False), ("door/event", as_json(CLEAR), False), ("door/available", "offline", False)]
    assert late.hears(3) == last


CHILD = """
import sys
from edge.sinks.mqtt import MqttSink
sink = MqttSink("127.0.0.1", int(sys.argv[1]), "door")
print("connected", flush=True)
sys.stdin.read()
"""


def test_the_last_will_says_offline(broker, listen):
    listener = listen()
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(broker.port)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    )
    with child:
        assert child.stdout.readline() == b"connected\n"
        assert listener.hears(1) == [("door/available", "online", False)]
        child.kill()
    assert listener.hears(1) == [("door/available", "offline", False)]


def test_name_and_password(tmp_path):
    if not shutil.which("mosquitto_passwd"):
        pytest.skip("mosquitto_passwd is not installed: apt install mosquitto")
    users, secret = tmp_path / "users", tmp_path / "secret"
    subprocess.run(["mosquitto_passwd", "-b", "-c", users, "door", "right"], check=True, capture_output=True)
    users.chmod(0o644)
    tmp_path.chmod(0o755)
    broker = Broker(tmp_path, "allow_anonymous false", f"password_file {users}", "user root")
    try:
        for text, refused in (("wrong", True), ("right\n", False)):
            secret.write_text(text)
            options = {"username": "door", "password_file": secret, "timeout": 1.0}
            if refused:
                with pytest.raises(SinkError, match=r"^broker 127.0.0.1:\d+ does not let us in \(Not authorized\)$"):
                    MqttSink("127.0.0.1", broker.port, **options)
            else:
                MqttSink("127.0.0.1", broker.port, **options).close()
    finally:
        broker.stop()
    with pytest.raises(SinkError, match="expected one line of text"):
        MqttSink("127.0.0.1", broker.port, username="door", password_file=tmp_path / "none")


def test_no_broker():
    with pytest.raises(SinkError, match=r"broker 127.0.0.1:\d+ is not reached \(.*refused"):
        MqttSink("127.0.0.1", free_port(), timeout=1.0)


def test_behind_a_thread_a_broker_that_starts_again_learns_what_holds(broker):
    sink = Isolated(
        "sinks.mqtt", lambda: MqttSink("127.0.0.1", broker.port, "door", timeout=0.5), restate=True, pause=0.05
    )
    sink.send(RAISED)
    sink.send(Event("state", 0.0, state="ok"))
    listener = Listener(broker.port)
    try:
        while ("door/state", "ok") not in [(topic, said) for topic, said, _ in listener.hears(1)]:
            pass
    finally:
        listener.close()
    broker.stop()  # it forgets what it retained
    sink.send(LOST)
    broker.start()
    listener = Listener(broker.port)
    try:
        seen = {}
        while seen.get("door/state") != "camera lost" or "door/alert" not in seen or "door/available" not in seen:
            [(topic, said, _)] = listener.hears(1)
            seen[topic] = said
    finally:
        listener.close()
    assert (seen["door/alert"], seen["door/available"]) == ("on", "online")
    sink.close()
