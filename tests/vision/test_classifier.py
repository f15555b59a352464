"""From the network's probabilities to a verdict."""

import numpy as np
import pytest

from edge.core.geometry import Box
from edge.core.labels import Mask
from edge.core.records import Verdict
from edge.vision.bundle import ClassifierSpec
from edge.vision.classifier import MaskClassifier

FACE, PICTURE = Box(10, 10, 50, 50), np.zeros((64, 64, 3), np.uint8)


class Says:
    """An engine that gives one answer to everything."""

    def __init__(self, *probabilities):
        self.answer = [np.float32(probabilities)]

    def infer(self, image):
        return self.answer

    def close(self):
        pass


def verdict(labels, *probabilities, unsure_below=0.7) -> Verdict:
    spec = ClassifierSpec.model_validate(
        {
            "input": {"width": 32, "height": 32},
            "outputs": {"probabilities": [len(labels)]},
            "files": {"tflite": "c.tflite"},
            "known_answer": "c.npz",
            "labels": list(labels),
            "margin": 0.2,
        }
    )
    return MaskClassifier(Says(*probabilities), spec, unsure_below).classify(PICTURE, FACE)


TWO = ("with_mask", "without_mask")
THREE = ("mask_worn_incorrectly", "with_mask", "without_mask")


@pytest.mark.parametrize(
    ("labels", "probabilities", "mask", "confidence", "wrongly"),
    [
        (TWO, (0.9, 0.1), Mask.ON, 0.9, False),
        (TWO, (0.1, 0.9), Mask.OFF, 0.9, False),
        (TWO, (0.4, 0.6), Mask.UNSURE, 0.6, False),
        (THREE, (0.05, 0.9, 0.05), Mask.ON, 0.9, False),
        (THREE, (0.2, 0.1, 0.7), Mask.OFF, 0.9, False),
        (THREE, (0.7, 0.1, 0.2), Mask.OFF, 0.9, True),
        (THREE, (0.45, 0.1, 0.45), Mask.OFF, 0.9, False),  # in doubt, plainly without
        (THREE, (0.3, 0.4, 0.3), Mask.UNSURE, 0.6, False),  # neither alone, together more than with
    ],
)
def test_labels_that_mean_the_same_are_added_and_the_way_of_off_is_told(
    labels, probabilities, mask, confidence, wrongly
):
    said = verdict(labels, *probabilities)
    assert (said.mask, said.incorrectly_worn) == (mask, wrongly)
    assert said.confidence == pytest.approx(confidence, abs=1e-6)
