"""The mask states, and the labels of the classifier."""

from enum import Enum


class Mask(Enum):
    """The mask state of one face. UNSURE never raises an alert."""

    ON = "on"
    OFF = "off"
    UNSURE = "unsure"


WITH_MASK, WITHOUT_MASK = "with_mask", "without_mask"
INCORRECTLY_WORN = "mask_worn_incorrectly"
"""An optional label. It counts as OFF for the alert, since such a mask protects as little, but is reported by name."""
NOT_A_FACE = "not_a_face"
"""An optional label for false detections: a wheel, a lamp, the back of a head."""

FACE = "face"
"""The category of an annotated face whose mask state is unknown; no output of a classifier."""

CATEGORIES = (WITH_MASK, WITHOUT_MASK, INCORRECTLY_WORN, FACE, NOT_A_FACE)
"""Order of the categories in annotated pictures, which are numbered from 1."""
CLASSIFIER_LABELS = (WITH_MASK, WITHOUT_MASK, INCORRECTLY_WORN, NOT_A_FACE)
"""Order of a classifier's outputs; one with fewer outputs has the first of them. A bundle states its own order."""


def of_outputs(count: int) -> tuple[str, ...]:
    """The labels of a classifier with `count` outputs. Raises ValueError for a count that no classifier has."""
    if not 2 <= count <= len(CLASSIFIER_LABELS):
        raise ValueError(f"{count} outputs: expected 2 to {len(CLASSIFIER_LABELS)}")
    return CLASSIFIER_LABELS[:count]
