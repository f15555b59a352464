"""The table of a bundle on annotated pictures, with scripted engines: no network, the whole path."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.core.errors import DataError
from edge.core.labels import CLASSIFIER_LABELS
from edge.evaluation import coco, slices
from edge.evaluation.runner import BundleDetector, score, sure_first, table, without_nan
from edge.testing.engine import ScriptedEngine
from edge.vision import bundle
from edge.vision.decode import cells
from edge.vision.joint import joint_score


@pytest.fixture
def detector(tmp_path, write_bundle):
    return of(tmp_path, write_bundle, [0.9, 0.1])


def of(folder, write_bundle, probabilities, joint=None):
    """Always finds one face of 16 x 16 around (28, 12) of a 64 x 32 picture; of the first labels says this."""
    centres, _ = cells(64, 32)
    logits, distances = np.full((len(centres), 1), -9.0, "f4"), np.zeros((len(centres), 4), "f4")
    k = int(np.flatnonzero((centres == (28, 12)).all(1))[0])
    logits[k], distances[k] = 3.0, 0.5
    answers = ScriptedEngine([[logits, distances]]), ScriptedEngine([[np.array(probabilities, "f4")]])
    found = bundle.load(write_bundle(folder / "b"))
    classifier = found.classifier.model_copy(update={"labels": list(CLASSIFIER_LABELS[: len(probabilities)])})
    finder = found.detector.model_copy(update={"joint_threshold": joint})
    return BundleDetector(found.model_copy(update={"classifier": classifier, "detector": finder}), *answers)


@pytest.mark.parametrize(
    ("probabilities", "own", "outside"),
    [
        ((0.1, 0.2, 0.6, 0.1), 2, 0),
        ((0.1, 0.6, 0.2, 0.1), 0, 0),
        ((0.4, 0.25, 0.3, 0.05), 2, 0),
        ((0.6, 0.2, 0.2), 1, 1),
    ],
)
def test_worn_wrongly_is_a_label_here_and_bare_for_who_asks_with_two(
    tmp_path, write_bundle, probabilities, own, outside
):
    picture, detector = np.zeros((32, 64, 3), np.uint8), of(tmp_path, write_bundle, probabilities)
    assert detector.rows(picture)[0, 5] == own
    assert detector(picture)[0, 5] == outside


def test_what_is_no_face_falls_below_the_operating_point(tmp_path, write_bundle):
    picture = np.zeros((32, 64, 3), np.uint8)
    vetoed = of(tmp_path, write_bundle, (0.1, 0.2, 0.0, 0.7))
    assert vetoed.rows(picture)[0, 4] == pytest.approx(vetoed.operating * 0.3, rel=1e-4)
    (tmp_path / "other").mkdir()
    doubted = of(tmp_path / "other", write_bundle, (0.3, 0.3, 0.0, 0.4))
    assert doubted.rows(picture)[0, 4] == pytest.approx(ranked(1 / (1 + np.exp(-3)), 0.5, doubted), abs=1e-6)


@pytest.mark.parametrize(
    ("probabilities", "sure"), [((0.9, 0.1, 0, 0), 0.9), ((0, 0.4, 0.4, 0), 1.0), ((0.2, 0.3, 0, 0), 0.6)]
)
def test_among_found_faces_a_doubtful_label_ranks_lower(tmp_path, write_bundle, probabilities, sure):
    picture, score = np.zeros((32, 64, 3), np.uint8), 1 / (1 + np.exp(-3))
    detector = of(tmp_path, write_bundle, probabilities)
    assert detector.rows(picture)[0, 4] == pytest.approx(ranked(score, sure, detector), abs=1e-6)
    assert detector.answers(picture)[0][0, 4] == pytest.approx(score, abs=1e-6), "the detector's own"


def ranked(score, sure, detector):
    return detector.operating + (score - detector.operating) * sure


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0.5, 1)), min_size=1), st.floats(0, 1))
def test_doubt_of_a_label_changes_nothing_about_what_is_found(pairs, operating):
    scores, sure = np.array(pairs).T
    changed = sure_first(scores, sure, operating)
    assert ((changed >= operating) == (scores >= operating)).all()
    assert (changed <= scores + 1e-12).all()
    assert (changed[scores <= operating] == scores[scores <= operating]).all()


def test_with_a_joint_threshold_rows_have_the_joint_score_and_the_device_rejects_the_same(tmp_path, write_bundle):
    picture, score = np.zeros((32, 64, 3), np.uint8), 1 / (1 + np.exp(-3))
    for k, (thing, rejected) in enumerate(((0.0, False), (0.2, False), (0.95, True))):
        (tmp_path / f"{k}").mkdir()
        both = of(tmp_path / f"{k}", write_bundle, (1 - thing, 0.0, 0.0, thing), joint=0.4)
        rows, things = both.answers(picture)
        assert rows[0, 4] == pytest.approx(score, abs=1e-6)
        assert both.rejected(rows, things).tolist() == [rejected]
        assert both.operating == 0.4
        assert both.rows(picture)[0, 4] == pytest.approx(joint_score(score, thing, 0.5), abs=1e-6)


def door(folder, categories, truncated=False):
    (folder / "images").mkdir(parents=True)
    images, annotations = [], []
    for n, category in enumerate(categories):
        cv2.imwrite(str(folder / "images" / f"{n}.png"), np.zeros((32, 64, 3), np.uint8))
        images.append({"id": n, "file_name": f"{n}.png", "source": f"s{category}"})
        annotations.append({"image_id": n, "bbox": [20, 4, 16, 16], "category_id": category})
    if truncated:
        (folder / "images" / "0.png").unlink()
    (folder / "coco.json").write_text(json.dumps({"images": images, "annotations": annotations}))
    return coco.read(folder / "coco.json")


def test_rows_are_in_pixels_of_the_picture_whatever_its_size(detector):
    (row,) = detector.rows(np.zeros((320, 640, 3), np.uint8))
    assert np.allclose(row[:4], [200, 40, 360, 200])
    assert row[4] == pytest.approx(ranked(1 / (1 + np.exp(-3)), 0.9, detector), abs=1e-6)
    assert row[5] == 1


def test_a_bgr_picture_reaches_the_networks_as_rgb(detector):
    picture = np.zeros((32, 64, 3), np.uint8)
    picture[..., 0] = 255  # blue, as OpenCV orders it
    detector(picture)
    assert detector._detector._engine.seen[0][0, 0].tolist() == [0, 0, 255]


def test_figures_in_all_and_per_source(detector, tmp_path):
    result = score(door(tmp_path / "d", [1, 1, 2]), detector.rows, 0.5)
    assert list(result) == ["all", "s1", "s2", "12-24 px", "dark", "grey"]
    assert result["12-24 px"]["faces"] == result["dark"]["faces"] == 3
    assert result["all"]["face_ap"] == 1.0
    assert result["all"]["label_accuracy"] == pytest.approx(2 / 3)
    assert result["s2"]["bare_called_masked"] == 1.0
    assert result["all"]["pictures"] == 3
    text = table(result)
    assert text.count("\n") == 7
    assert "s2" in text
    assert "nan" not in text


def test_words_of_the_annotations_move_no_cursor_and_widen_no_table(detector, tmp_path):
    door(tmp_path, [1])
    coco_file = tmp_path / "coco.json"
    content = json.loads(coco_file.read_text())
    content["images"][0]["source"] = "a\x1b[2J\n" + "b" * 5000
    content["annotations"][0]["attributes"] = {"\x1b]0;x\x07" * 100: True}
    coco_file.write_text(json.dumps(content))
    lines = table(score(coco.read(coco_file), detector.rows, 0.5)).splitlines()
    assert all(line.isprintable() for line in lines)
    assert max(map(len, lines)) < 300
    assert [line.split()[0] for line in lines][1:3] == ["all", "a\\x1b[2J"]


def test_a_source_named_all_is_counted_once(detector, tmp_path):
    door(tmp_path, [1])
    coco_file = tmp_path / "coco.json"
    content = json.loads(coco_file.read_text())
    content["images"][0]["source"] = "all"
    coco_file.write_text(json.dumps(content))
    assert score(coco.read(coco_file), detector.rows, 0.5)["all"]["faces"] == 1


def test_an_unreadable_picture_is_left_out(detector, tmp_path):
    assert score(door(tmp_path / "d", [1, 2], truncated=True), detector.rows, 0.5)["all"]["pictures"] == 1


def test_no_readable_picture_is_an_error(detector, tmp_path):
    with pytest.raises(DataError, match="none of the 1 pictures"):
        score(door(tmp_path / "d", [1], truncated=True), detector.rows, 0.5)


def test_progress_is_told(detector, tmp_path):
    told = []
    score(door(tmp_path / "d", [1, 2]), detector.rows, 0.5, lambda done, total: told.append((done, total)))
    assert told == [(1, 2), (2, 2)]


def test_figures_without_data_become_null_in_json():
    assert without_nan({"a": [float("nan"), 1.0], "b": {"c": float("nan")}}) == {"a": [None, 1.0], "b": {"c": None}}


def test_a_slice_of_sizes_counts_its_own_faces_and_alarms_alone():
    boxes = np.array([[0, 0, 20, 20], [50, 50, 110, 110]], np.float32)
    truth = coco.Annotated(Path("a.png"), boxes, np.array([1, 2]), np.zeros(2, bool), "", "")
    rows = np.array([[0, 0, 26, 26, 0.9, 1], [200, 0, 220, 20, 0.8, 1], [200, 0, 300, 100, 0.7, 0]], float)
    picture = np.full((300, 400, 3), (120, 100, 100), np.uint8)
    found = {
        name: (part.ignored.tolist(), some[:, 4].tolist()) for name, part, some in slices.of(truth, picture, rows, 0.4)
    }
    assert found == {
        "12-24 px": ([False, True], [0.9, 0.8]),
        "48-96 px": ([True, False], []),
        "colour": ([False, False], [0.9, 0.8, 0.7]),
    }
