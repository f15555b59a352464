"""What is said to a broker, word for word and in its order: paho's client is replaced by one that remembers."""

import json
import logging
import shutil
import socket
import ssl
import subprocess
from types import SimpleNamespace

import pytest

pytest.importorskip("paho.mqtt.client", reason="paho-mqtt is not installed")

from edge import __version__
from edge.config import sink_sections
from edge.core.errors import SinkError
from edge.core.events import counts_json, to_json
from edge.core.records import Counts, Event, Origin, Stamp
from edge.sinks import mqtt, mqtt_client
from edge.testing.defaults import with_defaults

Bounded = mqtt_client._Bounded
MqttSink = with_defaults(mqtt.MqttSink, sink_sections.Mqtt())
AVAILABLE = "door/available"
RAISED, CLEAR = Event("no_mask", 1.0), Event("all_clear", 2.0)
HEARD_AT_FIRST = ["door/state", "door/alert", "door/snooze", "door/info"]


class Reason:
    def __init__(self, text="Success", is_failure=False):
        self.text, self.is_failure = text, is_failure

    def __str__(self):
        return self.text


class FakeClient:
    """paho's client without a network. `answer`: what the broker says to a connection; None: nothing."""

    made = ()
    answer, error, confirms, too_large = Reason(), None, True, False

    def __init__(self, version, client_id):
        self.version, self.id, self.calls, self.told = version, client_id, [], []
        FakeClient.made = (*FakeClient.made, self)

    def __getattr__(self, name):
        if not name.islower():
            raise AttributeError(name)
        return lambda *args, **options: self.calls.append((name, *args, *options.values()))

    def connect(self, host, port):
        self.calls.append(("connect", host, port))
        if self.error:
            raise self.error

    def loop_start(self):
        self.calls.append(("loop_start",))
        if self.answer:
            self.on_connect(self, None, None, self.answer, None)

    def publish(self, topic, payload, qos, retain):
        self.told.append((topic, payload, qos, retain))
        return self

    def wait_for_publish(self, timeout):
        if isinstance(self.confirms, Exception):
            raise self.confirms
        self.waited = timeout

    def is_published(self):
        return self.confirms

    def called(self, name):
        return [call[1:] for call in self.calls if call[0] == name]

    def hear(self, topic, payload, retain=False):
        self.on_message(self, None, SimpleNamespace(topic=topic, payload=payload, retain=retain))


@pytest.fixture(autouse=True)
def client(monkeypatch):
    """A function that returns the client made last."""
    monkeypatch.setattr(mqtt_client, "_Bounded", FakeClient)
    monkeypatch.setattr(FakeClient, "made", ())
    return lambda: FakeClient.made[-1]


def door(**options):
    return MqttSink("host", 1883, "door", **{"timeout": 2.5, "board": "b"} | options)


def payloads(told):
    return {topic: payload for topic, payload, _, _ in told}


def test_a_connection_begins_with_the_will_and_ends_with_being_there(client):
    door()
    names = [call[0] for call in client().calls]
    assert names == ["reconnect_delay_set", "will_set", "connect", "loop_start", "subscribe"]
    assert client().called("reconnect_delay_set") == [(1, 30)]
    assert client().called("will_set") == [(AVAILABLE, "offline", 1, True)]
    assert client().called("connect") == [("host", 1883)]
    assert client().called("subscribe") == [([(AVAILABLE, 1), ("door/snooze/set", 1)],)]
    assert client().connect_timeout == 2.5
    assert client().version is mqtt_client.CallbackAPIVersion.VERSION2
    assert sorted(topic for topic, *_ in client().told[:-1]) == sorted(HEARD_AT_FIRST)
    assert client().told[-1] == (AVAILABLE, "online", 0, True)
    assert {(qos, retain) for *_, qos, retain in client().told} == {(0, True)}
    found = payloads(client().told)
    assert json.loads(found.pop("door/info")) == {
        "schema": 1,
        "id": "9f98a7973afa438a",
        "device": "",
        "camera": "",
        "software": __version__,
        "bundle": None,
    }
    assert found == {AVAILABLE: "online", "door/state": "starting", "door/alert": "off", "door/snooze": "off"}


def test_who_it_is(client):
    door()
    door()
    door(board="c")
    door(client_id="my-own")
    door(board="")
    door(board="")
    first, again, other, own, one, two = [made.id for made in FakeClient.made]
    assert first == again == "maskcam9f98a7973afa438a" != other
    assert own == "my-own"
    assert one != two
    assert {len(id) for id in (first, other, one, two)} == {23}
    for _ in range(2):
        MqttSink("host", 1883, "door", timeout=2.5)
    assert FakeClient.made[-1].id != FakeClient.made[-2].id


def test_a_visitor_has_no_will_no_name_and_says_nothing_but_events(client):
    guest = door(visitor=True, client_id="my-own")
    guest.send(RAISED)
    guest.send(Event("counts", 1.0, counts=Counts("2026-11-25")))
    guest.close()
    assert [call[0] for call in client().calls] == [
        "reconnect_delay_set", "connect", "loop_start", "disconnect", "loop_stop",
    ]  # fmt: skip
    assert client().told == [("door/event", json.dumps(to_json(RAISED)), 1, False)]
    assert client().id not in ("my-own", "maskcam9f98a7973afa438a")
    assert len(client().id) == 23


def test_what_is_retained_and_what_is_an_event(client):
    sink, day = door(), Counts("2026-11-25", on=3)
    for event, retained in (
        (RAISED, {"alert": "on", "last_alert": json.dumps(to_json(RAISED))}),
        (CLEAR, {"alert": "off"}),
        (Event("state", 1.0, state="camera lost"), {"state": "camera lost"}),
        (Event("snooze", 1.0, state="on", seconds=9.0), {"snooze": "on"}),
        (Event("counts", 1.0, counts=day), {"counts": json.dumps(counts_json(day))}),
        (Event("summary", 1.0, counts=day), {"summary": json.dumps(counts_json(day))}),
        (Event("decision", 1.0), {}),
    ):
        client().told.clear()
        sink.send(event)
        told = [(f"door/{topic}", payload, 1, True) for topic, payload in retained.items()]
        if event.kind != "counts":
            told.append(("door/event", json.dumps(to_json(event)), 1, False))
        assert client().told == told
    assert client().waited == 2.5
    client().told.clear()
    client().on_connect(client(), None, None, Reason(), None)
    found = payloads(client().told)
    assert (found["door/alert"], found["door/state"], found["door/snooze"]) == ("off", "camera lost", "on")
    assert {"door/last_alert", "door/counts", "door/summary"} <= set(found)
    assert client().told[-1] == (AVAILABLE, "online", 0, True)


def test_restating_is_no_event(client):
    sink = door()
    client().told.clear()
    sink.restate(RAISED)
    assert [topic for topic, *_ in client().told] == ["door/alert", "door/last_alert"]


def test_an_end_takes_the_alert_back_and_goes(client):
    sink = door()
    sink.send(RAISED)
    client().told.clear()
    sink.close()
    assert client().told == [("door/alert", "off", 1, True), (AVAILABLE, "offline", 1, True)]
    assert [call[0] for call in client().calls[-2:]] == ["disconnect", "loop_stop"]
    assert client().on_connect is client().on_disconnect is client().on_message is None
    calm = door()
    client().told.clear()
    calm.close()
    assert client().told == [(AVAILABLE, "offline", 1, True)]


def test_an_end_at_a_broker_that_does_not_answer_lets_go_all_the_same(client):
    sink = door()
    client().confirms = False
    with pytest.raises(SinkError):
        sink.close()
    assert [call[0] for call in client().calls[-2:]] == ["disconnect", "loop_stop"]


@pytest.mark.parametrize(
    ("confirms", "said"),
    [
        (False, "the broker confirms nothing within 2.5 s"),
        (RuntimeError("queue"), "message not sent (queue)"),
        (ValueError("size"), "message not sent (size)"),
    ],
)
def test_what_is_not_confirmed_was_not_sent(client, confirms, said):
    sink = door()
    client().confirms = confirms
    with pytest.raises(SinkError) as caught:
        sink.send(CLEAR)
    assert str(caught.value) == said


def test_a_will_from_elsewhere_is_contradicted_but_not_our_own_goodbye(client):
    sink = door()
    client().told.clear()
    client().hear(AVAILABLE, b"online")
    assert client().told == []
    client().hear(AVAILABLE, b"offline", True)
    assert client().told == [(AVAILABLE, "online", 0, True)]
    heard = client().on_message
    sink.close()
    client().told.clear()
    heard(client(), None, SimpleNamespace(topic=AVAILABLE, payload=b"offline", retain=False))
    assert client().told == []


def test_wishes_and_what_is_none(client, caplog):
    wishes = []
    door(snooze=wishes.append)
    topic = "door/snooze/set"
    with caplog.at_level(logging.DEBUG):
        client().hear(topic, b"on", True)
        client().hear(topic, b"later")
        client().hear(topic, b" ON ")
        client().hear(topic, b"nonsense")
        client().hear(topic, b"86400")
        client().hear(topic, b"0")
    assert wishes == [None, 86400.0, 0.0]
    expected = "expected on, off or 0 to 86400 seconds"
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        (
            "WARNING",
            "sinks.mqtt: door/snooze/set: a retained message, which is not heeded: send it without the flag 'retain'",
        ),
        ("DEBUG", f"sinks.mqtt: door/snooze/set: 'later': {expected}"),
        ("WARNING", f"sinks.mqtt: door/snooze/set: 'nonsense': {expected}"),
    ]
    door().close()
    door()
    client().hear(topic, b"60")  # nobody asked for wishes: nothing happens


def test_a_long_wish_is_judged_by_its_beginning():
    with pytest.raises(ValueError, match="^'" + "9" * 32 + "': expected on, off or 0 to 86400 seconds$"):
        mqtt.wish(b"9" * 5000)
    assert mqtt.wish(b"60" + b" " * 40) == 60.0
    assert mqtt.wish(b"off") == 0.0
    for none in (b"86400.5", b"-0.5", b""):
        with pytest.raises(ValueError, match=r"expected on, off or 0 to 86400 seconds$"):
            mqtt.wish(none)
    with pytest.raises(ValueError, match="�"):
        mqtt.wish(b"\xff")


CLASH = (
    "sinks.mqtt: the broker ends our connection again and again: another client seems to bear the same id; "
    "give each camera a name (camera.name) or a topic (sinks.mqtt.topic) of its own"
)


@pytest.mark.parametrize(("apart", "times", "told"), [(29.0, 3, 1), (29.0, 2, 0), (30.0, 9, 0), (1.0, 9, 1)])
def test_connections_that_break_again_and_again_are_spoken_of_once(client, monkeypatch, caplog, apart, times, told):
    now = [1000.0]
    monkeypatch.setattr(mqtt.time, "monotonic", lambda: now[0])
    door()
    for _ in range(times):
        now[0] += apart
        client().on_connect(client(), None, None, Reason(), None)
    assert caplog.messages == [CLASH] * told


def test_a_pause_between_two_breaks_begins_the_count_anew(client, monkeypatch, caplog):
    now = [1000.0]
    monkeypatch.setattr(mqtt.time, "monotonic", lambda: now[0])
    door()
    for apart in (1.0, 1.0, 100.0, 1.0, 1.0):
        now[0] += apart
        client().on_connect(client(), None, None, Reason(), None)
    assert caplog.messages == []


def test_after_a_message_that_would_fill_the_memory_nothing_is_heard_and_all_is_said(client, caplog):
    door()
    client().calls.clear()
    client().told.clear()
    client().too_large = True
    for _ in range(2):
        client().on_connect(client(), None, None, Reason(), None)
    assert client().called("subscribe") == []
    assert client().told[-1] == (AVAILABLE, "online", 0, True)
    assert [line for line in caplog.messages if "heard" in line] == [
        "sinks.mqtt: somebody sent a message of more than 1048576 bytes: nothing is heard any more, until the next "
        "start; events are sent as before"
    ]


def test_the_camera_is_introduced_again_when_it_is_known_better(client):
    sink = door(device="hall", camera="left")
    stamp = Stamp("0-1", Origin("", "", "0.2.0", "maskcam 2026-11-21"))
    client().told.clear()
    sink.send(Event("all_clear", 1.0, stamp=stamp))
    sink.send(Event("all_clear", 2.0, stamp=stamp))
    told = [one for one in client().told if one[0] == "door/info"]
    assert [(qos, retain) for *_, qos, retain in told] == [(1, True)]
    assert json.loads(told[0][1]) == {
        "schema": 1,
        "id": "9f98a7973afa438a",
        "device": "hall",
        "camera": "left",
        "software": "0.2.0",
        "bundle": "maskcam 2026-11-21",
    }
    client().told.clear()
    same = Origin("hall", "left", "0.2.0", "maskcam 2026-11-21")
    sink.send(Event("all_clear", 2.5, stamp=Stamp("0-1", same)))  # the names that it had anyway
    assert [topic for topic, *_ in client().told] == ["door/alert", "door/event"]
    sink.send(Event("all_clear", 3.0, stamp=Stamp("0-1", Origin("gate", "right", "0.2.0"))))
    info = json.loads(payloads(client().told)["door/info"])
    assert (info["device"], info["camera"], info["bundle"]) == ("gate", "right", None)


def test_home_assistant_is_told_under_its_prefix(client):
    door(discovery="ha")
    found = {topic: payload for topic, payload, *_ in client().told if topic.startswith("ha/")}
    assert found
    assert all("9f98a7973afa438a" in topic for topic in found)
    assert all("door/" in payload for payload in found.values())
    assert set(HEARD_AT_FIRST) <= set(payloads(client().told))
    assert client().told[-1][0] == AVAILABLE


def test_a_name_and_the_first_line_of_the_password_file(client, tmp_path):
    (tmp_path / "secret").write_text("pass word \nanother line\n")
    door(username="eve", password_file=tmp_path / "secret")
    assert client().called("username_pw_set") == [("eve", "pass word ")]
    (tmp_path / "secret").write_text("päss")
    door(username="eve", password_file=tmp_path / "secret")
    assert client().called("username_pw_set") == [("eve", "päss")]
    door(username="eve")
    assert client().called("username_pw_set") == [("eve", None)]
    door(password_file=tmp_path / "secret")
    assert client().called("username_pw_set") == []
    (tmp_path / "secret").write_bytes(b"\xff\n")
    with pytest.raises(
        SinkError, match=r"^password_file '.*/secret' cannot be read \(.*\): expected one line of text$"
    ):
        door(username="eve", password_file=tmp_path / "secret")


def test_tls_verifies_the_broker_and_its_name(client):
    door(tls=True)
    [(context,)] = client().called("tls_set_context")
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
    door()
    assert client().called("tls_set_context") == []


@pytest.mark.skipif(not shutil.which("openssl"), reason="openssl is not installed: apt install openssl")
def test_an_authority_and_a_certificate_of_ours(client, tmp_path):
    pem, key = tmp_path / "door.pem", tmp_path / "door.key"
    made = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=ours"
    subprocess.run(["openssl", *made.split(), "-keyout", key, "-out", pem], check=True, capture_output=True)
    door(ca_file=pem)
    [(context,)] = client().called("tls_set_context")
    assert [dict(pair for (pair,) in known["subject"])["commonName"] for known in context.get_ca_certs()] == ["ours"]
    door(cert_file=pem, key_file=key)
    assert len(client().called("tls_set_context")) == 1
    pem.write_text(pem.read_text() + key.read_text())
    mqtt_client.Broker("host", 1883, "me", lambda client, may: None, 1.0, cert_file=pem)  # with its key in it
    locked = [*made.replace(" -nodes", " -passout pass:s3cret").split(), "-keyout", key, "-out", pem]
    subprocess.run(["openssl", *locked], check=True, capture_output=True)
    with pytest.raises(SinkError, match=r" cannot be used \(the key has a passphrase\): expected a certificate"):
        door(cert_file=pem, key_file=key)


def test_files_for_tls_that_cannot_be_used(tmp_path):
    certificate = (
        "cert_file '/none' and key_file '{}' cannot be used (No such file or directory): expected a certificate and "
        "its key as PEM, without a passphrase, for this user to read"
    )
    for files, said in (
        (
            {"ca_file": "/none"},
            "ca_file '/none' cannot be used (No such file or directory): expected certificates as PEM",
        ),
        ({"cert_file": "/none"}, certificate.format("")),
        ({"cert_file": "/none", "key_file": "/key", "tls": True}, certificate.format("/key")),
    ):
        with pytest.raises(SinkError) as caught:
            door(**files)
        assert str(caught.value) == said
    (tmp_path / "ca.pem").write_text("rubbish")
    with pytest.raises(SinkError, match=r"ca\.pem' cannot be used \(\[X509.*\): expected certificates as PEM$"):
        door(ca_file=tmp_path / "ca.pem")
    with pytest.raises(ValueError, match=r"^the key has a passphrase$"):
        mqtt_client._no_passphrase()


def test_a_handshake_that_fails_closes_its_socket():
    near, far = socket.socketpair()
    with (
        far,
        mqtt_client.context("", "", "").wrap_socket(
            near, server_hostname="h", do_handshake_on_connect=False
        ) as wrapped,
    ):
        far.sendall(b"220 this is no TLS\r\n")
        with pytest.raises(ssl.SSLError):
            wrapped.do_handshake()
        assert wrapped.fileno() == -1


def test_a_message_is_taken_in_up_to_a_megabyte(monkeypatch):
    client = Bounded(mqtt_client.CallbackAPIVersion.VERSION2)
    monkeypatch.setattr(mqtt_client.Client, "_sock_recv", lambda self, size: b"x" * size)
    assert len(client._sock_recv(1 << 20)) == 1 << 20
    assert client.too_large is False
    with pytest.raises(ConnectionError, match=r"^a message of 1048577 bytes$"):
        client._sock_recv((1 << 20) + 1)
    assert client.too_large is True


@pytest.mark.parametrize("error", [OSError(111, "Connection refused"), ValueError("bad host")])
def test_a_broker_that_cannot_be_reached(client, monkeypatch, error):
    monkeypatch.setattr(FakeClient, "error", error)
    with pytest.raises(SinkError) as caught:
        door()
    assert str(caught.value) == f"broker host:1883 cannot be reached ({error})"
    assert [call[0] for call in client().calls[-2:]] == ["disconnect", "loop_stop"]


def test_a_broker_that_says_no(client, monkeypatch):
    monkeypatch.setattr(FakeClient, "answer", Reason("Not authorized", True))
    with pytest.raises(SinkError) as caught:
        door(timeout=0.01)
    assert str(caught.value) == "broker host:1883 refused the connection (Not authorized)"
    assert client().told == []
    assert [call[0] for call in client().calls[-2:]] == ["disconnect", "loop_stop"]


@pytest.mark.parametrize(
    ("first", "said"),
    [
        (None, "no answer"),
        (Reason("gone", True), "it closes the connection; does it ask for a client certificate?"),
        (Reason(), "no answer"),
    ],
)
def test_a_broker_that_says_nothing(monkeypatch, first, said):
    def hang_up(self):
        if first:
            self.on_disconnect(self, None, None, first, None)

    monkeypatch.setattr(FakeClient, "loop_start", hang_up)
    with pytest.raises(SinkError) as caught:
        door(timeout=0.01)
    assert str(caught.value) == f"broker host:1883 refused the connection ({said})"


def test_one_who_only_looks_needs_no_name_and_no_files(client):
    """Such as the list of a fleet."""
    heard = []
    broker = mqtt_client.Broker("host", 1883, "me", lambda client, may: client.subscribe(may), 1.0, heard.append)
    assert [call[0] for call in client().calls] == ["reconnect_delay_set", "connect", "loop_start", "subscribe"]
    broker.close()
    mqtt_client.Broker("host", 1883, "me", lambda client, may: None, 1.0, username="eve")
    assert client().called("username_pw_set") == [("eve", None)]


def test_what_the_broker_said_is_told_though_it_hangs_up_then(monkeypatch):
    def refuse(self):
        self.on_connect(self, None, None, Reason("Not authorized", True), None)
        self.on_disconnect(self, None, None, Reason("gone", True), None)

    monkeypatch.setattr(FakeClient, "loop_start", refuse)
    with pytest.raises(SinkError, match=r"refused the connection \(Not authorized\)$"):
        door(timeout=0.01)
