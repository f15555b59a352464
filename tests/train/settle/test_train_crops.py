"""Crops for the classifier: what a detector finds in annotated scenes, faces and things."""

import csv

import cv2
import numpy as np
import pytest

from edge.core.labels import NOT_A_FACE, WITH_MASK
from edge.evaluation.annotated import FACE, Annotated
from edge.evaluation.annotated import WITH_MASK as MASKED
from train.data import dataset
from train.settle import crops, teachers

AT = (40.0, 40.0, 60.0, 64.0)
ELSEWHERE = (90.0, 10.0, 110.0, 35.0)


def rows(*found):
    return np.array(found, float).reshape(-1, 5)


def scene(path="scene.png", category=MASKED, ignored=False):
    return Annotated(path, np.array([AT], np.float32), np.array([category]), np.array([ignored]), "door", "c1", "train")


def labels(found, truth=None, doubtful=(), sure=crops.SURE):
    places = np.array(doubtful, float).reshape(-1, 4)
    return [(row[4], label) for row, label in crops.taken(rows(*found), truth or scene(), places, sure)]


def test_a_box_where_nobody_annotated_a_face_is_a_thing_unless_a_teacher_sees_one():
    assert labels([(*ELSEWHERE, 0.2)]) == [(0.2, NOT_A_FACE)]
    assert labels([(*ELSEWHERE, 0.2)], doubtful=[ELSEWHERE]) == []


def test_a_face_is_taken_where_the_detector_doubts():
    assert labels([(*AT, 0.5)]) == [(0.5, WITH_MASK)]
    assert labels([(*AT, 0.95)]) == []
    assert labels([(*AT, 0.95)], sure=1.0) == [(0.95, WITH_MASK)]


@pytest.mark.parametrize(
    ("box", "score", "truth"),
    [
        (AT, 0.5, scene(category=FACE)),
        (AT, 0.5, scene(ignored=True)),
        ((45.0, 44.0, 70.0, 72.0), 0.5, scene()),
        (ELSEWHERE, 0.01, scene()),
        ((90.0, 10.0, 96.0, 35.0), 0.5, scene()),
    ],
    ids=["state unknown", "ignored", "beside a face", "never asked", "too small"],
)
def test_what_would_teach_something_wrong_is_left_out(box, score, truth):
    assert labels([(*box, score)], truth) == []


def test_boxes_go_where_the_turn_takes_the_pixels(monkeypatch):
    monkeypatch.setattr(crops.photometric, "jitter", lambda image, rng: image)
    image = np.zeros((96, 128, 3), np.uint8)
    image[44:60, 43:57] = 255
    for seed in range(8):
        turned, matrix = crops.altered(image, np.random.default_rng(seed))
        middle = crops.moved(np.array([AT]), matrix)[0].reshape(2, 2).mean(0)
        columns, lines = np.nonzero((turned[..., 0] > 200).T)
        np.testing.assert_allclose(middle, (columns.mean(), lines.mean()), atol=1)


def test_the_second_look_carries_annotations_along():
    image, seen = np.zeros((96, 128, 3), np.uint8), []

    def find(picture):
        seen.append(picture)
        return rows((*AT, 0.5)) if len(seen) == 1 else rows((*moved[0], 0.99))

    moved = crops.moved(np.array([AT]), crops.altered(image, np.random.default_rng(3))[1])
    found = list(crops.found(scene(), image, find, [], np.random.default_rng(3)))
    assert [p.sample.label for p in found] == [WITH_MASK] * 2
    assert {p.sample.source for p in found} == {"found-door"}


def written(tmp_path, monkeypatch, found):
    (tmp_path / "images").mkdir()
    cv2.imwrite(str(tmp_path / "images" / "a.png"), np.full((96, 128, 3), 90, np.uint8))
    (tmp_path / "scenes.json").write_text(
        '{"images": [{"id": 1, "file_name": "a.png", "width": 128, "height": 96, "source": "door", "cluster": "c1"}],'
        '"categories": [{"id": 2, "name": "without_mask"}],'
        '"annotations": [{"id": 1, "image_id": 1, "category_id": 2, "bbox": [40, 40, 20, 24], "iscrowd": 0}]}'
    )
    monkeypatch.setattr(crops, "of_bundle", lambda bundle, lowest: lambda image: rows(*found))
    crops.run([tmp_path / "scenes.json"], tmp_path / "out", None, [])


def test_the_table_is_one_that_the_classifier_reads(tmp_path, monkeypatch, capsys):
    written(tmp_path, monkeypatch, [(*AT, 0.5), (*ELSEWHERE, 0.4)])
    samples = dataset.read(tmp_path / "out")
    labels = {s.label for s in samples}
    assert labels == {NOT_A_FACE, "without_mask"}
    assert {(s.source, s.cluster) for s in samples} == {("found-door", "c1")}
    assert not dataset.decode(samples)[1]
    with (tmp_path / "out" / "crops.csv").open() as table:
        assert len(list(csv.DictReader(table))) == len(samples)
    assert "2 without_mask, 2 not_a_face" in capsys.readouterr().out


def test_the_classifier_hears_how_sure_the_detector_was(tmp_path, monkeypatch):
    written(tmp_path, monkeypatch, [(*AT, 0.5), (*ELSEWHERE, 0.4)])
    assert {(s.label, s.score) for s in dataset.read(tmp_path / "out")} == {("without_mask", 0.5), (NOT_A_FACE, 0.4)}


def test_each_scene_is_looked_at_as_often_as_is_asked():
    seen = []

    def find(picture):
        seen.append(picture)
        return rows()

    image = np.zeros((96, 128, 3), np.uint8)
    list(crops.found(scene(), image, find, [], np.random.default_rng(3), looks=4))
    assert seen[0] is image
    assert len({picture.tobytes() for picture in seen}) == 4


def test_nothing_is_written_over(tmp_path, monkeypatch):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("mine")
    with pytest.raises(crops.DataError, match="exists already"):
        written(tmp_path, monkeypatch, [])
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["mine.txt"]


def test_single_faces_are_refused(tmp_path, monkeypatch):
    written(tmp_path, monkeypatch, [(*AT, 0.5)])
    with pytest.raises(crops.DataError, match="expected whole scenes"):
        crops.run([tmp_path / "out"], tmp_path / "again", None, [])
    assert not (tmp_path / "again").exists()


def test_an_interruption_leaves_nothing(tmp_path, monkeypatch):
    def interrupted(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(crops, "_write", interrupted)
    with pytest.raises(KeyboardInterrupt):
        written(tmp_path, monkeypatch, [(*AT, 0.5)])
    assert sorted(p.name for p in tmp_path.iterdir()) == ["images", "scenes.json"]


def test_a_teacher_that_is_no_network_is_named(tmp_path):
    wrong = tmp_path / "yunet.onnx"
    wrong.write_text("<html>")
    with pytest.raises(crops.DataError, match="is not the network"):
        teachers.opened([wrong])
    with pytest.raises(crops.DataError, match="no such file"):
        teachers.opened([tmp_path / "none.onnx"])
    with pytest.raises(crops.DataError, match="3 given"):
        teachers.opened([wrong] * 3)
