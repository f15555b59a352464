"""The end of the door's own loop under a real systemd: the bundle that was tuned for a door comes by an update.

The camera is a network camera of people in masks with a printed smile, and what it holds of each stands in its history.
tests/train/test_door_loop.py has collected, labelled, tuned and packed, and left the package in pytest's cache.
"""

import csv
import json
import shutil
import time
from datetime import datetime
from pathlib import Path

import pytest

from edge.vision import bundle

HERE = Path(__file__).parent
CONFIG = """
[camera]
source = "http://127.0.0.1:8090/"

[backend]
detector = "tflite"
classifier = "tflite"

[update]
key = "{key}"

[sinks.history]
every = 1.0
"""
FEEDER = """
[Service]
ExecStart=/usr/bin/python3 /mnt/feeder.py /mnt/visits 10
"""
INSTALL = ("/mnt/maskcam/systemd/install.sh", "--board", "pi", "--wheels", "/mnt/wheels")
MASKCAM = "/opt/maskcam/bin/maskcam"
ENOUGH = 5
"""Visits, before and after."""


@pytest.fixture(scope="module")
def tuned(request):
    folder = request.config.cache.mkdir("door")
    told = folder / "door.json"
    if not told.exists():
        pytest.skip("no bundle was tuned for a door: run tests/train/test_door_loop.py first, with TensorFlow")
    if json.loads(told.read_text())["start"] != bundle.load(bundle.shipped()).fingerprint:
        pytest.skip("the door's bundle was tuned from another one than is shipped: run tests/train/test_door_loop.py")
    return folder


@pytest.fixture(scope="module")
def door(tuned, container):
    shutil.copytree(tuned / "visits", container.path("/mnt/visits"))
    shutil.copy(tuned / "door.tar", container.path("/mnt/door.tar"))
    shutil.copy(HERE / "feeder.py", container.path("/mnt/feeder.py"))
    container.path("/etc/systemd/system/feeder.service").write_text(FEEDER)
    container.path("/etc/maskcam").mkdir(exist_ok=True)
    settings = CONFIG.format(key=json.loads((tuned / "door.json").read_text())["key"])
    container.path("/etc/maskcam/maskcam.toml").write_text(settings)
    container.run("systemctl", "daemon-reload")
    container.run("systemctl", "start", "feeder")
    container.run(*INSTALL)
    container.run("systemctl", "restart", "--no-block", "maskcam")
    yield container
    container.run("systemctl", "stop", "feeder")
    container.run(INSTALL[0], "--uninstall")


def outcomes(container, since):
    """What the camera held of each visit that began after `since` (seconds since 1970), as its history tells."""
    said = container.ask(MASKCAM, "history", "--by", "visit", "--csv")
    rows = csv.DictReader(said.splitlines())
    return [row["outcome"] for row in rows if datetime.fromisoformat(row["first"]).timestamp() >= since]


def seen(container, since, seconds):
    container.until(lambda: len(outcomes(container, since)) >= ENOUGH, seconds)
    return outcomes(container, since)


def test_what_a_door_taught_comes_back_by_an_update(door, tuned):
    before = seen(door, 0, 90)
    said = door.run(MASKCAM, "update", "/mnt/door.tar", "--health", "20").splitlines()
    assert said[-1].endswith("healthy, kept")
    after = seen(door, time.time() - 20, 60)
    print(f"\nmasks with a printed smile: held {before} before the update, {after} after it")
    assert after.count("on") >= max(0.8, before.count("on") / len(before)) * len(after)
    version = json.loads((tuned / "door.json").read_text())["version"]
    assert door.path("/opt/maskcam/bundle").readlink().name == version
    runs = json.loads(door.path("/run/maskcam/status.json").read_text())["bundle"]
    print(json.dumps(runs))
    assert runs["before"]["people"] >= ENOUGH, "how the bundle before did is still told"
