"""A real mosquitto, and somebody else who listens there; skipped where there is none."""

import json
import queue
import random
import shutil
import socket
import subprocess
import threading
import time
from contextlib import contextmanager, suppress

import pytest

pytest.importorskip("paho.mqtt.client", reason="paho-mqtt is not installed")

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

SOON = 60.0


def eventually(true) -> None:
    """Waits until `true()`, or fails."""
    end = time.monotonic() + SOON
    while not true():
        assert time.monotonic() < end, "it has not come to pass"
        time.sleep(0.01)  # real programs need real time


def free_port() -> int:
    """Below those that Linux gives to clients: one that asks for a broker that is away could get its port."""
    chance = random.SystemRandom()  # other tests may run beside these
    while True:
        with suppress(OSError), socket.create_server(("127.0.0.1", chance.randrange(15000, 32000))) as free:
            return free.getsockname()[1]


class Broker:
    """mosquitto without persistence: what it retained is gone when it ends."""

    def __init__(self, folder, *lines, port=None):
        self.program = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")
        if not self.program:
            pytest.skip("mosquitto is not installed: apt install mosquitto")
        self.port = port or free_port()
        self.config = folder / "mosquitto.conf"
        lines = lines or ("allow_anonymous true",)
        self.config.write_text("\n".join([f"listener {self.port} 127.0.0.1", "max_queued_messages 0", *lines]))
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
        self.log: list[str] = []
        self.reader = threading.Thread(target=lambda: self.log.extend(self.process.stderr), daemon=True)
        self.reader.start()

    def stop(self, kill=False):
        while True:  # mosquitto forgets a signal that comes right after its "running"
            self.process.kill() if kill else self.process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(1)
                break
        self.reader.join()
        self.process.stderr.close()

    def retained(self, under="#") -> dict[str, str]:
        """What a newcomer is told, by topic."""
        with listening(self.port, under, "mark") as listener:
            listener.client.publish("mark", "", qos=1)
            found = {}
            while (heard := listener.next())[0] != "mark":
                found[heard[0]] = heard[1]
            return found

    def until(self, true, under="#") -> dict[str, str]:
        """What is retained, once `true` of it."""
        end = time.monotonic() + SOON
        while not true(found := self.retained(under)):
            assert time.monotonic() < end, found
        return found


class Listener:
    """Somebody else at the broker."""

    def __init__(self, port, *topics):
        self.heard = queue.Queue()
        self.ready = threading.Event()
        self.client = Client(CallbackAPIVersion.VERSION2)
        self.client.reconnect_delay_set(1, 1)
        self.client.on_connect = lambda client, *rest: client.subscribe([(topic, 1) for topic in topics])
        self.client.on_subscribe = lambda *rest: self.ready.set()
        self.client.on_message = lambda client, data, m: self.heard.put((m.topic, m.payload.decode(), bool(m.retain)))
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()
        assert self.ready.wait(SOON)

    def next(self):
        return self.heard.get(timeout=SOON)

    def until(self, topic, payload=None):
        """Everything up to the first message on `topic` (with that payload)."""
        found = []
        while True:
            found.append(self.next())
            if found[-1][0] == topic and payload in (None, found[-1][1]):
                return found

    def events(self, topic):
        """Events heard there so far."""
        found = []
        while not self.heard.empty():
            where, payload, _ = self.heard.get()
            if where == topic:
                found.append(json.loads(payload))
        return found

    def close(self):
        self.client.disconnect()
        self.client.loop_stop()
        self.client.on_connect = self.client.on_subscribe = self.client.on_message = None


@contextmanager
def listening(port, *topics):
    listener = Listener(port, *topics)
    try:
        yield listener
    finally:
        listener.close()


@pytest.fixture
def make_broker(tmp_path):
    """A function that starts one; `lines` are of its configuration."""
    brokers = []

    def make(*lines):
        brokers.append(Broker(tmp_path, *lines))
        return brokers[-1]

    yield make
    for broker in brokers:
        if broker.process.poll() is None:
            broker.stop()


@pytest.fixture
def broker(make_broker):
    return make_broker()


@pytest.fixture
def listen(broker):
    """A function that listens to topics at the broker."""
    listeners = []

    def start(*topics):
        listeners.append(Listener(broker.port, *(topics or ("door/#",))))
        return listeners[-1]

    yield start
    for listener in listeners:
        listener.close()
