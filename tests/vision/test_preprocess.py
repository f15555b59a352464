import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.core.geometry import Box
from edge.vision.preprocess import BRIGHT, MOST_GAIN, PADDING, InputSpec, crop, dequantise, exposed, letterbox, quantise


def picture(width, height):
    y, x = np.mgrid[0:height, 0:width]
    return np.stack([x * 255 // width, y * 255 // height, np.full_like(x, 200)], -1).astype(np.uint8)


@pytest.mark.parametrize("size", [(640, 480), (1920, 1080), (100, 400), (320, 256), (50, 50)])
def test_letterbox_keeps_aspect_and_pads_grey_at_right_and_bottom(size):
    canvas, fit = letterbox(picture(*size), 320, 256)
    assert canvas.shape == (256, 320, 3)
    assert abs(fit.width / fit.height - size[0] / size[1]) < 0.05 * size[0] / size[1]
    assert (canvas[fit.height :] == PADDING).all()
    assert (canvas[:, fit.width :] == PADDING).all()
    assert canvas[: fit.height, : fit.width, 2].min() >= 198


def test_crop_of_a_known_square_is_that_square():
    image = picture(256, 256)
    face = crop(image, Box(64, 64, 128, 128), 64, 64, 0.0)
    assert np.abs(face.astype(int) - image[64:128, 64:128]).max() <= 1


def test_crop_margin_shows_more_around_the_face():
    image = picture(256, 256)
    face = crop(image, Box(100, 100, 150, 150), 100, 100, 0.5)
    assert abs(int(face[50, 0, 0]) - 75) <= 2
    assert abs(int(face[50, 99, 0]) - 174) <= 2


def test_crop_beyond_the_picture_is_grey_there():
    image = np.full((100, 100, 3), 255, np.uint8)
    face = crop(image, Box(-50, 0, 50, 100), 64, 64, 0.0)
    assert (face[:, :30] == PADDING).all()
    assert (face[:, 34:] == 255).all()


@settings(max_examples=60, deadline=None)
@given(st.tuples(*[st.floats(-300, 600)] * 4), st.floats(0, 0.5))
def test_crop_never_fails_and_has_the_wanted_size(corners, margin):
    x0, y0, w, h = corners[0], corners[1], abs(corners[2]), abs(corners[3])
    assert crop(picture(90, 60), Box(x0, y0, x0 + w, y0 + h), 48, 32, margin).shape == (32, 48, 3)


@given(st.floats(0.001, 0.1), st.integers(-128, 127))
def test_quantise_and_back_is_within_half_a_step(scale, zero_point):
    values = (np.arange(-128, 128) - zero_point) * scale * 0.999
    back = dequantise(quantise(values, scale, zero_point, np.int8), scale, zero_point)
    assert np.abs(back - values).max() <= scale * 0.51


def test_normalise_maps_bytes_to_minus_one_to_one():
    out = InputSpec(2, 1).normalise(np.array([[[0, 0, 0], [255, 255, 255]]], np.uint8))
    assert out.dtype == np.float32
    assert out.min() == -1
    assert out.max() == 1


def test_a_box_smaller_than_a_pixel_is_all_grey():
    assert (crop(picture(90, 60), Box(10, 10, 10, 10.00006), 48, 32, 0.0) == PADDING).all()


@pytest.mark.parametrize("light", [0.5, 0.3, 0.15])
def test_a_dark_picture_is_brightened_as_a_whole(light):
    dark = (picture(320, 240) * light).astype(np.uint8)
    bright = exposed(dark)
    assert abs(np.percentile(bright.max(2), 99) - BRIGHT) <= BRIGHT * 0.05
    gain = bright[::3, ::3].astype(float) / np.maximum(dark[::3, ::3], 1)
    well = dark[::3, ::3] > 20
    assert gain[well].max() / gain[well].min() < 1.15, "one gain for all pixels and colours: a mask keeps its colour"


def test_a_picture_with_light_in_it_is_left_as_it_is():
    backlit = (picture(320, 240) * 0.1).astype(np.uint8)
    backlit[:30] = 250
    assert exposed(backlit) is backlit


def test_a_covered_lens_stays_dark():
    noise = np.random.default_rng(1).integers(0, 4, (240, 320, 3), dtype=np.uint8)
    assert exposed(noise).max() <= 3 * MOST_GAIN
    assert not exposed(np.zeros((1, 1, 3), np.uint8)).any()


@pytest.mark.parametrize("bright", range(9))
def test_a_picture_is_dark_where_its_99th_percentile_is_however_few_pixels_are_bright(bright):
    pixels = np.full((4 * 16, 4 * 16, 3), BRIGHT - 1, np.uint8)
    sampled = pixels[::4, ::4]
    for k in range(bright):
        sampled[k // 16, k % 16] = 255
    assert (exposed(pixels) is pixels) == (np.percentile(sampled.max(2), 99) >= BRIGHT)


def test_a_dark_picture_gets_no_brighter_border():
    canvas, fit = letterbox((picture(100, 400) * 0.2).astype(np.uint8), 320, 256)
    assert (canvas[:, fit.width :] == PADDING).all()
    assert canvas[:, : fit.width].max() >= BRIGHT
    face = crop((picture(100, 100) * 0.2).astype(np.uint8), Box(-50, 0, 50, 100), 64, 64, 0.0)
    assert (face[:, :31] == PADDING).all()
    assert face[:, 33:].max() >= BRIGHT
