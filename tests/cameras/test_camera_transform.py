"""Turning, mirroring and cutting, told on a picture whose every pixel says where it came from."""

import numpy as np
import pytest

from edge.cameras.transform import GREY, Transform
from edge.core.records import Frame
from edge.testing.camera import Script, pictures

WIDTH, HEIGHT = 40, 30
PLACES = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
PLACES[..., 0], PLACES[..., 1] = np.meshgrid(np.arange(WIDTH), np.arange(HEIGHT))
"""Red is the column, green the row."""


def corner(image, bottom, right):
    return tuple(int(v) for v in image[-bottom, -right][:2])


@pytest.mark.parametrize(
    ("rotation", "flip", "shape", "top_left", "bottom_right"),
    [
        (0, "none", (30, 40), (0, 0), (39, 29)),
        (90, "none", (40, 30), (0, 29), (39, 0)),  # clockwise: what was bottom left comes to the top left
        (180, "none", (30, 40), (39, 29), (0, 0)),
        (270, "none", (40, 30), (39, 0), (0, 29)),
        (0, "horizontal", (30, 40), (39, 0), (0, 29)),
        (0, "vertical", (30, 40), (0, 29), (39, 0)),
        (90, "horizontal", (40, 30), (0, 0), (39, 29)),  # mirrored after it was turned
    ],
)
def test_turned_then_mirrored(rotation, flip, shape, top_left, bottom_right):
    seen = Transform([], rotation, flip).apply(PLACES)
    assert seen.shape == (*shape, 3)
    assert corner(seen, 0, 0) == top_left
    assert corner(seen, 1, 1) == bottom_right


@pytest.mark.parametrize(
    ("aspect", "rotation", "shape"),
    [(2.0, 0, (30, 80)), (0.5, 0, (60, 40)), (2.0, 90, (80, 30)), (1.0, 0, (30, 40))],
)
def test_oblong_pixels_become_square_before_the_picture_is_turned(aspect, rotation, shape):
    assert Transform([], rotation, pixel_aspect=aspect).apply(PLACES).shape == (*shape, 3)


def test_square_pixels_show_the_scene_as_it_was():
    wide = np.zeros((60, 160, 3), np.uint8)
    wide[20:40, 100:140] = 200  # a bar, twice as wide as high
    seen = Transform([], pixel_aspect=2.0).apply(np.ascontiguousarray(wide[:, ::2]))
    assert np.abs(seen.astype(int) - wide).mean() < 3


def test_a_region_is_of_the_turned_picture_and_copies_nothing():
    seen = Transform([], region=(0.25, 0.5, 0.75, 1.0)).apply(PLACES)
    assert seen.shape == (15, 20, 3)
    assert corner(seen, 0, 0) == (10, 15)
    assert np.shares_memory(seen, PLACES)
    turned = Transform([], 180, region=(0.0, 0.0, 0.5, 0.5)).apply(PLACES)
    assert corner(turned, 0, 0) == (39, 29)


def test_a_part_is_covered_where_it_lies_in_the_region_and_the_camera_s_picture_stays():
    before = PLACES.copy()
    covered = [(0.5, 0.0, 1.0, 0.8), (0.0, 0.0, 0.2, 1.0)]
    seen = Transform([], region=(0.25, 0.5, 0.75, 1.0), covered=covered).apply(PLACES)
    grey = np.zeros((15, 20), bool)
    grey[:9, 10:] = True
    assert np.array_equal((seen == GREY).all(-1), grey)
    assert corner(seen, 0, 0) == (10, 15)
    assert np.array_equal(PLACES, before)


def test_the_smallest_region_is_a_pixel():
    assert Transform([], region=(0.999, 0.999, 1.0, 1.0)).apply(PLACES).shape == (1, 1, 3)


def test_frames_keep_index_and_time_and_the_camera_shows_through():
    class Recording:
        fps, paths, closed = 12.0, ["a.png"], 0

        def __iter__(self):
            yield Frame(3, 0.25, PLACES)

        def close(self):
            self.closed += 1

    recording = Recording()
    with Transform(recording, 90) as view:
        (frame,) = view
        assert (frame.index, frame.t, frame.image.shape) == (3, 0.25, (40, 30, 3))
        assert (view.fps, view.paths) == (12.0, ["a.png"])
        assert not hasattr(view, "skipped")
    assert recording.closed == 1


def test_a_picture_that_is_none_passes_to_be_counted_as_a_fault():
    garbage = np.zeros((30, 40), np.uint8)
    camera = Script([(0.1, Transform([], 90).apply(garbage)), *pictures(10, 1), (0, None)]).camera()
    assert len(list(camera)) == 10
    assert camera.faults == 1
