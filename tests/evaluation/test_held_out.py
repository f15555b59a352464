"""The pictures that docs/accuracy.md was measured on can be told from the data sets again."""

import json
import random
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
DATA = HERE.parents[2] / "shared" / "data"
HELD_OUT = json.loads((HERE / "held-out.json").read_text())

pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="the annotated pictures (../shared) are not here")


def read(name):
    return json.loads((DATA / name).read_text())


@pytest.mark.parametrize(
    ("name", "seed", "parts", "sources"),
    [("ilc", 1, 5, ["ilc2021"]), ("wild", 2, 10, ["oi-humanv2", "coco-humanv2", "ccp"])],
)
def test_a_part_of_the_clusters_is_held_out(name, seed, parts, sources):
    images = read(f"{name}/train.json")["images"]
    clusters = sorted({image["cluster"] for image in images})
    random.Random(seed).shuffle(clusters)
    held_out = set(clusters[: round(len(clusters) / parts)])
    expected = [image["file_name"] for image in images if image["cluster"] in held_out]
    assert sorted(expected) == sorted(file for source in sources for file in HELD_OUT["pictures"][source])


def test_every_third_validation_picture_is_held_out_to_choose_thresholds():
    files = {file for source in HELD_OUT["pictures"] for file in HELD_OUT["pictures"][source]}
    third = [image["file_name"] for image in read("faces/val.json")["images"]][::3]
    assert set(third) <= files
    assert len(files) == 552


def test_every_face_of_which_something_is_said_is_annotated():
    boxes = set()
    for name in ("ilc/train.json", "wild/train.json", "faces/val.json"):
        known = read(name)
        files = {image["id"]: image["file_name"] for image in known["images"]}
        boxes |= {(files[a["image_id"]], round(a["bbox"][0]), round(a["bbox"][1])) for a in known["annotations"]}
    said = [(face["file"], round(face["bbox"][0]), round(face["bbox"][1])) for face in HELD_OUT["faces"]]
    # `maskcam-train settle` draws some boxes of the third set anew
    assert sum(face in boxes for face in said) >= 0.9 * len(said)
