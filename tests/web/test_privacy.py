"""No picture leaves: all that a run of the demo writes and answers is searched for image bytes."""

import base64
import http.client
import http.server
import os
import re
import socket
import subprocess
import sys
import threading
import time
from contextlib import closing
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


def test_a_run_of_the_demo_neither_writes_nor_sends_a_picture(tmp_path):
    """With webhook, history, journal and page. Every folder it may write to is the test's, and looked through."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver) as web:
        threading.Thread(target=web.serve_forever, daemon=True).start()
        with closing(socket.create_server(("127.0.0.1", 0))) as probe:
            port = probe.getsockname()[1]
        folders = {name: tmp_path / name.lower() for name in ("HOME", "TMPDIR", "STATE_DIRECTORY", "RUNTIME_DIRECTORY")}
        for folder in folders.values():
            folder.mkdir()
        settings = [
            f"web.port={port}",
            f"sinks.webhook.url=http://127.0.0.1:{web.server_port}/",
            "sinks.history.every=1",
        ]
        settings += [
            'sinks.webhook.kinds=["decision","no_mask","all_clear","state"]',
            f"sinks.jsonl.path={tmp_path}/e.jsonl",
        ]
        command = [sys.executable, "-m", "edge", "run", "--config", ROOT / "configs" / "demo.toml"]
        command += [word for setting in settings for word in ("--set", setting)]
        environ = {**os.environ, **{name: str(folder) for name, folder in folders.items()}, "PYTHONPATH": str(ROOT)}
        output = tmp_path / "output.txt"
        with output.open("wb") as out:
            run = subprocess.Popen(command, cwd=tmp_path, env=environ, stdout=out, stderr=subprocess.STDOUT)
        answered, end = {}, time.monotonic() + 120
        while run.poll() is None and time.monotonic() < end and b"all_clear" not in Receiver.heard:
            for path in ANSWERS:
                try:
                    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=5)) as link:
                        link.request("GET", path)
                        answered[path] = link.getresponse().read()
                except OSError:
                    time.sleep(0.2)
        run.terminate()
        run.wait(30)
        said = output.read_bytes()
        web.shutdown()
    written = {str(p.relative_to(tmp_path)): p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    written = {name: data for name, data in written.items() if not name.endswith((".pyc", ".db", "-wal", "-shm"))}
    databases = [p.stat().st_size for p in tmp_path.rglob("*.db*")]
    everything = {"output": said, "webhook": Receiver.heard, **answered, **written}
    assert run.returncode == 0, said[-2000:]
    assert b"no_mask" in everything["webhook"], "the run was seen to tell of something"
    assert "/api/status" in answered
    assert {name: why for name, data in everything.items() if (why := suspicious(data))} == {}
    assert sum(databases) < 100_000, "counts only"
