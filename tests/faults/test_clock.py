"""The wall clock of a real service is set by decades, and back: TEST_FAULTS=1 (`make test-faults`)."""

import json
import shutil
import sqlite3
import subprocess
import time
from contextlib import closing
from datetime import datetime, timezone
from pathlib import Path

import pytest

from tests.faults.test_process import pytestmark  # noqa: F401

EVERYTHING = "[sinks.history]\nevery = 1.0\n[sinks.snapshots]\n[sinks.jsonl]\npath = '{}'\n"


@pytest.fixture
def clock(tmp_path, monkeypatch):
    """Sets the wall clock of what is started from now on, and only of that: clock(datetime)."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("needs a C compiler")
    library, ahead = tmp_path / "clock_set.so", tmp_path / "ahead"
    source = Path(__file__).with_name("clock_set.c")
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-Wall", "-Werror", source, "-o", library], check=True)
    ahead.write_bytes(bytes(8))
    monkeypatch.setenv("CLOCK_AHEAD", str(ahead))
    monkeypatch.setenv("LD_PRELOAD", str(library))

    def set_to(when):
        with ahead.open("r+b") as file:  # the same file: the service looks into it
            file.write(int(when.timestamp() - time.time()).to_bytes(8, "little", signed=True))

    return set_to


@pytest.mark.fault("the clock of a running service is set", "to 2039, then to 1970", "nothing", "-")
def test_the_clock_is_set_by_decades(tmp_path, clock, device):
    began = time.monotonic()
    service = device(more=EVERYTHING.format(tmp_path / "events.jsonl"))

    def status():
        return json.loads((service.run_folder / "status.json").read_text())

    def written():
        path = tmp_path / "events.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    service.until((service.run_folder / "status.json").exists)
    for year in (2039, 1970):
        before, told = status()["frames"], len(written())
        clock(datetime(year, 1, 2, tzinfo=timezone.utc))
        service.until(lambda told=told, year=year: any(e["time"].startswith(str(year)) for e in written()[told:]))
        service.sees()
        service.until(lambda before=before: status()["frames"] > before)
        assert status()["state"] == "ok"
        assert 0 <= status()["uptime"] <= time.monotonic() - began
    said = service.end()
    assert "Traceback" not in said
    times = [event["t"] for event in written()]
    assert times == sorted(times)
    with closing(sqlite3.connect(tmp_path / "history.db")) as history:
        stays = [last - first for first, last in history.execute("SELECT first, last FROM visits")]
    assert stays
    assert all(0 <= stay <= time.monotonic() - began for stay in stays)
