"""Faults of the machine, put upon a real service that sees: TEST_FAULTS=1 (`make test-faults`); minutes."""

import contextlib
import fcntl
import json
import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.skipif(not os.environ.get("TEST_FAULTS"), reason="minutes: make test-faults"),
    pytest.mark.skipif(sys.platform != "linux", reason="Linux's limits and pipes"),
]
SOON = 120.0
ROOT = Path(__file__).parents[2]


class Device:
    """`maskcam run` on the synthetic scene, with a stand-in for systemd."""

    def __init__(self, folder, stdout=None, *settings, more=""):
        pytest.importorskip("skimage", reason="the synthetic camera needs the extra 'demo'")
        self.folder, self.run_folder = folder, folder / "run"
        self.run_folder.mkdir()
        self.file = folder / "a.toml"
        self.file.write_text(SETTINGS + more)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(folder / "notify"))
        self.socket.settimeout(0.1)
        environ = os.environ | {
            "NOTIFY_SOCKET": str(folder / "notify"),
            "WATCHDOG_USEC": "30000000",
            "RUNTIME_DIRECTORY": str(self.run_folder),
            "STATE_DIRECTORY": str(folder),
        }
        self.log = folder / "log"
        command = [sys.executable, "-m", "edge", "run", "--config", str(self.file), *settings]
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(command, stdout=stdout or log, stderr=log, env=environ, cwd=ROOT)
        self.heard = ""
        self.until(lambda: "READY=1" in self.heard)

    def listen(self):
        with contextlib.suppress(TimeoutError):
            self.heard += self.socket.recv(65536).decode() + "\n"

    def until(self, reached):
        before = time.monotonic()
        while not reached():
            assert time.monotonic() - before < SOON, self.log.read_text()
            assert self.process.poll() is None, self.log.read_text()
            self.listen()

    def sees(self):
        """The watchdog is fed again, which only frames that went through both networks do."""
        self.heard = ""
        self.until(lambda: self.heard.count("WATCHDOG=1") >= 2)

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(SOON) == 0
        self.socket.close()
        return self.log.read_text()


SETTINGS = """
[camera]
source = "synthetic"
fps = 10.0
[backend]
detector = "tflite"
classifier = "tflite"
threads = 1
"""


@pytest.mark.fault("the runtime directory is gone", "removed under a running service", "said once", "when it is back")
def test_the_runtime_directory_is_removed(tmp_path):
    device = Device(tmp_path)
    shutil.rmtree(device.run_folder)
    device.sees()
    device.run_folder.mkdir()
    device.until(lambda: (device.run_folder / "status.json").exists())
    said = device.end()
    assert said.count("is not written") == 1
    assert said.count("is written again") == 1


@pytest.mark.fault("no descriptor is left", "RLIMIT_NOFILE of a running service", "said once", "when there are some")
def test_no_descriptors_are_left(tmp_path):
    device = Device(tmp_path, None, "--set", "sinks.webhook.url=http://127.0.0.1:9/", "--set", "alerts.raise_after=0.3")
    before = resource.prlimit(device.process.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(device.process.pid, resource.RLIMIT_NOFILE, (3, before[1]))
    device.sees()
    device.process.send_signal(signal.SIGHUP)
    device.sees()
    resource.prlimit(device.process.pid, resource.RLIMIT_NOFILE, before)
    device.sees()
    assert "Too many open files" in device.end()


@pytest.mark.fault("standard output stalls", "a pipe of 4 kB that nobody reads", "the watchdog is fed", "-")
def test_standard_output_is_never_read(tmp_path):
    reading, writing = os.pipe()
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 4096) if hasattr(fcntl, "F_SETPIPE_SZ") else None
    os.write(writing, b"x" * 4000)
    device = Device(tmp_path, writing, "--set", "sinks.jsonl.path=", "--set", "alerts.raise_after=0.2")
    os.close(writing)
    device.sees()
    device.sees()
    device.end()
    os.close(reading)


@pytest.mark.fault(
    "bad settings are reloaded", "seven broken files, SIGHUP each", "configuration error", "next good file"
)
def test_bad_settings_are_reloaded(tmp_path):
    device = Device(tmp_path)
    bad = ["[camera", "[camera]\nwidth='x'\n", SETTINGS + "[model]\nbundle='nope'\n", "\x00" * 500]
    bad += [
        SETTINGS.replace("synthetic", "/no/such"),
        "a=" + "9" * 5000,
        SETTINGS + "[sinks.webhook]\nurl='ftp://u:S3CRET@h'\n",
    ]
    for text in bad:
        device.file.write_text(text)
        device.process.send_signal(signal.SIGHUP)
        device.until(lambda: "configuration error" in device.heard)
        device.sees()
    device.file.write_text(SETTINGS)
    device.process.send_signal(signal.SIGHUP)
    device.until(lambda: json.loads((device.run_folder / "status.json").read_text())["state"] == "ok")
    assert "S3CRET" not in device.end()
