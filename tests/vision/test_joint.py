"""The score of a box by both networks."""

import numpy as np
import pytest

from edge.vision.joint import NO_DOUBT, joint_score


def test_a_classifier_without_doubt_leaves_the_score_and_any_doubt_lowers_it():
    scores = np.array([0.1, 0.5, 0.9])
    assert joint_score(scores, np.zeros(3), 0.5) == pytest.approx(scores)
    assert joint_score(scores, np.full(3, NO_DOUBT), 0.5) == pytest.approx(scores)
    doubts = [joint_score(0.9, doubt, 0.5) for doubt in (0.01, 0.1, 0.5, 0.9, 1.0)]
    assert doubts == sorted(doubts, reverse=True)
    assert doubts[0] < 0.9


def test_the_surer_the_detector_the_more_doubt_it_outweighs():
    doubt = np.array([0.02, 0.3])
    assert (joint_score(0.95, doubt, 0.5) > 0.3).all()
    assert (joint_score(0.5, doubt, 0.5) > 0.3).tolist() == [True, False]


def test_certainty_is_a_number_too():
    assert np.isfinite(joint_score(np.array([0.0, 0.0, 1.0, 1.0]), np.array([0.0, 1.0, 0.0, 1.0]), 0.5)).all()


def test_the_setting_shifts_the_doubt_and_one_turns_it_off():
    less, same, more = (float(joint_score(0.8, 0.5, x)) for x in (0.9, 0.5, 0.1))
    assert more < same < less < 0.8
    assert joint_score(0.8, 1.0, 1.0) == 0.8
