"""Arrays of every usual kind become RGB bytes, or are refused with one sentence."""

from pathlib import Path

import numpy as np
import pytest

from edge.core.errors import DataError
from edge.maskcam.images import as_rgb

RGB = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)
PADDED = 114


def same(found, expected):
    assert found.dtype == np.uint8
    assert found.flags["C_CONTIGUOUS"]
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(
    ("image", "colour", "expected"),
    [
        (RGB, "RGB", RGB),
        (RGB[..., ::-1], "BGR", RGB),
        (RGB[..., ::-1], "RGB", RGB[..., ::-1]),
        (RGB[::-1, ::2], "RGB", RGB[::-1, ::2]),
        (np.asfortranarray(RGB), "RGB", RGB),
        (RGB / 255, "RGB", RGB),
        ((RGB / 255).astype(np.float16), "RGB", RGB),
        (RGB.astype(np.int64), "RGB", RGB),
        (RGB.astype(">u2"), "RGB", RGB),
        (RGB[..., 0], "RGB", RGB[..., :1].repeat(3, 2)),
        (RGB[..., :1], "BGR", RGB[..., :1].repeat(3, 2)),
        (np.dstack([RGB, np.full((4, 6), 255, np.uint8)]), "RGB", RGB),
        (np.dstack([RGB[..., ::-1], np.full((4, 6), 255, np.uint8)]), "BGR", RGB),
        (np.dstack([RGB, np.zeros((4, 6), np.uint8)]), "RGB", np.full_like(RGB, PADDED)),
        (np.dstack([RGB / 255, np.ones((4, 6))]), "RGB", RGB),
        (np.zeros((1, 1, 3), np.uint8), "RGB", np.zeros((1, 1, 3), np.uint8)),
        (np.zeros((3, 5, 3), np.uint8), "RGB", np.zeros((3, 5, 3), np.uint8)),
    ],
)
def test_taken(image, colour, expected):
    before = image.copy()
    same(as_rgb(image, colour), expected)
    np.testing.assert_array_equal(image, before)


@pytest.mark.parametrize(
    ("image", "said"),
    [
        (None, "cv2.imread returns that"),
        ("face.jpg", "maskcam.read_image"),
        (Path("face.jpg"), "maskcam.read_image"),
        ([[0, 1], [2, 3]], "builtins.list: expected a NumPy array"),
        (np.zeros((0, 640, 3), np.uint8), "is empty"),
        (np.zeros((480, 0), np.uint8), "is empty"),
        (np.zeros((3, 48, 64), np.uint8), "channels first"),
        (np.zeros((1, 48, 64, 3), np.uint8), "one picture at a time"),
        (np.zeros((48, 64, 2), np.uint8), "(height, width, 3)"),
        (np.zeros(48, np.uint8), "(height, width)"),
        (np.uint8(3), "expected a NumPy array"),
        (RGB.astype(float), "astype('uint8')"),
        (RGB / 127.5 - 1, "expected 0 to 1"),
        (np.full((4, 6), np.nan), "expected 0 to 1"),
        (np.full((4, 6), np.inf), "expected 0 to 1"),
        (RGB.astype(np.uint16) * 200, ">> 8"),
        (RGB.astype(np.int16) - 1, "expected 0 to 255"),
        (RGB > 3, "image of type bool"),
        (RGB.astype(complex), "image of type complex128"),
        (RGB.astype(object), "image of type object"),
        (RGB.astype(str), "image of type"),
    ],
)
def test_refused_in_one_sentence(image, said):
    with pytest.raises(DataError) as caught:
        as_rgb(image)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_pillow_picture_is_refused_with_what_to_write():
    pillow = pytest.importorskip("PIL.Image", reason="Pillow is not installed")
    with pytest.raises(DataError, match=r"PIL\.Image: expected a NumPy array, such as numpy.asarray\(image.convert"):
        as_rgb(pillow.new("P", (4, 4)))
