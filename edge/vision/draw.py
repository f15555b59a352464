"""Draws boxes and labels on a frame, and contact sheets."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from edge.core.errors import DataError
from edge.core.geometry import Box
from edge.core.labels import Mask
from edge.core.records import Decision, Image, Observation, Track
from edge.vision.placement import place

Colour = tuple[int, int, int]

# A bluish green of medium, a red of low and an amber of high lightness: distinct for any colour vision (the
# green is that of Okabe and Ito, "Color Universal Design", 2008). The label says it too.
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
    "incorrectly_worn": "mask worn incorrectly",
    "unsure": "unsure",
    "not_a_face": "no face",
}
"""The label of each of `edge.core.records.OUTCOMES`."""
BLACK, WHITE = (0, 0, 0), (255, 255, 255)
FONT = cv2.FONT_HERSHEY_SIMPLEX
GAP = 4
"""Gap between the pictures of a contact sheet, in pixels."""


def annotate(observation: Observation, alert: bool = False) -> Image:
    """A copy of the frame (RGB) with a box and a label per track and a status bar at its lower edge.

    A track without a decision is drawn as UNSURE. Labels are placed beside faces, never over one; if there is no room,
    the text is left out first, then the number. The bar is red while a person without a mask is in view. If the `alert`
    is still raised when nobody is, it is amber and says so.
    """
    frame = observation.frame
    image: Image = frame.image.copy()
    size = _letter_size(image)
    decisions = {d.track_id: d for d in observation.decisions}
    labels = [_wordings(track, decisions.get(track.id), observation.min_face) for track in observation.tracks]
    boxes = [track.box for track in observation.tracks]
    room = image.shape[0] - _bar_height(size)
    sizes = [[_extent(text, size)[:2] for text in texts] for _, texts in labels]
    places = place(boxes, sizes, image.shape[1], room)
    for box, (colour, texts), found in zip(boxes, labels, places, strict=True):
        corner, end = (round(box.x0), round(box.y0)), (round(box.x1), round(box.y1))
        cv2.rectangle(image, corner, end, colour, max(round(3 * size), 2))
        if found:
            _label(image, texts[found[0]], found[1], colour, size)
    off = alert and any(d.mask is Mask.OFF for d in observation.decisions)
    faces = len(observation.faces)
    text = f"{frame.t:.1f} s   {faces} face{'' if faces == 1 else 's'}"
    if places == [None]:  # one face that fills the frame
        text += f": {labels[0][1][0]}"
    text += f"   {observation.blind}" if observation.blind else ""
    text += "   NO MASK" if off else "   alert not over yet" if alert else ""
    _bar(image, text, ALERT if off else COLOURS["unsure"] if alert else None, size)
    return image


def _wordings(track: Track, decision: Decision | None, min_face: float) -> tuple[Colour, Sequence[str]]:
    """The colour of a track and its possible labels, the longest first."""
    number = f"#{track.id}"
    outcome = decision.outcome if decision else "unsure"
    if outcome == "unsure" and min(track.box.width, track.box.height) < min_face:
        return COLOURS[outcome], (f"{number} too small", number)
    words = f"{number} {WORDS[outcome]}"
    # Below one half the current votes contradict the decision: a figure would be misread.
    sure = f" {decision.confidence * 100:.0f} %" if decision and decision.confidence >= 0.5 else ""
    return COLOURS[outcome], (f"{words}{sure}", words, number)


def contact_sheet(images: Sequence[Image], columns: int, width: int) -> Image:
    """`images` (RGB, of any sizes) in rows of `columns`, the sheet `width` pixels wide.

    Every cell has the aspect ratio of the first picture; the others are fitted into it. Raises DataError without
    pictures.
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


def _extent(text: str, size: float) -> tuple[int, int, int]:
    """Width and height of a label and the descent of its letters, in pixels."""
    (width, height), below = cv2.getTextSize(text, FONT, size, 1)
    return width + 6, height + below + 2, below


def _label(image: Image, text: str, spot: Box, colour: Colour, size: float) -> None:
    left, top, right, bottom = (round(edge) for edge in (spot.x0, spot.y0, spot.x1, spot.y1))
    cv2.rectangle(image, (left, top), (right - 1, bottom - 1), colour, cv2.FILLED)
    _write(image, text, (left + 3, bottom - _extent(text, size)[2]), _ink(colour), size)


def _ink(ground: Colour) -> Colour:
    """Black or white, whichever contrasts better."""
    return BLACK if sum(ground) > 400 else WHITE


def _bar_height(size: float) -> int:
    (_, height), below = cv2.getTextSize("0", FONT, size, 1)
    return int(height + 2 * below)


def _bar(image: Image, text: str, colour: Colour | None, size: float) -> None:
    """Draws the bar at the lower edge; None: darkens the frame there."""
    below = cv2.getTextSize("0", FONT, size, 1)[1]
    strip = image[max(image.shape[0] - _bar_height(size), 0) :]
    strip[:] = strip // 4 if colour is None else colour
    _write(image, text, (3 + below // 2, image.shape[0] - below), WHITE if colour is None else _ink(colour), size)


def _write(image: Image, text: str, origin: tuple[int, int], colour: Colour, size: float) -> None:
    cv2.putText(image, text, origin, FONT, size, colour, max(round(1.6 * size), 1), cv2.LINE_AA)
