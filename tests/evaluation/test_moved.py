"""A picture as a clip: what moves, what is said of it, and the command that plays a set."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge import cli
from edge.core.geometry import Box
from edge.evaluation.annotated import FACE, INCORRECTLY_WORN, WITH_MASK, WITHOUT_MASK, Annotated
from edge.evaluation.moved import FPS, SECONDS, MovedPicture

GREY = np.full((240, 320, 3), 90, np.uint8)


def truth(*boxes, categories=(WITHOUT_MASK,), ignored=(False,)) -> Annotated:
    return Annotated(Path("a.jpg"), np.array(boxes, np.float32), np.array(categories), np.array(ignored))


def marked(x0: int, y0: int, x1: int, y1: int):
    image = GREY.copy()
    image[y0:y1, x0:x1] = (250, 20, 20)
    return image


def red(image) -> np.ndarray:
    """Corners of what is red."""
    y, x = np.nonzero((image[..., 0] > 180) & (image[..., 1] < 90))
    return np.array([x.min(), y.min(), x.max() + 1, y.max() + 1])


def test_the_labels_stay_on_the_face_while_the_hand_moves():
    moved = MovedPicture(truth([140, 100, 180, 150]), marked(140, 100, 180, 150), 1)
    frames = list(moved)
    assert [frame.t for frame in frames] == pytest.approx(np.arange(round(SECONDS * FPS)) / FPS)
    places = []
    for frame in frames:
        box = moved.people[0].at(frame.t)
        assert box is not None
        places.append(red(frame.image))
        assert places[-1] == pytest.approx([box.x0, box.y0, box.x1, box.y1], abs=6)
    assert np.ptp(places, 0).max() > 5


def test_the_same_seed_moves_alike_and_another_does_not():
    first, again, other = (
        np.stack([frame.image for frame in MovedPicture(truth([9, 9, 60, 60]), GREY, seed)]) for seed in (3, 3, 4)
    )
    assert (first == again).all()
    assert (first != other).any()


def test_what_nobody_can_judge_is_unsure():
    boxes = [
        [10, 10, 50, 50],
        [60, 10, 99, 50],
        [110, 10, 150, 50],
        [160, 10, 200, 50],
        [10, 80, 21, 120],
        [60, 80, 99, 120],
    ]
    kinds = (WITH_MASK, WITHOUT_MASK, INCORRECTLY_WORN, FACE, WITHOUT_MASK, WITHOUT_MASK)
    moved = MovedPicture(truth(*boxes, categories=kinds, ignored=(False,) * 5 + (True,)), GREY, 0)
    said = [person.outcome for person in moved.people]
    assert said == ["on", "off", "incorrectly_worn", "unsure", "unsure", "unsure"]


def annotated(folder: Path, images) -> Path:
    """A COCO file of pictures (name, RGB image, box, category)."""
    (folder / "images").mkdir()
    said = {
        "images": [],
        "annotations": [],
        "categories": [{"id": 1, "name": "with_mask"}, {"id": 2, "name": "without_mask"}],
    }
    for number, (name, image, box, category) in enumerate(images, 1):
        cv2.imwrite(str(folder / "images" / name), image[..., ::-1])
        said["images"].append({"id": number, "file_name": name, "width": image.shape[1], "height": image.shape[0]})
        corner = [box.x0, box.y0, box.width, box.height]
        said["annotations"].append(
            {"id": number, "image_id": number, "category_id": category, "bbox": corner, "iscrowd": 0}
        )
    (folder / "val.json").write_text(json.dumps(said))
    return folder / "val.json"


def test_the_command_counts_alerts_about_a_set_of_pictures(tmp_path, capsys):
    pytest.importorskip("skimage")
    from edge.cameras.synthetic import PHASE, SyntheticCamera

    camera = SyntheticCamera(realtime=False)
    times = {"bare.png": PHASE / 2, "masked.png": 1.5 * PHASE}
    path = annotated(
        tmp_path,
        [(name, camera.image_at(t), camera.face_at(t), 1 if camera.mask_on_at(t) else 2) for name, t in times.items()],
    )
    assert cli.main(["clips", str(path), "--json"]) == 0
    result = json.loads(capsys.readouterr().out)[str(path)]
    assert (result["people"], result["found"], result["to_alarm"], result["alarmed_rightly"]) == (2, 2, 1, 1)
    assert (result["alarmed_falsely"], result["things_alarmed"], result["alerts"]) == ([], [], 1)


def test_pictures_of_one_name_count_each_and_no_camera_is_opened(tmp_path, monkeypatch, capsys):
    def opened(*_):
        raise AssertionError("a camera was opened")

    monkeypatch.setattr("edge.assemble.source.opened", opened)
    for folder in "ab":
        (tmp_path / folder).mkdir()
        cv2.imwrite(str(tmp_path / folder / "1.png"), GREY)
        (tmp_path / folder / "1.xml").write_text(
            "<annotation><filename>1.png</filename><object><name>with_mask</name><bndbox><xmin>20</xmin><ymin>20</ymin>"
            "<xmax>60</xmax><ymax>60</ymax></bndbox></object></annotation>"
        )
    assert cli.main(["clips", str(tmp_path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)[str(tmp_path)]["people"] == 2


def test_a_set_without_a_usable_picture_costs_the_others_nothing(tmp_path, capsys):
    for folder in "ab":
        (tmp_path / folder).mkdir()
        annotated(tmp_path / folder, [("1.png", GREY, Box(20, 20, 60, 60), 1)])
    (tmp_path / "a" / "images" / "1.png").write_bytes(b"no picture")
    assert cli.main(["clips", str(tmp_path / "a" / "val.json"), str(tmp_path / "b" / "val.json"), "--json"]) == 0
    said = capsys.readouterr()
    assert list(json.loads(said.out)) == [str(tmp_path / "b" / "val.json")]
    assert "maskcam: skipped 1 of 2 recordings" in said.err


def test_a_set_of_single_faces_is_refused(tmp_path, capsys):
    (tmp_path / "with_mask").mkdir()
    cv2.imwrite(str(tmp_path / "with_mask" / "a.png"), GREY)
    assert cli.main(["clips", str(tmp_path)]) == 2
    assert "one face per picture; expected scenes with a box for every face" in capsys.readouterr().err
