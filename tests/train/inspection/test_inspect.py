"""A data set is looked at before hours are spent on it: what is broken, copied, leaked or doubtful is named."""

import json

import cv2
import numpy as np
import pytest

pytest.importorskip("imagehash", reason="needs the extra 'train'")
pytest.importorskip("scipy", reason="needs the extra 'train'")

from edge.evaluation import formats
from tests.train import doors
from train import cli
from train.inspection import sheet, survey


class Told:
    """A classifier that takes every face for a masked one; it remembers the margins."""

    def __init__(self):
        self.margins = []

    def probabilities(self, image, box, margin=None):
        self.margins.append(margin)
        return np.array([0.9, 0.1], np.float32)


LABELS = ("with_mask", "without_mask")


@pytest.fixture
def door(tmp_path):
    """Six pictures in two parts; one of the second is a copy of the first, mirrored and darker; one is broken."""
    for part, seeds in (("train", (1, 2, 3)), ("valid", (4, 5))):
        folder = tmp_path / part
        folder.mkdir()
        images, annotations = [], []
        for k, seed in enumerate(seeds):
            image, box = doors.person(np.random.default_rng([8, seed]), k % 2 == 0)
            cv2.imwrite(str(folder / f"{seed}.jpg"), image[..., ::-1])
            images.append({"id": k, "file_name": f"{seed}.jpg", "width": doors.WIDTH, "height": doors.HEIGHT})
            bbox = [box.x0, box.y0, box.width, box.height]
            annotations.append({"id": k, "image_id": k, "category_id": 1 + k % 2, "bbox": bbox})
        if part == "valid":
            copy = cv2.imread(str(tmp_path / "train" / "1.jpg"))[:, ::-1] * 0.8
            cv2.imwrite(str(folder / "copy.png"), copy.astype(np.uint8))
            (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff")
            for name in ("copy.png", "broken.jpg"):
                images.append({"id": name, "file_name": name, "width": doors.WIDTH, "height": doors.HEIGHT})
        names = [{"id": 1, "name": "mask"}, {"id": 2, "name": "no_mask"}]
        content = {"images": images, "annotations": annotations, "categories": names}
        (folder / "_annotations.coco.json").write_text(json.dumps(content))
    return tmp_path


def test_what_is_broken_copied_leaked_and_doubtful_is_found(door):
    result = survey.survey([door], {}, Told(), LABELS)
    assert (result.pictures, len(result.skipped), result.empty) == (7, 1, 1)
    assert dict(result.faces) == {
        ("with_mask", "train"): 2,
        ("without_mask", "train"): 1,
        ("with_mask", "val"): 1,
        ("without_mask", "val"): 1,
    }
    assert [sorted(p.name for p in group) for group in result.copies] == [["1.jpg", "copy.png"]]
    assert [(held.name, trained.name) for held, trained in result.leaks] == [("copy.png", "1.jpg")]
    assert (result.checked, len(result.doubts)) == (5, 2)
    assert {(d.label, d.says) for d in result.doubts} == {("without_mask", "with_mask")}
    said = survey.text(result)
    for words in (
        "7 pictures, 1 cannot be used",
        "broken.jpg",
        "leaks: 1 pictures to validate on",
        "doubtful labels: 2 of 5 faces",
        "the bundle says with_mask (90%)",
    ):
        assert words in said


def test_a_folder_per_class_is_asked_about_without_a_margin(tmp_path):
    for label in LABELS:
        (tmp_path / label).mkdir()
        image, _ = doors.person(np.random.default_rng([8, len(label)]), False)
        cv2.imwrite(str(tmp_path / label / "a.png"), image)
    told = Told()
    result = survey.survey([tmp_path], {}, told, LABELS)
    assert (result.whole, told.margins) == (2, [0.0, 0.0])
    assert survey.survey([tmp_path], {}, None, LABELS).checked == 0


def test_the_sheet_shows_what_is_doubtful_first(door, tmp_path):
    result = survey.survey([door], {}, Told(), LABELS)
    path = tmp_path / "sheet.png"
    assert sheet.write_sheet(path, formats.read(door), result.doubts) == 7
    image = cv2.imread(str(path))
    assert image.shape == (sheet.TILE, sheet.TILE * sheet.ACROSS, 3)
    edge = image[sheet.TILE // 2, [1 + sheet.TILE * k for k in (0, 1)]]
    assert (edge == np.array(sheet.COLOURS["without_mask"])[::-1]).all()


def test_the_command_says_it_and_refuses_what_it_cannot_read(door, capfd):
    assert cli.main(["inspect", str(door), "--sheet", str(door / "s.jpg")]) == 0
    told = capfd.readouterr()
    assert "faces on" in told.out
    assert not told.err, "nor does a library say anything"
    assert cli.main(["inspect", str(door / "nowhere")]) == 2
    assert "no such file or folder; expected" in capfd.readouterr().err


def test_a_sheet_that_cannot_be_written_is_refused_before_anything_is_looked_at(door, tmp_path, capfd):
    for sheet_path, says in ((tmp_path, "is a folder"), (tmp_path / "no" / "s.jpg", "does not exist: create it first")):
        assert cli.main(["inspect", str(door), "--sheet", str(sheet_path)]) == 2
        told = capfd.readouterr()
        assert says in told.err
        assert not told.out


def test_a_file_name_moves_no_cursor(door, capfd):
    assert cli.main(["inspect", str(door / "cut\x1b[2J")]) == 2
    assert "cut\\x1b[2J" in (err := capfd.readouterr().err)
    assert "\x1b" not in err
