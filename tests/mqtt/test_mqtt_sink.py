"""The sink at a real mosquitto: what holds is there for newcomers, whatever happened to either of the two."""

import json
import os
import shutil
import socket
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest

from edge.core.errors import SinkError
from edge.core.events import to_json
from edge.core.labels import Mask
from edge.core.records import Counts, Decision, Event, Origin, Stamp
from edge.sinks.isolated import Isolated
from tests.mqtt.conftest import SOON, eventually

pytest.importorskip("paho.mqtt.client", reason="paho-mqtt is not installed")

from edge.config import sink_sections
from edge.sinks.mqtt import MqttSink, wish
from edge.testing.defaults import with_defaults

MqttSink = with_defaults(MqttSink, sink_sections.Mqtt())

STAMP = Stamp("00ff-1", Origin("door", "", "0.2.0", "maskcam 2026-11-21"), 1795630000.0, True)
BARE = Decision(1, Mask.OFF, 0.9, 0.1)
DECISION, RAISED = Event("decision", 0.5, BARE, stamp=STAMP), Event("no_mask", 1.0, BARE, stamp=STAMP)
CLEAR, LOST = Event("all_clear", 2.0, stamp=STAMP), Event("state", 3.0, state="camera lost", stamp=STAMP)
CALM = {"door/available": "online", "door/state": "starting", "door/alert": "off", "door/snooze": "off"}
ROOT = Path(__file__).parents[2]
REFUSED = 3.0
"""Seconds for a broker that is to refuse: a client asks again until its time is up."""


def sink(broker, **options):
    return MqttSink("127.0.0.1", broker.port, "door", **{"board": "b", "timeout": SOON} | options)


def as_json(event):
    return json.dumps(to_json(event))


def test_everything_that_holds_is_there_from_the_first_moment(broker):
    with closing(sink(broker)):
        found = broker.until(lambda found: len(found) == 5)
        info = json.loads(found.pop("door/info"))
        assert found == CALM
    assert (info["schema"], info["device"], info["bundle"]) == (1, "", None)


def test_states_are_retained_and_events_are_not(broker, listen):
    with closing(sink(broker)) as door:
        early = listen("door/event")
        for event in (DECISION, RAISED, LOST):
            door.send(event)
        assert [early.next() for _ in range(3)] == [("door/event", as_json(e), False) for e in (DECISION, RAISED, LOST)]
        found = broker.retained()
        assert json.loads(found.pop("door/info")).items() >= {"device": "door", "software": "0.2.0"}.items()
        assert json.loads(found.pop("door/last_alert")) == to_json(RAISED)
        assert found == CALM | {"door/alert": "on", "door/state": "camera lost"}
        door.send(CLEAR)
        assert broker.retained()["door/alert"] == "off"


def test_a_graceful_end_leaves_no_alert_behind(broker):
    door = sink(broker)
    door.send(RAISED)
    door.close()
    assert broker.retained().items() >= {"door/available": "offline", "door/alert": "off"}.items()


def test_counts_and_sums_are_retained_and_counts_are_no_event(broker, listen):
    events = listen("door/event")
    day = Counts("2026-11-25", present=1, on=3, off=1)
    with closing(sink(broker)) as door:
        for kind in ("counts", "summary"):
            door.send(Event(kind, 1.0, counts=day, stamp=STAMP))
        found = broker.retained()
    assert json.loads(found["door/counts"])["mask_share"] == json.loads(found["door/summary"])["mask_share"] == 75.0
    assert json.loads(events.next()[1])["kind"] == "summary"


CHILD = """
import sys
from edge.core.records import Event
from edge.sinks.mqtt import MqttSink
sink = MqttSink("127.0.0.1", int(sys.argv[1]), "door", timeout=60.0, board="b")
sink.send(Event("no_mask", 1.0))
print("connected", flush=True)
sys.stdin.read()
"""


def test_killed_during_an_alert_it_is_away_and_started_again_the_truth_is_there(broker, listen):
    with subprocess.Popen(
        [sys.executable, "-c", CHILD, str(broker.port)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT
    ) as child:
        assert child.stdout.readline() == b"connected\n"
        assert broker.retained()["door/alert"] == "on"
        child.kill()
        child.wait()
    broker.until(lambda found: found["door/available"] == "offline")
    events = listen("door/event")
    with closing(sink(broker)):
        found = broker.until(lambda found: found["door/available"] == "online")
        assert found.items() >= CALM.items()
    assert events.heard.empty()


def test_a_broker_that_forgot_hears_all_of_it_again_and_no_event(broker):
    """Nothing happens at the door meanwhile: nothing but the connection tells that the broker was away."""
    with closing(sink(broker)) as door:
        for event in (RAISED, LOST, Event("snooze", 3.0, state="on", seconds=60.0, stamp=STAMP)):
            door.send(event)
        before = broker.retained()
        for kill in (True, False):
            broker.stop(kill)
            broker.start()
            heard = broker.until(lambda found: len(found) == len(before))
            assert heard == before
        assert before.items() >= {"door/alert": "on", "door/state": "camera lost", "door/snooze": "on"}.items()


class Wire:
    """Carries bytes between the sink and the broker until it is cut on one side, as when a Wi-Fi is left."""

    def __init__(self, port):
        self.upstream, self.pairs = port, []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            far = socket.create_connection(("127.0.0.1", self.upstream))
            self.pairs.append((near, far))
            for source, target in ((near, far), (far, near)):
                threading.Thread(target=self.pump, args=(source, target), daemon=True).start()

    def pump(self, source, target):
        try:
            while data := source.recv(65536):
                target.sendall(data)
        except OSError:
            pass

    def cut(self):
        """The sink's side is gone; the broker's stays open and knows nothing."""
        near, _ = self.pairs[-1]
        near.shutdown(socket.SHUT_RDWR)
        near.close()

    def close(self):
        self.listener.close()
        for pair in self.pairs:
            for end in pair:
                end.close()


def test_the_will_of_a_half_open_connection_does_not_win(broker, listen):
    with closing(Wire(broker.port)) as wire:
        door = MqttSink("127.0.0.1", wire.port, "door", board="b")
        available = listen("door/available")
        assert available.until("door/available", "online")
        wire.cut()
        heard = available.until("door/available", "offline") + available.until("door/available", "online")
        assert [payload for _, payload, _ in heard] == ["offline", "online"]  # the old session's end comes first
        assert len(wire.pairs) == 2
        assert broker.retained()["door/available"] == "online"
        door.close()


def test_a_will_from_elsewhere_is_contradicted(broker, listen):
    """Such as that of an older release, whose clients had another id at every start."""
    with closing(sink(broker)):
        broker.until(lambda found: found.get("door/available") == "online")
        available = listen("door/available")
        available.client.publish("door/available", "offline", qos=1, retain=True)
        available.until("door/available", "offline")
        available.until("door/available", "online")
        assert broker.retained()["door/available"] == "online"


def test_the_client_id_is_the_boards_own_and_fits_every_broker(broker):
    for board in "bbc":
        sink(broker, board=board).close()
    ids = [line.split(" as ")[1].split(" ")[0] for line in broker.log if " as maskcam" in line]
    assert ids[0] == ids[1] != ids[2]
    assert all(len(id) == 23 and id.isalnum() for id in ids)


def test_two_with_one_id_are_told(broker, caplog):
    """The broker ends one whenever the other comes; each comes back after a second."""
    one, two = sink(broker), sink(broker)
    try:
        eventually(lambda: "give each camera a name" in caplog.text)
    finally:
        for door in (one, two):
            door._broker.close()


@pytest.mark.parametrize(("said", "seconds"), [("on", None), ("ON", None), ("off", 0), ("900", 900), (" 1.5 ", 1.5)])
def test_a_snooze_is_asked_for(broker, listen, said, seconds):
    wishes, there = [], threading.Event()
    with closing(sink(broker, snooze=lambda wish: (wishes.append(wish), there.set()))):
        broker.until(lambda found: found.get("door/available") == "online")  # from then on it is heard
        listen("door/x").client.publish("door/snooze/set", said, qos=1)
        assert there.wait(60)
    assert wishes == [seconds]


def test_a_wish_that_the_broker_kept_is_of_another_day_and_nonsense_fills_no_log(broker, listen, caplog):
    other, wishes, there = listen("door/x").client, [], threading.Event()
    other.publish("door/snooze/set", "on", qos=1, retain=True)
    broker.until(lambda found: found.get("door/snooze/set") == "on")
    with closing(sink(broker, snooze=lambda wish: (wishes.append(wish), there.set()))):
        broker.until(lambda found: found.get("door/available") == "online")
        for said in ("later", "much later", "60"):
            other.publish("door/snooze/set", said, qos=1)
        assert there.wait(60)
    assert wishes == [60.0]
    said = [line for line in caplog.messages if "snooze/set" in line]
    assert len(said) == 1
    assert "send it without the flag 'retain'" in said[0]


@pytest.mark.fault("a message of 200 MB", "sent to snooze/set", "nothing is heard any more, said", "next start")
@pytest.mark.parametrize("retain", [False, True])
def test_a_message_that_would_fill_the_memory_is_not_taken_in_and_events_go_on(broker, listen, caplog, retain):
    """paho made 600 MB of 200, on boards that have 512. Kept by the broker, it comes again and again."""
    other = listen("door/event")
    with closing(sink(broker)) as door:
        broker.until(lambda found: found.get("door/available") == "online")  # from then on it is heard
        other.client.publish("door/snooze/set", b"1" * (2 << 20), qos=1, retain=retain)
        eventually(lambda: "nothing is heard any more" in caplog.text)
        eventually(door._broker.client.is_connected)
        broker.until(lambda found: found.get("door/available") == "online")
        door.send(RAISED)
        assert json.loads(other.next()[1])["kind"] == "no_mask"
    assert caplog.text.count("nothing is heard any more") == 1


@pytest.mark.parametrize("said", [b"", b"-1", b"nan", b"inf", b"86401", b"\xff\xfe", b"9" * 5000, b"[" * 5000, b"on\0"])
def test_nonsense_is_no_snooze(said):
    with pytest.raises(ValueError, match="expected on, off or 0 to 86400 seconds"):
        wish(said)


def test_a_visitor_touches_nothing_that_holds(broker, listen):
    with closing(sink(broker)) as door:
        door.send(RAISED)
        before = broker.retained()
        events = listen("door/event")
        with closing(sink(broker, visitor=True)) as guest:
            guest.send(LOST)
        assert events.next()[1] == as_json(LOST)
        assert broker.retained() == before


def test_behind_a_thread_a_broker_that_was_away_learns_what_holds_and_no_event_twice(broker):
    often = {"restate": True, "attempts": 1000, "pause": 0.05, "longest": 0.2}  # until the broker is there again
    door = Isolated("sinks.mqtt", lambda: sink(broker, timeout=2.0), **often)
    for event in (RAISED, Event("state", 0.0, state="ok", stamp=STAMP)):
        door.send(event)
    broker.until(lambda found: found.get("door/state") == "ok")
    broker.stop(kill=True)
    door.send(LOST)  # nobody takes it: the sink fails, and is opened again
    eventually(lambda: door.failed)
    broker.start()
    found = broker.until(lambda found: found.get("door/state") == "camera lost")
    assert found.items() >= {"door/available": "online", "door/alert": "on"}.items()
    assert json.loads(found["door/last_alert"])["kind"] == "no_mask"
    published = [line for line in broker.log if "Received PUBLISH" in line and "'door/event'" in line]
    assert len(published) == 1, published  # the one that was not taken
    door.close()


def test_name_and_password(make_broker, tmp_path):
    if not shutil.which("mosquitto_passwd"):
        pytest.skip("mosquitto_passwd is not installed: apt install mosquitto")
    users, secret = tmp_path / "users", tmp_path / "secret"
    subprocess.run(["mosquitto_passwd", "-b", "-c", users, "door", "right"], check=True, capture_output=True)
    users.chmod(0o644)
    tmp_path.chmod(0o755)
    broker = make_broker("allow_anonymous false", f"password_file {users}", "user root")
    secret.write_text("wrong")
    options = {"username": "door", "password_file": secret}
    with pytest.raises(SinkError, match=r"^broker 127.0.0.1:\d+ refused the connection \(Not authorized\)$"):
        sink(broker, **options, timeout=REFUSED)
    secret.write_text("right\n")
    sink(broker, **options).close()
    with pytest.raises(SinkError, match="expected one line of text"):
        MqttSink("127.0.0.1", broker.port, username="door", password_file=tmp_path / "none")


def test_no_broker():
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        with pytest.raises(SinkError, match=r"broker 127.0.0.1:\d+ cannot be reached \(.*refused"):
            MqttSink("127.0.0.1", nobody.getsockname()[1], timeout=SOON)


def test_a_broker_that_takes_no_empty_client_id(make_broker):
    broker = make_broker("allow_anonymous true", "allow_zero_length_clientid false")
    for board in ("", "b"):
        sink(broker, board=board).close()


def openssl(folder, *words):
    subprocess.run(["openssl", *" ".join(words).split()], check=True, capture_output=True, cwd=folder)


EC = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1"


def authority(folder, name):
    """A certificate authority of our own."""
    openssl(folder, f"req -x509 {EC} -nodes -keyout {name}.key -out {name}.pem -days 2 -subj /CN={name}")


def certificate(folder, name, by, extension="", key="-nodes"):
    """One that `by` signed."""
    openssl(folder, f"req {EC} {key} -keyout {name}.key -out {name}.csr -subj /CN={name}")
    (folder / "ext").write_text(extension)
    signed = f"-CA {by}.pem -CAkey {by}.key -CAcreateserial -out {name}.pem -days 2 -extfile ext"
    openssl(folder, f"x509 -req -in {name}.csr {signed}")


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    if not shutil.which("openssl"):
        pytest.skip("openssl is not installed: apt install openssl")
    folder = tmp_path_factory.mktemp("certificates")
    authority(folder, "ca")
    authority(folder, "other")
    certificate(folder, "server", "ca", "subjectAltName=DNS:localhost")
    certificate(folder, "door", "ca")
    certificate(folder, "stranger", "other")
    certificate(folder, "locked", "ca", key="-passout pass:s3cret")
    return folder


@pytest.fixture
def guarded(make_broker, certificates):
    """A broker that lets in who shows a certificate."""
    files = {"cafile": "ca.pem", "certfile": "server.pem", "keyfile": "server.key"}
    lines = [f"{key} {certificates / name}" for key, name in files.items()]
    return make_broker(*lines, "require_certificate true", "use_identity_as_username true", "user root")


def tls(certificates, port, ca="ca", who="door", host="localhost", timeout=REFUSED):
    shown = {"cert_file": certificates / f"{who}.pem", "key_file": certificates / f"{who}.key"} if who else {}
    return MqttSink(host, port, "door", ca_file=certificates / f"{ca}.pem", timeout=timeout, board="b", **shown)


def test_tls_with_a_certificate_of_ours(guarded, certificates):
    with closing(tls(certificates, guarded.port, timeout=SOON)) as door:
        door.send(RAISED)
    assert any("u'door'" in line for line in guarded.log)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"who": ""}, "does it ask for a client certificate"),
        ({"who": "stranger"}, "does it ask for a client certificate|cannot be reached"),
        ({"ca": "other"}, "cannot be reached .*certificate verify failed"),
        ({"host": "127.0.0.1"}, "cannot be reached .*IP address mismatch"),
        ({"ca": "nothing"}, "ca_file '.*nothing.pem' cannot be used .No such file.*: expected certificates as PEM"),
        ({"who": "nobody"}, "cert_file '.*nobody.pem' .* cannot be used .No such file"),
        ({"who": "locked"}, "cannot be used .the key has a passphrase"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_tls_refuses(guarded, certificates, options, said):
    with pytest.raises(SinkError, match=said):
        tls(certificates, guarded.port, **options)


CLIENT = """
import sys
from edge.core.errors import SinkError
from edge.sinks.mqtt import MqttSink
for host in ("localhost", "127.0.0.1"):
    try:
        MqttSink(host, int(sys.argv[1]), "d", tls=True, timeout=60, cert_file=sys.argv[2], key_file=sys.argv[3]).close()
        print(host, "in")
    except SinkError as error:
        print(host, "refused")
"""


@pytest.mark.parametrize(("known", "said"), [("ca", "in"), ("other", "refused")])
def test_tls_with_the_systems_certificates(guarded, certificates, known, said):
    """SSL_CERT_FILE takes the place of the system's."""
    shown = [certificates / "door.pem", certificates / "door.key"]
    environ = os.environ | {"SSL_CERT_FILE": str(certificates / f"{known}.pem")}
    command = [sys.executable, "-c", CLIENT, str(guarded.port), *shown]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, cwd=ROOT)
    assert done.stdout.splitlines() == [f"localhost {said}", "127.0.0.1 refused"], done.stderr


def test_what_is_heard_while_it_connects_is_answered(monkeypatch):
    """A retained "offline" of an earlier life may come before the constructor is through."""
    published = []

    class Client:
        def publish(self, topic, payload, **options):
            published.append((topic, payload))

        def will_set(self, topic, payload, **options): ...

    class Broker:
        def __init__(self, host, port, client_id, connected, timeout, heard, prepare, *rest):
            prepare(Client())
            heard("door/available", b"offline", True)

    monkeypatch.setattr("edge.sinks.mqtt.Broker", Broker)
    MqttSink("nowhere", topic="door", timeout=1.0)
    assert published == [("door/available", "online")]
