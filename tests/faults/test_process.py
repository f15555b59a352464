"""Faults of the machine, put upon a real service that sees: TEST_FAULTS=1 (`make test-faults`); minutes."""

import fcntl
import json
import os
import resource
import shutil
import signal
import sys

import pytest

from tests.faults.conftest import SETTINGS

pytestmark = [
    pytest.mark.skipif(not os.environ.get("TEST_FAULTS"), reason="minutes: make test-faults"),
    pytest.mark.skipif(sys.platform != "linux", reason="Linux's limits and pipes"),
]


@pytest.mark.fault("the runtime directory is gone", "removed under a running service", "said once", "when it is back")
def test_the_runtime_directory_is_removed(device):
    service = device()
    shutil.rmtree(service.run_folder)
    service.sees()
    service.run_folder.mkdir()
    service.until(lambda: (service.run_folder / "status.json").exists())
    said = service.end()
    assert said.count("is not written") == 1
    assert said.count("is written again") == 1


@pytest.mark.fault("no descriptor is left", "RLIMIT_NOFILE of a running service", "said once", "when there are some")
def test_no_descriptors_are_left(device):
    service = device(None, "--set", "sinks.webhook.url=http://127.0.0.1:9/", "--set", "alerts.raise_after=0.3")
    before = resource.prlimit(service.process.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(service.process.pid, resource.RLIMIT_NOFILE, (3, before[1]))
    service.sees()
    service.process.send_signal(signal.SIGHUP)
    service.sees()
    resource.prlimit(service.process.pid, resource.RLIMIT_NOFILE, before)
    service.sees()
    assert "Too many open files" in service.end()


@pytest.mark.fault("standard output stalls", "a pipe of 4 kB that nobody reads", "the watchdog is fed", "-")
def test_standard_output_is_never_read(device):
    reading, writing = os.pipe()
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 4096) if hasattr(fcntl, "F_SETPIPE_SZ") else None
    os.write(writing, b"x" * 4000)
    service = device(writing, "--set", "sinks.jsonl.path=", "--set", "alerts.raise_after=0.2")
    os.close(writing)
    service.sees()
    service.sees()
    service.end()
    os.close(reading)


@pytest.mark.fault(
    "bad settings are reloaded", "seven broken files, SIGHUP each", "configuration error", "next good file"
)
def test_bad_settings_are_reloaded(device):
    service = device()
    bad = ["[camera", "[camera]\nwidth='x'\n", SETTINGS + "[model]\nbundle='nope'\n", "\x00" * 500]
    bad += [
        SETTINGS.replace("synthetic", "/no/such"),
        "a=" + "9" * 5000,
        SETTINGS + "[sinks.webhook]\nurl='ftp://u:S3CRET@h'\n",
    ]
    for text in bad:
        service.file.write_text(text)
        service.process.send_signal(signal.SIGHUP)
        service.until(lambda: "configuration error" in service.heard)
        service.sees()
    service.file.write_text(SETTINGS)
    service.process.send_signal(signal.SIGHUP)
    service.until(lambda: json.loads((service.run_folder / "status.json").read_text())["state"] == "ok")
    assert "S3CRET" not in service.end()
