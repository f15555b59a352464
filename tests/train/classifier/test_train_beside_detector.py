"""The classifier is taught what the detector beside it does not know."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import pytest

pytest.importorskip("keras", reason="needs the extra 'train'")
pytest.importorskip("tensorflow", reason="needs the extra 'train'")

import keras

from edge.vision.joint import log_odds
from train.classifier.beside_detector import JointCrossentropy, accuracy, with_scores

MASKED, THING = [1.0, 0, 0, 0], [0, 0, 0, 1.0]
SAID = np.float32([[0.6, 0.1, 0.1, 0.2]])
"""By the classifier."""


def loss(truth, score=None, smoothing=0.0):
    truths = np.float32([truth])
    truths = truths if score is None else with_scores(truths, [score])
    return float(JointCrossentropy(smoothing)(truths, SAID))


def test_the_loss_is_that_of_both_networks_log_odds_together():
    face = log_odds(0.9) + np.log(0.8 / 0.2)
    assert loss(THING, 0.9) == pytest.approx(np.log1p(np.exp(face)), rel=1e-4)
    assert loss(MASKED, 0.9) == pytest.approx(np.log1p(np.exp(-face)) - np.log(0.6 / 0.8), rel=1e-4)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("score", [None, 0.5])
def test_without_a_detector_it_is_the_plain_loss(score, smoothing):
    plain = keras.losses.CategoricalCrossentropy(label_smoothing=smoothing)
    assert loss(MASKED, score, smoothing) == pytest.approx(float(plain(np.float32([MASKED]), SAID)), rel=1e-4)


def test_a_thing_costs_more_the_surer_the_detector_is_of_a_face_there():
    assert loss(THING, 0.1) < loss(THING, 0.5) < loss(THING, 0.9)
    assert loss(MASKED, 0.1) > loss(MASKED, 0.5) > loss(MASKED, 0.9)


def test_a_score_does_not_make_an_answer_right():
    """The score's log-odds stand beside the labels, and may be larger than any of them."""
    truths = with_scores(np.float32([MASKED, THING]), [0.99, 0.99])
    assert np.array(accuracy(truths, np.repeat(SAID, 2, 0))).tolist() == [1, 0]
