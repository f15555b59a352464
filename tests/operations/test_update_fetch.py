"""Downloads of updates: what a server, or whoever is on the way to it, can do to a device."""

import contextlib
import functools
import http.server
import io
import itertools
import json
import sys
import threading

import pytest

from edge import cli
from edge.core.errors import UpdateError
from edge.operations.update import fetch, package

minisign = pytest.importorskip("minisign", reason="needs the extra 'update'")


class Server(http.server.BaseHTTPRequestHandler):
    """Answers wrongly, in a way that the path names."""

    def log_message(self, *args):
        pass

    def do_GET(self):
        with contextlib.suppress(OSError):  # the other side has had enough
            getattr(self, self.path.strip("/"))()

    def answer(self, code=200, **headers):
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()

    def endless(self):
        self.answer()
        while True:
            self.wfile.write(b"x" * 65536)

    def drip(self):
        self.answer(Content_Length="100000")
        while True:
            self.wfile.write(b"x")

    def headers_without_end(self):
        self.wfile.write(b"HTTP/1.0 200 OK\r\n")
        while True:
            self.wfile.write(b"X: y\r\n")

    def half_a_header(self):
        self.wfile.write(b"HTTP/1.0 200 OK\r\nX: ")
        self.rfile.read(1)  # until the other side hangs up

    def file(self):
        self.answer(302, Location="file:///etc/passwd")

    def ftp(self):
        self.answer(302, Location="ftp://127.0.0.1/x")

    def loop(self):
        self.answer(302, Location="/loop")

    def short(self):
        self.answer(Content_Length="100000")
        self.wfile.write(b"x" * 100)

    def rubbish(self):
        self.wfile.write(b"garbage garbage\r\n\r\n")

    def nothing(self):
        pass

    def absent(self):
        self.answer(404)


@pytest.fixture
def serve():
    """Starts a server; returns its address."""
    servers = []

    def serve(handler):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        server.daemon_threads = True
        servers.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{server.server_port}"

    yield serve
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("endless", "larger than the .* bytes that it may have"),
        ("drip", "slower than 4 kB/s"),
        ("headers_without_end", "more than 100 headers"),
        ("half_a_header", "cannot be fetched"),
        ("file", ":///etc/passwd.* is not allowed"),
        ("ftp", "ftp"),
        ("loop", "infinite loop|redirect"),
        ("short", "cut off after 100 bytes"),
        ("rubbish", "cannot be fetched: garbage"),
        ("nothing", "cannot be fetched"),
        ("absent", "404"),
    ],
)
def test_an_answer_that_is_none_ends_in_one_line_and_leaves_nothing(serve, tmp_path, monkeypatch, path, message):
    monkeypatch.setattr(fetch, "LARGEST", 8 << 20)
    monkeypatch.setattr(fetch, "HEADERS", 0.5)
    clock = itertools.count(0.0, 1.0)  # every look at it is a second later
    with (
        pytest.raises(UpdateError, match=message) as caught,
        fetch.fetched(f"{serve(Server)}/{path}", tmp_path, clock=lambda: next(clock) if path == "drip" else 0.0),
    ):
        pass
    assert len(str(caught.value).splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_a_name_and_a_password_are_sent_to_this_host_alone(serve, tmp_path):
    asked = []

    class Guarded(Server):
        def remember(self):
            asked.append((self.path, self.headers.get("Authorization")))

        def moved(self):
            self.remember()
            self.answer(302, Location=f"{elsewhere}/package")

        def package(self):
            self.remember()
            self.answer(Content_Length="3")
            self.wfile.write(b"tar")

    elsewhere = serve(Guarded)
    address = serve(Guarded).replace("http://", "http://eve:p%40ss%2F@")
    with fetch.fetched(f"{address}/package", tmp_path) as path:
        assert path.read_bytes() == b"tar"
    with fetch.fetched(f"{address}/moved", tmp_path):
        pass
    sent = "Basic ZXZlOnBAc3Mv"  # eve:p@ss/
    assert asked == [("/package", sent), ("/moved", sent), ("/package", None)]
    for wrong in ("http://eve:pa/ss@127.0.0.1/x.tar", "http://[::1/x.tar", "https://eve:pa#ss@h/x"):
        with pytest.raises(UpdateError, match=r"%2F for a '/' in a password") as caught, fetch.fetched(wrong, tmp_path):
            pass
        assert "pa" not in str(caught.value).replace("password", "").replace("PASSWORD", "")


def test_of_what_nobody_signed_only_the_beginning_is_fetched(serve, tmp_path, keys):
    sizes = []

    def bound(beginning):
        sizes.append(beginning.stat().st_size)
        return package.verify(beginning, keys[1]).packed

    with pytest.raises(UpdateError, match="not a package"), fetch.fetched(f"{serve(Server)}/endless", tmp_path, bound):
        pass
    assert len(sizes) == 1
    assert sizes[0] < package.HEAD + (1 << 17)


def test_a_download_ends_where_the_signed_manifest_says(serve, tmp_path, keys, pack):
    """The head is genuine, and then it goes on for ever."""
    genuine = pack("0.2.0", "w" * (3 << 20)).read_bytes()

    class Longer(Server):
        def package(self):
            self.answer()
            self.wfile.write(genuine)
            self.endless()

    folder = tmp_path / "root"
    folder.mkdir()
    address = f"{serve(Longer)}/package"
    with (
        pytest.raises(UpdateError, match="larger than the"),
        fetch.fetched(address, folder, lambda beginning: package.verify(beginning, keys[1]).packed),
    ):
        pass
    assert list(folder.iterdir()) == []


def test_an_address_is_said_without_its_password(tmp_path):
    with (
        pytest.raises(UpdateError) as caught,
        fetch.fetched("http://eve:marked-secret@127.0.0.1:9/x.tar?token=marked-secret", tmp_path),
    ):
        pass
    assert "marked-secret" not in str(caught.value)
    assert "http://127.0.0.1:9/..." in str(caught.value)


@pytest.mark.parametrize(
    "address",
    ["http://eve:hunter2/x@127.0.0.1/x", "http://eve:hunter2?x@h/x", "http://h/hunter2/x.tar", "ftp://eve:hunter2@h/x"],
)
def test_a_password_in_any_part_of_the_address_is_not_said(tmp_path, address):
    with pytest.raises(UpdateError) as raised, fetch.fetched(address.replace("//h/", "//127.0.0.1:9/"), tmp_path):
        pass
    assert "hunter2" not in str(raised.value)


@pytest.mark.parametrize("address", ["ftp://127.0.0.1/x", "file:///etc/passwd", "http://[::1/x", "http://127.0.0.1:x/"])
def test_what_is_no_address_is_one_line(tmp_path, address):
    with pytest.raises(UpdateError) as caught, fetch.fetched(address, tmp_path):
        pass
    assert len(str(caught.value).splitlines()) == 1


def test_a_bundle_is_packed_and_fetched_over_http(tmp_path, keys, write_bundle, capsys, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    folder = write_bundle(tmp_path / "mine")
    out = tmp_path / "mine.tar"
    assert cli.main(["pack", str(out), "--key", str(keys[0]), "--bundle", str(folder)]) == 0
    assert "bundle 2026.01.01, 5 files" in capsys.readouterr().out

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=tmp_path))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        address = f"http://127.0.0.1:{server.server_port}"
        with fetch.fetched(f"{address}/mine.tar", tmp_path) as path:
            assert json.loads(package.verify(path, keys[1]).model_dump_json())["kind"] == "bundle"
        with pytest.raises(UpdateError, match="cannot be fetched"), fetch.fetched(f"{address}/none.tar", tmp_path):
            pass
    finally:
        server.shutdown()
        server.server_close()
