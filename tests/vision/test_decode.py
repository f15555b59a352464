import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.core.geometry import iou_matrix
from edge.vision.decode import cells, decode, logit, sigmoid
from edge.vision.nms import suppress


def test_cells_cover_the_input_row_by_row():
    centres, strides = cells(64, 32)
    assert len(centres) == 8 * 4 + 4 * 2 + 2 * 1
    assert centres[0].tolist() == [4, 4]
    assert centres[1].tolist() == [12, 4]
    assert centres[-1].tolist() == [48, 16]
    assert strides[[0, 32, 40]].tolist() == [8, 16, 32]


def test_what_is_left_over_of_the_input_has_no_cell():
    centres, strides = cells(20, 12, (8,))
    assert centres.tolist() == [[4, 4], [12, 4]]
    assert (centres.dtype, strides.dtype) == (np.float32, np.float32)


def test_a_score_at_the_threshold_counts():
    centres, strides = cells(8, 8, (8,))
    assert len(decode(np.zeros((1, 1)), np.ones((1, 4)), centres, strides, 0.5)) == 1


def test_the_sigmoid_of_absurd_numbers_overflows_nowhere():
    assert sigmoid(np.array([-1e9, 1e9])).tolist() == [pytest.approx(0, abs=1e-20), 1.0]


def test_decode_builds_the_box_the_distances_say():
    centres, strides = cells(64, 32)
    logits, distances = np.full((len(centres), 1), -9.0), np.zeros((len(centres), 4))
    logits[33], distances[33] = 2.0, (0.5, 0.25, 1.0, 0.75)  # second cell of stride 16, centre (24, 8)
    rows = decode(logits, distances, centres, strides, 0.5)
    assert np.allclose(rows, [[24 - 16, 8 - 8, 24 + 32, 8 + 24, sigmoid(np.array(2.0))]])


def test_decode_of_nothing_is_empty():
    centres, strides = cells(64, 32)
    rows = decode(np.full((len(centres), 1), -9.0), np.zeros((len(centres), 4)), centres, strides, 0.5)
    assert rows.shape == (0, 5)
    assert suppress(rows, 0.5, 10).shape == (0, 5)


@given(st.floats(0.01, 0.99))
def test_sigmoid_undoes_logit(p):
    assert abs(float(sigmoid(np.array(logit(p)))) - p) < 1e-9


@given(st.integers(1, 60), st.integers(0, 2**31))
def test_suppression_keeps_the_best_of_every_group_and_no_other_score(n, seed):
    rng = np.random.default_rng(seed)
    low = rng.uniform(0, 100, (n, 2))
    rows = np.c_[low, low + rng.uniform(5, 60, (n, 2)), (rng.permutation(n) + 1) / n]
    kept = suppress(rows, 0.4, 100)
    best = np.array([rows[rows[:, 4] == score][0] for score in kept[:, 4]])  # as they were before the vote
    overlap = iou_matrix(best, best) - np.eye(len(best))
    assert (overlap <= 0.4).all()
    assert kept[0, 4] == rows[:, 4].max()
    assert (np.diff(kept[:, 4]) <= 0).all()
    gone = [r for r in rows.tolist() if r[4] not in kept[:, 4]]
    assert all(iou_matrix(np.array([g]), best).max() > 0.4 for g in gone)


def test_a_face_is_the_mean_of_the_boxes_that_say_it_weighted_by_score():
    rows = np.array([[0, 0, 10, 10, 0.8], [2, 0, 12, 10, 0.4], [50, 50, 60, 60, 0.3]])
    np.testing.assert_allclose(suppress(rows, 0.4, 9), [[2 / 3, 0, 10 + 2 / 3, 10, 0.8], [50, 50, 60, 60, 0.3]])


def test_suppress_stops_at_the_limit():
    rows = np.array([[20.0 * i, 0, 20 * i + 10, 10, 0.5] for i in range(20)])
    assert len(suppress(rows, 0.4, 7)) == 7
