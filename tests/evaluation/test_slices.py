"""Parts of a picture set that get figures of their own."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edge.evaluation import slices
from edge.evaluation.coco import WITH_MASK, WITHOUT_MASK, Annotated

BOX = (20, 20, 60, 70)


def scene(*faces):
    """Annotations of `faces`: box and category each."""
    boxes = np.array([box for box, _ in faces], np.float32).reshape(-1, 4)
    return Annotated(Path("a.png"), boxes, np.array([c for _, c in faces]), np.zeros(len(faces), bool), "test")


def names(image, truth, rows=None):
    rows = np.zeros((0, 6)) if rows is None else rows
    return {name: (part, some) for name, part, some in slices.of(truth, image, rows, 0.4)}


def face(cloth):
    image = np.full((100, 100, 3), (205, 160, 130), np.uint8)
    image[45:70, 25:55] = cloth
    return image


def checks():
    rows, columns = np.mgrid[0:25, 0:30]
    return np.where(((rows // 4 + columns // 4) % 2)[..., None], (220, 30, 40), (30, 40, 200))


@pytest.mark.parametrize(
    ("cloth", "name"),
    [
        ((20, 20, 24), "dark"),
        ((150, 195, 225), "blue or green"),
        ((150, 215, 190), "blue or green"),
        ((225, 225, 220), "white or grey"),
        ((215, 70, 60), "coloured or patterned"),
        (checks(), "coloured or patterned"),
    ],
)
def test_masks_are_told_apart_by_their_look(cloth, name):
    found = names(face(cloth), scene((BOX, WITH_MASK)))
    assert [n for n in found if n.endswith("mask")] == [f"{name} mask"]


def test_bare_and_tiny_faces_have_no_mask_to_look_at():
    image = face((20, 20, 24))
    assert not [n for n in names(image, scene((BOX, WITHOUT_MASK))) if n.endswith("mask")]
    assert not [n for n in names(image, scene(((20, 20, 38, 40), WITH_MASK))) if n.endswith("mask")]


def test_a_narrow_face_is_turned_aside_and_alone_in_its_slice():
    truth = scene(((10, 10, 30, 50), WITHOUT_MASK), ((50, 10, 85, 55), WITHOUT_MASK))
    rows = np.array([[10, 10, 30, 50, 0.9, 0], [50, 10, 85, 55, 0.9, 0], [70, 70, 90, 95, 0.9, 0]], float)
    part, some = names(face(0), truth, rows)["turned aside"]
    assert part.ignored.tolist() == [False, True]
    assert some[:, 0].tolist() == [10]
    assert "turned aside" not in names(face(0), scene(((50, 10, 85, 55), WITHOUT_MASK)))


def test_a_face_cut_off_by_the_picture_is_no_error():
    assert names(face((20, 20, 24)), scene(((-30, 90, -1, 160), WITH_MASK)))


def test_faces_with_an_attribute_are_a_slice_of_their_own():
    truth = scene(((10, 10, 40, 50), WITHOUT_MASK), ((50, 10, 85, 55), WITHOUT_MASK))
    truth = replace(truth, attributes=(frozenset(), frozenset({"beard"})))
    part, some = names(face(0), truth, np.array([[10, 10, 40, 50, 0.9, 0], [50, 10, 85, 55, 0.8, 0]], float))[
        "attribute beard"
    ]
    assert part.ignored.tolist() == [True, False]
    assert some[:, 4].tolist() == [0.8]
