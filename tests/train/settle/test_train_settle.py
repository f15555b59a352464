"""Settling annotations: tight boxes in heads, faces that nobody annotated, what only our own detector sees."""

import json
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from train.settle import profiles
from train.settle import teachers as detectors
from train.settle.annotations import settled as settle

FACE = (40.0, 40.0, 60.0, 64.0)
HEAD = [30.0, 25.0, 42.0, 50.0]


def says(*boxes, score=0.9):
    """A detector that says these boxes of every picture."""
    rows = np.array([[*box, score] for box in boxes], float).reshape(-1, 5)
    return lambda image: rows


def coco(folder, annotations, source="heads", pictures=4):
    """`pictures` black pictures of 128 x 96 pixels, each with `annotations` (bbox, iscrowd)."""
    (folder / "images").mkdir(exist_ok=True)
    images, rows = [], []
    for n in range(pictures):
        cv2.imwrite(str(folder / "images" / f"{n}.png"), np.zeros((96, 128, 3), np.uint8))
        images.append({"id": n, "file_name": f"{n}.png", "width": 128, "height": 96, "source": source})
        rows += [{"id": len(rows), "image_id": n, "category_id": 2, "bbox": b, "iscrowd": i} for b, i in annotations]
    return {"images": images, "annotations": rows}


def settled(tmp_path, annotations, mine, teachers, trusted=()):
    return settle(coco(tmp_path, annotations), tmp_path / "images", mine, teachers, trusted)


def test_a_head_becomes_the_face_that_two_see_in_it(tmp_path):
    result, said = settled(tmp_path, [(HEAD, 0)], says(FACE), [says(FACE), says()])
    assert [a["bbox"] for a in result["annotations"]] == [[40.0, 40.0, 20.0, 24.0]] * 4
    assert said["heads drawn tight"] == 4
    assert not any(a["iscrowd"] for a in result["annotations"])


def test_a_head_without_a_face_is_ignored_only_in_a_source_of_heads(tmp_path):
    far = [90.0, 10.0, 20.0, 30.0]
    result, said = settled(tmp_path, [(HEAD, 0), (far, 0)], says(FACE), [says(FACE), says()])
    assert said["heads ignored"] == 4
    assert {(a["bbox"] == far, a["iscrowd"]) for a in result["annotations"]} == {(True, 1), (False, 0)}
    tight = [40.0, 40.0, 20.0, 24.0]
    result, said = settled(tmp_path, [(tight, 0), (far, 0)], says(FACE), [says(FACE), says()])
    assert not said["heads ignored"]


def test_faces_that_nobody_annotated_are_ignored(tmp_path):
    other = (90.0, 10.0, 110.0, 35.0)
    both, said = settled(tmp_path, [], says(FACE), [says(FACE, other), says()])
    assert [(a["category_id"], a["iscrowd"]) for a in both["annotations"]] == [(4, 1)] * 8
    assert said["unannotated places ignored"] == 8


def test_what_only_our_detector_sees_is_a_false_alarm_and_stays_unannotated(tmp_path):
    result, said = settled(tmp_path, [], says(FACE), [says(), says(FACE, score=0.05)])
    assert result["annotations"] == []
    assert said["false alarms"] == len(result["false_alarms"]) == 4
    assert result["false_alarms"][0]["bbox"] == [40.0, 40.0, 20.0, 24.0]
    doubted, said = settled(tmp_path, [], says(FACE), [says(), says(FACE, score=0.3)])
    assert not said["false alarms"]
    assert all(a["iscrowd"] for a in doubted["annotations"])


def test_a_trusted_source_keeps_its_annotations(tmp_path):
    result, _ = settled(tmp_path, [(HEAD, 0)], says(FACE), [says(FACE), says()], trusted=("heads",))
    assert [a["bbox"] for a in result["annotations"]] == [HEAD] * 4


def test_boxes_get_back_what_publishing_added():
    grown = np.array([[40 - 2.0, 40 - 4.8, 60 + 4.0, 64 + 2.4]])  # 0.1, 0.2, 0.2, 0.1 of 20 x 24
    np.testing.assert_allclose(detectors.tight(grown, (0.1, 0.2, 0.2, 0.1)), [FACE])


@pytest.mark.parametrize("key", ["box_margin", "growth"])
def test_the_margin_of_a_bundle_is_taken_off_under_its_old_name_too(key, monkeypatch, tmp_path, write_bundle):
    folder = write_bundle(tmp_path / "b", training={"boxes": {key: (0.1, 0.2, 0.2, 0.1)}})
    rows = np.array([[40 - 2.0, 40 - 4.8, 60 + 4.0, 64 + 2.4, 0.7]])
    monkeypatch.setattr(detectors.tflite, "open", lambda *args: None)
    monkeypatch.setattr(detectors, "FaceDetector", lambda *args, **more: SimpleNamespace(rows=lambda image: rows))
    np.testing.assert_allclose(detectors.of_bundle(folder)(np.zeros((8, 8, 3), np.uint8)), [[*FACE, 0.7]])


def test_the_command_wants_two_teachers_and_says_so(tmp_path, capsys):
    pytest.importorskip("keras", reason="needs the extra 'train'")
    from train import cli

    path = tmp_path / "coco.json"
    path.write_text(json.dumps(coco(tmp_path, [(HEAD, 0)])))
    arguments = ["settle", str(path), "--out", str(tmp_path / "out.json"), "--teacher", str(tmp_path / "none.onnx")]
    assert cli.main(arguments) == 2
    assert "expected two" in capsys.readouterr().err
    assert cli.main([*arguments, "--teacher", str(path)]) == 2
    assert "none.onnx: no such file" in capsys.readouterr().err
    assert not (tmp_path / "out.json").exists()


@pytest.mark.parametrize(
    ("offset", "category", "crowd", "attribute"),
    [(0.2, 2, 0, "nose_right"), (-0.2, 2, 0, "nose_left"), (0.1, 2, 0, None), (0.2, 1, 0, None), (0.2, 2, 1, None)],
)
def test_bare_faces_seen_from_the_side_are_marked_with_it(tmp_path, offset, category, crowd, attribute):
    raw = coco(tmp_path, [([40.0, 40.0, 20.0, 24.0], crowd), ([90.0, 10.0, 20.0, 30.0], crowd)])
    for annotation in raw["annotations"]:
        annotation["category_id"] = category
    nose = says(FACE, score=offset)
    result, said = settle(raw, tmp_path / "images", says(), [says(), says()], ("heads",), nose)
    marked = [a.get("attributes") for a in result["annotations"]]
    assert marked == [{attribute: True} if attribute else None, None] * 4
    assert said["faces seen from the side"] == 4 * bool(attribute)


def test_the_noses_place_is_told_in_widths_of_the_face(monkeypatch):
    row = np.array([[10, 20, 50, 70, 38, 35, 46, 35, 50, 45, 42, 55, 48, 55, 0.9]], float)
    monkeypatch.setattr(profiles, "landmarks", lambda path: lambda image: row)
    assert profiles.noses("yunet.onnx")(None).tolist() == [[10, 20, 50, 70, 0.2]]
