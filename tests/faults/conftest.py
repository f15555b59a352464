"""A real service that sees, upon which faults are put."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

SOON = 120.0
ROOT = Path(__file__).parents[2]


class Device:
    """`maskcam run` on the synthetic scene, with a stand-in for systemd."""

    def __init__(self, folder, stdout, settings, more):
        self.folder, self.run_folder = folder, folder / "run"
        self.run_folder.mkdir()
        self.file = folder / "a.toml"
        self.file.write_text(SETTINGS + more)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(folder / "notify"))
        self.socket.settimeout(0.1)
        environ = os.environ | {
            "NOTIFY_SOCKET": str(folder / "notify"),
            "WATCHDOG_USEC": "3000000",  # is fed often, and nobody kills here
            "RUNTIME_DIRECTORY": str(self.run_folder),
            "STATE_DIRECTORY": str(folder),
        }
        self.log = folder / "log"
        command = [sys.executable, "-m", "edge", "run", "--config", str(self.file), *settings]
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(command, stdout=stdout or log, stderr=log, env=environ, cwd=ROOT)
        self.heard = ""

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


@pytest.fixture
def device(tmp_path):
    """device() starts the service and waits until it is ready; the test's end is the service's."""
    pytest.importorskip("skimage", reason="the synthetic camera needs the extra 'demo'")
    started = []

    def start(stdout=None, *settings, more=""):
        started.append(Device(tmp_path, stdout, settings, more))
        started[-1].until(lambda: "READY=1" in started[-1].heard)
        return started[-1]

    yield start
    for service in started:
        service.process.kill()
        service.process.wait()
        service.socket.close()
