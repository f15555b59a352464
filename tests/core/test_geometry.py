import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from edge.core.geometry import Box, Letterbox, iou_matrix

numbers = st.floats(-500, 500, allow_nan=False)
sides = st.floats(0.5, 400)
boxes = st.builds(lambda x, y, w, h: Box(x, y, x + w, y + h), numbers, numbers, sides, sides)
sizes = st.tuples(st.integers(1, 4000), st.integers(1, 4000))


@given(boxes, sizes, sizes)
def test_letterbox_and_back_is_the_same_box(box, picture, canvas):
    fit = Letterbox.fit(picture, canvas)
    back = fit.inverse(fit.forward(box))
    assert np.allclose([back.x0, back.y0, back.x1, back.y1], [box.x0, box.y0, box.x1, box.y1], atol=1e-6)


def test_a_scaled_box_is_as_many_times_as_large():
    assert Box(2, 4, 6, 10).scaled(1.5) == Box(3, 6, 9, 15)


@given(sizes, sizes)
def test_letterbox_fills_one_side_and_stays_inside(picture, canvas):
    fit = Letterbox.fit(picture, canvas)
    assert 1 <= fit.width <= canvas[0]
    assert 1 <= fit.height <= canvas[1]
    assert fit.width == canvas[0] or fit.height == canvas[1]


@given(boxes, boxes)
def test_iou_is_symmetric_bounded_and_the_matrix_agrees(a, b):
    assert 0 <= a.iou(b) <= 1
    assert abs(a.iou(b) - b.iou(a)) < 1e-9
    rows = [np.array([[x.x0, x.y0, x.x1, x.y1]]) for x in (a, b)]
    assert abs(float(iou_matrix(*rows)[0, 0]) - a.iou(b)) < 1e-6


@given(boxes)
def test_a_box_overlaps_itself_wholly(box):
    assert abs(box.iou(box) - 1) < 1e-9


def test_iou_of_half_overlap():
    assert Box(0, 0, 2, 2).iou(Box(1, 0, 3, 2)) == 2 / 6


@given(boxes, st.floats(0, 1))
def test_square_has_the_longer_side_and_the_margin_on_both_sides(box, margin):
    square = box.square(margin)
    assert np.isclose(square.width, square.height)
    assert np.isclose(square.width, max(box.width, box.height) * (1 + 2 * margin))
    assert np.allclose(square.centre, box.centre)


@given(boxes)
def test_clipped_stays_in_the_picture(box):
    cut = box.clipped(100, 50)
    assert 0 <= cut.x0 <= cut.x1 <= 100
    assert 0 <= cut.y0 <= cut.y1 <= 50


def test_a_moved_box_keeps_its_size():
    assert Box(1, 2, 3, 5).moved(10, -20) == Box(11, -18, 13, -15)


def test_what_lies_outside_the_picture_has_no_area_inside():
    assert Box(-9, -8, -2, -1).clipped(100, 50) == Box(0, 0, 0, 0)
    assert Box(120, 60, 130, 70).clipped(100, 50) == Box(100, 50, 100, 50)
    assert Box(-1, 10, 200, 60).clipped(100, 50) == Box(0, 10, 100, 50)


def test_the_side_that_is_short_of_room_decides_the_scale():
    assert Letterbox.fit((640, 200), (320, 320)) == Letterbox(0.5, 320, 100)
    assert Letterbox.fit((200, 640), (320, 320)) == Letterbox(0.5, 100, 320)
    assert Letterbox.fit((2, 4000), (320, 40)) == Letterbox(0.01, 1, 40)  # a pixel at least
    assert Letterbox.fit((4000, 2), (40, 320)) == Letterbox(0.01, 40, 1)


def test_a_box_turned_inside_out_has_no_area_and_overlaps_nothing():
    inside_out = Box(5, 5, 2, 9)
    assert inside_out.area == Box(2, 9, 5, 5).area == 0.0
    assert inside_out.iou(inside_out) == inside_out.iou(Box(0, 0, 10, 10)) == 0.0
    assert Box(0, 0, 2, 2).intersection(Box(3, 3, 4, 4)) == Box(0, 0, 2, 2).intersection(Box(1, 3, 2, 4)) == 0.0


def test_the_matrix_has_a_row_for_each_of_the_first_and_a_column_for_each_of_the_second():
    ones = np.array([[0, 0, 2, 2], [5, 5, 2, 9], [0, 0, 4, 1]], np.float64)
    others = np.array([[1, 0, 3, 2], [2, 9, 5, 5]], np.float64)
    assert iou_matrix(ones, others).tolist() == [[2 / 6, 0.0], [0.0, 0.0], [2 / 6, 0.0]]
    assert iou_matrix(np.zeros((1, 4)), np.zeros((1, 4))).tolist() == [[0.0]]  # no area, no division by zero
    assert iou_matrix(np.array([[0, 0, 0.5, 0.5]]), np.array([[0, 0, 0.5, 0.5]])).tolist() == [[1.0]]


def test_rows_with_a_score_and_a_label_are_boxes_too():
    rows = np.array([[0, 0, 10, 10, 0.9, 1.0], [0, 0, 5, 10, 0.2, 0.0]])
    assert iou_matrix(rows, rows[:1]).tolist() == [[1.0], [0.5]]
    assert iou_matrix(rows[:, :4], rows[:, :5]).tolist() == [[1.0, 0.5], [0.5, 1.0]]


def test_corners_the_wrong_way_round_overlap_nothing():
    assert iou_matrix(np.array([[10.0, 10.0, 0.0, 0.0]]), np.array([[0.0, 0.0, 10.0, 20.0]])).tolist() == [[0.0]]
    inverted, far = np.array([[60.0, 60.0, 0.0, 0.0]]), np.array([[0.0, 0.0, 10.0, 10.0], [80.0, 80.0, 90.0, 90.0]])
    assert iou_matrix(np.r_[inverted, far], far).tolist() == [[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]]
