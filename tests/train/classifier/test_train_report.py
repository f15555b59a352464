import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("matplotlib", reason="needs the extra 'train'")
pytest.importorskip("cv2", reason="needs the extra 'cpu'")

from edge.core.geometry import Box
from edge.core.labels import CLASSIFIER_LABELS, INCORRECTLY_WORN
from train.classifier import report
from train.data import dataset

TWO = CLASSIFIER_LABELS[:2]
LABELS = np.array([0, 0, 0, 1, 1])
SAID = np.array([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7], [0.1, 0.9], [0.4, 0.6]])


def patch(label, side, source="s", box=True):
    sample = dataset.Sample(Path("a.png"), Box(0, 0, side, side) if box else None, label, source)
    return dataset.cut(np.full((side, side, 3), 128, np.uint8), sample)


def says(*masked):
    """A prediction that calls the faces at these positions masked."""

    def predict(patches):
        p = np.tile([0.1, 0.9], (len(patches), 1))
        p[[i for i in masked if i < len(patches)]] = [0.9, 0.1]
        return p

    return predict


def test_scores_are_those_of_scikit_learn():
    metrics = pytest.importorskip("sklearn.metrics")
    result = report.scores(LABELS, SAID, TWO)
    expected = metrics.classification_report(LABELS, SAID.argmax(1), output_dict=True)
    assert result["accuracy"] == pytest.approx(expected["accuracy"])
    for k, row in enumerate(result["labels"].values()):
        assert row["precision"] == pytest.approx(expected[str(k)]["precision"])
        assert row["recall"] == pytest.approx(expected[str(k)]["recall"])
        assert row["f1"] == pytest.approx(expected[str(k)]["f1-score"])
        assert row["support"] == expected[str(k)]["support"]
    assert result["confusion"] == metrics.confusion_matrix(LABELS, SAID.argmax(1)).tolist()


def test_a_label_that_is_never_said_scores_zero_instead_of_failing():
    result = report.scores(np.array([0, 0]), np.array([[0.1, 0.9], [0.2, 0.8]]), TWO)
    assert result["labels"]["with_mask"] == {"precision": 0.0, "recall": 0.0, "f1": 0.0, "support": 2}


def test_calibration_error_is_the_gap_between_confidence_and_accuracy():
    sure = np.tile([0.8, 0.2], (10, 1))
    assert report.calibration(np.array([0] * 8 + [1] * 2), sure)[0] == pytest.approx(0)
    assert report.calibration(np.array([0] * 5 + [1] * 5), sure)[0] == pytest.approx(0.3)
    assert report.calibration(np.zeros(10, int), np.tile([1.0, 0.0], (10, 1)))[1] == [(1.0, 1.0, 10)]


def test_slices_go_by_source_and_size():
    faces = [patch("with_mask", 10, "a"), patch("with_mask", 20, "b"), patch("without_mask", 100, "b")]
    result = report.sliced(faces, says(0)(faces), TWO)
    assert result["by_source"] == {"a": {"accuracy": 1.0, "faces": 1}, "b": {"accuracy": 0.5, "faces": 2}}
    assert result["by_size"] == {
        "0-20 px": {"accuracy": 1.0, "faces": 1},
        "20-40 px": {"accuracy": 0.0, "faces": 1},
        "80 px and more": {"accuracy": 1.0, "faces": 1},
    }


def test_masks_worn_wrongly_are_a_slice_and_not_in_the_table():
    faces = [patch("with_mask", 30), patch("without_mask", 30), *[patch(INCORRECTLY_WORN, 30)] * 4]
    result = report.measure(faces, says(0), TWO)
    assert result["faces"] == 2
    assert result["accuracy"] == 1.0
    assert result["hard_cases"]["incorrectly worn mask: alarmed"] == {"accuracy": 0.75, "faces": 4}


def test_hard_cases_change_the_pictures_and_know_the_truth():
    seen = []

    def predict(patches):
        seen.append([p.image.copy() for p in patches])
        return says()(patches)

    cases = report.hard_cases([patch("without_mask", 40)], predict, TWO, seed=1)
    assert cases["bare behind a drawn hand, beard or cup"]["accuracy"] == 1.0
    assert cases["mask drawn on a bare face"]["accuracy"] == 0.0
    covered, drawn, small = (images[0] for images in seen)
    assert (covered != 128).any()
    assert (drawn != 128).any()
    assert small.shape[:2] == (16, 16)


def test_drawing_is_left_out_where_the_box_is_unknown():
    cases = report.hard_cases([patch("without_mask", 40, box=False)], says(), TWO, seed=1)
    assert set(cases) == {"shrunk to 16 px, without mask"}


def test_the_table_shows_each_label_with_its_numbers():
    faces = [patch("with_mask", 30), patch("with_mask", 30), patch("without_mask", 30)]
    lines = report.text(report.measure(faces, says(0), TWO), "title").splitlines()
    assert lines[0] == "title"
    rows = {line.split()[0]: line.split()[1:] for line in lines if line.strip()}
    assert rows["with_mask"] == ["1.000", "0.500", "0.667", "2"]
    assert rows["without_mask"] == ["0.500", "1.000", "0.667", "1"]
    assert rows["accuracy"] == ["0.667", "3"]


def test_pictures_are_written(tmp_path):
    report.confusion_picture(report.scores(LABELS, SAID, TWO), tmp_path / "c.png")
    report.reliability_picture(LABELS, SAID, tmp_path / "r.png")
    assert all((tmp_path / n).read_bytes().startswith(b"\x89PNG") for n in ("c.png", "r.png"))


def test_measures_are_plain_json():
    json.dumps(report.measure([patch("with_mask", 30), patch("without_mask", 30)], says(0), TWO))


def test_four_labels_are_all_in_the_table_and_in_the_confusion():
    faces = [patch(label, 30) for label in CLASSIFIER_LABELS]
    wrongly = [0.1, 0.2, 0.6, 0.1]
    result = report.measure(faces, lambda some: np.tile(wrongly, (len(some), 1)), CLASSIFIER_LABELS)
    assert list(result["labels"]) == list(CLASSIFIER_LABELS)
    assert result["labels"][INCORRECTLY_WORN] == {"precision": 0.25, "recall": 1.0, "f1": 0.4, "support": 1}
    assert [row[2] for row in result["confusion"]] == [1, 1, 1, 1]
    cases = {name: case["accuracy"] for name, case in result["hard_cases"].items()}
    assert cases["incorrectly worn mask: alarmed"] == 1.0
    assert cases["with mask: not called incorrectly worn"] == 0.0
    assert cases["drawn wheels, lamps, signs, windows"] == 0.0
    assert cases["with or without mask: not called a thing"] == 1.0
    assert "mask_worn_incorrectly" in report.text(result, "title")
