"""Where windows stand in a frame, and how what they see becomes one list."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.vision import windows

NETWORK = (416, 288)


@pytest.mark.parametrize(
    ("frame", "count"),
    [
        ((640, 480), 1),
        ((1280, 720), 1),
        ((1920, 1080), 1),
        ((600, 600), 1),
        ((1280, 1024), 1),
        ((480, 640), 2),
        ((480, 848), 2),
    ],
)
def test_a_second_window_is_paid_where_faces_become_much_larger(frame, count):
    assert len(windows.place(*frame, *NETWORK, None)) == count


@given(st.integers(16, 4000), st.integers(16, 4000), st.integers(32, 640), st.integers(32, 640), st.integers(1, 4))
def test_windows_cover_the_frame_and_overlap(width, height, columns, rows, count):
    placed = windows.place(width, height, columns, rows, count)
    assert len(placed) == count
    assert placed[0][:2] == (0, 0)
    assert placed[-1][2:] == (width, height)
    for (ax0, ay0, ax1, ay1), (bx0, by0, _, _) in pairwise(placed):
        assert (bx0 <= ax1 and ay0 == by0 == 0) or (by0 <= ay1 and ax0 == bx0 == 0)


TWO = [(0, 0, 100, 115), (0, 85, 100, 200)]


def merged(upper, lower):
    found = [np.array(rows, float).reshape(-1, 5) for rows in (upper, lower)]
    return windows.merge(found, TWO, 100, 200).tolist()


def test_boxes_away_from_the_seam_stay_best_first():
    upper, lower = [10, 10, 30, 40, 0.6], [10, 150, 30, 180, 0.9]
    assert merged([upper], [lower]) == [lower, upper]


def test_a_cut_box_goes_where_another_window_saw_the_whole():
    assert merged([[10, 90, 30, 115, 0.9]], [[10, 90, 30, 125, 0.7]]) == [[10, 90, 30, 125, 0.7]]


def test_two_halves_of_a_near_face_are_joined():
    assert merged([[10, 40, 90, 115, 0.6]], [[12, 85, 88, 160, 0.8]]) == [[10, 40, 90, 160, 0.8]]


def test_a_cut_face_that_only_one_window_saw_stays():
    assert merged([[10, 100, 30, 115, 0.9]], [[60, 90, 80, 120, 0.8]])[0] == [10, 100, 30, 115, 0.9]


def test_the_edge_of_the_frame_is_no_seam():
    assert len(merged([[10, 0, 30, 20, 0.9]], [[10, 180, 30, 200, 0.9]])) == 2


def test_nothing_found_is_nothing():
    assert merged([], []) == []
