"""Events posted to a real HTTP server on this machine."""

import base64
import contextlib
import http.server
import json
import shutil
import socket
import ssl
import struct
import subprocess
import threading
import time
import types

import pytest

from edge.config import sink_sections
from edge.core.errors import ConfigError, SinkError
from edge.core.events import to_json
from edge.core.records import Event
from edge.sinks.isolated import Isolated
from edge.sinks.webhook import WebhookSink
from edge.testing.defaults import with_defaults

WebhookSink = with_defaults(WebhookSink, sink_sections.Webhook())

RAISED = Event("no_mask", 1.0)


class Server(http.server.HTTPServer):
    """Answers with `answers`, then 200; remembers (path, headers, body) of every request."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers, self.requests, self.served = [], [], threading.Semaphore(0)
        self.thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()

    def url(self, path="/hook?key=s3cret", login=""):
        return f"http://{login}127.0.0.1:{self.server_port}{path}"


class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.requests.append((self.path, dict(self.headers), json.loads(body)))
        code = self.server.answers.pop(0) if self.server.answers else 200
        self.send_response(*code) if isinstance(code, tuple) else self.send_response(code)
        if code == 302:
            self.send_header("Location", "/elsewhere")
        self.end_headers()
        self.server.served.release()

    def log_message(self, *args):
        pass


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    server = Server()
    yield server
    server.shutdown()
    server.thread.join()
    server.server_close()


def test_an_event_is_posted_as_json(server):
    WebhookSink(server.url()).send(RAISED)
    [(path, headers, body)] = server.requests
    assert (path, headers["Content-Type"], body) == ("/hook?key=s3cret", "application/json", to_json(RAISED))
    assert "Authorization" not in headers
    assert headers["User-Agent"] == "maskcam"


def test_name_and_password_go_into_a_header_and_nowhere_else(server):
    server.answers = [403]
    with pytest.raises(SinkError) as caught:
        WebhookSink(server.url(login="me:p%40ss@")).send(RAISED)
    headers = server.requests[0][1]
    assert base64.b64decode(headers["Authorization"].removeprefix("Basic ")) == b"me:p@ss"
    assert headers["Host"] == f"127.0.0.1:{server.server_port}"
    assert str(caught.value) == "127.0.0.1 answered 403 Forbidden"


@pytest.mark.parametrize("code", [302, 404, 500])
def test_any_other_answer_than_success_is_a_failure(server, code):
    server.answers = [code]
    with pytest.raises(SinkError, match=f"127.0.0.1 answered {code}"):
        WebhookSink(server.url()).send(RAISED)
    assert len(server.requests) == 1  # a redirect is not followed


def test_of_a_reason_a_hundred_characters(server):
    server.answers = [(500, "r" * 101)]
    with pytest.raises(SinkError) as caught:
        WebhookSink(server.url()).send(RAISED)
    assert str(caught.value) == "127.0.0.1 answered 500 " + "r" * 100


def test_nobody_there():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(SinkError, match=r"^127\.0\.0\.1 cannot be reached \(\[Errno 111\] Connection refused\)$"):
        WebhookSink(f"http://me:secret@127.0.0.1:{port}/s3cret").send(RAISED)


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_one_who_does_not_answer_is_given_up(monkeypatch, scheme):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with socket.create_server(("127.0.0.1", 0)) as mute:
        hangs_up = threading.Timer(10.0, mute.close)  # so that a sink that waits for ever is found out
        hangs_up.start()
        url = f"{scheme}://127.0.0.1:{mute.getsockname()[1]}/s3cret"
        with pytest.raises(SinkError, match=r"^127\.0\.0\.1 did not answer within 0\.05 s$"):
            WebhookSink(url, timeout=0.05).send(RAISED)
        hangs_up.cancel()
        hangs_up.join()


def test_one_who_speaks_something_else(monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with socket.create_server(("127.0.0.1", 0)) as other:

        def greet():
            connection = other.accept()[0]
            with connection:
                connection.recv(65536)
                connection.sendall(b"220 mail ready\r\n\r\n")

        thread = threading.Thread(target=greet)
        thread.start()
        with pytest.raises(SinkError, match=r"^127\.0\.0\.1 does not speak HTTP \(BadStatusLine\)$"):
            WebhookSink(f"http://127.0.0.1:{other.getsockname()[1]}/").send(RAISED)
        thread.join()


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://host/x", "host/path", "", "http://"])
def test_what_is_no_web_address_is_refused_without_repeating_it(url):
    with pytest.raises(ConfigError, match=r"^sinks\.webhook\.url: expected http:// or https:// and a host$"):
        WebhookSink(url)


@pytest.mark.parametrize("url", ["http://[::1/s3cret", "http://h:s3cret/"])
def test_what_cannot_be_an_address_is_told_how_one_is_written(url):
    with pytest.raises(ConfigError) as caught:
        WebhookSink(url)
    assert str(caught.value).startswith("sinks.webhook.url: no address: expected https://NAME:PASSWORD@HOST:PORT/")
    assert "s3cret" not in str(caught.value)


def test_behind_a_thread_a_server_that_is_down_for_a_while_misses_nothing(server, caplog):
    server.answers = [503, 503]
    sink = Isolated("sinks.webhook", lambda: WebhookSink(server.url(login="me:secret@")), pause=0.001, patience=60)
    sink.send(RAISED)
    for _ in range(3):
        assert server.served.acquire(timeout=60)
    sink.close()
    assert [body for _, _, body in server.requests] == [to_json(RAISED)] * 3
    assert (sink.failed, sink.dropped) == (2, 0)
    assert "answered 503" in caplog.text
    assert "secret" not in caplog.text
    assert "s3cret" not in caplog.text


@pytest.mark.fault("a server drips its answer", "a byte every 50 ms", "given up at one deadline", "next event")
@pytest.mark.parametrize(
    ("greeting", "drip"),
    [(b"HTTP/1.1 200 OK\r\n", b"X"), (b"", b"HTTP/1.1 100 Continue\r\n\r\n"), (b"HTTP/1.1 2", b"0")],
)
def test_one_who_drips_has_one_deadline_for_all(monkeypatch, greeting, drip):
    """Every byte would begin the time of a read anew."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as other:

        def serve():
            connection = other.accept()[0]
            with connection, contextlib.suppress(OSError):
                connection.recv(65536)
                connection.sendall(greeting)
                while not over.wait(0.05):
                    connection.sendall(drip)

        thread = threading.Thread(target=serve)
        thread.start()
        before = time.monotonic()
        with pytest.raises(SinkError, match=r"^127\.0\.0\.1 did not answer within 0\.3 s$"):
            WebhookSink(f"http://127.0.0.1:{other.getsockname()[1]}/s3cret", timeout=0.3).send(RAISED)
        assert time.monotonic() - before < 30
        over.set()
        thread.join()


def test_an_address_that_cannot_be_sent_is_not_said(server):
    with pytest.raises(SinkError) as caught:
        WebhookSink(server.url("/s3c\x00ret", "me:s3c%0Aret@")).send(RAISED)
    assert str(caught.value) == "127.0.0.1: the address cannot be used (InvalidURL)"
    name = "n" * 64  # longer than a part of a host's name may be
    with pytest.raises(SinkError) as caught:
        WebhookSink(f"http://me:s3cret@{name}.example/s3cret").send(RAISED)
    assert str(caught.value).startswith(f"{name}.example: the address cannot be used (Unicode")


@pytest.mark.skipif(not shutil.which("openssl"), reason="openssl is not installed: apt install openssl")
def test_a_certificate_that_nobody_vouches_for_gets_no_event(server, tmp_path, monkeypatch):
    """SSL_CERT_FILE takes the place of the system's authorities."""
    pem, key = tmp_path / "server.pem", tmp_path / "server.key"
    made = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost"
    names = ["-addext", "subjectAltName=DNS:localhost", "-keyout", str(key), "-out", str(pem)]
    subprocess.run(["openssl", *made.split(), *names], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    monkeypatch.setenv("no_proxy", "127.0.0.1,localhost")
    https = f"https://localhost:{server.server_port}/hook"
    with pytest.raises(SinkError, match=r"^localhost cannot be reached \(.*certificate verify failed"):
        WebhookSink(https).send(RAISED)
    assert server.requests == []
    monkeypatch.setenv("SSL_CERT_FILE", str(pem))
    kept = []
    monkeypatch.setattr("edge.sinks.webhook.WebhookSink._keep", lambda self, made: kept.append(made) or made)
    WebhookSink(https).send(RAISED)
    assert [type(made).__name__ for made in kept] == ["HTTPSConnection"]  # for its deadline
    assert [body for _, _, body in server.requests] == [to_json(RAISED)]
    with pytest.raises(SinkError, match=r"^127\.0\.0\.1 cannot be reached \(.*IP address mismatch"):
        WebhookSink(https.replace("localhost", "127.0.0.1")).send(RAISED)


def test_a_deadline_before_there_is_a_connection_and_after_it_is_gone():
    sink = WebhookSink("http://127.0.0.1/")
    with socket.socket() as unconnected:  # to shut it down is an error
        for connection in (None, types.SimpleNamespace(sock=None), types.SimpleNamespace(sock=unconnected)):
            sink._connection, late = connection, threading.Event()
            sink._cut(late)
            assert late.is_set()


@pytest.mark.parametrize("deadline", [True, False])
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_one_whose_door_is_full_is_given_up(monkeypatch, scheme, deadline):
    """No connection comes about: there is nothing that the deadline could shut down, and the socket's own time ends."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    if not deadline:
        monkeypatch.setattr("edge.sinks.webhook.WebhookSink._cut", lambda self, late: None)
    with contextlib.ExitStack() as stack:
        full = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(5):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(full.getsockname())
        hangs_up = threading.Timer(10.0, full.close)
        hangs_up.start()
        with pytest.raises(SinkError, match=r"^127\.0\.0\.1 did not answer within 0\.05 s$"):
            WebhookSink(f"{scheme}://127.0.0.1:{full.getsockname()[1]}/", timeout=0.05).send(RAISED)
        hangs_up.cancel()
        hangs_up.join()


def test_a_deadline_does_not_keep_the_program_from_ending(server, monkeypatch):
    daemons = []

    class Timer(threading.Timer):
        def start(self):
            daemons.append(self.daemon)
            super().start()

    monkeypatch.setattr(threading, "Timer", Timer)
    WebhookSink(server.url()).send(RAISED)
    assert daemons == [True]


def test_one_who_hangs_up_is_told_with_the_systems_words(monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with socket.create_server(("127.0.0.1", 0)) as other:

        def hang_up():
            connection = other.accept()[0]
            connection.recv(65536)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.close()

        thread = threading.Thread(target=hang_up)
        thread.start()
        with pytest.raises(SinkError) as caught:
            WebhookSink(f"http://127.0.0.1:{other.getsockname()[1]}/").send(RAISED)
        assert str(caught.value) == "127.0.0.1 cannot be reached ([Errno 104] Connection reset by peer)"
        thread.join()
