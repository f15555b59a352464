"""What every target of `tests.fuzz.targets` is tried with: what is right there, the corpus, and damage to both."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from edge.vision import bundle
from tests.fuzz import targets

CORPUS = Path(__file__).parent / "corpus"
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


def pictures() -> list[bytes]:
    """A small picture in every format that is read, as an animation and turned by EXIF too."""
    turned = Image.Exif()
    turned[274] = 6
    made = [cv2.imencode(suffix, PICTURE)[1].tobytes() for suffix in (".png", ".bmp", ".ppm", ".tiff", ".webp")]
    one, two = Image.fromarray(PICTURE), Image.fromarray(PICTURE[::-1].copy())
    with tempfile.TemporaryDirectory() as folder:
        for name, options in (
            ("a.jpg", {"exif": turned}),
            ("a.gif", {"save_all": True, "append_images": [two]}),
            ("b.png", {"save_all": True, "append_images": [two]}),
        ):
            one.save(Path(folder) / name, **options)
            made.append((Path(folder) / name).read_bytes())
    return made


def video() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.avi"
        writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10.0, (32, 24))
        for number in range(3):
            writer.write(np.roll(PICTURE, number, 0))
        writer.release()
        return path.read_bytes()


COCO = {
    "images": [{"id": 1, "file_name": "0.png", "width": 32, "height": 24}],
    "categories": [{"id": 1, "name": "with_mask"}, {"id": 2, "name": "without_mask"}],
    "annotations": [{"id": i, "image_id": 1, "category_id": i, "bbox": [3, 2, 20, 18]} for i in (1, 2)],
}
VOC = (
    "<annotation><filename>0.png</filename><size><width>32</width><height>24</height></size><object>"
    "<name>with_mask</name><difficult>0</difficult><bndbox><xmin>3</xmin><ymin>2</ymin><xmax>23</xmax><ymax>20</ymax>"
    "</bndbox></object></annotation>"
)
RIGHT = {
    "settings": lambda: [b"[camera]\nregion = [0.0, 0.0, 1.0, 1.0]\n[sinks.webhook]\nurl = 'http://h/'\n"],
    "bundle_json": lambda: [targets.small_bundle()["bundle.json"], (bundle.shipped() / "bundle.json").read_bytes()],
    "coco": lambda: [json.dumps(COCO).encode()],
    "crops": lambda: [b"file,label,x0,y0,x1,y1,box\n0.png,with_mask,3,2,23,20,\n0.png,without_mask,0,0,0,0,whole\n"],
    "yolo": lambda: [b"names: [with_mask, without_mask]\ntrain: images\nval: images\n"],
    "yolo_labels": lambda: [b"0 0.5 0.5 0.2 0.3\n1 0.2 0.5 0.2 0.3\n"],
    "voc": lambda: [VOC.encode()],
    "picture": pictures,
    "video": lambda: [video()],
    "update_package": lambda: [targets.right_package()],
    "update_manifest": lambda: [targets.right_manifest()],
    "update_key": lambda: [targets.public().encode()],
    "update_journal": lambda: [b'{"link": "ROOT/bin/maskcam", "new": "b", "old": null, "label": "c", "tries": 0}'],
    "user_data": lambda: [b"#cloud-config\nhostname: a\nusers:\n- name: ann\nbootcmd:\n- [a, b]\n"],
    "network_config": lambda: [b"network: {version: 2, wifis: {wlan0: {access-points: {x: {password: y}}}}}\n"],
    "config_txt": lambda: [b"# a\narm_64bit=1\n[pi4]\ncamera_auto_detect=1\n"],
    "cmdline_txt": lambda: [b"console=tty1 root=PARTUUID=1-02 rootwait\n"],
    "firstrun_sh": lambda: [b"#!/bin/bash\nset +e\nexit 0\n"],
    "mqtt_payload": lambda: [b"on"],
    "json_body": lambda: [b'{"a": [1, 2.5, null]}'],
}


def seeds(name: str) -> list[bytes]:
    """What is right there, made here, and the corpus: what once was not, and what reached most."""
    kept = sorted((CORPUS / name).glob("*")) if (CORPUS / name).is_dir() else []
    return [*RIGHT[name](), *(path.read_bytes() for path in kept)]


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
