"""Help for aiming the camera: what is wrong with the faces that it sees, in words.

The tilt of a face is that of its axis of symmetry: rotated back by it, the picture of the face is most similar to its
mirror image. This needs no landmarks, and is computed only while somebody looks at the page.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np

from edge.core.geometry import Box
from edge.core.records import Image, Observation

GOOD = 48.0
"""Shorter side of a face, in pixels, from which the networks work best."""
DARK, BRIGHT = 50.0, 225.0
"""Mean brightness of a face, 0..255, below and above which it is hard to judge."""
TILTED = 18.0
"""Least tilt that is reported, in degrees."""
ANGLES = range(-40, 41, 4)
SURE = 0.6
"""Least symmetry for a tilt. Half of 120 faces of the validation pictures get one; five in six of those are called
tilted when rotated by 30 degrees, one in seven when not."""
FLAT = 4.0
"""Mean square of the brightness steps below which no face can be seen."""
SIDE = 48
"""Side of the rotated picture, in pixels."""


def advice(observation: Observation) -> list[dict[str, Any]]:
    """Per face, largest first: `track`, `width` and `height` in pixels, `brightness` 0..255, `tilt` in degrees
    clockwise (None if unknown), and `problems`, sentences for people.
    """
    tracks = sorted(observation.faces, key=lambda track: -track.box.area)
    return [_of(observation.frame.image, track.id, track.box, observation.min_face) for track in tracks[:8]]


def _of(image: Image, id: int, box: Box, min_face: float) -> dict[str, Any]:
    size = min(box.width, box.height)
    face = _cut(image, box)
    brightness = float(face.mean()) if face.size else 0.0
    angle = tilt(image, box) if size >= GOOD / 2 else None
    problems = []
    if size < min_face:
        problems.append(f"too far: {size:.0f} pixels, not judged below {min_face:.0f}: come closer or zoom in")
    elif size < GOOD:
        problems.append(f"far: {size:.0f} pixels, best from {GOOD:.0f}: come closer or zoom in")
    if brightness < DARK:
        problems.append("too dark: put a light before the face, not behind it")
    elif brightness > BRIGHT:
        problems.append("too bright: keep lamps and windows out of the picture")
    if angle is not None and abs(angle) >= TILTED:
        way = "anticlockwise" if angle > 0 else "clockwise"
        problems.append(f"tilted by {abs(angle):.0f}°: turn the camera, or set camera.rotation ({way} to level)")
    return {
        "track": id,
        "width": round(box.width),
        "height": round(box.height),
        "brightness": round(brightness),
        "tilt": None if angle is None else round(angle),
        "problems": problems,
    }


def _cut(image: Image, box: Box) -> Image:
    inside = box.clipped(image.shape[1], image.shape[0])
    return image[round(inside.y0) : round(inside.y1), round(inside.x0) : round(inside.x1)]


def tilt(image: Image, box: Box) -> float | None:
    """Clockwise tilt in degrees of the face at `box` in an RGB picture; None if it is not symmetric."""
    x, y = box.centre
    side = 1.1 * max(box.width, box.height)
    scores = []
    for angle in ANGLES:
        matrix = cv2.getRotationMatrix2D((x, y), angle, SIDE / side)  # positive rotates the picture anticlockwise
        matrix[:, 2] += np.array([SIDE / 2 - x, SIDE / 2 - y])
        turned = cv2.warpAffine(image, matrix, (SIDE, SIDE), borderMode=cv2.BORDER_REPLICATE)
        scores.append(_symmetry(turned))
    best = int(np.argmax(scores))
    return None if scores[best] < SURE else float(_peak(scores, best))


def _symmetry(face: cv2.typing.MatLike) -> float:
    """Correlation, -1..1, of a picture with its mirror image; the best of a few shifts, since boxes are inexact."""
    grey = cv2.GaussianBlur(cv2.cvtColor(face, cv2.COLOR_RGB2GRAY), (0, 0), 1.5).astype(np.float32)
    edges = grey - cv2.GaussianBlur(grey, (0, 0), 8)  # light from the side is not symmetric, but features are
    best = -1.0
    for shift in range(-6, 7, 2):
        part = edges[4:-4, max(shift, 0) : SIDE + min(shift, 0)]
        a, b = part.ravel(), part[:, ::-1].ravel()
        norm = float(np.dot(a, a))
        best = max(best, float(np.dot(a, b)) / norm if norm > FLAT * a.size else -1.0)
    return best


def _peak(scores: Sequence[float], best: int) -> float:
    """The angle interpolated by a parabola through the best step and its neighbours."""
    step = ANGLES.step
    if not 0 < best < len(scores) - 1:
        return ANGLES[best]
    left, top, right = scores[best - 1 : best + 2]
    curve = left - 2 * top + right
    return ANGLES[best] + step * (0.5 * (left - right) / curve if curve else 0.0)
