"""What of a bundle is measured and decided without converting: scripted answers, no TensorFlow."""

import cv2
import numpy as np
import pytest

from convert.verification import verify
from edge.evaluation.coco import Annotated


class Says:
    """A detector that says in every picture a face at (0, 0), a thing at (40, 0) and one half on the face."""

    operating = 0.5

    def __init__(self, things):
        self.things = np.array(things, float)

    def answers(self, image):
        rows = [[0, 0, 20, 20, 0.9, 1], [40, 0, 60, 20, 0.8, 0], [12, 0, 32, 20, 0.7, 0], [40, 40, 60, 60, 0.4, 0]]
        return np.array(rows, float), self.things

    def rejected(self, rows, things):
        return things >= 0.5

    def rows(self, image):
        rows, things = self.answers(image)
        rows[self.rejected(rows, things), 4] = 0.0
        return rows


@pytest.fixture
def pictures(tmp_path):
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((64, 64, 3), np.uint8))
    box, category = np.array([[0, 0, 20, 20]], np.float32), np.array([1])
    return [Annotated(tmp_path / "a.png", box, category, np.array([False]))] * 2


@pytest.mark.parametrize(
    ("things", "rejected"), [([0.1, 0.9, 0.9, 0.9], (2, 0)), ([0.9, 0.1, 0, 0], (0, 2)), ([0, 0, 0, 0], (0, 0))]
)
def test_alarms_and_faces_that_the_classifier_rejects_are_counted(pictures, things, rejected):
    counts = verify.vetoes(Says(things), pictures)
    assert (counts["alarms"], counts["faces"]) == (2, 2), "an ill-placed box is neither, nor one below the threshold"
    assert (counts["alarms_rejected"], counts["faces_rejected"]) == rejected


def test_what_is_rejected_does_not_raise_the_threshold(pictures):
    assert verify.operating_point(Says([0, 0, 0, 0]).rows, pictures, 0.0) > 0.8
    assert verify.operating_point(Says([0, 0.9, 0.9, 0.9]).rows, pictures, 0.0) == 0.1
    assert verify.operating_point(Says([0, 0.9, 0.9, 0.9]).rows, pictures, 0.0, lowest=0.05) == 0.05


def test_the_table_tells_only_what_the_pictures_can_tell():
    """Of a folder per class nobody knows where the faces are."""
    known = dict.fromkeys(verify.COMPARED, 0.75)
    unknown = dict.fromkeys(verify.COMPARED, float("nan")) | {"label_accuracy": 1.0}
    assert len(verify.table({"float": known, "int8": known}).splitlines()) == 1 + len(verify.COMPARED)
    said = verify.table({"float": unknown, "int8": unknown | {"label_accuracy": 0.9}})
    assert [line.split() for line in said.splitlines()[1:]] == [["label_accuracy", "1.0000", "0.9000", "-0.1000"]]
    assert "nan" in verify.table({"float": known, "int8": unknown}), "what int8 alone cannot tell is not hidden"
