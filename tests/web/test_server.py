"""The server in its thread: limits that hold whatever the clients do."""

import http.client
import socket
import subprocess
import threading
import time
from contextlib import closing, suppress

import numpy as np
import pytest

from edge.web import server, stream
from edge.web.server import ARRIVALS, ARRIVALS_AT_ONCE, PageServer, listening
from edge.web.turns import Turns
from edge.web.worker import PATIENCE, Governor, occupied


class Account:
    """Clock, processor time and sleep of a Governor."""

    def __init__(self, **options):
        self.now = self.used = 0.0
        self.slept = []
        self.governor = Governor(clock=lambda: self.now, used=lambda: self.used, sleep=self.slept.append, **options)
        self.governor.rest()

    def spend(self, seconds, of):
        self.now += of
        self.used += seconds
        self.governor.rest()


def test_who_stays_below_the_share_never_sleeps():
    account = Account(share=0.1, credit=0.5)
    for _ in range(100):
        account.spend(0.009, of=0.1)
    assert account.slept == []


def test_a_page_may_use_what_it_saved_and_then_who_asks_waits():
    account = Account(share=0.1, credit=0.5)
    account.spend(0.5, of=0.5)
    assert account.governor.debt() == 0
    account.spend(0.07, of=0.07)
    assert account.governor.debt() == pytest.approx(0.13, abs=0.01)
    assert account.slept == [], "somebody new is served"


def test_where_that_is_not_enough_all_of_it_sleeps():
    account = Account(share=0.1, credit=0.5)
    account.governor.charge(0.5 + 0.1 * (PATIENCE + 0.1))
    account.spend(0, of=0)
    assert account.slept == [pytest.approx(0.1)]
    account.governor.charge(5)
    account.spend(0, of=0)
    assert account.slept[-1] == 0.25, "never so long that the service could not be stopped"


def test_connections_from_one_address_are_taken_as_fast_as_is_useful():
    now = [0.0]
    with closing(listening("127.0.0.1", 0)) as door:
        door.clock = lambda: now[0]
        assert sum(door.admits("10.0.0.1") for _ in range(1000)) == ARRIVALS_AT_ONCE
        assert door.admits("10.0.0.2"), "another one"
        now[0] = 1.0
        assert sum(door.admits("10.0.0.1") for _ in range(1000)) == ARRIVALS


def test_a_page_that_ends_rests_no_more():
    account = Account(share=0.1, credit=0.5)
    account.governor.charge(100)
    account.governor.release()
    account.spend(0, of=0)
    assert account.slept == []


def test_a_thread_that_works_is_charged_and_one_that_sleeps_is_not():
    before, ran = occupied(), time.thread_time()
    while time.thread_time() - ran < 0.05:
        pass
    assert occupied() - before >= 0.04
    before, began = occupied(), time.monotonic()
    threading.Event().wait(0.2)
    passed, charged = time.monotonic() - began, occupied() - before
    assert passed - charged > 0.15, "what is charged may be the wait for a processor, on a busy machine"


@pytest.fixture
def running(stand):
    place = stand()
    with closing(PageServer(place.app, Governor(share=1e6), "127.0.0.1", 0)) as page:
        place.port = page.port
        yield place


def get(port, path="/healthz", timeout=60, source="127.0.0.1"):
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout, (source, 0))) as link:
        link.request("GET", path)
        answer = link.getresponse()
        return answer.status, answer.read()


@pytest.mark.parametrize("addresses", [1, 100])
def test_a_thousand_idle_connections_neither_lock_the_page_nor_take_descriptors(running, addresses):
    links = []
    try:
        for number in range(1000):
            source = f"127.0.1.{1 + number % addresses}"
            links.append(socket.create_connection(("127.0.0.1", running.port), 60, (source, 0)))
        assert get(running.port, "/api/sign")[0] == 200
        assert len(running.page.hub.told()) == 0
        sockets = _sockets_at(running.port)
        assert sockets <= server.CONNECTIONS + 2
    finally:
        for link in links:
            link.close()


def _sockets_at(port):
    """Established connections that the server's side holds."""
    found = subprocess.run(["cat", "/proc/net/tcp"], capture_output=True, text=True).stdout.splitlines()[1:]
    wanted = f"0100007F:{port:04X}"
    return sum(line.split()[1] == wanted and line.split()[3] == "01" for line in found)


def test_what_is_no_http_is_answered_and_forgotten(running):
    for sent in (b"\x16\x03\x01\x02\x00", b"GET / HTTP/9.9\r\n\r\n", b"A" * 100_000, b"GET / HTTP/1.1\r\n\r\n"):
        with closing(socket.create_connection(("127.0.0.1", running.port), 60)) as link:
            try:
                link.sendall(sent)
                link.shutdown(socket.SHUT_WR)
                assert link.recv(64)[:12] in (b"HTTP/1.1 400", b"HTTP/1.1 421")
            except ConnectionError:
                pass
    assert get(running.port, "/api/sign")[0] == 200


def test_a_connection_that_brings_nothing_is_closed(stand, monkeypatch):
    monkeypatch.setattr(server, "PATIENCE", 0.2)
    with closing(PageServer(stand().app, Governor(share=1e6), "127.0.0.1", 0)) as page:
        for sent in (b"", b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nX: "):
            with closing(socket.create_connection(("127.0.0.1", page.port), 60)) as link:
                link.sendall(sent)
                with suppress(ConnectionResetError):
                    assert link.recv(1) == b""


@pytest.mark.fault("a browser drips its request", "a byte every 50 ms, for ever", "closed", "at once")
def test_a_connection_that_the_page_itself_does_not_read_is_not_closed(running, monkeypatch):
    """On a busy machine a browser that was told to wait got its connection reset in place of an answer."""
    monkeypatch.setattr(server, "PATIENCE", 0.5)
    monkeypatch.setattr(Turns, "served", lambda *_: 1.0)
    with closing(http.client.HTTPConnection("127.0.0.1", running.port, timeout=60)) as link:
        for _ in range(2):
            link.request("GET", "/healthz")
            assert link.getresponse().read()


def test_a_body_that_drips_is_closed_and_a_large_one_is_not(stand, monkeypatch):
    monkeypatch.setattr(server, "PATIENCE", 2.0)
    monkeypatch.setattr(server, "SLOWEST", 200)
    place = stand()
    running = PageServer(place.app, Governor(share=1e6, credit=1e6), "127.0.0.1", 0)
    head = b"POST /api/snooze HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nContent-Length: 60000\r\n\r\n" % running.port
    with (
        closing(running),
        socket.create_connection(("127.0.0.1", running.port)) as drips,
        socket.create_connection(("127.0.0.1", running.port)) as flows,
    ):
        for connection in (drips, flows):
            connection.sendall(head)
            connection.settimeout(0.05)
        ended = False
        for _ in range(1100):
            flows.sendall(b" " * 50)
            try:
                drips.sendall(b" ")
                ended = drips.recv(1) == b""
            except TimeoutError:
                continue
            except OSError:
                ended = True
            break
        assert ended
        flows.sendall(b" " * 500)
        with suppress(TimeoutError):
            assert flows.recv(1), "the other one goes on"


@pytest.mark.fault("a viewer reads nothing", "four of them, for ever", "closed", "15 to 30 s")
def test_a_viewer_that_reads_nothing_loses_its_place_and_one_that_reads_does_not(stand, seen, monkeypatch):
    monkeypatch.setattr(server, "PATIENCE", 1.0)
    place = stand(overrides=["web.preview_fps=15", "web.preview_width=1920"])
    noise = np.random.default_rng(0).integers(0, 256, (1080, 1920, 3), np.uint8)
    ask = b"GET /api/preview.mjpeg HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    with (
        closing(PageServer(place.app, Governor(share=1e6, credit=1e6), "127.0.0.1", 0)) as page,
        closing(socket.socket()) as deaf,
        closing(socket.create_connection(("127.0.0.1", page.port))) as reads,
    ):
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        deaf.connect(("127.0.0.1", page.port))
        deaf.sendall(ask)
        reads.sendall(ask)
        reads.settimeout(0.2)
        began, most = time.monotonic(), 0
        while time.monotonic() < began + 60 and not (most == 2 and stream._open["viewers"] == 1):
            place.clock.now += 1
            place.show(seen(image=noise, index=int(place.clock.now)))
            most = max(most, stream._open["viewers"])
            with suppress(TimeoutError):
                assert reads.recv(1 << 20)
        assert (most, stream._open["viewers"]) == (2, 1)
        with suppress(TimeoutError):
            assert reads.recv(1 << 20), "it goes on"


def test_a_question_for_the_head_of_a_stream_has_an_end(running):
    for path, kind in (("/api/events", "text/event-stream"), ("/api/preview.mjpeg", "multipart/x-mixed-replace")):
        with closing(http.client.HTTPConnection("127.0.0.1", running.port, timeout=60)) as link:
            for _ in range(2):  # the second one needs the connection back
                link.request("HEAD", path, headers={"accept": "text/event-stream"})
                answer = link.getresponse()
                assert (answer.status, answer.read()) == (200, b"")
                assert answer.headers["content-type"].startswith(kind)


def test_closing_ends_listeners_and_the_thread(stand):
    page = PageServer(stand().app, Governor(share=1e6), "127.0.0.1", 0)
    with closing(socket.create_connection(("127.0.0.1", page.port), 60)) as link:
        link.sendall(b"GET /api/events HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/event-stream\r\n\r\n")
        assert link.recv(12) == b"HTTP/1.1 200"
        page.close()
        page._thread.join(60)
        assert not page._thread.is_alive()


def test_an_idle_page_ticks_seldom_and_ends_at_once_all_the_same(stand, monkeypatch):
    """uvicorn's own ten ticks a second were half of what a page costs at which nobody looks."""
    monkeypatch.setattr(server, "TICK", 60.0)
    page = PageServer(stand().app, Governor(share=1e6), "127.0.0.1", 0)
    assert get(page.port)[0] in (200, 503), "it serves meanwhile"
    page.close()
    page._thread.join(30)
    assert not page._thread.is_alive(), "half a tick was enough"


def test_a_port_that_is_taken_is_an_error_that_says_so(stand):
    with closing(socket.create_server(("127.0.0.1", 0))) as taken, pytest.raises(OSError, match=r"in use"):
        PageServer(stand().app, Governor(), "127.0.0.1", taken.getsockname()[1])


def test_https_with_the_files_given_and_an_error_without_them(stand, tmp_path):
    import shutil
    import ssl
    import urllib.request

    if shutil.which("openssl") is None:
        pytest.skip("needs openssl to make a certificate")
    key, cert = tmp_path / "key.pem", tmp_path / "cert.pem"
    made = "openssl req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=localhost -addext subjectAltName=IP:127.0.0.1"
    subprocess.run([*made.split(), "-keyout", key, "-out", cert], check=True, capture_output=True)
    place = stand()
    with closing(PageServer(place.app, Governor(share=1e6), "127.0.0.1", 0, str(cert), str(key))) as page:
        context = ssl.create_default_context(cafile=str(cert))
        with urllib.request.urlopen(f"https://127.0.0.1:{page.port}/api/sign", context=context) as answer:
            assert answer.status == 200
    with pytest.raises(OSError, match=r"lib|PEM|No such file"):
        PageServer(place.app, Governor(), "127.0.0.1", 0, str(tmp_path / "none"), str(key))
