"""Overlays for people: boxes and words on a frame, and contact sheets."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from edge.core.errors import DataError
from edge.core.geometry import Box
from edge.core.records import Image, Observation

Colour = tuple[int, int, int]

# A bluish green of middle, a red of low and an amber of high lightness: told apart with any colour vision (the
# green is that of Okabe and Ito, "Color Universal Design", 2008). The word says it as well.
ALERT: Colour = (205, 45, 25)
COLOURS: dict[str, Colour] = {
    "on": (0, 158, 115),
    "off": ALERT,
    "incorrectly_worn": ALERT,
    "unsure": (240, 190, 40),
    "not_a_face": (150, 150, 150),
}
WORDS = {
    "on": "mask",
    "off": "no mask",
    "incorrectly_worn": "mask worn wrongly",
    "unsure": "unsure",
    "not_a_face": "no face",
}
"""Of each of `edge.core.records.OUTCOMES`."""
BLACK, WHITE = (0, 0, 0), (255, 255, 255)
FONT = cv2.FONT_HERSHEY_SIMPLEX
GAP = 4
"""Pixels between the pictures of a contact sheet."""


def annotate(observation: Observation, alert: bool = False) -> Image:
    """A copy of the frame (RGB) with a box and a label per track and a status bar at its lower edge.

    A track that has no decision yet is drawn as UNSURE. `alert` makes the bar red and says so.
    """
    frame = observation.frame
    image: Image = frame.image.copy()
    size = _letter_size(image)
    decisions = {d.track_id: d for d in observation.decisions}
    for track in observation.tracks:
        decision = decisions.get(track.id)
        outcome = decision.outcome if decision else "unsure"
        label = f"#{track.id} {WORDS[outcome]}" + (f" {decision.confidence * 100:.0f} %" if decision else "")
        _box(image, track.box, label, COLOURS[outcome], size)
    faces = len(observation.tracks) - sum(d.not_a_face for d in observation.decisions)
    people = f"{faces} face{'' if faces == 1 else 's'}"
    said = f"   {observation.blind}" if observation.blind else ""
    _bar(image, f"{frame.t:.1f} s   {people}{said}" + ("   NO MASK" if alert else ""), alert, size)
    return image


def contact_sheet(images: Sequence[Image], columns: int, width: int) -> Image:
    """`images` (RGB, of any sizes) in rows of `columns`, the sheet `width` pixels wide.

    Every cell has the shape of the first picture; the others are fitted into it. Raises DataError without pictures.
    """
    if not images:
        raise DataError("contact sheet: no pictures were given; expected at least one")
    cell_width = (width - GAP * (columns + 1)) // columns
    cell_height = max(round(cell_width * images[0].shape[0] / images[0].shape[1]), 1)
    rows = -(-len(images) // columns)
    sheet = np.full((GAP + rows * (cell_height + GAP), width, 3), 32, np.uint8)
    for i, image in enumerate(images):
        k = min(cell_width / image.shape[1], cell_height / image.shape[0])
        w, h = max(round(image.shape[1] * k), 1), max(round(image.shape[0] * k), 1)
        x = GAP + i % columns * (cell_width + GAP) + (cell_width - w) // 2
        y = GAP + i // columns * (cell_height + GAP) + (cell_height - h) // 2
        sheet[y : y + h, x : x + w] = cv2.resize(image, (w, h), interpolation=cv2.INTER_AREA)
    return sheet


def _letter_size(image: Image) -> float:
    """OpenCV's font scale: letters of about 1/34 of the shorter side, legible in small pictures too."""
    return max(float(min(image.shape[:2])) / 34 / 21, 0.35)  # at scale 1 a capital letter is 21 pixels high


def _box(image: Image, box: Box, label: str, colour: Colour, size: float) -> None:
    corner, end = (round(box.x0), round(box.y0)), (round(box.x1), round(box.y1))
    cv2.rectangle(image, corner, end, colour, max(round(3 * size), 2))
    (width, height), below = cv2.getTextSize(label, FONT, size, 1)
    width, height = width + 6, height + below + 2
    left = min(max(corner[0], 0), max(image.shape[1] - width, 0))
    top = corner[1] - height if corner[1] >= height else min(max(end[1], 0), image.shape[0] - height)
    cv2.rectangle(image, (left, top), (left + width - 1, top + height - 1), colour, cv2.FILLED)
    _write(image, label, (left + 3, top + height - below), BLACK if sum(colour) > 400 else WHITE, size)


def _bar(image: Image, text: str, alert: bool, size: float) -> None:
    (_, height), below = cv2.getTextSize(text, FONT, size, 1)
    strip = image[max(image.shape[0] - height - 2 * below, 0) :]
    strip[:] = ALERT if alert else strip // 4
    _write(image, text, (3 + below // 2, image.shape[0] - below), WHITE, size)


def _write(image: Image, text: str, origin: tuple[int, int], colour: Colour, size: float) -> None:
    cv2.putText(image, text, origin, FONT, size, colour, max(round(1.6 * size), 1), cv2.LINE_AA)
