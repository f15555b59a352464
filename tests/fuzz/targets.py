"""Every place where bytes come in from outside, as a function of a folder and the bytes: what test-fuzz throws them at.

Each ends with a result or an error that is meant for a person; `attempt` proves it.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tarfile
import tempfile
import time
from contextlib import suppress
from functools import cache
from io import BytesIO
from itertools import islice
from json import JSONDecodeError
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from edge import config
from edge.cameras import files
from edge.config import template
from edge.core import json_text
from edge.core.errors import DataError, MaskcamError
from edge.evaluation import formats, runner
from edge.operations.flash import cloudinit, firmware, firstrun
from edge.operations.flash.host import Host
from edge.operations.flash.release import Release
from edge.operations.update import activate, package
from edge.sinks import mqtt
from edge.vision import bundle, pictures
from tests.conftest import write

SLOW = 5.0
"""Seconds of the processor: a hang, whatever else the machine has to do."""
TRIXIE = Release("Raspberry Pi OS Trixie", "cloud-init", "3.13", "2.40", 64)
EVE = Host(hostname="door", user="eve", password="$6$x", ssid="Cafe", wifi_key="a" * 64, country="DE")
WHEEL = b"a wheel, or what the manifest says of it"
PICTURE = cv2.imencode(".png", np.zeros((24, 32, 3), np.uint8))[1].tobytes()


def settings(folder: Path, data: bytes) -> None:
    (folder / "a.toml").write_bytes(data)
    got = config.load(folder / "a.toml")
    (folder / "b.toml").write_text(template.show(got), encoding="utf-8")
    assert config.load(folder / "b.toml") == got, "what is shown loads to the same"


def bundle_json(folder: Path, data: bytes) -> None:
    for name, content in small_bundle().items():
        (folder / name).write_bytes(content)
    (folder / "bundle.json").write_bytes(data)
    bundle.load(folder)


@cache
def small_bundle() -> dict[str, bytes]:
    with tempfile.TemporaryDirectory() as folder:
        return {path.name: path.read_bytes() for path in write(Path(folder) / "bundle").iterdir()}


def _annotations(name: str, folder: Path, data: bytes, read: str = "") -> None:
    (folder / "images").mkdir()
    (folder / "labels").mkdir()
    for picture in (folder / "0.png", folder / "images" / "0.png"):
        picture.write_bytes(PICTURE)
    (folder / "labels" / "0.txt").write_text("0 0.5 0.5 0.2 0.3\n")
    if read:
        (folder / read).write_text("names: [with_mask, without_mask]\ntrain: images\n")
    (folder / name).write_bytes(data)
    annotated = formats.read(folder / (read or name))
    assert runner.score(annotated, lambda image: np.zeros((0, 6)), 0.5)["all"]


def coco(folder: Path, data: bytes) -> None:
    _annotations("a.json", folder, data)


def crops(folder: Path, data: bytes) -> None:
    _annotations("crops.csv", folder, data)


def yolo(folder: Path, data: bytes) -> None:
    _annotations("data.yaml", folder, data)


def yolo_labels(folder: Path, data: bytes) -> None:
    _annotations("labels/0.txt", folder, data, read="data.yaml")


def voc(folder: Path, data: bytes) -> None:
    _annotations("a.xml", folder, data)


def picture(folder: Path, data: bytes) -> None:
    (folder / "a.png").write_bytes(data)
    with suppress(DataError):
        for _, image in islice(pictures.animation(folder / "a.png"), 20):
            assert (image.dtype.name, image.ndim, image.shape[2]) == ("uint8", 3, 3)
    image = pictures.read(folder / "a.png")
    assert pictures.size(folder / "a.png") == image.shape[1::-1]


def video(folder: Path, data: bytes) -> None:
    (folder / "a.avi").write_bytes(data)
    with files.open_recording(folder / "a.avi") as camera:
        for frame in islice(camera, 50):
            assert frame.image.ndim == 3


@cache
def _pair() -> Any:
    """A key pair of minisign, another in every run."""
    return package.minisign().KeyPair.generate()


def public() -> str:
    return _pair().public_key.to_base64().decode()


def right_manifest() -> bytes:
    digest = {"sha256": hashlib.sha256(WHEEL).hexdigest(), "bytes": len(WHEEL)}
    return package.Manifest(kind="release", version="9.0", files={"a.whl": digest}).model_dump_json().encode()


def _packed(manifest: bytes, payload: bytes) -> bytes:
    """A package with whatever as its manifest, well signed."""
    out = BytesIO()
    signature = bytes(_pair().secret_key.sign(manifest))
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, data in ((package.MANIFEST, manifest), (package.SIGNATURE, signature), ("a.whl", payload)):
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            tar.addfile(entry, BytesIO(data))
    return out.getvalue()


@cache
def right_package() -> bytes:
    return _packed(right_manifest(), WHEEL)


def update_package(folder: Path, data: bytes) -> None:
    (folder / "a.tar").write_bytes(data)
    (folder / "out").mkdir()
    package.unpack(folder / "a.tar", package.verify(folder / "a.tar", public()), folder / "out")
    assert [(path.name, path.read_bytes()) for path in (folder / "out").iterdir()] == [("a.whl", WHEEL)]


def update_manifest(folder: Path, data: bytes) -> None:
    """Somebody whose key is trusted signs nonsense, or what a later maskcam understands."""
    update_package(folder, _packed(data, WHEEL))


def update_key(folder: Path, data: bytes) -> None:
    (folder / "a.tar").write_bytes(right_package())
    package.verify(folder / "a.tar", data.decode("latin-1"))


def update_journal(folder: Path, data: bytes) -> None:
    """Whatever the journal says, no other link than the program's and the bundles' is changed."""
    (folder / "update.json").write_bytes(data.replace(b"ROOT", bytes(folder)))
    trial = activate.pending(folder / "update.json")
    assert trial
    assert Path(trial.link).parent.resolve().is_relative_to(folder.resolve())
    assert Path(trial.link).name in ("maskcam", "bundle")


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
        *(settings, bundle_json, coco, crops, yolo, yolo_labels, voc, picture, video),
        *(update_package, update_manifest, update_key, update_journal),
        *(user_data, network_config, config_txt, cmdline_txt, firstrun_sh, mqtt_payload, json_body),
    )
}


def attempt(name: str, folder: Path, data: bytes, right: bool = False) -> None:
    """Nothing but a result or an error for people, in time, and no file outside `folder`, which is emptied first.

    `right`: an error is wrong, too.
    """
    for old in folder.iterdir():
        shutil.rmtree(old) if old.is_dir() else old.unlink()
    beside, before = sorted(os.listdir(folder.parent)), time.process_time()
    said = ""
    try:
        TARGETS[name](folder, data)
    except MaskcamError as error:
        said = str(error)
    assert not (right and said), said
    assert all(len(line) < 3000 for line in said.splitlines()), said[:300]
    assert time.process_time() - before < SLOW, f"{time.process_time() - before:.1f} s"
    assert sorted(os.listdir(folder.parent)) == beside
