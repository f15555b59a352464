"""No picture leaves: all that a run of the demo writes and answers is searched for image bytes."""

import base64
import http.client
import http.server
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
from contextlib import closing, suppress
from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("skimage", reason="the demo's portrait comes with scikit-image")

ROOT = Path(__file__).parents[2]
MAGIC = (
    b"\xff\xd8\xff",
    b"\x89PNG\r\n",
    b"GIF8",
    b"WEBP",
    b"ftypavif",
    b"ftypheic",
    b"/9j/",
    b"iVBORw0KGgo",
    b"\x00\x00\x01\xba",
)
"""How JPEG, PNG, GIF, WebP, AVIF and HEIC begin, two of them in base64, and MPEG."""
ANSWERS = (
    *("/api/status", "/api/aim", "/api/events", "/api/log", "/api/sign", "/api/settings", "/api/history", "/metrics"),
    *("/healthz", "/sign", "/", "/api/cameras", "/api/openapi.json"),
)


def suspicious(data):
    """Why these bytes may hold a picture, or None: the beginning of one, or more bytes without a word than text has."""
    if found := next((magic for magic in MAGIC if magic in data), None):
        return f"begins like a picture: {found!r}"
    runs = re.findall(rb"[A-Za-z0-9+/=_-]{1500,}", data)
    if runs:
        return f"{len(runs[0])} characters like base64"
    unprintable = sum(byte < 9 or 13 < byte < 32 or byte > 126 for byte in data[:200_000])
    return f"{unprintable} bytes that are no text" if unprintable > 2000 else None


@pytest.mark.parametrize("form", [".jpg", ".png", ".webp", "base64", "raw"])
def test_the_search_finds_pictures(form):
    picture = np.random.default_rng(0).integers(0, 255, (60, 80, 3)).astype(np.uint8)
    if form == "raw":
        data = picture.tobytes()
    else:
        data = cv2.imencode(".jpg" if form == "base64" else form, picture)[1].tobytes()
    assert suspicious(b"log line\n" + (base64.b64encode(data) if form == "base64" else data) + b"\nmore")
    assert suspicious(b'{"kind": "no_mask", "t": 1.2}\n' * 5000) is None


class Receiver(http.server.BaseHTTPRequestHandler):
    heard = b""

    def do_POST(self):
        type(self).heard += self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *ignored):
        pass


class Wire:
    """A port before a real Mosquitto, which keeps all that the client sends."""

    def __init__(self, folder):
        program = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")
        if not program:
            pytest.skip("mosquitto is not installed: apt install mosquitto")
        self.sent = b""
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        with closing(socket.create_server(("127.0.0.1", 0))) as free:
            self._behind = free.getsockname()[1]
        (folder / "mosquitto.conf").write_text(f"listener {self._behind} 127.0.0.1\nallow_anonymous true\n")
        self._broker = subprocess.Popen([program, "-c", folder / "mosquitto.conf"], stderr=subprocess.DEVNULL)
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        with suppress(OSError):
            while True:
                near, far = self._listening.accept()[0], socket.create_connection(("127.0.0.1", self._behind), 10)
                threading.Thread(target=self._pass, args=(near, far, True), daemon=True).start()
                threading.Thread(target=self._pass, args=(far, near, False), daemon=True).start()

    def _pass(self, source, target, kept):
        with suppress(OSError), source, target:
            while data := source.recv(65536):
                self.sent += data if kept else b""
                target.sendall(data)

    def close(self):
        self._listening.close()
        self._broker.terminate()
        self._broker.wait()


class Run:
    """The demo in folders of its own, with webhook, broker, history, journal and page, until an alert is over."""

    def __init__(self, folder, *more):
        self.folder, self.state = folder, folder / "state_directory"
        Receiver.heard, self.answered = b"", {}
        (folder / "broker").mkdir()
        with closing(Wire(folder / "broker")) as self.wire:
            self._run(more)
        self.written = {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
        self.databases = [p.stat().st_size for p in folder.rglob("*.db*")]

    def _run(self, more):
        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver) as web:
            threading.Thread(target=web.serve_forever, daemon=True).start()
            with closing(socket.create_server(("127.0.0.1", 0))) as probe:
                port = probe.getsockname()[1]
            settings = [
                f"web.port={port}",
                f"sinks.webhook.url=http://127.0.0.1:{web.server_port}/",
                'sinks.webhook.kinds=["decision","no_mask","all_clear","state"]',
                f"sinks.mqtt.port={self.wire.port}",
                "sinks.history.every=1",
                f"sinks.jsonl.path={self.folder}/e.jsonl",
                *more,
            ]
            command = [sys.executable, "-m", "edge", "run", "--config", ROOT / "configs" / "demo.toml"]
            command += [word for setting in settings for word in ("--set", setting)]
            output = self.folder / "output.txt"
            with output.open("wb") as out:
                run = subprocess.Popen(
                    command, cwd=self.folder, env=self._environment(), stdout=out, stderr=subprocess.STDOUT
                )
            end = time.monotonic() + 300
            while run.poll() is None and time.monotonic() < end and b"all_clear" not in Receiver.heard:
                self._look(port)
            run.terminate()
            run.wait(120)
            self.code, self.said = run.returncode, output.read_bytes()
            web.shutdown()

    def _environment(self):
        folders = ("HOME", "TMPDIR", "STATE_DIRECTORY", "RUNTIME_DIRECTORY")
        for name in folders:
            (self.folder / name.lower()).mkdir()
        return {**os.environ, **{name: str(self.folder / name.lower()) for name in folders}, "PYTHONPATH": str(ROOT)}

    def _look(self, port):
        for path in ANSWERS:
            try:
                with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=30)) as link:
                    link.request("GET", path)
                    self.answered[path] = link.getresponse().read()
            except OSError:
                time.sleep(0.2)

    def pictures(self):
        """What looks like a picture, with the reason."""
        files = {n: data for n, data in self.written.items() if not n.endswith((".pyc", ".db", "-wal", "-shm"))}
        everything = {"webhook": Receiver.heard, "broker": self.wire.sent, **self.answered, **files}
        assert self.code == 0, self.said[-2000:]
        assert all(b"no_mask" in everything[name] for name in ("webhook", "broker", "e.jsonl")), "it told of something"
        assert "/api/status" in self.answered
        assert sum(self.databases) < 100_000, "counts only"
        return {name: why for name, data in everything.items() if (why := suspicious(data))}


def test_a_run_of_the_demo_neither_writes_nor_sends_a_picture(tmp_path):
    """Every folder it may write to is the test's, and looked through, as is every byte to webhook and broker."""
    assert Run(tmp_path).pictures() == {}


def test_snapshots_are_in_their_folder_and_nowhere_else(tmp_path):
    """Switched on, with the portrait's face blurred: our own detector does not find it any more."""
    from edge.maskcam import Detector

    run = Run(tmp_path, "sinks.snapshots.every=0")
    found = run.pictures()
    assert found
    assert all(
        re.fullmatch(r"state_directory/snapshots/\d{8}T\d{6}-no_mask-[0-9a-f]+-\d+\.jpg", name) for name in found
    )
    detector = Detector()
    for name in found:
        image = cv2.cvtColor(cv2.imread(str(tmp_path / name)), cv2.COLOR_BGR2RGB)
        assert image.shape[1] <= 640
        assert detector.detect(image) == []
