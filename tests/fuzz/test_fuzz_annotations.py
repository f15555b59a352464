"""Annotations of every format, damaged: one DataError of one line, or pictures; never another error, never long.

TEST_FUZZ=N tries N of each format, as in test_fuzz.
"""

import json
import os
import re
import time

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from edge.core.errors import DataError
from edge.evaluation import formats, runner

fuzz = settings(
    max_examples=int(os.environ.get("TEST_FUZZ", "60")), deadline=None, suppress_health_check=list(HealthCheck)
)
SLOW = 5.0

COCO = json.dumps(
    {
        "images": [{"id": i, "file_name": f"{i}.png", "width": 64, "height": 48} for i in range(2)],
        "categories": [{"id": 1, "name": "with_mask"}, {"id": 2, "name": "without_mask"}],
        "annotations": [{"id": i, "image_id": i, "category_id": i + 1, "bbox": [9, 8, 20, 24]} for i in range(2)],
    }
)
CROPS = "file,label,x0,y0,x1,y1,box\n0.png,with_mask,9,8,29,32,\n1.png,without_mask,0,0,0,0,whole\n"
YOLO = "names: [with_mask, without_mask]\ntrain: images\nval: images\n"
VOC = (
    "<annotation><filename>0.png</filename><size><width>64</width><height>48</height></size><object>"
    "<name>with_mask</name><difficult>0</difficult><bndbox><xmin>9</xmin><ymin>8</ymin><xmax>29</xmax><ymax>32</ymax>"
    "</bndbox></object></annotation>"
)
SEEDS = {"coco.json": COCO, "crops.csv": CROPS, "data.yaml": YOLO, "0.xml": VOC, "labels/0.txt": "0 0.5 0.5 0.2 0.3\n"}
READ = {"labels/0.txt": "data.yaml"}
"""What is given to the reader, where it is another file than the damaged one."""
NASTY = [
    *("NaN", "Infinity", "-1", "0", "1e308", "1e999", "1" + "0" * 400, "9" * 5000, "[" * 5000, "{" * 5000, "null"),
    *(
        '"x"',
        '""',
        "[]",
        "{}",
        "[1]",
        "true",
        "../../etc/passwd",
        "/etc/passwd",
        "x" * 300,
        "\x00",
        "\ufeff",
        "<",
        "&x;",
    ),
    *('"', "'", "\n", "\r", ";", ":", "- ", "²", "\ud800", "! ", "*a", "&a ", "? ", "!!python/object:os.system x"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("set")
    for name in ("images", "labels"):
        (folder / name).mkdir()
    for k in range(2):
        picture = np.random.default_rng(k).integers(0, 255, (48, 64, 3), np.uint8)
        assert cv2.imwrite(str(folder / "images" / f"{k}.png"), picture)
    return folder


def mutated(text, changes):
    """Numbers, words and marks replaced, doubled or taken out, at places given as shares of the whole."""
    for place, what, nasty in changes:
        tokens = list(re.finditer(r"[\w.-]+|\"[^\"]*\"|[^\s\w]", text)) or [re.match("", text)]
        token = tokens[int(place * (len(tokens) - 1))]
        new = {0: nasty, 1: "", 2: text[token.start() : token.end()] * 3, 3: nasty + token[0]}[what]
        text = text[: token.start()] + new + text[token.end() :]
    return text


CHANGES = st.lists(st.tuples(st.floats(0, 1), st.integers(0, 3), st.sampled_from(NASTY)), min_size=1, max_size=3)


@pytest.mark.parametrize("name", SEEDS)
def test_the_seeds_are_right(folder, name):
    look(folder, name, SEEDS[name])


def look(folder, name, text):
    for other in SEEDS:
        (folder / other).unlink(missing_ok=True)
    for other in ("data.yaml", "labels/0.txt") if name in ("data.yaml", "labels/0.txt") else ():
        (folder / other).write_text(SEEDS[other])
    (folder / name).write_bytes(text.encode("utf-8", "surrogatepass"))
    pictures = formats.read(folder / READ.get(name, name))
    assert pictures
    return pictures


@pytest.mark.parametrize("name", SEEDS)
@fuzz
@given(changes=CHANGES)
@example(changes=[(0.5, 0, "9" * 5000)])
@example(changes=[(0.5, 0, "[" * 5000)])
@example(changes=[(0.75, 2, "NaN"), (0.75, 0, "9" * 5000)])
def test_damaged_annotations(folder, name, changes):
    before, said = time.process_time(), ""
    try:
        pictures = look(folder, name, mutated(SEEDS[name], changes))
        assert runner.score(pictures, lambda image: np.zeros((0, 6)), 0.5)["all"]
    except DataError as error:
        said = str(error)
    assert len(said.splitlines()) <= 1, repr(said)
    assert len(said) < 2000
    assert time.process_time() - before < SLOW
