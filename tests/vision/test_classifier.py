"""From the network's probabilities to a verdict."""

import numpy as np
import pytest

from edge.config import settings as defaults
from edge.core.geometry import Box
from edge.core.labels import CLASSIFIER_LABELS, Mask
from edge.core.records import Decision, Verdict
from edge.testing.defaults import with_defaults
from edge.vision.bundle import ClassifierSpec
from edge.vision.classifier import MaskClassifier

MaskClassifier = with_defaults(MaskClassifier, defaults.Judgement())

FACE, PICTURE = Box(10, 10, 50, 50), np.zeros((64, 64, 3), np.uint8)


class Says:
    """An engine that gives one answer to everything."""

    def __init__(self, *probabilities):
        self.answer = [np.float32(probabilities)]

    def infer(self, image):
        return self.answer

    def close(self):
        pass


def verdict(labels, *probabilities, unsure_below=0.7, not_a_face=0.5, joint=None, score=None) -> Verdict:
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
    classifier = MaskClassifier(Says(*probabilities), spec, unsure_below, not_a_face, joint)
    return classifier.classify(PICTURE, FACE, score)


TWO = ("with_mask", "without_mask")
THREE = ("mask_worn_incorrectly", "with_mask", "without_mask")


FOUR = CLASSIFIER_LABELS


@pytest.mark.parametrize(
    ("labels", "probabilities", "outcome", "confidence"),
    [
        (TWO, (0.9, 0.1), "on", 0.9),
        (TWO, (0.1, 0.9), "off", 0.9),
        (TWO, (0.4, 0.6), "unsure", 0.6),
        (THREE, (0.05, 0.9, 0.05), "on", 0.9),
        (THREE, (0.2, 0.1, 0.7), "off", 0.9),
        (THREE, (0.7, 0.1, 0.2), "incorrectly_worn", 0.9),
        (THREE, (0.45, 0.1, 0.45), "off", 0.9),  # in doubt, plainly without
        (THREE, (0.3, 0.4, 0.3), "unsure", 0.6),  # neither alone, together more than with
        (FOUR, (0.9, 0.05, 0.0, 0.05), "on", 0.9),
        (FOUR, (0.05, 0.3, 0.5, 0.15), "incorrectly_worn", 0.8),
        (FOUR, (0.05, 0.4, 0.05, 0.5), "not_a_face", 0.5),
        (FOUR, (0.0, 0.6, 0.0, 0.4), "unsure", 0.6),  # what may be no face gives no vote
    ],
)
def test_the_labels_of_a_bundle_give_the_outcome(labels, probabilities, outcome, confidence):
    said = verdict(labels, *probabilities)
    assert Decision(1, said.mask, 0.5, 0.0, said.incorrectly_worn, said.not_a_face).outcome == outcome
    assert said.confidence == pytest.approx(confidence, abs=1e-6)


def test_what_counts_as_no_face_is_a_setting():
    assert verdict(FOUR, 0.0, 0.8, 0.0, 0.2, not_a_face=0.2).not_a_face
    assert verdict(FOUR, 0.0, 0.1, 0.0, 0.9, not_a_face=1.0).mask is Mask.UNSURE
    assert not verdict(FOUR, 0.0, 0.1, 0.0, 0.9, not_a_face=1.0).not_a_face


def test_with_a_joint_threshold_the_score_decides_how_much_doubt_is_too_much():
    doubted = (0.8, 0.1, 0.0, 0.1)
    assert verdict(FOUR, *doubted, joint=0.3, score=0.9).mask is Mask.ON
    assert verdict(FOUR, *doubted, joint=0.3, score=0.4).not_a_face
    assert verdict(FOUR, *doubted, joint=0.3, score=0.4, not_a_face=1.0).mask is Mask.ON
    assert verdict(FOUR, 0.95, 0.05, 0.0, 0.0, joint=0.3, score=0.31).mask is Mask.ON


def test_without_a_score_or_a_joint_threshold_the_label_alone_decides():
    assert verdict(FOUR, 0.3, 0.1, 0.0, 0.6, joint=0.3).not_a_face
    assert not verdict(FOUR, 0.6, 0.1, 0.0, 0.3, joint=0.3).not_a_face
    assert verdict(FOUR, 0.3, 0.1, 0.0, 0.6, score=0.99).not_a_face


def test_how_surely_it_is_a_face_is_the_joint_score_or_what_the_label_leaves():
    assert verdict(FOUR, 0.95, 0.05, 0.0, 0.0, joint=0.3, score=0.7).face == pytest.approx(0.7)
    doubted = verdict(FOUR, 0.3, 0.6, 0.0, 0.1, joint=0.1, score=0.7)
    assert 0.1 < doubted.face < 0.4
    assert verdict(FOUR, 0.1, 0.1, 0.0, 0.8, joint=0.3, score=0.5).face < 0.3
    assert verdict(FOUR, 0.6, 0.1, 0.0, 0.3).face == pytest.approx(0.7)
    assert verdict(TWO, 0.9, 0.1, score=0.4).face == 1.0


def test_a_bundle_must_name_both_states_once():
    for labels in (("with_mask", "not_a_face"), ("with_mask", "with_mask", "without_mask"), ("with_mask", "face")):
        with pytest.raises(ValueError, match=r"label '(with_mask|without_mask|face)'"):
            verdict(labels, *[1 / len(labels)] * len(labels))
