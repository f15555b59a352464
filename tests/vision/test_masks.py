import numpy as np
import pytest

from edge.core.geometry import Box
from edge.vision.masks import draw

FACE = Box(30, 20, 90, 100)


def portrait():
    image = np.full((120, 120, 3), (90, 110, 140), np.uint8)
    image[20:100, 30:90] = (205, 160, 130)
    return image


def changed(before, after):
    return np.abs(before.astype(int) - after).max(-1) > 8


@pytest.mark.parametrize("seed", range(12))
def test_covers_the_lower_half_and_leaves_the_eyes(seed):
    image = portrait()
    different = changed(image, draw(image, FACE, np.random.default_rng(seed)))
    assert different[76:90, 48:72].mean() > 0.6, "mouth and chin"
    assert not different[22:44, 38:82].any(), "forehead and eyes"
    assert not different[:, :10].any()


def test_leaves_the_picture_it_was_given_alone():
    image = portrait()
    draw(image, FACE, np.random.default_rng(0))
    assert (image == portrait()).all()


def test_same_seed_same_mask_other_seed_other_mask():
    image = portrait()
    one, again, other = (draw(image, FACE, np.random.default_rng(s)) for s in (5, 5, 6))
    assert (one == again).all()
    assert changed(one, other).any()


def test_a_mask_in_the_dark_is_dark():
    dark = (portrait() * 0.15).astype(np.uint8)
    masks = [draw(dark, FACE, np.random.default_rng(s))[78:90, 50:70].mean() for s in range(8)]
    assert max(masks) < 130


@pytest.mark.parametrize(
    "face", [Box(-40, -40, 20, 30), Box(100, 100, 200, 220), Box(300, 300, 340, 350), Box(5, 5, 8, 9)]
)
def test_at_the_edge_outside_or_tiny_it_does_not_fail(face):
    assert draw(portrait(), face, np.random.default_rng(1)).shape == (120, 120, 3)


@pytest.mark.parametrize("seed", range(6))
def test_on_a_head_in_profile_the_mask_lies_where_the_nose_is(seed):
    image = portrait()
    right = changed(image, draw(image, FACE, np.random.default_rng(seed), nose="right"))
    assert right[70:90, 72:86].mean() > 0.8, "mouth and chin, at the right edge of the face"
    assert right[56:96, 34:46].mean() < 0.3, "jaw and ear, but for the loops"
    assert not right[20:44].any(), "forehead and eyes"
    left = changed(image, draw(image, FACE, np.random.default_rng(seed), nose="left"))
    assert left[70:90, 34:48].mean() > 0.8
