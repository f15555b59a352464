"""The doctor's checks of the machine, the service and the settings, on made-up machines."""

import json
import os
from collections import namedtuple
from datetime import datetime

import pytest

from edge.core import probes
from edge.core.errors import ConfigError
from edge.operations.doctor import configuration, power, system, unit


def tree(root, **files):
    """Files under `root`; "__" in a name stands for "/"."""
    for name, content in files.items():
        path = root / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return root


def programs(**answers):
    """A runner that knows some programs; the others are not installed."""
    return lambda *command: answers.get(command[0])


def states(findings):
    return [finding.state for finding in findings]


def one(findings):
    (finding,) = findings
    return finding


def test_running_a_program():
    assert probes.run("echo", "yes") == "yes"
    assert probes.run("false") is None
    assert probes.run("no-such-program") is None
    assert probes.run("sleep", "9", timeout=0.01) is None


def test_reading_a_file(tmp_path):
    (tmp_path / "model").write_bytes(b"Raspberry Pi 5 Model B Rev 1.0\0")
    assert probes.text(tmp_path / "model") == "Raspberry Pi 5 Model B Rev 1.0"
    assert probes.text(tmp_path / "none") == probes.text(tmp_path) == ""


def test_system_and_board(tmp_path):
    tree(tmp_path, etc__os_release="")
    (tmp_path / "etc/os-release").write_text('NAME=x\nPRETTY_NAME="Raspberry Pi OS"\n')
    assert one(system.operating_system(tmp_path, "aarch64")).found == "Raspberry Pi OS, aarch64"
    assert states(system.boards(tmp_path)) == ["absent"]
    (tmp_path / "proc/device-tree").mkdir(parents=True)
    (tmp_path / "proc/device-tree/model").write_bytes(b"Raspberry Pi 4 Model B\0")
    assert one(system.boards(tmp_path)).found == "Raspberry Pi 4 Model B"


@pytest.mark.parametrize(
    ("year", "synchronised", "state"),
    [(2027, "yes", "ok"), (2027, "no", "warn"), (2027, None, "ok"), (2024, "no", "bad"), (1970, "yes", "bad")],
)
def test_clock(year, synchronised, state):
    run = programs(**({"timedatectl": synchronised} if synchronised else {}))
    assert one(system.clock(datetime(year, 3, 1), run)).state == state


@pytest.mark.parametrize(
    ("free", "nodes", "state"), [(9e9, 100, "ok"), (3e8, 100, "warn"), (1e6, 100, "bad"), (9e9, 0, "bad")]
)
def test_disk(monkeypatch, tmp_path, free, nodes, state):
    monkeypatch.setattr("shutil.disk_usage", lambda path: namedtuple("U", "total free")(1e10, free))
    monkeypatch.setattr(os, "statvfs", lambda path: namedtuple("V", "f_files f_favail")(1000, nodes))
    assert one(system.disk(tmp_path)).state == state


@pytest.mark.parametrize(
    ("said", "state", "words"),
    [
        ("throttled=0x0", "ok", "no under-voltage"),
        ("throttled=0x50000", "warn", "since the start: under-voltage, throttled"),
        ("throttled=0x50005", "bad", "now: under-voltage, throttled"),
        ("throttled=0x80008", "bad", "now: soft temperature limit"),
        ("VCHI initialization failed", "absent", "Raspberry Pi"),
    ],
)
def test_throttling(tmp_path, said, state, words):
    finding = one(power.throttling(tmp_path, programs(vcgencmd=said)))
    assert (finding.state, words in finding.found) == (state, True)
    if state in ("warn", "bad"):
        assert ("supply" in finding.remedy) == ("under-voltage" in words)


def test_throttling_without_vcgencmd(tmp_path):
    (tmp_path / "sys/devices/platform/soc/soc:firmware").mkdir(parents=True)
    (tmp_path / "sys/devices/platform/soc/soc:firmware/get_throttled").write_text("1\n")
    assert states(power.throttling(tmp_path, programs())) == ["bad"]


@pytest.mark.parametrize(("milli", "state"), [("45000", "ok"), ("81000", "warn"), ("86500", "bad")])
def test_temperature_is_the_hottest_zones(tmp_path, milli, state):
    assert states(power.temperature(tmp_path)) == ["absent"]
    tree(tmp_path, sys__class__thermal__thermal_zone0__temp="30000\n", sys__class__thermal__thermal_zone1__temp=milli)
    tree(tmp_path, sys__class__thermal__thermal_zone2__temp="")
    assert states(power.temperature(tmp_path)) == [state]


GOOD = {
    "LoadState": "loaded",
    "ActiveState": "active",
    "SubState": "running",
    "UnitFileState": "enabled",
    "NRestarts": "0",
}


@pytest.mark.parametrize(
    ("changes", "state", "words"),
    [
        ({}, "ok", "active (running), enabled"),
        ({"NRestarts": "3"}, "warn", "after 3 restarts"),
        ({"UnitFileState": "disabled"}, "warn", "runs, but is disabled"),
        ({"ActiveState": "inactive", "SubState": "dead"}, "warn", "inactive (dead)"),
        ({"ActiveState": "failed", "SubState": "failed", "Result": "watchdog"}, "bad", "failed (watchdog)"),
        ({"ActiveState": "activating", "SubState": "auto-restart", "NRestarts": "7"}, "bad", "7 restarts"),
        ({"LoadState": "bad-setting"}, "bad", "bad-setting"),
        ({"LoadState": "not-found"}, "absent", "not installed"),
    ],
)
def test_unit(changes, state, words):
    shown = "\n".join(f"{key}={value}" for key, value in {**GOOD, **changes}.items())
    finding = one(unit.unit(unit.show(programs(systemctl=shown))))
    assert (finding.state, words in finding.found) == (state, True)


def test_without_systemd():
    assert states(unit.unit(unit.show(programs()))) == ["absent"]


def test_what_the_running_service_says(tmp_path):
    assert states(unit.status(tmp_path)) == []
    said = {"state": "ok", "detail": "", "configuration": "", "camera": "/dev/video0", "fps": 14.7, "frames": 900}
    path = tree(tmp_path, run__maskcam__status="") / "run/maskcam/status.json"
    path.write_text(json.dumps(said))
    assert one(unit.status(tmp_path)).found == "ok, camera /dev/video0, 14.7 FPS, 900 frames"
    said |= {"state": "camera lost", "detail": "no frame for 5 s", "configuration": "/boot/x.toml:3: wrong\nand so on"}
    path.write_text(json.dumps(said))
    lost, fallback = unit.status(tmp_path)
    assert (lost.state, fallback.state) == ("warn", "bad")
    assert lost.found.startswith("camera lost (no frame for 5 s)")
    assert fallback.found.endswith("/boot/x.toml:3: wrong and so on")
    said |= {"configuration": "", "collecting": {"folder": "/media/stick", "pictures": 12, "problem": ""}}
    path.write_text(json.dumps(said))
    _, kept = unit.status(tmp_path)
    assert (kept.state, kept.name) == ("warn", "collecting")
    assert kept.found == "12 pictures of people are kept in /media/stick for training"
    said["bundle"] = {"said": "maskcam-faces of 2026-11-25 since 2026-11-26: no visit counted yet"}
    path.write_text(json.dumps(said))
    assert [(f.name, f.found) for f in unit.status(tmp_path)][1] == ("at this door", said["bundle"]["said"])
    del said["bundle"]
    said["collecting"] |= {"button": "button GPIO23", "problem": "button GPIO23: the pin is gone"}
    path.write_text(json.dumps(said))
    _, kept = unit.status(tmp_path)
    assert kept.found.endswith("for training, button GPIO23 says what was wrong; button GPIO23: the pin is gone")


def test_settings_that_load_and_that_do_not(tmp_path):
    assert one(configuration.configuration(dict, [])).found == "no file: the defaults"
    assert one(configuration.configuration(dict, [tmp_path / "a.toml"])).state == "ok"

    def broken():
        raise ConfigError("a.toml:1: this\na.toml:2: that")

    findings = list(configuration.configuration(broken, [tmp_path / "a b.toml"]))
    assert states(findings) == ["bad", "bad"]
    assert findings[1].found == "a.toml:2: that"
    assert findings[0].remedy == f"maskcam config check '{tmp_path}/a b.toml'"


def test_settings_that_only_others_may_read():
    def hidden():
        raise ConfigError("a.toml: cannot be read (Permission denied): expected a TOML file")

    assert one(configuration.configuration(hidden, [])).remedy == "sudo maskcam doctor"


def test_last_good_settings(tmp_path):
    assert states(configuration.last_good(tmp_path, broken=False)) == ["absent"]
    assert states(configuration.last_good(tmp_path, broken=True)) == ["warn"]
    kept = tree(tmp_path, var__lib__maskcam__x="") / "var/lib/maskcam/last-good.toml"
    kept.write_text("")
    assert states(configuration.last_good(tmp_path, broken=False)) == ["ok"]
    finding = one(configuration.last_good(tmp_path, broken=True))
    assert (finding.state, str(kept) in finding.found) == ("warn", True)


def test_last_good_settings_that_only_root_may_see(tmp_path, monkeypatch):
    def refuse(path, **kwargs):
        raise PermissionError

    monkeypatch.setattr("pathlib.Path.stat", refuse)
    assert one(configuration.last_good(tmp_path, broken=True)).remedy == "sudo maskcam doctor"
