"""The mask states of the product, and how the networks' label names map onto them."""

from enum import Enum


class Mask(Enum):
    """What is known about one face. UNSURE is an answer too: it never raises an alert."""

    ON = "on"
    OFF = "off"
    UNSURE = "unsure"


CLASSIFIER_LABELS = ("with_mask", "without_mask")
"""Order of the classifier's outputs when `train` builds it; a bundle states its own."""

INCORRECTLY_WORN = "mask_worn_incorrectly"
"""The label a bundle may have besides the two: OFF for the alert, since it protects as little, told apart in words."""

MEANING = {"with_mask": Mask.ON, "without_mask": Mask.OFF, INCORRECTLY_WORN: Mask.OFF}
"""Label name (of a bundle or of COCO categories) -> mask state."""
