"""The mask states of the product, and the labels of the networks."""

from enum import Enum


class Mask(Enum):
    """What is known about one face. UNSURE is an answer too: it never raises an alert."""

    ON = "on"
    OFF = "off"
    UNSURE = "unsure"


WITH_MASK, WITHOUT_MASK = "with_mask", "without_mask"
INCORRECTLY_WORN = "mask_worn_incorrectly"
"""The label a bundle may have besides the two: OFF for the alert, since it protects as little, told apart in words."""
NOT_A_FACE = "not_a_face"
"""The label for what a detector took for a face: a wheel, a lamp, the back of a head."""

CLASSIFIER_LABELS = (WITH_MASK, WITHOUT_MASK, INCORRECTLY_WORN, NOT_A_FACE)
"""Order of a classifier's outputs; one with fewer has the first of them. A bundle states its own."""


def of_outputs(count: int) -> tuple[str, ...]:
    """The labels of a classifier with `count` outputs. Raises ValueError for a count that no classifier has."""
    if not 2 <= count <= len(CLASSIFIER_LABELS):
        raise ValueError(f"{count} outputs: expected 2 to {len(CLASSIFIER_LABELS)}")
    return CLASSIFIER_LABELS[:count]
