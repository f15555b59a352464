"""Every target of `tests.fuzz.targets`: its corpus, what once did harm, and damage to both.

TEST_FUZZ=N (`make test-fuzz`) tries N of each; then atheris goes on from the corpus, guided by coverage.
"""

import json
import os
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge.vision import bundle
from tests.fuzz import targets

pytest.importorskip("ruamel.yaml", reason="needs the extra 'flash'")
pytest.importorskip("minisign", reason="needs the extra 'update'")

CORPUS = Path(__file__).parent / "corpus"
FEW = int(os.environ.get("TEST_FUZZ", "40"))
NASTY = [
    *(
        b"9" * 5000,
        b"[" * 5000,
        b"{" * 5000,
        b"\x00",
        b"nan",
        b"NaN",
        b"1e999",
        b"-1",
        b"\xff\xff\xff\xff",
        b"\xef\xbb\xbf",
    ),
    *(
        b"'",
        b'"',
        b'"""',
        b"\n",
        b"\r\n",
        b"#",
        b"=",
        b":",
        b"- ",
        b"!!python/name:os.system ",
        b"&a ",
        b"*a ",
        b"- " * 3000,
        b"? " * 3000,
        b"<<: ",
    ),
    *(
        b"<!ENTITY a 'a'>",
        b"../",
        b"/etc/passwd",
        b"\xed\xa0\x80",
        b"\xc2\xb2",
        b"root=",
        b"# maskcam: begin\n",
        b"[all]\n",
    ),
]
PICTURE = np.random.default_rng(0).integers(0, 255, (24, 32, 3), np.uint8)


def seeds(name):
    """What is right there, made here, and the corpus: what once was not."""
    made = {
        "settings": b"[camera]\nregion = [0.0, 0.0, 1.0, 1.0]\n[sinks.webhook]\nurl = 'http://h/'\n",
        "bundle_json": (bundle.shipped() / "bundle.json").read_bytes(),
        "coco": json.dumps({"images": [{"id": 1, "file_name": "a.png"}], "annotations": [], "categories": []}).encode(),
        "crops": b"file,label,x0,y0,x1,y1\na.png,with_mask,1,2,3,4\n",
        "yolo": b"names: [with_mask]\ntrain: images\n",
        "voc": b"<annotation><object><name>with_mask</name><bndbox><xmin>1</xmin></bndbox></object></annotation>",
        "picture": cv2.imencode(".png", PICTURE)[1].tobytes(),
        "update_key": targets.PUBLIC.encode(),
        "update_journal": b'{"link": "a", "new": "b", "old": null, "label": "c", "version": "1", "tries": 0}',
        "user_data": b"#cloud-config\nhostname: a\nusers:\n- name: ann\nbootcmd:\n- [a, b]\n",
        "network_config": b"network: {version: 2, wifis: {wlan0: {access-points: {x: {password: y}}}}}\n",
        "config_txt": b"# a\narm_64bit=1\n[pi4]\ncamera_auto_detect=1\n",
        "cmdline_txt": b"console=tty1 root=PARTUUID=1-02 rootwait\n",
        "firstrun_sh": b"#!/bin/bash\nset +e\nexit 0\n",
        "mqtt_payload": b"on",
        "json_body": b'{"a": [1, 2.5, null]}',
    }
    kept = sorted((CORPUS / name).glob("*")) if (CORPUS / name).is_dir() else []
    return [made.get(name, b""), *(path.read_bytes() for path in kept)]


def damaged(data, changes):
    data = bytearray(data)
    for place, what, nasty, value in changes:
        at = int(place * len(data))
        if what == 0:
            data[at:at] = nasty
        elif what == 1:
            del data[at : at + value]
        elif what == 2 and data:
            data[min(at, len(data) - 1)] = value
        else:
            data[at : at + value] = data[at : at + value] * 3
    return bytes(data)


CHANGES = st.lists(
    st.tuples(st.floats(0, 1), st.integers(0, 3), st.sampled_from(NASTY), st.integers(0, 255)), max_size=4
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fuzz") / "only"
    folder.mkdir()
    return folder


@pytest.mark.parametrize("name", targets.TARGETS)
def test_the_corpus(folder, name):
    for data in [*seeds(name), *NASTY, b""]:
        targets.attempt(name, folder, data)


@pytest.mark.parametrize("name", targets.TARGETS)
@settings(max_examples=FEW, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_damage(folder, name, data):
    seed = data.draw(st.sampled_from(seeds(name)))
    targets.attempt(name, folder, damaged(seed, data.draw(CHANGES)))
