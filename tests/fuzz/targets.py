"""Every place where bytes come in from outside, as a function of a folder and the bytes: what test-fuzz throws them at.

Each ends with a result or an error that is meant for a person; `attempt` proves it.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from json import JSONDecodeError
from pathlib import Path

from edge import config
from edge.cameras import files
from edge.config import template
from edge.core import json_text
from edge.core.errors import DataError, MaskcamError
from edge.evaluation import formats
from edge.operations.flash import cloudinit, firmware, firstrun
from edge.operations.flash.host import Host
from edge.operations.flash.release import Release
from edge.operations.update import activate, package
from edge.sinks import mqtt
from edge.vision import bundle, pictures

SLOW = 5.0
"""Seconds of the processor: a hang, whatever else the machine has to do."""
TRIXIE = Release("Raspberry Pi OS Trixie", "cloud-init", "3.13", "2.40", 64)
EVE = Host(hostname="door", user="eve", password="$6$x", ssid="Cafe", wifi_key="a" * 64, country="DE")
PUBLIC = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3"
"""A public key of minisign, its manual's: nothing here is signed with it."""


def settings(folder: Path, data: bytes) -> None:
    (folder / "a.toml").write_bytes(data)
    got = config.load(folder / "a.toml")
    (folder / "b.toml").write_text(template.show(got), encoding="utf-8")
    assert config.load(folder / "b.toml") == got, "what is shown loads to the same"


def bundle_json(folder: Path, data: bytes) -> None:
    (folder / "bundle.json").write_bytes(data)
    bundle.load(folder)


def _annotations(name: str, folder: Path, data: bytes) -> None:
    (folder / name).write_bytes(data)
    formats.read(folder / name)


def coco(folder: Path, data: bytes) -> None:
    _annotations("a.json", folder, data)


def crops(folder: Path, data: bytes) -> None:
    _annotations("crops.csv", folder, data)


def yolo(folder: Path, data: bytes) -> None:
    _annotations("data.yaml", folder, data)


def voc(folder: Path, data: bytes) -> None:
    _annotations("a.xml", folder, data)


def picture(folder: Path, data: bytes) -> None:
    (folder / "a.png").write_bytes(data)
    try:
        image = pictures.read(folder / "a.png")
    except DataError:
        pictures.frames(folder / "a.png")  # replay asks for more than one
        raise
    assert (image.dtype.name, image.ndim, image.shape[2]) == ("uint8", 3, 3)


def video(folder: Path, data: bytes) -> None:
    (folder / "a.avi").write_bytes(data)
    with files.open_recording(folder / "a.avi") as camera:
        for number, frame in enumerate(camera):
            assert frame.image.ndim == 3
            if number > 50:
                break


def update_package(folder: Path, data: bytes) -> None:
    (folder / "a.tar").write_bytes(data)
    package.verify(folder / "a.tar", PUBLIC)
    raise AssertionError("nothing is signed with this key")


def update_key(folder: Path, data: bytes) -> None:
    (folder / "a.tar").write_bytes(b"")
    package.verify(folder / "a.tar", data.decode("latin-1"))


def update_journal(folder: Path, data: bytes) -> None:
    (folder / "update.json").write_bytes(data)
    activate.pending(folder / "update.json")


def user_data(folder: Path, data: bytes) -> None:
    _twice(lambda text: cloudinit.user_data(text, EVE, TRIXIE), data)


def network_config(folder: Path, data: bytes) -> None:
    _twice(lambda text: cloudinit.network_config(text, EVE), data)


def config_txt(folder: Path, data: bytes) -> None:
    _twice(lambda text: firmware.config_txt(text, True)[0], data)


def cmdline_txt(folder: Path, data: bytes) -> None:
    _twice(lambda text: firmware.cmdline(text, {"quiet": "1"}), data)


def firstrun_sh(folder: Path, data: bytes) -> None:
    _twice(lambda text: firstrun.script(text, EVE), data)


def _twice(change, data: bytes) -> None:
    """Flashing twice is flashing once."""
    text = data.decode("utf-8", "ignore")
    once = change(text)
    assert change(once) == once


def mqtt_payload(folder: Path, data: bytes) -> None:
    wanted, said = None, ""
    try:
        wanted = mqtt.wish(data)
    except ValueError as error:
        said = str(error)
    assert wanted is None or 0 <= wanted <= 86400
    assert len(said.splitlines()) <= 1


def json_body(folder: Path, data: bytes) -> None:
    with suppress(JSONDecodeError, UnicodeDecodeError):
        json_text.parse(data)


TARGETS = {
    one.__name__: one
    for one in (
        *(settings, bundle_json, coco, crops, yolo, voc, picture, video, update_package, update_key, update_journal),
        *(user_data, network_config, config_txt, cmdline_txt, firstrun_sh, mqtt_payload, json_body),
    )
}


def attempt(name: str, folder: Path, data: bytes) -> None:
    """Nothing but a result or an error for people, in time, and no file outside `folder`, which is emptied first."""
    for old in folder.iterdir():
        old.unlink()
    beside, before = sorted(os.listdir(folder.parent)), time.process_time()
    said = ""
    try:
        TARGETS[name](folder, data)
    except MaskcamError as error:
        said = str(error)
    assert all(len(line) < 3000 for line in said.splitlines()), said[:300]
    assert time.process_time() - before < SLOW, f"{time.process_time() - before:.1f} s"
    assert sorted(os.listdir(folder.parent)) == beside
